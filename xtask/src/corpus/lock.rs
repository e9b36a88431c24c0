//! Which wheels the corpus is made from; the hashes in the lock are the authority.

use anyhow::{Context as _, Result, bail};
use std::{fmt, fs, path::Path};

const HEAD: &str = "\
# Wheels from PyPI for CPython 3.11 on Linux. They are immutable; these hashes are the authority.
# `pair`: part of the root file systems, and a pair of folders and archives of its own; `root`: only
# part of the root file systems; `arm64`: for that machine, only a pair of its own.
# `cargo xtask corpus --relock` writes the two newest versions of each.
#
# use  distribution  side  version  file  sha256
";

/// The version in the field, and the one that replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Old,
    New,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Old, Self::New];
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// What a wheel becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Part of the root file systems, and a pair of its own.
    Pair,
    /// Part of the root file systems only.
    Root,
    /// A pair of its own, for 64-bit Arm.
    Arm64,
}

impl Use {
    /// Every use with its word in the lock.
    const ALL: [(Self, &'static str); 3] =
        [(Self::Pair, "pair"), (Self::Root, "root"), (Self::Arm64, "arm64")];

    /// Does it belong to the root file systems?
    pub(crate) const fn in_root(self) -> bool {
        match self {
            Self::Pair | Self::Root => true,
            Self::Arm64 => false,
        }
    }

    /// The machine that it runs on.
    pub(crate) const fn machine(self) -> Machine {
        match self {
            Self::Pair | Self::Root => Machine::Amd64,
            Self::Arm64 => Machine::Arm64,
        }
    }
}

/// A kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Amd64,
    Arm64,
}

impl Machine {
    pub(crate) const BOTH: [Self; 2] = [Self::Amd64, Self::Arm64];
}

/// One wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    pub(crate) purpose: Use,
    pub(crate) distribution: String,
    pub(crate) side: Side,
    pub(crate) version: String,
    pub(crate) file: String,
    pub(crate) sha256: String,
}

impl Wheel {
    /// What its own pair is called; none when it has no pair of its own.
    pub(crate) fn own_name(&self) -> Option<String> {
        match self.purpose {
            Use::Pair => Some(self.distribution.clone()),
            Use::Root => None,
            Use::Arm64 => Some(format!("{}-arm64", self.distribution)),
        }
    }
}

/// All wheels, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) all: Vec<Wheel>,
}

impl Lock {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all = lines.map(wheel_of).collect::<Result<Vec<_>>>()?;
        if all.is_empty() {
            bail!("no wheel in the lock");
        }
        Ok(Self { all })
    }

    /// The file that `parse` reads.
    pub(crate) fn text(&self) -> String {
        let lines = self.all.iter().map(|wheel| {
            let Wheel { purpose, distribution, side, version, file, sha256 } = wheel;
            let words = Use::ALL.iter().find(|(each, _)| each == purpose);
            let word = words.map(|(_, word)| *word).unwrap_or_default();
            format!("{word} {distribution} {side} {version} {file} {sha256}\n")
        });
        std::iter::once(HEAD.to_owned()).chain(lines).collect()
    }

    pub(crate) fn wheels(&self, side: Side) -> impl Iterator<Item = &Wheel> {
        self.all.iter().filter(move |wheel| wheel.side == side)
    }

    /// What pip may fetch for a machine: these versions with these hashes, and nothing else.
    pub(crate) fn requirements(&self, side: Side, machine: Machine) -> String {
        let line = |wheel: &Wheel| {
            format!("{}=={} --hash=sha256:{}\n", wheel.distribution, wheel.version, wheel.sha256)
        };
        self.wheels(side).filter(|wheel| wheel.purpose.machine() == machine).map(line).collect()
    }

    /// The text file that tells a made-up device what it runs.
    pub(crate) fn release_text(&self, side: Side) -> String {
        let within = self.wheels(side).filter(|wheel| wheel.purpose.in_root());
        let lines = within.map(|wheel| format!("{} {}\n", wheel.distribution, wheel.version));
        std::iter::once("corpus of real software, not a device\n".to_owned()).chain(lines).collect()
    }
}

fn wheel_of(line: &str) -> Result<Wheel> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [purpose, distribution, side, version, file, sha256] = words.as_slice() else {
        bail!("six words wanted: {line}");
    };
    let uses = Use::ALL.iter().find(|(_, word)| word == purpose);
    let (purpose, _) = *uses.with_context(|| format!("no use is called `{purpose}`"))?;
    let side = match *side {
        "old" => Side::Old,
        "new" => Side::New,
        other => bail!("`old` or `new` wanted, not `{other}`"),
    };
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("not a SHA-256: {sha256}");
    }
    if file.contains('/') {
        bail!("a file name, not a path: {file}");
    }
    let [distribution, version, file, sha256] =
        [distribution, version, file, sha256].map(|word| (*word).to_owned());
    Ok(Wheel { purpose, distribution, side, version, file, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(side: &str) -> String {
        format!("pair numpy {side} 2.4.5 numpy-2.4.5.whl {}", "ab".repeat(32))
    }

    #[test]
    fn a_lock_reads_what_it_writes() {
        let lock = Lock::parse(&format!("{}\n{}\n", line("old"), line("new"))).unwrap();
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
        assert_eq!(lock.wheels(Side::New).count(), 1);
    }

    #[test]
    fn pip_is_bound_to_the_hash() {
        let lock = Lock::parse(&line("old")).unwrap();
        let wanted = format!("numpy==2.4.5 --hash=sha256:{}\n", "ab".repeat(32));
        assert_eq!(lock.requirements(Side::Old, Machine::Amd64), wanted);
        assert_eq!(lock.requirements(Side::Old, Machine::Arm64), "");
    }

    #[test]
    fn a_wheel_for_another_machine_is_not_in_the_root_file_systems() {
        let lock = Lock::parse(&line("old").replace("pair", "arm64")).unwrap();
        assert!(!lock.release_text(Side::Old).contains("numpy"));
        assert!(lock.requirements(Side::Old, Machine::Arm64).contains("numpy"));
    }

    #[test]
    fn a_broken_line_is_refused() {
        for broken in
            ["", "pair numpy old 1 f.whl", "pear", &line("newer"), &line("old").replace("ab", "x")]
        {
            assert!(Lock::parse(broken).is_err(), "{broken}");
        }
    }
}
