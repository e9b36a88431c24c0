//! Deltas end to end: built by the server, taken by devices, and the full image wherever one does not do.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::api::delta::{DeltaState, DeltaUse, DeltaView, DeltasView, ListDeltas};
use patchward_protocol::id::FamilyId;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::device::{Device, PATIENCE};
use patchward_tests::hospital::{Hospital, Wish};
use patchward_tests::hostile::Hostile;
use patchward_tests::image::{Carrier, Recipe, Release, put};
use patchward_tests::ledger::staged;
use patchward_tests::server::QUICK;
use patchward_tests::unpack::Unpacked;
use patchward_tests::world::World;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use tempfile::TempDir;

/// Five windows of the containers that `release prepare` makes.
const IMAGE_BYTES: usize = 4 * MIB + 4711;
/// A window of the containers that `release prepare` makes.
const MIB: usize = 1024 * 1024;
/// Windows of the running slot in which a byte is turned.
const SPOILT: [usize; 2] = [1, 3];
/// A worker that shares two processors with everything else takes its time.
const BUILD: Duration = Duration::from_secs(180);

/// A manufacturer with releases in containers, and a hospital.
struct Story {
    hospital: Hospital,
    world: World,
    _folder: TempDir,
}

/// A device and its line, which counts.
struct Behind {
    device: Device,
    line: Hostile,
}

fn recipe(family: &FamilyId, kind: Kind, version: &str, seq: u64) -> Recipe {
    let recipe = Recipe::small(family, kind, version, seq);
    Recipe { size_bytes: IMAGE_BYTES, carrier: Carrier::Container, ..recipe }
}

impl Story {
    fn begin(name: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let family = FamilyId::new(&format!("acme.{name}"))?;
        let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
        let hospital = world.hospital(&format!("{name}-hospital"))?;
        Ok(Self { hospital, world, _folder: folder })
    }

    /// Prepares, signs and publishes a release.
    fn release(&self, recipe: &Recipe) -> Result<Release> {
        let draft = self.world.maker.prepare(recipe)?;
        self.world.maker.release(&draft)?;
        recipe.release()
    }

    /// A device from the factory on a line of its own, not yet started.
    fn device(&self, name: &str, factory: &Release) -> Result<Behind> {
        let line = Hostile::in_front_of(self.world.server.address()?)?;
        let device = self.world.device_behind(&self.hospital, name, factory, &line.url())?;
        Ok(Behind { device, line })
    }

    fn approve(&self, version: &str, devices: &[&Behind]) -> Result<()> {
        let names = devices.iter().map(|behind| behind.device.name.to_string());
        self.hospital.approve(&Wish {
            id: "first".to_owned(),
            family: self.world.maker.family.clone(),
            version: version.to_owned(),
            devices: names.collect(),
            start_s: 0,
            length_s: 3600,
        })?;
        Ok(())
    }

    fn deltas(&self) -> Result<DeltasView> {
        let family = self.world.maker.family.as_str();
        self.world.server.administrator()?.must::<ListDeltas>(&["family", family], &())
    }

    fn pair(&self, from: &Release, to: &Release) -> Result<Option<DeltaView>> {
        let (from, to) = (from.firmware.payload.image_sha256, to.firmware.payload.image_sha256);
        let between =
            |pair: &DeltaView| pair.from.image_sha256 == from && pair.to.image_sha256 == to;
        Ok(self.deltas()?.pairs.into_iter().find(between))
    }

    /// Waits until the delta between two releases is as far as this.
    fn comes(&self, from: &Release, to: &Release, state: DeltaState) -> Result<DeltaView> {
        let (old, new) = (&from.firmware.version, &to.firmware.version);
        until(&format!("the delta {old} to {new} to be {state:?}"), BUILD, || {
            Ok(self.pair(from, to)?.filter(|pair| pair.state == state))
        })
        .with_context(|| format!("{:#?}\n{}", self.deltas(), self.world.server.log()))
    }

    /// The file of a target that this device has asked for.
    fn file(&self, behind: &Behind, dir: &str) -> Result<Vec<u8>> {
        let asked = behind.line.asked();
        let asked = asked.iter().find(|request| request.path.contains(dir));
        let asked = asked.with_context(|| behind.device.story())?;
        let got = self.world.server.client()?.get(&asked.path)?;
        ensure!(got.status == 200, "{}: {}", asked.path, got.status);
        Ok(got.body)
    }

    /// What the server heard of how a device got its image.
    fn heard_of(&self, device: &Device) -> Result<DeltaUse> {
        until(&format!("the server to hear of {}", device.name), PATIENCE, || {
            let devices = self.deltas()?.devices.into_iter();
            Ok(devices.into_iter().find(|used| used.device == device.name))
        })
    }
}

