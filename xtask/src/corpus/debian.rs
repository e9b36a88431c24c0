//! Pairs of Debian packages, for benches on a Debian machine.
//!
//! Not for: tests and CI. The archive keeps a superseded version for a short while only, so a pair
//! may be gone tomorrow; `--relock --debs` then writes pairs that are there.

use super::{LockUse, image, lock::Side, tree};
use crate::{child, place};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const HEAD: &str = "\
# Pairs of Debian packages for `cargo xtask corpus --debs`: package, old version, new version.
# Superseded versions vanish from the archive; `--relock --debs` writes the two newest that are there.
";

/// One package in two versions.
struct Pair {
    package: String,
    versions: [String; 2],
}

/// Fetches and packs every pair of the lock.
pub(crate) fn build(lock: &Path, use_of_lock: &LockUse, folder: &Path) -> Result<()> {
    place::required("apt-get").context("Debian pairs need a Debian machine")?;
    let mut pairs = read(lock)?;
    if *use_of_lock == LockUse::Renew {
        for pair in &mut pairs {
            pair.versions = newest_two(&pair.package)?;
        }
        let lines = pairs.iter().map(|pair| {
            let [old, new] = &pair.versions;
            format!("{} {old} {new}\n", pair.package)
        });
        let text: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
        tree::place_text(lock, &text)?;
    }
    for pair in &pairs {
        for (side, version) in Side::BOTH.iter().zip(&pair.versions) {
            let made = folder.join(format!("img/deb-{}-tar.{side}", pair.package));
            pack(&pair.package, version, folder, &made)?;
        }
    }
    println!("{} Debian pairs", pairs.len());
    Ok(())
}

fn read(lock: &Path) -> Result<Vec<Pair>> {
    let text = fs::read_to_string(lock).with_context(|| format!("read {}", lock.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| pair_of(line).with_context(|| format!("three words wanted: {line}"))).collect()
}

fn pair_of(line: &str) -> Option<Pair> {
    let mut words = line.split_whitespace().map(String::from);
    let (package, versions) = (words.next()?, [words.next()?, words.next()?]);
    words.next().is_none().then_some(Pair { package, versions })
}

/// What `apt-cache madison` lists first, older one first.
fn newest_two(package: &str) -> Result<[String; 2]> {
    let answer = child::read(Command::new("apt-cache").args(["madison", package]))?;
    let mut versions: Vec<String> =
        answer.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned())).collect();
    versions.dedup();
    match versions.as_slice() {
        [new, old, ..] => Ok([old.clone(), new.clone()]),
        _ => bail!("the archive has only one version of {package}"),
    }
}

fn pack(package: &str, version: &str, folder: &Path, made: &Path) -> Result<()> {
    let debs = folder.join("debs");
    fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
    let file = match held(&debs, package, version)? {
        Some(file) => file,
        None => {
            let mut apt = Command::new("apt-get");
            apt.current_dir(&debs).args(["--quiet", "download", &format!("{package}={version}")]);
            child::read(&mut apt).context("superseded? `--relock --debs` takes what is there")?;
            held(&debs, package, version)?.context("apt-get downloaded nothing")?
        }
    };
    let unpacked = folder.join("tree").join(format!("deb-{package}"));
    tree::make_empty(&unpacked)?;
    child::read(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&unpacked))?;
    image::tar(&unpacked, made)?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("remove {}", unpacked.display()))
}

/// The downloaded package: apt writes `:` as `%3a`.
fn held(debs: &Path, package: &str, version: &str) -> Result<Option<PathBuf>> {
    let start = format!("{package}_{}_", version.replace(':', "%3a"));
    let entries = fs::read_dir(debs).with_context(|| format!("list {}", debs.display()))?;
    let mut paths = entries.flatten();
    let found = paths.find(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    Ok(found.map(|entry| entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_three_words() {
        let pair = pair_of("postgresql-15 15.18-0 15.20-0").unwrap();
        assert_eq!(
            (pair.package.as_str(), pair.versions[1].as_str()),
            ("postgresql-15", "15.20-0")
        );
        assert!(pair_of("postgresql-15 15.18-0").is_none());
        assert!(pair_of("postgresql-15 15.18-0 15.20-0 more").is_none());
    }
}
