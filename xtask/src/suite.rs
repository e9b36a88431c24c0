//! Every check, in order: the whole of `cargo xtask test`.
//!
//! For: running all of it and showing what was counted. Not for: deciding what a test means; that
//! stands in the tests.
//!
//! Invariants: one target folder and one profile for everything; a step that fails does not hide
//! the others, but tests are never run against programs that were not built just now.

use crate::{
    bench, browser, child, corpus, deny, deploy, needs,
    place::Place,
    postgres::Postgres,
    python::Python,
    report::{Outcome, Report, Row},
    stopwatch::Stopwatch,
    tally::{Tally, Verdict},
};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// One profile for everything that is tested.
const PROFILE: &str = "ci";
/// The programs that the whole-system tests start, and the one that compares deltas.
const PROGRAMS: [&str; 4] = ["patchward-server", "patchward-agent", "patchward", "delta"];

/// How long `torture` plays hostile containers.
const FUZZ_SECONDS: &str = "600";

/// How long the long campaigns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounds {
    All,
    Quick,
}

/// Runs everything, prints the table, and says whether all is well.
pub(crate) fn run(place: &Place, rounds: Rounds) -> Result<ExitCode> {
    let all = Stopwatch::start();
    let mut suite = Suite { place, rounds, report: Report::default() };
    suite.steps();
    println!("{}", suite.report.text(all.elapsed()));
    Ok(match suite.report.verdict() {
        Verdict::Good => ExitCode::SUCCESS,
        Verdict::Bad => ExitCode::FAILURE,
    })
}

/// Plays what is too long for every day, and shows what it counted: the fleet simulator's whole year,
/// every kill of the agent while it stages an image, and ten minutes of hostile containers.
pub(crate) fn torture(place: &Place) -> Result<()> {
    for (test, filter, told) in
        [("sim", "campaign", "PATCHWARD_SIM_YEAR"), ("crash", "staging", "PATCHWARD_TORTURE")]
    {
        let mut command = place.cargo("test");
        command.args(["--package", "patchward-tests", "--test", test, "--locked"]);
        command.args(["--profile", PROFILE, filter, "--", "--nocapture"]);
        child::show(command.env(told, "1"))?;
    }
    let mut command = place.cargo("run");
    command.args(["--package", "patchward-fuzz", "--locked", "--profile", PROFILE, "--"]);
    child::show(command.arg(FUZZ_SECONDS))
}

/// Tests that run at once: most of the long ones wait for agents and servers, and leave half of the processors
/// idle when there are as many as those.
fn tests_at_once() -> usize {
    std::thread::available_parallelism().map_or(4, |processors| processors.get().saturating_mul(2))
}

/// What the tests are told through their environment.
struct Surroundings {
    postgres: Postgres,
    python: Python,
    programs: PathBuf,
    corpus: PathBuf,
}

struct Suite<'a> {
    place: &'a Place,
    rounds: Rounds,
    report: Report,
}