/// A device took the delta whole: its ledger, its line and the server agree on every byte.
fn took_the_delta(story: &Story, behind: &Behind, pair: &DeltaView) -> Result<()> {
    let Behind { device, line } = behind;
    let (entry, carried) = staged(device)?;
    let told = format!("{carried:?} {:?}\n{}", entry.fact.reason, device.story());
    assert_eq!(entry.fact.reason, None, "{told}");
    assert_eq!((carried.windows_full, carried.delta_sha256), (0, pair.sha256), "{told}");
    let full = story.file(behind, "/targets/img/")?;
    let heads = Unpacked::read(&full)?.head_bytes();
    let (of_delta, of_full) = (line.sent_for("/targets/delta/"), line.sent_for("/targets/img/"));
    assert_eq!(Some(of_delta), pair.bytes, "the whole delta and nothing twice: {told}");
    assert_eq!(of_full, heads, "the head of the full file and nothing else: {told}");
    assert_eq!(carried.fetched_bytes, of_delta + of_full, "{told}");
    assert_eq!(
        (carried.full_bytes, pair.full_bytes),
        (u64::try_from(full.len())?, carried.full_bytes)
    );
    assert!(carried.fetched_bytes * 2 < carried.full_bytes, "{told}");
    assert_eq!(story.heard_of(device)?.carried, carried);
    Ok(())
}

/// The full image came, for this reason.
fn took_the_full_image(behind: &Behind, reason: Reason) -> Result<()> {
    let Behind { device, line } = behind;
    let (entry, carried) = staged(device)?;
    let told = format!("{carried:?} {:?}\n{}", entry.fact.reason, device.story());
    assert_eq!(entry.fact.reason, Some(reason), "{told}");
    assert_eq!((carried.windows_full, carried.delta_sha256), (carried.windows, None), "{told}");
    assert_eq!(line.sent_for("/targets/delta/"), 0, "{told}");
    assert_eq!(line.sent_for("/targets/img/"), carried.full_bytes, "{told}");
    Ok(())
}

#[test]
fn slots_take_deltas_and_the_full_image_where_one_does_not_do() -> Result<()> {
    let story = Story::begin("deltas")?;
    let family = story.world.maker.family.clone();
    let recipe = |version: &str, seq| recipe(&family, Kind::Slots, version, seq);
    let oldest = story.release(&recipe("0.9.0", 1))?;
    let factory = story.release(&recipe("1.0.0", 2))?;
    let next = story.release(&recipe("2.0.0", 3))?;
    // Nobody has reported the oldest: the release before is the only base.
    let pair = story.comes(&factory, &next, DeltaState::Published)?;
    assert!(story.pair(&oldest, &next)?.is_none_or(|pair| pair.state != DeltaState::Published));

    let plain = story.device("plain", &factory)?;
    let off = story.device("off", &factory)?;
    off.device.reconfigure("state_dir", "deltas = \"off\"\nstate_dir")?;
    // An image that its manufacturer never published.
    let unknown = story.device("unknown", &recipe("0.0.1", 1).release()?)?;
    let modified = story.device("modified", &factory)?;
    let spoilt = spoil(&modified, &factory, &SPOILT)?;
    let late = story.device("late", &oldest)?;

    // The late one reports its base, and a delta for it is built then.
    let of_late = story.comes(&oldest, &next, DeltaState::Published)?;
    assert_eq!(of_late.devices, 1, "{of_late:?}");

    let all = [&plain, &off, &unknown, &modified, &late];
    story.approve("2.0.0", &all)?;
    let agents: Vec<_> = all.iter().map(|b| b.device.start()).collect::<Result<_>>()?;
    for behind in all {
        behind.device.updated_to(&next)?;
    }
    took_the_delta(&story, &plain, &pair)?;
    took_the_delta(&story, &late, &of_late)?;
    took_the_full_image(&off, Reason::DeltaOff)?;
    took_the_full_image(&unknown, Reason::DeltaNone)?;
    took_spoilt_windows_from_the_full_file(&story, &modified, &pair, &spoilt)?;
    status_says_so(&story, &plain)?;
    drop(agents);
    Ok(())
}

/// Turns one byte in each of these windows of the running slot; gives what stands there then.
fn spoil(behind: &Behind, factory: &Release, windows: &[usize]) -> Result<Vec<u8>> {
    let mut slot = factory.image.clone();
    for window in windows {
        // Not in a part that is the version's own, which no delta reads.
        let at = window * MIB + MIB / 10 + 4711;
        *slot.get_mut(at).context("within the slot")? ^= 0x40;
    }
    put(&behind.device.folder.join("system/slot-a"), &slot)?;
    Ok(slot)
}

