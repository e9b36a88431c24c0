//! How long the console's pages take at a hospital of 5,000 devices on a server of 200 hospitals.
//!
//! `cargo xtask bench console`. Measured over HTTP on loopback with one visitor, from the request to the
//! last byte, on SQLite and, where `--postgres URL` names an empty database, on PostgreSQL. `--page` writes
//! the section of `benches/RESULTS.md`; `--only WORDS` measures pages whose name has them; `--devices` and
//! `--sites` make it smaller; `--folder PATH` keeps the SQLite server's data there, and takes it again when
//! it is there. Not here: what browsers do with a page. Invariant: a page that is not answered with 200
//! fails the run.
#![allow(clippy::print_stdout, reason = "a table is the purpose")]

use anyhow::{Context as _, Result, bail, ensure};
use patchward_benches::console::country::{BIG, MAKER, MONITOR, Names, Size, furnish};
use patchward_benches::console::pages::{PAGES, Page, Who};
use patchward_benches::console::timing::{Timed, timed};
use patchward_benches::delta::page;
use patchward_benches::real::real;
use patchward_tests::bin::{Profile, Programs, setting, workspace};
use patchward_tests::clock::{Stopwatch, pause};
use patchward_tests::image::put;
use patchward_tests::memory::{peak_kib, resident_kib};
use patchward_tests::person::{Person, Role};
use patchward_tests::server::{Mode, Server};
use patchward_tests::visitor::Visitor;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Goal for the median of a page, in milliseconds.
const GOAL_MS: f64 = 50.0;
const HEADING: &str = "## Pages of the console";
/// Workers as delivered; what they count is there at once. No deltas: nothing is fetched.
const SERVER: &str =
    "last_seen_flush_s = 1\nwatch_ms = 100\ngate_check_s = 1\n[delta]\nenabled = false\n";
/// Time for the workers to have told everybody of everything.
const CALM: Duration = Duration::from_secs(10);
const NAMES: &str = "names.json";

/// What is wanted.
struct Wanted {
    size: Size,
    only: Option<String>,
    folder: Option<PathBuf>,
    postgres: Option<String>,
    page: bool,
}

/// One engine's figures.
struct Run {
    engine: &'static str,
    figures: Vec<(&'static Page, Timed)>,
    furnished_s: f64,
    furnished_kib: u64,
    peak_kib: u64,
}

fn main() -> Result<()> {
    let wanted = Wanted::read()?;
    let programs = match setting("PATCHWARD_BIN_DIR") {
        Some(folder) => Programs::in_folder(folder.into())?,
        None => Programs::build(Profile::Release)?,
    };
    let temporary = tempfile::tempdir()?;
    let kept = wanted.folder.clone().unwrap_or_else(|| temporary.path().join("sqlite"));
    let mut runs = vec![run(&programs, &kept, &wanted, None)?];
    if let Some(url) = &wanted.postgres {
        runs.push(run(&programs, &temporary.path().join("postgres"), &wanted, Some(url))?);
    }
    let text = section(&wanted, &runs)?;
    println!("{text}");
    if wanted.page {
        let file = workspace()?.join("benches/RESULTS.md");
        let old = std::fs::read_to_string(&file).context("read the page")?;
        put(&file, page::placed(&old, &text).as_bytes())?;
    }
    Ok(())
}

impl Wanted {
    fn read() -> Result<Self> {
        let mut wanted = Self {
            size: Size { devices: 5_000, sites: 200 },
            only: None,
            folder: None,
            postgres: None,
            page: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--page" => wanted.page = true,
                "--only" => wanted.only = Some(value()?),
                "--folder" => wanted.folder = Some(value()?.into()),
                "--postgres" => wanted.postgres = Some(value()?),
                "--devices" => wanted.size.devices = value()?.parse().context("a number")?,
                "--sites" => wanted.size.sites = value()?.parse().context("a number")?,
                other => bail!("`{other}` is not understood"),
            }
        }
        Ok(wanted)
    }
}

