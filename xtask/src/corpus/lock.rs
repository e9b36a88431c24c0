//! Which wheels the corpus is made from; the hashes in the lock are the authority.

use anyhow::{Context as _, Result, bail};
use std::{fmt, fs, path::Path};

const HEAD: &str = "\
# Wheels from PyPI for CPython 3.11 on x86-64 Linux. They are immutable; these hashes are the authority.
# `pair`: also a pair of folders and archives of its own; `root`: only part of the root file systems.
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

/// One wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// Has a pair of its own, beside its part in the root file systems.
    pub(crate) paired: bool,
    pub(crate) distribution: String,
    pub(crate) side: Side,
    pub(crate) version: String,
    pub(crate) file: String,
    pub(crate) sha256: String,
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
            let Wheel { paired, distribution, side, version, file, sha256 } = wheel;
            let purpose = if *paired { "pair" } else { "root" };
            format!("{purpose} {distribution} {side} {version} {file} {sha256}\n")
        });
        std::iter::once(HEAD.to_owned()).chain(lines).collect()
    }

    pub(crate) fn wheels(&self, side: Side) -> impl Iterator<Item = &Wheel> {
        self.all.iter().filter(move |wheel| wheel.side == side)
    }

    /// What pip may fetch: these versions with these hashes, and nothing else.
    pub(crate) fn requirements(&self, side: Side) -> String {
        let line = |wheel: &Wheel| {
            format!("{}=={} --hash=sha256:{}\n", wheel.distribution, wheel.version, wheel.sha256)
        };
        self.wheels(side).map(line).collect()
    }

    /// The text file that tells a made-up device what it runs.
    pub(crate) fn release_text(&self, side: Side) -> String {
        let lines =
            self.wheels(side).map(|wheel| format!("{} {}\n", wheel.distribution, wheel.version));
        std::iter::once("corpus of real software, not a device\n".to_owned()).chain(lines).collect()
    }
}

fn wheel_of(line: &str) -> Result<Wheel> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [purpose, distribution, side, version, file, sha256] = words.as_slice() else {
        bail!("six words wanted: {line}");
    };
    let paired = match *purpose {
        "pair" => true,
        "root" => false,
        other => bail!("`pair` or `root` wanted, not `{other}`"),
    };
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
    Ok(Wheel { paired, distribution, side, version, file, sha256 })
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
        assert_eq!(lock.requirements(Side::Old), wanted);
    }

    #[test]
    fn a_broken_line_is_refused() {
        for broken in
            ["", "pair numpy old 1 f.whl", &line("newer"), &line("old").replace("ab", "x")]
        {
            assert!(Lock::parse(broken).is_err(), "{broken}");
        }
    }
}
