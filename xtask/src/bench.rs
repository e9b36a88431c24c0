//! `cargo xtask bench delta`: our deltas against every other tool, over the corpus; `bench console`: how long
//! pages take.
//!
//! For: getting the tools, the corpus, a PostgreSQL and the release build, and running the one program that
//! measures (`benches/src/bin/delta.rs`, `benches/src/bin/console.rs`). Not for: measuring.
//!
//! Invariant: a full run has every tool; a quick one has ours, and says which others were there.

use crate::postgres::{self, Postgres};
use crate::{child, corpus, needs, place::Place, python::Python};
use anyhow::{Context as _, Result, bail};
use std::{ffi::OsString, path::Path, process::Command};

/// The tools that come from the machine's own packages.
const TOOLS: [&needs::Component; 6] =
    [&needs::BSDIFF, &needs::XDELTA, &needs::ZSTD, &needs::OSTREE, &needs::CASYNC, &needs::ZCHUNK];
/// The page that a full run writes a section of.
const PAGE: &str = "benches/RESULTS.md";

/// What one call asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) extent: Extent,
    pub(crate) debs: corpus::Debs,
    /// Handed to the program that measures.
    options: Vec<OsString>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every pair with every tool; the page is written.
    #[default]
    All,
    /// Some pairs with every tool; only printed.
    Some,
    /// Two small pairs with the tools that are there; only printed.
    Quick,
}

impl Wanted {
    /// From the words behind `bench delta`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut wanted = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let mut hand_on = |word: &str| wanted.options.push(word.into());
            match *word {
                "--quick" => wanted.extent = Extent::Quick,
                "--debs" => wanted.debs = corpus::Debs::Too,
                "--large" | "--keep-peers" => hand_on(word),
                "--pair" | "--rounds" | "--tool" => {
                    let value = rest.next().with_context(|| format!("{word} wants a value"))?;
                    hand_on(word);
                    hand_on(value);
                    if *word != "--rounds" {
                        wanted.extent = Extent::Some;
                    }
                }
                other => bail!("`{other}` is not understood"),
            }
        }
        Ok(wanted)
    }
}

/// Gets everything and measures.
pub(crate) fn delta(place: &Place, wanted: &Wanted) -> Result<()> {
    let corpus_wanted = corpus::Wanted { debs: wanted.debs, ..corpus::Wanted::default() };
    let (corpus, _) = corpus::build(place, &corpus_wanted)?;
    let python = match wanted.extent {
        Extent::Quick => None,
        Extent::All | Extent::Some => {
            needs::provide(&TOOLS)?;
            Some(Python::for_benches(place)?.interpreter())
        }
    };
    let mut measure = place.cargo("run");
    measure.args(["--quiet", "--locked", "--release", "--package", "patchward-benches"]);
    measure.args(["--bin", "delta", "--"]);
    over(&mut measure, place, &corpus);
    measure.args(&wanted.options);
    if let Some(python) = python {
        measure.arg("--python").arg(python);
    }
    match wanted.extent {
        Extent::All => measure.arg("--page").arg(place.root.join(PAGE)),
        Extent::Some => &mut measure,
        Extent::Quick => measure.arg("--quick"),
    };
    child::show(&mut measure)
}

/// How long pages of the console take, on SQLite and, where it is installed, on PostgreSQL; the page gets a
/// section of its own.
pub(crate) fn console(place: &Place) -> Result<()> {
    let mut measure = place.cargo("run");
    measure.args(["--quiet", "--locked", "--release", "--package", "patchward-benches"]);
    measure.args(["--bin", "console", "--", "--page"]);
    let started = postgres::programs().is_some().then(Postgres::start).transpose()?;
    if let Some(started) = &started {
        measure.arg("--postgres").arg(&started.url);
    }
    child::show(&mut measure)
}

/// The quick run with a program that is built already, so that the bench does not rot.
pub(crate) fn quick(place: &Place, programs: &Path, corpus: &Path) -> Result<String> {
    let mut measure = Command::new(programs.join("delta"));
    over(&mut measure, place, corpus);
    child::show(measure.arg("--quick"))?;
    Ok("our deltas on two small pairs".to_owned())
}

fn over(measure: &mut Command, place: &Place, corpus: &Path) {
    measure.arg("--corpus").arg(corpus).arg("--work").arg(place.own().join("bench-delta"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_alone_does_not_write_the_page() {
        let wanted = Wanted::parse(&["--rounds", "3", "--pair", "numpy-tar"]).unwrap();
        assert_eq!(wanted.extent, Extent::Some);
        assert_eq!(wanted.options, ["--rounds", "3", "--pair", "numpy-tar"]);
        assert_eq!(Wanted::parse(&["--large"]).unwrap().extent, Extent::All);
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(Wanted::parse(&["--quack"]).is_err());
        assert!(Wanted::parse(&["--pair"]).is_err());
    }
}
