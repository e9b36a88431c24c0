//! 22 the server opens waves that are not open: without proof, with forged, foreign, too few or too
//! young ones.

use anyhow::{Context as _, Result};
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::until;
use patchward_tests::device::{Device, PATIENCE};
use patchward_tests::forge::Key;
use patchward_tests::plan::Plan;
use patchward_tests::running::Running;
use patchward_tests::scene::Scene;
use patchward_tests::wave::{Opens, committed, in_waves, long_ago, proof, tell_open};

/// Two canaries in wave 0, the device of the scene in wave 1.
struct Waves {
    scene: Scene,
    canaries: [Device; 2],
    approval: Sha256Digest,
}

impl Waves {
    fn begin(name: &str, opens: Opens) -> Result<Self> {
        let mut scene = Scene::begin(name)?;
        let canaries = [scene.another("canary-a")?, scene.another("canary-b")?];
        let [a, b] = &canaries;
        let next = scene.next.clone();
        let all = [a, b, &scene.device];
        let mut approval = scene.draw_up(&Plan::open_now("waves", 1), &next, &all)?;
        in_waves(&mut approval, &[&[&a.name, &b.name], &[&scene.device.name]], opens)?;
        let approval = scene.publish(&approval)?;
        Ok(Self { scene, canaries, approval })
    }

    /// A canary installs the update, truly.
    fn canary_goes(&self, n: usize) -> Result<(Running, Envelope)> {
        let canary = self.canaries.get(n).context("a canary")?;
        let agent = canary.start()?;
        canary.updated_to(&self.scene.next)?;
        let signed = canary.signed(Transition::Committed)?;
        Ok((agent, signed.into_iter().next_back().context("a signed entry")?))
    }

    /// The image of the update.
    fn image(&self) -> Sha256Digest {
        self.scene.next.firmware.payload.image_sha256
    }

    /// The server says that wave 1 is open with this proof; the device looks at it and stays.
    fn stays_shown(&self, what: &str, shown: (Sha256Digest, Vec<u8>)) -> Result<Sha256Digest> {
        let (digest, bytes) = shown;
        tell_open(&self.scene.line, self.approval, 1, Some((digest, Some(bytes))));
        let path = format!("/wave-proofs/{digest}");
        until(&format!("the device to look at the proof: {what}"), PATIENCE, || {
            Ok((self.scene.line.asked_for(&path) > 0).then_some(()))
        })
        .with_context(|| self.scene.device.story())?;
        self.scene.nothing_changes().with_context(|| what.to_owned())?;
        Ok(digest)
    }

    /// The same for a proof that proves nothing: it is written down as refused.
    fn stays(&self, what: &str, shown: (Sha256Digest, Vec<u8>)) -> Result<()> {
        let digest = self.stays_shown(what, shown)?;
        // What was refused is written down, by its digest.
        until(&format!("the device to note: {what}"), PATIENCE, || {
            let ledger = self.scene.device.ledger()?;
            let noted = ledger.iter().any(|entry| {
                entry.fact.reason == Some(Reason::WaveUnproven)
                    && entry.fact.document_sha256 == Some(digest)
            });
            Ok(noted.then_some(()))
        })
        .with_context(|| self.scene.device.story())
    }
}

#[test]
fn attack_22_a_later_wave_does_not_open_without_a_proof() -> Result<()> {
    let opens = Opens { min_updated: 1, soak_s: 0 };
    let mut waves = Waves::begin("22f", opens)?;
    tell_open(&waves.scene.line, waves.approval, 1, None);
    waves.scene.start()?;
    waves.scene.device.held(Reason::WaveUnproven)?;
    waves.scene.nothing_changes()?;
    // A proof that is nowhere to be had.
    let nowhere = Sha256Digest::of(b"nothing");
    tell_open(&waves.scene.line, waves.approval, 1, Some((nowhere, None)));
    waves.scene.asks_again(2)?;
    waves.scene.nothing_changes()?;
    // When the canary has truly been updated, the honest server opens the wave with its proof.
    waves.scene.line.rest();
    let _agents = [waves.canary_goes(0)?.0, waves.canary_goes(1)?.0];
    waves.scene.device.updated_to(&waves.scene.next)
}