/// Exactly the windows that read a turned byte come from the full file, and nothing else of it.
fn took_spoilt_windows_from_the_full_file(
    story: &Story,
    behind: &Behind,
    pair: &DeltaView,
    slot: &[u8],
) -> Result<()> {
    let Behind { device, line } = behind;
    let (delta, full) =
        (story.file(behind, "/targets/delta/")?, story.file(behind, "/targets/img/")?);
    let (delta, full) = (Unpacked::read(&delta)?, Unpacked::read(&full)?);
    let spoilt = delta.spoilt(slot, &full)?;
    assert_eq!(spoilt, SPOILT, "the windows that read a turned byte");
    let (entry, carried) = staged(device)?;
    let told = format!("{carried:?} {:?}\n{}", entry.fact.reason, device.story());
    assert_eq!(entry.fact.reason, Some(Reason::DeltaOutput), "{told}");
    assert_eq!(
        (usize::try_from(carried.windows_full)?, carried.delta_sha256),
        (SPOILT.len(), pair.sha256),
        "{told}"
    );
    let wanted = full.head_bytes() + full.payload_bytes(&spoilt);
    assert_eq!(line.sent_for("/targets/img/"), wanted, "{told}");
    assert_eq!(Some(line.sent_for("/targets/delta/")), pair.bytes, "{told}");
    assert_eq!(carried.fetched_bytes, wanted + pair.bytes.context("its length")?, "{told}");
    Ok(())
}

/// `patchward delta status` says to people what the server counted.
fn status_says_so(story: &Story, behind: &Behind) -> Result<()> {
    let desk = &story.world.maker.desk;
    let said =
        desk.say(desk.command(["delta", "status"]).arg(story.world.maker.family.as_str()))?;
    let (_, carried) = staged(&behind.device)?;
    let said = said.to_string();
    assert!(said.contains(&carried.fetched_bytes.to_string()), "{said}");
    assert!(said.contains(behind.device.name.as_str()), "{said}");
    Ok(())
}

#[test]
fn trees_take_deltas_against_the_archive_that_they_were_installed_from() -> Result<()> {
    let story = Story::begin("tree-deltas")?;
    let family = story.world.maker.family.clone();
    let factory = story.release(&recipe(&family, Kind::Tree, "1.0.0", 1))?;
    let next = story.release(&recipe(&family, Kind::Tree, "2.0.0", 2))?;
    let pair = story.comes(&factory, &next, DeltaState::Published)?;
    let plain = story.device("plain", &factory)?;
    story.approve("2.0.0", &[&plain])?;
    let agent = plain.device.start()?;
    plain.device.updated_to(&next)?;
    took_the_delta(&story, &plain, &pair)?;
    drop(agent);
    Ok(())
}

#[test]
fn publishing_does_not_wait_for_a_delta_that_is_being_built() -> Result<()> {
    let story = Story::begin("busy-builder")?;
    let family = story.world.maker.family.clone();
    let recipe = |version: &str, seq| recipe(&family, Kind::Slots, version, seq);
    let first = story.release(&recipe("1.0.0", 1))?;
    let second = story.release(&recipe("2.0.0", 2))?;
    let server = story.world.server.id()?;
    let worker = until("a worker", BUILD, || child_of(server))
        .with_context(|| format!("{:#?}", story.deltas()))?;
    kill_process(worker, Signal::STOP).context("stop the worker")?;
    // It stands still in the middle of its work, and releases come and go.
    let pair = story.pair(&first, &second)?.context("the pair is known")?;
    assert_eq!(pair.state, DeltaState::Building, "{pair:?}");
    story.release(&Recipe { size_bytes: 20_000, ..recipe("2.0.1", 3) })?;
    let pair = story.pair(&first, &second)?.context("the pair is known")?;
    assert_eq!(pair.state, DeltaState::Building, "{pair:?}");
    kill_process(worker, Signal::CONT).context("let the worker go on")?;
    story.comes(&first, &second, DeltaState::Published)?;
    Ok(())
}

/// A process that this one has started and that still runs.
fn child_of(parent: u32) -> Result<Option<Pid>> {
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        // A process may end while it is looked at.
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let is_child = status.lines().any(|line| line == format!("PPid:\t{parent}"));
        let runs = !status.contains("State:\tZ");
        let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(id) = id.and_then(Pid::from_raw).filter(|_| is_child && runs) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