impl Suite<'_> {
    fn steps(&mut self) {
        let place = self.place;
        self.step("format", || shown(place.cargo("fmt").args(["--all", "--check"])));
        let provided = self.step("set-up", || needs::provide(&needs::ALL).map(noted));
        let python = provided.and_then(|()| {
            self.step("python", || {
                let python = Python::provide(place)?;
                let note = python.note.clone();
                Ok((python, note))
            })
        });
        if let Some(python) = &python {
            self.step("deny", || deny::check(place, python).map(noted));
        }
        let corpus = python
            .as_ref()
            .and_then(|_| self.step("corpus", || corpus::build(place, &corpus::Wanted::default())));
        self.step("clippy", || {
            // The browser's tests are no part of `--all-targets`: they are a step of their own.
            child::show(checked(place, "clippy").args(["--test", "console"]).args(STRICT))?;
            shown(checked(place, "clippy").arg("--all-targets").args(STRICT))
        });
        let programs = self.step("build", || build(place));
        if let Some(programs) = &programs {
            self.step("deploy", || deploy::check(place, programs).map(noted));
            if let Some(corpus) = &corpus {
                self.step("bench", || bench::quick(place, programs, corpus).map(noted));
            }
        }
        let bin = programs.clone();
        let postgres = self.step("postgres", || {
            let postgres = Postgres::start()?;
            let address = postgres.url.rsplit('@').next().unwrap_or_default().to_owned();
            Ok((postgres, address))
        });
        match (postgres, python, programs, corpus) {
            (Some(postgres), Some(python), Some(programs), Some(corpus)) => {
                self.tests(&Surroundings { postgres, python, programs, corpus });
            }
            _ => self.left_out("tests", "what they need is not there"),
        }
        self.browser(bin.as_deref());
        match self.rounds {
            Rounds::All => {
                self.step("docs", || {
                    let mut command = checked(place, "doc");
                    command.args(["--no-deps", "--document-private-items"]);
                    shown(command.env("RUSTDOCFLAGS", DOC_FLAGS))
                });
            }
            Rounds::Quick => self.left_out("docs", "--quick"),
        }
    }

    /// Unit, law, crash, attack, end-to-end and documentation tests: everything cargo knows of.
    fn tests(&mut self, surroundings: &Surroundings) {
        let mut command = checked(self.place, "test");
        command
            .arg("--no-fail-fast")
            .env("PATCHWARD_TEST_POSTGRES_URL", &surroundings.postgres.url)
            .env("PATCHWARD_PYTHON", surroundings.python.interpreter())
            .env("PATCHWARD_BIN_DIR", &surroundings.programs)
            .env("PATCHWARD_CORPUS_DIR", &surroundings.corpus)
            .env("RUST_TEST_THREADS", tests_at_once().to_string());
        if self.rounds == Rounds::Quick {
            command.env("PATCHWARD_QUICK", "1");
        }
        let (mut tests, place) = (Tally::default(), self.place);
        self.step("tests", || {
            // The console's own test writes its pages there, for the browser.
            command.env("PATCHWARD_PAGES", browser::empty_pages(place)?);
            let (status, text) = child::show_and_read(&mut command)?;
            tests = Tally::of_output(&text);
            if status.success() { Ok(noted(tests.to_string())) } else { bail!("{status}; {tests}") }
        });
        self.report.tests = tests;
    }

    /// The console in a real browser, over the pages that the tests have written.
    fn browser(&mut self, programs: Option<&Path>) {
        let place = self.place;
        match (self.rounds, programs) {
            (Rounds::Quick, _) => self.left_out("browser", "--quick"),
            (Rounds::All, None) => self.left_out("browser", "the programs are not there"),
            (Rounds::All, Some(programs)) => {
                let counted = self.step("browser", || {
                    let surroundings = browser::Surroundings::provide(place, programs)?;
                    let tally = surroundings.test(place, &[])?;
                    let note = tally.to_string();
                    Ok((tally, note))
                });
                if let Some(tally) = counted {
                    self.report.tests = self.report.tests.and(tally);
                }
            }
        }
    }

    /// Runs one step and writes its row; gives what it made.
    fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(T, String)>,
    ) -> Option<T> {
        println!("\n==> {name}");
        let watch = Stopwatch::start();
        let (outcome, note, made) = match work() {
            Ok((made, note)) => (Outcome::Passed, note, Some(made)),
            Err(error) => {
                println!("{name} failed: {error:#}");
                (Outcome::Failed(format!("{error:#}")), String::new(), None)
            }
        };
        self.report.rows.push(Row { step: name, outcome, took: watch.elapsed(), note });
        made
    }

    fn left_out(&mut self, step: &'static str, reason: &str) {
        let outcome = Outcome::NotRun(reason.to_owned());
        let (took, note) = (std::time::Duration::ZERO, String::new());
        self.report.rows.push(Row { step, outcome, took, note });
    }
}

/// The documentation is for readers of the source: a link may lead to something private.
const DOC_FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";
const STRICT: [&str; 3] = ["--", "-D", "warnings"];

/// A cargo command over the whole workspace, as CI compiles it.
pub(crate) fn checked(place: &Place, verb: &str) -> Command {
    let mut command = place.cargo(verb);
    command.args(["--workspace", "--locked", "--profile", PROFILE]);
    command
}

/// Builds the programs as they are delivered, and keeps copies: building the tests later replaces
/// what lies in the target folder with programs that have the tests' features.
pub(crate) fn build(place: &Place) -> Result<(PathBuf, String)> {
    let mut command = checked(place, "build");
    for name in PROGRAMS {
        command.args(["--bin", name]);
    }
    child::show(&mut command)?;
    let folder = place.own().join("bin");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mut sizes = Vec::new();
    for name in PROGRAMS {
        let (built, kept) = (place.target.join(PROFILE).join(name), folder.join(name));
        // A new file, because one that still runs cannot be written to.
        if kept.exists() {
            fs::remove_file(&kept).with_context(|| format!("remove {}", kept.display()))?;
        }
        let bytes = fs::copy(&built, &kept).with_context(|| format!("copy {}", built.display()))?;
        sizes.push(format!("{name} {} MB", bytes / 1_000_000));
    }
    Ok((folder, sizes.join(", ")))
}

fn shown(command: &mut Command) -> Result<((), String)> {
    child::show(command).map(|()| noted(String::new()))
}

fn noted(note: String) -> ((), String) {
    ((), note)
}
