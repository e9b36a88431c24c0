//! Wheels from PyPI: finding the newest two, fetching by hash, unpacking.

use super::{
    lock::{Lock, Machine, Side, Wheel},
    sums, tree,
};
use crate::{child, python::Python};
use anyhow::{Context as _, Result, bail};
use std::{fs, path::Path, process::Command};

/// Wheels for this Python, whatever Python the corpus is built with.
const FOR: [&str; 3] = ["--only-binary=:all:", "--python-version", "3.11"];

/// Wheels for this machine, whatever machine the corpus is built on.
const fn platforms(machine: Machine) -> [&'static str; 6] {
    match machine {
        Machine::Amd64 => [
            "--platform",
            "manylinux_2_28_x86_64",
            "--platform",
            "manylinux_2_17_x86_64",
            "--platform",
            "manylinux2014_x86_64",
        ],
        Machine::Arm64 => [
            "--platform",
            "manylinux_2_28_aarch64",
            "--platform",
            "manylinux_2_17_aarch64",
            "--platform",
            "manylinux2014_aarch64",
        ],
    }
}

/// Fetches what is not there and checks the hash of every wheel.
pub(crate) fn fetch(python: &Python, lock: &Lock, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for side in Side::BOTH {
        for machine in Machine::BOTH {
            fetch_for(python, lock, folder, side, machine)?;
        }
    }
    Ok(())
}

fn fetch_for(
    python: &Python,
    lock: &Lock,
    folder: &Path,
    side: Side,
    machine: Machine,
) -> Result<()> {
    let held = |wheel: &Wheel| {
        sums::sha256_of(&folder.join(&wheel.file)).is_ok_and(|hash| hash == wheel.sha256)
    };
    let wanted = || lock.wheels(side).filter(|wheel| wheel.purpose.machine() == machine);
    if wanted().all(held) {
        return Ok(());
    }
    let requirements = folder.join(format!("requirements-{side}.txt"));
    tree::place_text(&requirements, &lock.requirements(side, machine))?;
    let mut pip = python.pip("download");
    pip.args(["--no-deps", "--require-hashes"]).args(FOR).args(platforms(machine));
    pip.arg("--dest").arg(folder).arg("--requirement").arg(&requirements);
    child::show(&mut pip)?;
    match wanted().find(|wheel| !held(wheel)) {
        Some(wheel) => bail!("{} is not what the lock says", wheel.file),
        None => Ok(()),
    }
}

/// Unpacks a wheel into a folder, beside what is there.
pub(crate) fn unpack(python: &Python, wheel: &Path, folder: &Path) -> Result<()> {
    let mut unzip = Command::new(python.interpreter());
    unzip.args(["-m", "zipfile", "--extract"]).arg(wheel).arg(folder);
    child::read(&mut unzip).map(drop)
}

/// Writes a lock with the two newest versions of each distribution in the present one.
pub(crate) fn renew(python: &Python, path: &Path, work: &Path) -> Result<()> {
    let held = Lock::read(path)?;
    let mut all = Vec::new();
    for wheel in held.wheels(Side::New) {
        let [new, old] = newest_two(python, wheel)?;
        for (side, version) in [(Side::Old, old), (Side::New, new)] {
            all.push(looked_up(python, wheel, side, version, work)?);
        }
    }
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("remove {}", work.display()))?;
    }
    tree::place_text(path, &Lock { all }.text())?;
    println!("wrote {}", path.display());
    Ok(())
}

fn newest_two(python: &Python, wheel: &Wheel) -> Result<[String; 2]> {
    let mut pip = python.pip("index");
    pip.args(["versions", &wheel.distribution]).args(FOR);
    let answer = child::read(pip.args(platforms(wheel.purpose.machine())))?;
    two_of(&answer).with_context(|| format!("two versions of {}", wheel.distribution))
}

/// The first two of `Available versions: 3.2, 3.1, 3.0`.
fn two_of(answer: &str) -> Option<[String; 2]> {
    let listed = answer.lines().find_map(|line| line.trim().strip_prefix("Available versions:"))?;
    let mut versions = listed.split(',').map(|version| version.trim().to_owned());
    Some([versions.next()?, versions.next()?])
}

/// Downloads one version to learn its file and hash.
fn looked_up(
    python: &Python,
    like: &Wheel,
    side: Side,
    version: String,
    work: &Path,
) -> Result<Wheel> {
    tree::make_empty(work)?;
    let mut pip = python.pip("download");
    pip.arg("--no-deps").args(FOR).args(platforms(like.purpose.machine())).arg("--dest").arg(work);
    child::show(pip.arg(format!("{}=={version}", like.distribution)))?;
    let mut files = fs::read_dir(work).with_context(|| format!("list {}", work.display()))?;
    let file = files.next().with_context(|| format!("no wheel of {}", like.distribution))??;
    let name = file.file_name().to_string_lossy().into_owned();
    let sha256 = sums::sha256_of(&file.path())?;
    Ok(Wheel { side, version, file: name, sha256, ..like.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_newest_versions_are_taken() {
        let answer = "numpy (2.4.6)\nAvailable versions: 2.4.6, 2.4.5, 2.4.4\n  LATEST: 2.4.6\n";
        assert_eq!(two_of(answer).unwrap(), ["2.4.6", "2.4.5"]);
        assert!(two_of("Available versions: 1.0").is_none());
    }
}
