//! How much memory agents and server take for an image of 2 GiB.
//!
//! `cargo run --release -p patchward-benches --bin memory [MEBIBYTES]`: a made pair of images is released
//! in containers and the server builds the delta between them. Two real agents take the new one into a
//! slot, one by the delta and one whole, while nine readers ask for ranges of the full file. Prints the
//! figures and fails when a goal is missed: each agent at most 16 MiB, server below 64 MiB above idle.
#![allow(clippy::print_stdout, reason = "a measurement is read")]

use anyhow::{Context as _, Result, ensure};
use patchward_benches::delta::pair::{self, Pair};
use patchward_benches::real::real;
use patchward_protocol::api::delta::{DeltaState, DeltaView, ListDeltas};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::FamilyId;
use patchward_protocol::ledger::{Carried, Kind as Transition};
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Profile, Programs, setting};
use patchward_tests::clock::{Stopwatch, until};
use patchward_tests::device::Device;
use patchward_tests::hospital::{Hospital, Wish};
use patchward_tests::image::{Recipe, Release};
use patchward_tests::ledger::staged;
use patchward_tests::maker::Draft;
use patchward_tests::memory::{peak_kib, resident_kib};
use patchward_tests::wire::Request;
use patchward_tests::world::World;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Most memory of an agent, in KiB.
const AGENT_KIB_MAX: u64 = 16 * 1024;
/// Most memory of the server above what it takes when idle, in KiB.
const SERVER_KIB_MAX: u64 = 64 * 1024;
/// Readers beside the agents.
const READERS: u64 = 9;
/// Bytes that a reader asks for at once.
const RANGE_BYTES: u64 = 1024 * 1024;
/// Quick polls; the builder may take 2.5 bytes for each byte of the old image, and something beside.
const SERVER: &str = "poll_s = 1\npoll_jitter_permille = 0\nwatch_ms = 100\ngate_check_s = 1\n\
                      [delta]\nmemory_bytes = 6442450944\ntime_s = 7200\ncheck_s = 1\n";
/// For what a loaded machine takes long over.
const LONG: Duration = Duration::from_secs(3 * 3600);
/// Seed of the pair.
const SEED: u64 = 1;

fn main() -> Result<()> {
    let mebibytes = std::env::args().nth(1).map_or(Ok(2048), |text| text.parse());
    let mebibytes: u64 = mebibytes.context("the size in MiB")?;
    let programs = match setting("PATCHWARD_BIN_DIR") {
        Some(folder) => Programs::in_folder(folder.into())?,
        None => Programs::build(Profile::Release)?,
    };
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let family = FamilyId::new("acme.bench").context("a family")?;
    let world = World::begin(&programs, folder.path(), &family, SERVER)?;
    let pair = pair::make(folder.path(), "image", mebibytes, SEED)?;
    let (_, old) = release(&world, &pair.old, "1.0.0", 1)?;
    let (draft, new) = release(&world, &pair.new, "2.0.0", 2)?;
    let delta = built(&world, &family)?;
    println!("image                       {mebibytes} MiB, made, into a slot");
    let of_full = share(delta.bytes, delta.full_bytes);
    println!(
        "delta                       {} bytes, {of_full} of the full container",
        delta.bytes.unwrap_or(0)
    );
    std::fs::remove_file(&pair.new).context("remove the new image")?;
    let hospital = world.hospital("bench-hospital")?;
    let (by_delta, whole) = (
        device(&world, &hospital, "by-delta", &pair, &old)?,
        device(&world, &hospital, "whole", &pair, &old)?,
    );
    whole.reconfigure("state_dir", "deltas = \"off\"\nstate_dir")?;
    let devices = [&by_delta, &whole];
    let stage = Stage { world: &world, hospital: &hospital, family: &family, new: &new };
    let (agents, server_kib, idle_kib) = stage.play(&devices, &path_of(&draft, &family)?)?;
    for (device, agent_kib) in devices.iter().zip(&agents) {
        let (_, carried) = staged(device)?;
        println!(
            "agent, {:<20} {:.1} MiB at most (goal: 16), {}",
            device.name.to_string(),
            mib(*agent_kib),
            told(&carried)
        );
        let slot = digest_of(&device.folder.join("system/slot-b"))?;
        ensure!(slot == new, "the slot of {} is not the signed image", device.name);
    }
    println!("server, idle                {:.1} MiB", mib(idle_kib));
    println!("server, peak above idle     {:.1} MiB (goal: below 64)", mib(server_kib));
    let (_, carried) = staged(&by_delta)?;
    ensure!(carried.windows_full == 0, "{} took windows from the full file", by_delta.name);
    ensure!(agents.iter().all(|kib| *kib <= AGENT_KIB_MAX), "an agent took too much");
    ensure!(server_kib < SERVER_KIB_MAX, "the server took too much");
    Ok(())
}

