//! 16 the key of the role `deltas` is stolen: whatever it signs costs bandwidth and installs nothing else.
//!
//! The thief owns the server's other online keys as well. In every case the device ends with the signed
//! image, never with wrong bytes and never with a failed update, and its ledger says why the delta was
//! not, or not only, what brought it.

use anyhow::{Context as _, Result};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::clock::until;
use patchward_tests::container::{Container, Entry as Window, WINDOW_BYTES, packed};
use patchward_tests::deltas::{LIFE_S, Listed, chain, delegate, document};
use patchward_tests::device::PATIENCE;
use patchward_tests::forge::Key;
use patchward_tests::forged::{Forged, Online};
use patchward_tests::hostile::Answer;
use patchward_tests::image::Carrier;
use patchward_tests::ledger::staged;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::wire::{Reply, Request};
use serde_json::json;

/// Version of the thief's document: newer than what the server has signed meanwhile.
const VERSION: u64 = 9;

/// One hospital, one manufacturer, one device, and the thief of the key that signs for deltas.
struct Robbed {
    scene: Scene,
    key: Key,
    online: Online,
}

impl Robbed {
    fn begin(name: &str, kind: Kind) -> Result<Self> {
        let size_bytes = 6 * WINDOW_BYTES + 4711;
        let cast = Cast {
            kind,
            size_bytes,
            carrier: Carrier::Container,
            ..Cast::tree(&format!("16{name}"))
        };
        let mut scene = Scene::on(Stage::shared()?, cast)?;
        let key = scene.stage.server.steal_deltas(&scene.family.id)?;
        delegate(&mut scene.family, &key);
        scene.family.publish()?;
        scene.approve()?;
        let (online, _) = scene.steal_online()?;
        Ok(Self { scene, key, online })
    }

    /// What an honest builder would make.
    fn honest(&self) -> Result<Container> {
        Container::delta(&self.scene.factory.image, &self.scene.next.image, WINDOW_BYTES)
    }

    fn listed(&self, container: &Container) -> Listed {
        Listed::between(&self.scene.factory, &self.scene.next, container)
    }

    /// The chain of the repository with these deltas in the role, validly signed.
    fn chain(&self, listed: &[Listed]) -> Result<Forged> {
        let bytes = document(&self.scene.family, (VERSION, LIFE_S), listed, &[&self.key])?;
        chain(&self.scene.family, &self.online, Some((VERSION, &bytes)), listed)
    }

    /// The thief lists this one delta.
    fn lists(&self, listed: &Listed) -> Result<()> {
        self.scene.show(vec![self.chain(std::slice::from_ref(listed))?]);
        Ok(())
    }

