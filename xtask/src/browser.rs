//! `cargo xtask browser`: the console in a real browser; `cargo xtask screens`: its pictures for the guide.
//!
//! For: getting Chromium, its driver, fonts and axe-core, having the samples written, running the tests.
//! Not for: what the tests look for (`tests/tests/console`).
//!
//! Invariant: without any of them the step fails and says how to install it.

use crate::{
    child, needs,
    place::Place,
    python::Python,
    suite,
    tally::{Tally, Verdict},
};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the machine's packages bring.
const COMPONENTS: [&needs::Component; 4] =
    [&needs::CHROMIUM, &needs::DRIVER, &needs::FONTS, &needs::PRINTED];
/// The tests that draw the screens, while they tell their story.
const SCREENS: &str = "story::";

/// How many scenes are played at once, whatever the machine: half of their time they wait, for the next
/// code of a telephone or the minute at which a slot begins.
const SCENES_AT_ONCE: &str = "4";

/// What the tests are told through their environment.
#[derive(Debug)]
pub(crate) struct Surroundings {
    axe: PathBuf,
    pages: PathBuf,
    programs: PathBuf,
}

impl Surroundings {
    /// Gets all that is missing; the samples of the pages are there already.
    pub(crate) fn provide(place: &Place, programs: &Path) -> Result<Self> {
        println!("{}", needs::provide(&COMPONENTS)?);
        let python = Python::for_browser(place)?;
        let mut ask = Command::new(python.interpreter());
        ask.args(["-c", "import axe_playwright_python as a; print(a.__path__[0])"]);
        let axe = PathBuf::from(child::read(&mut ask)?.trim()).join("axe.min.js");
        Ok(Self { axe, pages: pages(place), programs: programs.to_owned() })
    }

    /// Runs the tests whose names have these words; what was counted.
    pub(crate) fn test(&self, place: &Place, words: &[&str]) -> Result<Tally> {
        let mut command = suite::checked(place, "test");
        command.args(["--test", "console", "--no-fail-fast", "--"]).args(words);
        command.args(["--test-threads", SCENES_AT_ONCE]);
        command
            .env("PATCHWARD_AXE", &self.axe)
            .env("PATCHWARD_PAGES", &self.pages)
            .env("PATCHWARD_BIN_DIR", &self.programs);
        let (status, text) = child::show_and_read(&mut command)?;
        let tally = Tally::of_output(&text);
        if status.success() { Ok(tally) } else { bail!("{status}; {tally}") }
    }
}

/// Where the server's own test writes its pages.
pub(crate) fn pages(place: &Place) -> PathBuf {
    place.own().join("pages")
}

/// An empty folder for the pages: what was written long ago would be judged.
pub(crate) fn empty_pages(place: &Place) -> Result<PathBuf> {
    let folder = pages(place);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// Everything from nothing: build, samples, tests.
pub(crate) fn alone(place: &Place, words: &[&str]) -> Result<()> {
    let (programs, _) = suite::build(place)?;
    let surroundings = Surroundings::provide(place, &programs)?;
    let mut write = suite::checked(place, "test");
    write.args(["--package", "patchward-server", "--lib", "console::sample"]);
    child::show(write.env("PATCHWARD_PAGES", empty_pages(place)?))?;
    let tally = surroundings.test(place, words)?;
    println!("{}", tally.closing_line(Verdict::Good, std::time::Duration::ZERO));
    Ok(())
}

/// Has the screens drawn and puts them into the guide.
pub(crate) fn screens(place: &Place) -> Result<()> {
    alone(place, &[SCREENS])?;
    let (drawn, guide) =
        (place.target.join("browser/screens"), place.root.join("docs/guide/screens"));
    let mut count = 0_usize;
    for language in ["en", "ja"] {
        let (from, to) = (drawn.join(language), guide.join(language));
        fs::create_dir_all(&to).with_context(|| format!("make {}", to.display()))?;
        for entry in fs::read_dir(&from).with_context(|| format!("read {}", from.display()))? {
            let picture = entry?.path();
            let name = picture.file_name().context("a picture has a name")?;
            fs::copy(&picture, to.join(name)).with_context(|| picture.display().to_string())?;
            count = count.saturating_add(1);
        }
    }
    println!("{count} pictures are in {}", guide.display());
    Ok(())
}