#[test]
fn attack_22_no_forged_or_foreign_proof_opens_a_later_wave() -> Result<()> {
    let opens = Opens { min_updated: 2, soak_s: 0 };
    let mut waves = Waves::begin("22g", opens)?;
    let (image, approval) = (waves.image(), waves.approval);
    waves.scene.start()?;
    waves.scene.device.held(Reason::WaveNotOpen)?;
    let [a, b] = [0, 1].map(|n| waves.canaries[n].name.clone());
    let update = waves.scene.next.firmware.image();
    // Entries that claim to be of the canaries, signed with keys of the attacker's own making.
    let forged =
        |device, key: &str| committed(device, &update, approval, long_ago(), &Key::named(key));
    let own_keys = vec![forged(&a, "attacker a")?, forged(&b, "attacker b")?];
    waves.stays("device keys of the attacker", proof(approval, image, 1, own_keys)?)?;
    // One canary is truly updated; two are asked for.
    let (_agent, true_a) = waves.canary_goes(0)?;
    waves.stays("too few", proof(approval, image, 1, vec![true_a.clone()])?)?;
    let twice = vec![true_a.clone(), true_a.clone()];
    waves.stays("one device twice", proof(approval, image, 1, twice)?)?;
    let mixed = vec![true_a.clone(), forged(&b, "attacker b")?];
    waves.stays("one true, one forged", proof(approval, image, 1, mixed)?)?;
    // A stolen key of one canary does not speak for the other.
    let other = Sha256Digest::of(b"another image");
    waves.stays("about another image", proof(approval, other, 1, vec![true_a.clone()])?)?;
    let other = Sha256Digest::of(b"another approval");
    waves.stays("of another approval", proof(other, image, 1, vec![true_a.clone()])?)?;
    waves.stays("of another wave", proof(approval, image, 2, vec![true_a])?)?;
    waves.scene.line.rest();
    let _second = waves.canary_goes(1)?;
    waves.scene.device.updated_to(&waves.scene.next)
}

#[test]
fn attack_22_a_proof_that_is_too_young_opens_nothing() -> Result<()> {
    let opens = Opens { min_updated: 1, soak_s: 3600 };
    let mut waves = Waves::begin("22h", opens)?;
    let (_agent, young) = waves.canary_goes(0)?;
    waves.scene.start()?;
    // Every signature in it holds; only the hour has not passed.
    waves.stays_shown("too young", proof(waves.approval, waves.image(), 1, vec![young])?)?;
    // The honest server does not open it either.
    waves.scene.line.rest();
    waves.scene.nothing_changes()
}

#[test]
fn attack_22_successes_with_an_earlier_approval_open_no_wave_of_a_later_one() -> Result<()> {
    let opens = Opens { min_updated: 1, soak_s: 0 };
    let mut waves = Waves::begin("22i", opens)?;
    // Both canaries took the image with the first approval, which is then taken back: a rollback, or a
    // doubt. The hospital begins again with the same image, canaries first.
    let runs = [waves.canary_goes(0)?, waves.canary_goes(1)?];
    let old: Vec<Envelope> = runs.iter().map(|(_, signed)| signed.clone()).collect();
    drop(runs);
    let next = waves.scene.next.clone();
    let [a, b] = &waves.canaries;
    let all = [a, b, &waves.scene.device];
    let draw = |id: &str, serial, state| -> Result<_> {
        let mut approval = waves.scene.draw_up(&Plan::open_now(id, serial), &next, &all)?;
        in_waves(&mut approval, &[&[&a.name, &b.name], &[&waves.scene.device.name]], opens)?;
        approval.state = state;
        Ok(approval)
    };
    let taken_back = draw("waves", 1, ApprovalState::Withdrawn)?;
    let second = draw("second", 2, ApprovalState::Active)?;
    waves.scene.site.add_approval(&taken_back)?;
    waves.approval = waves.scene.publish(&second)?;
    waves.scene.start()?;
    waves.stays("of before", proof(waves.approval, waves.image(), 1, old)?)
}