fn run(programs: &Programs, folder: &Path, wanted: &Wanted, url: Option<&str>) -> Result<Run> {
    let watch = Stopwatch::start();
    let (server, mut names) = begun(programs, folder, wanted.size, url)?;
    let furnished_s = watch.elapsed().as_secs_f64();
    let base = server.url()?;
    let (mut hospital, mut maker) = (Visitor::new(&base), Visitor::new(&base));
    let role = format!("site:{BIG}:admin");
    hospital.sign_in(&demo(&server, "engineer", &role, Some("tanaka"))?)?;
    maker.sign_in(&demo(&server, "holder", &format!("maker:{MAKER}:admin"), None)?)?;
    draft(&mut hospital)?;
    pause(CALM);
    linked(&mut hospital, &mut names)?;
    let id = server.id()?;
    let furnished_kib = resident_kib(id)?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for page in &PAGES {
        if wanted.only.as_ref().is_some_and(|word| !page.name.contains(word.as_str())) {
            continue;
        }
        let visitor = match page.who {
            Who::Hospital => &mut hospital,
            Who::Maker => &mut maker,
        };
        match page.path(&names).and_then(|path| timed(visitor, id, &path)) {
            Ok(timed) => {
                let Timed { least_ms, median_ms, processor_ms, .. } = timed;
                println!("{}: {least_ms:.1} {median_ms:.1} {processor_ms:.1}", page.name);
                figures.push((page, timed));
            }
            Err(error) => failed.push(format!("{}: {error:#}", page.name)),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let engine = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    Ok(Run { engine, figures, furnished_s, furnished_kib, peak_kib: peak_kib(id)? })
}

/// A furnished server: taken again from its folder, or made.
fn begun(
    programs: &Programs,
    folder: &Path,
    size: Size,
    url: Option<&str>,
) -> Result<(Server, Names)> {
    let kept = folder.join(NAMES);
    if kept.is_file() {
        let text = std::fs::read_to_string(&kept).context("read the names")?;
        let server = Server::again(Mode::Demo, programs, folder)?;
        return Ok((server, serde_json::from_str(&text).context("names")?));
    }
    let mut config = String::new();
    if let Some(url) = url {
        std::fs::create_dir_all(folder).context("make the folder")?;
        let file = folder.join("postgres.url");
        put(&file, url.as_bytes())?;
        let _ = writeln!(config, "postgres_url_file = \"{}\"", file.display());
    }
    config.push_str(SERVER);
    let server = Server::begin_as(Mode::Demo, programs, folder, &config)?;
    let names = furnish(&server, size)?;
    put(&kept, &serde_json::to_vec(&names).context("write the names")?)?;
    Ok((server, names))
}

fn demo(server: &Server, login: &str, role: &str, person: Option<&str>) -> Result<Person> {
    let role = Role { role, person, name: "測定", title: "測定", language: "ja" };
    Person::demo(server, login, &role)
}

/// A draft of an approval for every device that the page chooses by itself.
fn draft(hospital: &mut Visitor) -> Result<()> {
    let path = format!("/console/sites/{BIG}/approvals/new");
    let page = hospital.page(&format!("{path}?family={MONITOR}&version=3.0.0"))?.text();
    let devices = values(&page, "name=\"device\" value=\"", '"');
    ensure!(!devices.is_empty(), "no device can be chosen");
    let rest = [("family", MONITOR), ("version", "3.0.0"), ("kind", "routine"), ("settle_s", "60")];
    let chosen = devices.iter().map(|device| ("device", device.as_str()));
    let fields: Vec<_> = rest.into_iter().chain(chosen).collect();
    let seen = hospital.post(&path, &fields)?;
    let to = seen.to.clone().unwrap_or_default();
    ensure!(to.ends_with("/approvals/draft"), "{} {}", seen.status, seen.text());
    Ok(())
}

/// What only a page says: the first notice, and the first sheet of a rollback.
fn linked(hospital: &mut Visitor, names: &mut Names) -> Result<()> {
    let inbox = hospital.page(&format!("/console/sites/{BIG}/inbox"))?.text();
    let notice = values(&inbox, &format!("/console/sites/{BIG}/inbox/"), '"');
    let records = format!("/console/sites/{BIG}/records?kind=rollbacks");
    let records = hospital.page(&records)?.text();
    let rollback = values(&records, "/records/rollback/", '"');
    for (word, found) in [("notice", notice), ("rollback", rollback)] {
        let found = found.into_iter().next().with_context(|| format!("no {word}"))?;
        names.insert(word.to_owned(), found);
    }
    Ok(())
}

/// What stands between `before` and `end`, everywhere in a page.
fn values(page: &str, before: &str, end: char) -> Vec<String> {
    let each = page.split(before).skip(1).filter_map(|rest| rest.split(end).next());
    each.map(str::to_owned).collect()
}

fn section(wanted: &Wanted, runs: &[Run]) -> Result<String> {
    let Size { devices, sites } = wanted.size;
    let processors = std::thread::available_parallelism().context("count processors")?;
    let load = std::fs::read_to_string("/proc/loadavg").context("read the load")?;
    let load = load.split(' ').next().unwrap_or_default();
    let mut text = format!(
        "{HEADING}\n`cargo xtask bench console`: a hospital of {devices} devices, of {sites} hospitals on one \
         server. Each device has signed its ledger; 1,900 are in a rollout of three waves that runs, 1,900 in \
         one that waits, a draft for the rest is open; the manufacturer's 15 families have three releases each, \
         and half of the hospitals have approved the newest. Milliseconds over HTTP on loopback, from the \
         request to the last byte, one visitor, up to 100 requests after five that do not count: the least \
         (other work on the machine only adds), the median, the 99th of a hundred, and the server's own \
         processor time for each. {processors} processors, load {load} when it ended. Goal: a median of \
         {GOAL_MS:.0} ms.\n\n"
    );
    for run in runs {
        let mib = |kib: u64| real(kib) / 1024.0;
        let _ = writeln!(
            text,
            "{}: furnished in {:.0} s; resident memory of the server {:.0} MiB before the pages, {:.0} MiB at \
             its peak.\n",
            run.engine,
            run.furnished_s,
            mib(run.furnished_kib),
            mib(run.peak_kib)
        );
    }
    let mut rule = "|---|---|".to_owned();
    text.push_str("| page | KiB |");
    for run in runs {
        let _ = write!(text, " {} least | median | p99 | processor |", run.engine);
        rule.push_str("---|---|---|---|");
    }
    let _ = writeln!(text, " |\n{rule}---|");
    let Some(first) = runs.first() else { return Ok(text) };
    for (n, (page, timed)) in first.figures.iter().enumerate() {
        let place = if page.who == Who::Hospital { "hospital" } else { "manufacturer" };
        let _ = write!(text, "| {place}: {} | {} |", page.name, timed.bytes.div_ceil(1024));
        let mut met = true;
        for timed in runs.iter().filter_map(|run| run.figures.get(n).map(|(_, timed)| timed)) {
            let Timed { least_ms, median_ms, p99_ms, processor_ms, .. } = timed;
            let _ =
                write!(text, " {least_ms:.1} | {median_ms:.1} | {p99_ms:.1} | {processor_ms:.1} |");
            met = met && *median_ms <= GOAL_MS;
        }
        let _ = writeln!(text, " {} |", if met { "met" } else { "**missed**" });
    }
    Ok(text)
}
