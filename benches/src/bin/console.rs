//! How long the console's main pages take at a hospital of 5,000 devices on a server of 200 hospitals.
//!
//! `cargo xtask bench console`. Measured over HTTP on loopback with one visitor, from the request to the
//! last byte. Not here: what browsers do with a page. Invariant: a page that is not answered with 200 ends
//! the run.
#![allow(clippy::print_stdout, reason = "a table is the purpose")]

use anyhow::{Context as _, Result, ensure};
use patchward_benches::delta::page;
use patchward_protocol::api::consent::{ReadInventory, WriteInventory};
use patchward_protocol::api::site::{AddDevice, AddDeviceRequest, Management};
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId, WardId};
use patchward_protocol::inventory::{Attendance, InventoryDevice, Usage, Ward};
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Profile, Programs, workspace};
use patchward_tests::clock::Stopwatch;
use patchward_tests::image::{Recipe, put};
use patchward_tests::owner::Owner;
use patchward_tests::person::{Person, Role};
use patchward_tests::server::{Mode, QUICK, Server};
use patchward_tests::visitor::Visitor;
use std::fmt::Write as _;
use std::time::Duration;

const DEVICES: usize = 5_000;
const SITES: usize = 200;
const WARDS: usize = 40;
const ROUNDS: usize = 100;
/// Goal for the median of a page, in milliseconds.
const GOAL_MS: f64 = 50.0;
const HEADING: &str = "## Pages of the console";
const BIG: &str = "site-000";
/// The pages, by what they are to people.
const PAGES: [(&str, Who, &str); 14] = [
    ("Today", Who::Hospital, ""),
    ("Inbox", Who::Hospital, "/inbox"),
    ("Approvals", Who::Hospital, "/approvals"),
    (
        "Choose devices of a release",
        Who::Hospital,
        "/approvals/new?family=acme.bench&version=2.0.0",
    ),
    ("Release (dossier)", Who::Hospital, "/releases/acme.bench/2.0.0"),
    ("Devices", Who::Hospital, "/devices"),
    ("Device", Who::Hospital, "/devices/dev-00042"),
    ("Rollouts", Who::Hospital, "/rollouts"),
    ("Records", Who::Hospital, "/records"),
    ("STOP", Who::Hospital, "/stop"),
    ("Dashboard", Who::Maker, ""),
    ("Field status", Who::Maker, "/field"),
    ("Sites", Who::Maker, "/sites"),
    ("Releases", Who::Maker, "/releases"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Hospital,
    Maker,
}

fn main() -> Result<()> {
    let programs = Programs::build(Profile::Release)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("server");
    let server = Server::begin_as(Mode::Demo, &programs, &path, QUICK)?;
    furnish(&server)?;
    let base = server.url()?;
    let mut hospital = Visitor::new(&base);
    hospital.sign_in(&demo(&server, "engineer", &format!("site:{BIG}:approver"))?)?;
    let mut maker = Visitor::new(&base);
    maker.sign_in(&demo(&server, "holder", "maker:acme:key-holder")?)?;
    let mut text = format!(
        "{HEADING}\n`cargo xtask bench console`: a hospital of {DEVICES} devices in {WARDS} wards on a server of \
         {SITES} hospitals (SQLite), {ROUNDS} requests for each page by one visitor over HTTP on loopback, from the \
         request to the last byte. Goal: a median of {GOAL_MS} ms.\n\n\
         | page | KiB | p50 ms | p99 ms | |\n|---|---|---|---|---|\n"
    );
    for (name, who, rest) in PAGES {
        let (visitor, path) = match who {
            Who::Hospital => (&mut hospital, format!("/console/sites/{BIG}{rest}")),
            Who::Maker => (&mut maker, format!("/console/makers/acme{rest}")),
        };
        let (bytes, mut took) = measure(visitor, &path)?;
        took.sort_unstable();
        let (p50, p99) = (at(&took, 50)?, at(&took, 99)?);
        let verdict = if p50 <= GOAL_MS { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {name} | {} | {p50:.1} | {p99:.1} | {verdict} |", bytes / 1024);
    }
    println!("{text}");
    if std::env::args().any(|word| word == "--page") {
        let file = workspace()?.join("benches/RESULTS.md");
        let old = std::fs::read_to_string(&file).context("read the page")?;
        put(&file, page::placed(&old, &text).as_bytes())?;
    }
    Ok(())
}

fn measure(visitor: &mut Visitor, path: &str) -> Result<(usize, Vec<Duration>)> {
    let (mut bytes, mut took) = (0, Vec::new());
    for round in 0..=ROUNDS {
        let watch = Stopwatch::start();
        let seen = visitor.get(path)?;
        let elapsed = watch.elapsed();
        ensure!(seen.status == 200, "{path}: {} {}", seen.status, seen.text());
        bytes = seen.body.len();
        // The first one fills what is kept in memory.
        if round > 0 {
            took.push(elapsed);
        }
    }
    Ok((bytes, took))
}

fn at(sorted: &[Duration], percent: usize) -> Result<f64> {
    let index = sorted.len().saturating_mul(percent) / 100;
    let found = sorted.get(index.min(sorted.len().saturating_sub(1))).context("a measurement")?;
    Ok(found.as_secs_f64() * 1000.0)
}

fn demo(server: &Server, login: &str, role: &str) -> Result<Person> {
    let role = Role { role, person: None, name: "測定", title: "測定", language: "ja" };
    Person::demo(server, login, &role)
}

/// The manufacturer with two releases, 200 hospitals, one of them large.
fn furnish(server: &Server) -> Result<()> {
    let client = server.administrator()?;
    let family = FamilyId::new("acme.bench")?;
    let mut maker = Owner::open(&client, &RepositoryId::Family(family.clone()))?;
    for (version, seq) in [("1.0.0", 1), ("2.0.0", 2)] {
        maker.add_release(&Recipe::small(&family, Kind::Tree, version, seq).release()?)?;
    }
    maker.publish()?;
    for n in 0..SITES {
        let site = SiteId::new(&format!("site-{n:03}"))?;
        Owner::open(&client, &RepositoryId::Site(site.clone()))?;
        let devices = if n == 0 { DEVICES } else { 5 };
        for device in 0..devices {
            let request = AddDeviceRequest {
                device: name(device)?,
                management: Management::Manual,
                family: family.clone(),
                hardware: None,
            };
            client.must::<AddDevice>(&[site.as_str()], &request)?;
        }
    }
    let mut inventory = client.must::<ReadInventory>(&[BIG], &())?;
    for n in 0..WARDS {
        inventory.wards.push(Ward {
            id: ward(n)?,
            name_en: format!("Ward {n}"),
            name_ja: format!("第{n}病棟"),
            min_in_service: vec![],
            max_parallel: None,
            windows: vec![],
            staff_on_site: vec![],
        });
    }
    for n in 0..DEVICES {
        inventory.devices.push(InventoryDevice {
            id: name(n)?,
            ward: Some(ward(n % WARDS)?),
            kind: "infusion-pump".parse().context("a kind")?,
            pair: None,
            usage: Usage::InService,
            attended: Attendance::Unattended,
            udi: None,
            serial_number: None,
        });
    }
    client.must::<WriteInventory>(&[BIG], &inventory).map(|_| ())
}

fn name(n: usize) -> Result<DeviceId> {
    format!("dev-{n:05}").parse().context("a device")
}

fn ward(n: usize) -> Result<WardId> {
    format!("ward-{n:02}").parse().context("a ward")
}
