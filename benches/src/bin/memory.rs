//! How much memory agent and server take for an image of 1 GiB.
//!
//! `cargo run --release -p patchward-benches --bin memory [MEBIBYTES]`: one real agent fetches, stages
//! and verifies the image into a slot while nine readers ask for ranges of it. Prints the figures and
//! fails when a goal is missed: agent below 32 MiB, server below 64 MiB above idle.
#![allow(clippy::print_stdout, reason = "a measurement is read")]

use anyhow::{Context as _, Result, ensure};
use patchward_benches::image_file;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::FamilyId;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Profile, Programs, setting};
use patchward_tests::clock::{Stopwatch, until};
use patchward_tests::hospital::Wish;
use patchward_tests::image::Recipe;
use patchward_tests::memory::{peak_kib, resident_kib};
use patchward_tests::server::QUICK;
use patchward_tests::wire::Request;
use patchward_tests::world::World;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Most memory of the agent, in KiB.
const AGENT_KIB_MAX: u64 = 32 * 1024;
/// Most memory of the server above what it takes when idle, in KiB.
const SERVER_KIB_MAX: u64 = 64 * 1024;
/// Readers beside the agent.
const READERS: u64 = 9;
/// Bytes that a reader asks for at once.
const RANGE_BYTES: u64 = 1024 * 1024;

fn main() -> Result<()> {
    let mebibytes = std::env::args().nth(1).map_or(Ok(1024), |text| text.parse());
    let mebibytes: u64 = mebibytes.context("the size in MiB")?;
    let programs = match setting("PATCHWARD_BIN_DIR") {
        Some(folder) => Programs::in_folder(folder.into())?,
        None => Programs::build(Profile::Release)?,
    };
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let family = FamilyId::new("acme.bench").context("a family")?;
    let world = World::begin(&programs, folder.path(), &family, QUICK)?;
    let image = folder.path().join("image");
    image_file::write(&image, mebibytes, 1)?;
    let old = Recipe { size_bytes: 4096, ..Recipe::small(&family, Kind::Slots, "1.0.0", 1) };
    let new = Recipe::small(&family, Kind::Slots, "2.0.0", 2);
    let draft = world.maker.prepare_image(&new, &image)?;
    world.maker.release(&draft)?;
    let hospital = world.hospital("bench-hospital")?;
    let device = world.device(&hospital, "pump-01", &old.release()?)?;
    std::fs::File::options()
        .write(true)
        .open(device.folder.join("system/slot-b"))
        .and_then(|slot| slot.set_len(mebibytes.saturating_mul(1024 * 1024)))
        .context("make room in the slot")?;
    let server_id = world.server.id()?;
    let idle_kib = resident_kib(server_id)?;
    let (over, read) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = world.server.address()?;
    let path = path_of(&draft.staged, &family)?;
    let watch = Stopwatch::start();
    let (agent_kib, took) = std::thread::scope(|scope| -> Result<(u64, Duration)> {
        for reader in 0..READERS {
            let (over, read, path) = (&over, &read, path.as_str());
            scope.spawn(move || read_ranges(address, path, reader, mebibytes, over, read));
        }
        let agent = device.start();
        let staged = agent.and_then(|agent| {
            hospital.approve(&wish(&family))?;
            until("the image to be staged", Duration::from_secs(1800), || {
                Ok(device.has(Transition::Staged)?.then_some(()))
            })
            .with_context(|| device.story())?;
            let took = watch.elapsed();
            device.noted_committed(&draft.image_sha256)?;
            Ok((peak_kib(agent.id())?, took))
        });
        over.store(true, Ordering::SeqCst);
        staged
    })?;
    let server_kib = peak_kib(server_id)?.saturating_sub(idle_kib);
    let slot = digest_of(&device.folder.join("system/slot-b"))?;
    ensure!(slot.to_string() == draft.image_sha256, "the slot is not the signed image");
    println!("image                       {mebibytes} MiB, incompressible, into a slot");
    println!("fetched, staged, read back  {:.1} s", took.as_secs_f64());
    println!(
        "ranges read meanwhile       {} MiB by {READERS} readers",
        read.load(Ordering::SeqCst)
    );
    println!("agent, peak                 {:.1} MiB (goal: below 32)", mib(agent_kib));
    println!("server, idle                {:.1} MiB", mib(idle_kib));
    println!("server, peak above idle     {:.1} MiB (goal: below 64)", mib(server_kib));
    ensure!(agent_kib < AGENT_KIB_MAX, "the agent took too much");
    ensure!(server_kib < SERVER_KIB_MAX, "the server took too much");
    Ok(())
}

fn wish(family: &FamilyId) -> Wish {
    Wish {
        id: "first".to_owned(),
        family: family.clone(),
        version: "2.0.0".to_owned(),
        devices: vec!["pump-01".to_owned()],
        start_s: 0,
        length_s: 4 * 3600,
    }
}

/// Asks for one range after another until it is over.
fn read_ranges(
    address: &str,
    path: &str,
    reader: u64,
    mebibytes: u64,
    over: &AtomicBool,
    read: &AtomicU64,
) {
    let mut at = reader.saturating_mul(mebibytes).checked_div(READERS).unwrap_or(0);
    while !over.load(Ordering::SeqCst) {
        let start = at.saturating_mul(RANGE_BYTES);
        let end = start.saturating_add(RANGE_BYTES).saturating_sub(1);
        let headers = vec![
            ("host".to_owned(), address.to_owned()),
            ("range".to_owned(), format!("bytes={start}-{end}")),
        ];
        let (method, body) = ("GET".to_owned(), Vec::new());
        let request = Request { method, path: path.to_owned(), headers, body };
        if request.ask(address).is_ok_and(|reply| reply.status == 206) {
            read.fetch_add(1, Ordering::SeqCst);
        }
        at = at.saturating_add(1).checked_rem(mebibytes).unwrap_or(0);
    }
}

/// Where the image stands on the server.
fn path_of(staged: &std::path::Path, family: &FamilyId) -> Result<String> {
    let draft: serde_json::Value =
        serde_json::from_slice(&std::fs::read(staged).context("read the draft")?)?;
    let targets = draft.pointer("/signed/targets").and_then(serde_json::Value::as_object);
    let image = targets.context("targets")?.iter().find_map(|(path, entry)| {
        let name = path.strip_prefix("img/")?;
        let digest = entry.pointer("/hashes/sha256")?.as_str()?;
        Some(format!("/tuf/family/{family}/targets/img/{digest}.{name}"))
    });
    image.context("an image")
}

fn digest_of(path: &std::path::Path) -> Result<Sha256Digest> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path).context("open the slot")?;
    let mut hasher = patchward_protocol::digest::Sha256Hasher::new();
    let mut piece = vec![0; 1024 * 1024];
    loop {
        let count = file.read(&mut piece).context("read the slot")?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..count).unwrap_or_default());
    }
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