/// Releases an image in a container; gives the draft and the digest of the image.
fn release(world: &World, image: &Path, version: &str, seq: u64) -> Result<(Draft, Sha256Digest)> {
    let watch = Stopwatch::start();
    let recipe = Recipe::small(&world.maker.family, Kind::Slots, version, seq);
    let draft = world.maker.prepare_image(&recipe, image)?;
    world.maker.release(&draft)?;
    println!("released {version}              {:.0} s", watch.elapsed().as_secs_f64());
    let digest = digest_of(image)?;
    ensure!(digest.to_string() == draft.image_sha256, "the release is of another image");
    Ok((draft, digest))
}

/// Waits for the server's delta.
fn built(world: &World, family: &FamilyId) -> Result<DeltaView> {
    let watch = Stopwatch::start();
    let desk = world.server.administrator()?;
    let delta = until("the server to build the delta", LONG, || {
        let deltas = desk.must::<ListDeltas>(&["family", family.as_str()], &())?;
        Ok(deltas.pairs.into_iter().find(|pair| pair.state == DeltaState::Published))
    })
    .with_context(|| world.server.log())?;
    println!("delta built and checked     {:.0} s", watch.elapsed().as_secs_f64());
    Ok(delta)
}

/// A device that runs the old image.
fn device(
    world: &World,
    hospital: &Hospital,
    name: &str,
    pair: &Pair,
    old: &Sha256Digest,
) -> Result<Device> {
    let small = Recipe::small(&world.maker.family, Kind::Slots, "1.0.0", 1);
    let mut factory: Release = small.release()?;
    factory.firmware.payload.image_sha256 = *old;
    let device = world.device(hospital, name, &factory)?;
    let slot = |name: &str| device.folder.join("system").join(name);
    // Nobody writes to the slot that runs: both devices have the one file.
    std::fs::remove_file(slot("slot-a")).context("make room for the old image")?;
    std::fs::hard_link(&pair.old, slot("slot-a")).context("put the old image into the slot")?;
    let room = pair.old.metadata().context("look at the old image")?.len();
    let other = File::options().write(true).open(slot("slot-b")).context("open the other slot")?;
    other.set_len(room).context("make room in the other slot")?;
    Ok(device)
}

struct Stage<'a> {
    world: &'a World,
    hospital: &'a Hospital,
    family: &'a FamilyId,
    new: &'a Sha256Digest,
}