    /// The thief lists this one delta, and answers who fetches it like this.
    fn lists_but_answers(
        &self,
        listed: &Listed,
        answer: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Result<()> {
        let forged = self.chain(std::slice::from_ref(listed))?;
        self.scene.line.play(move |request, upstream| {
            if let Some(answer) = answer(request).filter(|_| is_delta(request)) {
                return Ok(Some(answer));
            }
            forged.answer(request, upstream)
        });
        Ok(())
    }

    /// The device gets the signed image without a failure, says one of these reasons, and so many
    /// windows came from the full file.
    fn arrives(mut self, reasons: &[Reason], windows_full: u32) -> Result<()> {
        self.scene.start()?;
        let device = &self.scene.device;
        device.updated_to(&self.scene.next)?;
        let (staged, carried) = staged(&self.scene.device)?;
        let said = staged.fact.reason.context("it says why not as a delta")?;
        let told = format!("{said:?} {carried:?}\n{}", device.story());
        assert!(reasons.contains(&said), "{reasons:?}: {told}");
        assert_eq!(
            (carried.windows, carried.windows_full),
            (self.windows(), windows_full),
            "{told}"
        );
        let failed = [Transition::Refused, Transition::RolledBack, Transition::NeedsService];
        let failure = device.ledger()?.into_iter().find(|entry| failed.contains(&entry.fact.kind));
        assert!(failure.is_none(), "{failure:?}: {told}");
        Ok(())
    }

    /// The same where nothing of the delta was of use.
    fn arrives_whole(self, reasons: &[Reason]) -> Result<()> {
        let windows = self.windows();
        self.arrives(reasons, windows)
    }

    fn windows(&self) -> u32 {
        u32::try_from(self.scene.next.image.len().div_ceil(WINDOW_BYTES)).unwrap_or(u32::MAX)
    }
}

fn is_delta(request: &Request) -> bool {
    request.path.contains("/targets/delta/")
}

/// Bytes of a window that nobody signed offline.
fn evil() -> Vec<u8> {
    vec![0xe7; WINDOW_BYTES]
}

#[test]
fn an_honest_delta_of_this_scene_is_taken() -> Result<()> {
    for (name, kind) in [("a", Kind::Slots), ("b", Kind::Tree)] {
        let mut robbed = Robbed::begin(name, kind)?;
        let container = robbed.honest()?;
        assert!(container.write().len() < robbed.scene.next.file.len());
        robbed.lists(&robbed.listed(&container))?;
        robbed.scene.start()?;
        robbed.scene.device.updated_to(&robbed.scene.next)?;
        let (staged, carried) = staged(&robbed.scene.device)?;
        assert_eq!(staged.fact.reason, None, "{}", robbed.scene.device.story());
        assert_eq!((carried.windows, carried.windows_full), (robbed.windows(), 0));
    }
    Ok(())
}

#[test]
fn attack_16_a_delta_that_makes_other_bytes_brings_no_window() -> Result<()> {
    for (name, kind) in [("c", Kind::Slots), ("d", Kind::Tree)] {
        let robbed = Robbed::begin(name, kind)?;
        let evil = vec![0xe7; robbed.scene.next.image.len()];
        let lie = Container::full(&evil, WINDOW_BYTES)?;
        let old = robbed.honest()?.old;
        robbed.lists(&robbed.listed(&Container { old, ..lie }))?;
        robbed.arrives_whole(&[Reason::DeltaDisagrees])?;
    }
    Ok(())
}

#[test]
fn attack_16_a_delta_all_of_whose_windows_are_other_bytes_brings_none() -> Result<()> {
    let robbed = Robbed::begin("aa", Kind::Slots)?;
    let honest = robbed.honest()?;
    // Nothing but its windows says that it makes another image.
    let evil = Container::full(&vec![0xe7; robbed.scene.next.image.len()], WINDOW_BYTES)?;
    robbed.lists(&robbed.listed(&Container { old: honest.old, new: honest.new, ..evil }))?;
    robbed.arrives_whole(&[Reason::DeltaOutput])
}

#[test]
fn attack_16_windows_with_other_bytes_come_from_the_full_file() -> Result<()> {
    let robbed = Robbed::begin("e", Kind::Slots)?;
    let mut lie = robbed.honest()?;
    lie.entries[3] = Window::raw(&evil())?;
    // And one that copies from another place than where the window stands.
    lie.entries[1].old_off = 2 * WINDOW_BYTES;
    robbed.lists(&robbed.listed(&lie))?;
    robbed.arrives(&[Reason::DeltaOutput], 2)
}

#[test]
fn attack_16_what_the_role_lists_outside_its_folder_is_not_there() -> Result<()> {
    let robbed = Robbed::begin("g", Kind::Slots)?;
    let honest = robbed.listed(&robbed.honest()?);
    let image = robbed.scene.next.path.to_string();
    let at = |path: &str| Listed { path: path.to_owned(), ..honest.clone() };
    let mut outside = vec![at("img/delta.pwd"), at("doc/1-2.pwd"), at("deltas/1-2.pwd")];
    // The very name of the signed image, with other bytes.
    let evil = Container::full(&vec![0xe7; robbed.scene.next.image.len()], WINDOW_BYTES)?;
    let mut lie = at(&image);
    lie.file = evil.write();
    let places: Vec<String> = outside.iter().chain([&lie]).map(Listed::place).collect();
    outside.push(lie);
    robbed.scene.show(vec![robbed.chain(&outside)?]);
    let asked = |scene: &Scene| {
        places.iter().filter(|place| scene.line.asked_for(place) > 0).cloned().collect::<Vec<_>>()
    };
    let mut scene = robbed.scene;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    let (staged, carried) = staged(&scene.device)?;
    let reasons = [Reason::DeltaNone, Reason::DeltaRoleUntrusted];
    let said = staged.fact.reason.context("why not as a delta")?;
    assert!(reasons.contains(&said), "{}", scene.device.story());
    assert_eq!(carried.windows_full, carried.windows);
    assert!(asked(&scene).is_empty(), "fetched: {:?}", asked(&scene));
    Ok(())
}

#[test]
fn attack_16_a_role_that_is_not_there_costs_nothing_but_bandwidth() -> Result<()> {
    let robbed = Robbed::begin("h", Kind::Slots)?;
    // First case: the snapshot lists none.
    robbed.scene.show(vec![chain(&robbed.scene.family, &robbed.online, None, &[])?]);
    robbed.arrives_whole(&[Reason::DeltaRoleUntrusted])?;
    // Second case: it is listed and cannot be fetched.
    let robbed = Robbed::begin("i", Kind::Slots)?;
    let forged = robbed.chain(&[robbed.listed(&robbed.honest()?)])?;
    let forged = forged
        .with_reply(&format!("metadata/{VERSION}.deltas.json"), Reply::new(404, b"{}".to_vec()));
    robbed.scene.show(vec![forged]);
    robbed.arrives_whole(&[Reason::DeltaRoleUntrusted])
}

#[test]
fn attack_16_an_expired_role_is_as_good_as_none() -> Result<()> {
    let robbed = Robbed::begin("j", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    let listed = std::slice::from_ref(&listed);
    let (family, online) = (&robbed.scene.family, &robbed.online);
    let bytes = document(family, (VERSION, -3600), listed, &[&robbed.key])?;
    robbed.scene.show(vec![chain(family, online, Some((VERSION, &bytes)), listed)?]);
    robbed.arrives_whole(&[Reason::DeltaRoleUntrusted])
}

#[test]
fn attack_16_a_role_signed_by_another_key_is_as_good_as_none() -> Result<()> {
    let robbed = Robbed::begin("k", Kind::Tree)?;
    let listed = robbed.listed(&robbed.honest()?);
    let listed = std::slice::from_ref(&listed);
    let (family, online) = (&robbed.scene.family, &robbed.online);
    let signers = [&online.snapshot, &online.timestamp, &family.targets_keys[0]];
    let bytes = document(family, (VERSION, LIFE_S), listed, &signers)?;
    robbed.scene.show(vec![chain(family, online, Some((VERSION, &bytes)), listed)?]);
    robbed.arrives_whole(&[Reason::DeltaRoleUntrusted])
}

#[test]
fn attack_16_a_delta_from_another_image_is_not_fetched() -> Result<()> {
    let robbed = Robbed::begin("l", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    robbed.lists(&listed.saying("from.image_sha256", "11".repeat(32)))?;
    robbed.arrives_whole(&[Reason::DeltaNone])
}

#[test]
fn attack_16_a_delta_to_another_image_than_the_signed_release_is_refused() -> Result<()> {
    let cases = [
        ("m", "to.image_sha256", json!("11".repeat(32))),
        ("n", "to.length", json!(4711)),
        ("o", "to.seq", json!(9)),
    ];
    for (name, field, value) in cases {
        let robbed = Robbed::begin(name, Kind::Slots)?;
        let listed = robbed.listed(&robbed.honest()?);
        robbed.lists(&listed.saying(field, value))?;
        robbed.arrives_whole(&[Reason::DeltaDisagrees])?;
    }
    Ok(())
}

#[test]
fn attack_16_a_head_that_disagrees_with_the_release_is_refused() -> Result<()> {
    // The list says the truth; the header of the file speaks of other images.
    let robbed = Robbed::begin("p", Kind::Slots)?;
    let mut lie = robbed.honest()?;
    lie.new.1 = [0x11; 32];
    robbed.lists(&robbed.listed(&lie))?;
    robbed.arrives_whole(&[Reason::DeltaDisagrees])?;
    let robbed = Robbed::begin("q", Kind::Slots)?;
    let mut lie = robbed.honest()?;
    lie.old = Some((lie.old.context("an old image")?.0, [0x11; 32]));
    robbed.lists(&robbed.listed(&lie))?;
    robbed.arrives_whole(&[Reason::DeltaDisagrees])
}

#[test]
fn attack_16_hostile_payloads_bring_no_window() -> Result<()> {
    let robbed = Robbed::begin("r", Kind::Slots)?;
    let mut lie = robbed.honest()?;
    let frame = packed(&[0x5a; WINDOW_BYTES])?;
    // Noise; followed by something; cut short; a bomb that declares a gigabyte; all truly digested.
    lie.entries[0].bring(vec![0x5a; 1000]);
    let bomb = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 2, 0, 2, 0, 0x53, 0, 0, 8, 0, 1, 0, 0];
    for (window, payload) in [
        (1, [frame.as_slice(), b"more"].concat()),
        (2, frame.get(..frame.len() - 3).unwrap_or_default().to_vec()),
        (3, bomb.to_vec()),
    ] {
        lie.entries[window] = Window::raw(&evil())?;
        lie.entries[window].bring(payload);
    }
    robbed.lists(&robbed.listed(&lie))?;
    robbed.arrives(&[Reason::DeltaMalformed], 4)
}

#[test]
fn attack_16_a_head_that_is_not_the_listed_one_is_refused() -> Result<()> {
    let robbed = Robbed::begin("s", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    robbed.lists(&listed.saying("table_sha256", "11".repeat(32)))?;
    robbed.arrives_whole(&[Reason::DeltaMalformed])
}

#[test]
fn attack_16_a_truncated_or_an_endless_delta_does_not_end_the_update() -> Result<()> {
    let robbed = Robbed::begin("t", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    let short = listed.file[..listed.file.len() - 1000].to_vec();
    let cut = move |request: &Request| Some(Answer::Reply(Reply::part(request, &short)));
    robbed.lists_but_answers(&listed, cut)?;
    arrives_somehow(robbed)?;
    let robbed = Robbed::begin("u", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    robbed.lists_but_answers(&listed, |_| Some(Answer::Endless))?;
    arrives_somehow(robbed)
}

#[test]
fn attack_16_a_delta_that_never_comes_does_not_hold_the_update_up() -> Result<()> {
    let robbed = Robbed::begin("v", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?);
    robbed.lists_but_answers(&listed, |_| Some(Answer::Nothing))?;
    arrives_somehow(robbed)
}

/// Part of the delta may have been of use.
fn arrives_somehow(mut robbed: Robbed) -> Result<()> {
    robbed.scene.start()?;
    let device = &robbed.scene.device;
    // Each look at the delta is given up after a quarter of a minute.
    until("the device to give the delta up", 3 * PATIENCE, || {
        Ok(device.has(Transition::Committed)?.then_some(()))
    })
    .with_context(|| device.story())?;
    device.updated_to(&robbed.scene.next)?;
    let (staged, carried) = staged(device)?;
    let said = staged.fact.reason.context("it says why not only as a delta")?;
    let reasons = [Reason::DeltaMalformed, Reason::DeltaUnfetched];
    assert!(reasons.contains(&said), "{said:?}\n{}", device.story());
    assert!(carried.windows_full > 0, "{carried:?}");
    assert!(carried.fetched_bytes < 16 * carried.full_bytes, "{carried:?}");
    Ok(())
}

#[test]
fn attack_16_a_lie_about_memory_claims_none() -> Result<()> {
    // It says more than the device gives.
    let robbed = Robbed::begin("w", Kind::Slots)?;
    let listed = robbed.listed(&robbed.honest()?).saying("mem_bytes", 1_u64 << 40);
    robbed.lists(&listed)?;
    robbed.arrives_whole(&[Reason::DeltaMemory])?;
    // A device with less memory than others, and a delta that truly needs more.
    let robbed = Robbed::begin("y", Kind::Slots)?;
    robbed.scene.device.reconfigure("state_dir", "unpack_mib_max = 1\nstate_dir")?;
    let listed = robbed.listed(&robbed.honest()?).saying("mem_bytes", 2 * 1024 * 1024);
    robbed.lists(&listed)?;
    robbed.arrives_whole(&[Reason::DeltaMemory])?;
    // It says next to nothing and needs much, by windows that the signed container does not have.
    let robbed = Robbed::begin("x", Kind::Slots)?;
    let (old, new) = (&robbed.scene.factory.image, &robbed.scene.next.image);
    let other = Container::delta(old, new, 4 * 1024 * 1024)?;
    robbed.lists(&robbed.listed(&other).saying("mem_bytes", 1))?;
    robbed.arrives_whole(&[Reason::DeltaDisagrees])
}

#[test]
fn attack_16_a_delta_that_needs_an_unknown_feature_leaves_the_full_image() -> Result<()> {
    let robbed = Robbed::begin("z", Kind::Slots)?;
    let container = Container { features: 1, ..robbed.honest()? };
    robbed.lists(&robbed.listed(&container))?;
    robbed.arrives_whole(&[Reason::DeltaFeatureUnknown])
}