impl Stage<'_> {
    /// Updates the devices while readers read; gives the peaks of agents and server and what the server
    /// took before, in KiB.
    fn play(&self, devices: &[&Device; 2], path: &str) -> Result<(Vec<u64>, u64, u64)> {
        let server_id = self.world.server.id()?;
        let idle_kib = resident_kib(server_id)?;
        let (over, read) = (AtomicBool::new(false), AtomicU64::new(0));
        let address = self.world.server.address()?;
        let agents = std::thread::scope(|scope| -> Result<Vec<u64>> {
            for reader in 0..READERS {
                let (over, read) = (&over, &read);
                scope.spawn(move || read_ranges(address, path, reader, over, read));
            }
            let peaks = self.update(devices);
            over.store(true, Ordering::SeqCst);
            peaks
        })?;
        println!(
            "ranges read meanwhile       {} MiB by {READERS} readers",
            read.load(Ordering::SeqCst)
        );
        Ok((agents, peak_kib(server_id)?.saturating_sub(idle_kib), idle_kib))
    }

    fn update(&self, devices: &[&Device; 2]) -> Result<Vec<u64>> {
        let watch = Stopwatch::start();
        let agents = devices.iter().map(|device| device.start()).collect::<Result<Vec<_>>>()?;
        self.hospital.approve(&wish(self.family, devices))?;
        for device in devices {
            until("the image to stay", LONG, || {
                Ok(device.has(Transition::Committed)?.then_some(()))
            })
            .with_context(|| device.story())?;
            device.noted_committed(&self.new.to_string())?;
            println!(
                "{:<27} updated after {:.0} s",
                device.name.to_string(),
                watch.elapsed().as_secs_f64()
            );
        }
        agents.iter().map(|agent| peak_kib(agent.id())).collect()
    }
}

fn wish(family: &FamilyId, devices: &[&Device; 2]) -> Wish {
    Wish {
        id: "first".to_owned(),
        family: family.clone(),
        version: "2.0.0".to_owned(),
        devices: devices.iter().map(|device| device.name.to_string()).collect(),
        start_s: 0,
        length_s: 4 * 3600,
    }
}

/// How an image came.
fn told(carried: &Carried) -> String {
    format!(
        "fetched {} of {} bytes, {} of {} windows from the full file",
        carried.fetched_bytes, carried.full_bytes, carried.windows_full, carried.windows
    )
}

fn share(part: Option<u64>, whole: u64) -> String {
    format!("{:.1} %", 100.0 * real(part.unwrap_or(0)) / real(whole.max(1)))
}

/// Asks for one range after another until it is over.
fn read_ranges(address: &str, path: &str, reader: u64, over: &AtomicBool, read: &AtomicU64) {
    let mut at = reader;
    while !over.load(Ordering::SeqCst) {
        let start = at.saturating_mul(RANGE_BYTES);
        let end = start.saturating_add(RANGE_BYTES).saturating_sub(1);
        let headers = vec![
            ("host".to_owned(), address.to_owned()),
            ("range".to_owned(), format!("bytes={start}-{end}")),
        ];
        let (method, body) = ("GET".to_owned(), Vec::new());
        let request = Request { method, path: path.to_owned(), headers, body };
        // Beyond the end of the file it begins again.
        at = if request.ask(address).is_ok_and(|reply| reply.status == 206) {
            read.fetch_add(1, Ordering::SeqCst);
            at.saturating_add(READERS)
        } else {
            reader
        };
    }
}

/// Where the image stands on the server.
fn path_of(draft: &Draft, family: &FamilyId) -> Result<String> {
    let draft: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&draft.staged).context("read the draft")?)?;
    let targets = draft.pointer("/signed/targets").and_then(serde_json::Value::as_object);
    // The newest stands last.
    let image = targets.context("targets")?.iter().rev().find_map(|(path, entry)| {
        let name = path.strip_prefix("img/")?;
        let digest = entry.pointer("/hashes/sha256")?.as_str()?;
        Some(format!("/tuf/family/{family}/targets/img/{digest}.{name}"))
    });
    image.context("an image")
}

fn digest_of(path: &Path) -> Result<Sha256Digest> {
    use std::io::Read as _;
    let mut file = File::open(path).context("open an image")?;
    let mut hasher = patchward_protocol::digest::Sha256Hasher::new();
    let mut piece = vec![0; 1024 * 1024];
    loop {
        let count = file.read(&mut piece).context("read an image")?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..count).unwrap_or_default());
    }
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
