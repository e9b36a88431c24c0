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
# Pairs of Debian packages for `cargo xtask corpus --debs`: use, package, old version, new version.
# `itself`: the package; `kernel`: the package is empty and depends on the one that is meant.
# Superseded versions vanish from the archive; `--relock --debs` writes the two newest that are there.
";

/// Where the files of a package are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// In the package.
    Itself,
    /// In the first package that it depends on: each kernel is a package with a name of its own.
    Kernel,
}

impl Files {
    const ALL: [(Self, &'static str); 2] = [(Self::Itself, "itself"), (Self::Kernel, "kernel")];
}

/// One package in two versions.
struct Pair {
    files: Files,
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
            let Pair { files, package, versions: [old, new] } = pair;
            let words = Files::ALL.iter().find(|(each, _)| each == files);
            let word = words.map(|(_, word)| *word).unwrap_or_default();
            format!("{word} {package} {old} {new}\n")
        });
        let text: String = std::iter::once(HEAD.to_owned()).chain(lines).collect();
        tree::place_text(lock, &text)?;
    }
    for pair in &pairs {
        for (side, version) in Side::BOTH.iter().zip(&pair.versions) {
            let made = folder.join(format!("img/deb-{}-tar.{side}", pair.package));
            match pair.files {
                Files::Itself => pack(&pair.package, version, folder, &made)?,
                Files::Kernel => {
                    let (package, version) = needed_by(&pair.package, version)?;
                    pack(&package, &version, folder, &made)?;
                }
            }
        }
    }
    println!("{} Debian pairs", pairs.len());
    Ok(())
}

fn read(lock: &Path) -> Result<Vec<Pair>> {
    let text = fs::read_to_string(lock).with_context(|| format!("read {}", lock.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| pair_of(line).with_context(|| format!("four words wanted: {line}"))).collect()
}

fn pair_of(line: &str) -> Option<Pair> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [word, package, old, new] = words.as_slice() else { return None };
    let (files, _) = *Files::ALL.iter().find(|(_, each)| each == word)?;
    let versions = [old, new].map(|version| (*version).to_owned());
    Some(Pair { files, package: (*package).to_owned(), versions })
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

/// The package and version that an empty package stands for.
fn needed_by(package: &str, version: &str) -> Result<(String, String)> {
    let mut apt = Command::new("apt-cache");
    let answer = child::read(apt.args(["show", &format!("{package}={version}")]))?;
    first_need(&answer).with_context(|| format!("{package} {version} depends on nothing exact"))
}

/// The first of `Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1), …`.
fn first_need(answer: &str) -> Option<(String, String)> {
    let needs = answer.lines().find_map(|line| line.strip_prefix("Depends: "))?;
    let (package, rest) = needs.split_once(" (= ")?;
    let (version, _) = rest.split_once(')')?;
    Some((package.to_owned(), version.to_owned()))
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
    fn a_line_has_four_words() {
        let pair = pair_of("itself postgresql-15 15.18-0 15.20-0").unwrap();
        assert_eq!(pair.files, Files::Itself);
        assert_eq!(
            (pair.package.as_str(), pair.versions[1].as_str()),
            ("postgresql-15", "15.20-0")
        );
        for broken in ["itself postgresql-15 15.18-0", "itself p 1 2 more", "other p 1 2"] {
            assert!(pair_of(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_kernel_is_the_package_that_the_empty_one_needs() {
        let answer = "Package: linux-image-cloud-amd64\n\
                      Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1), more\n";
        let (package, version) = first_need(answer).unwrap();
        assert_eq!(
            (package.as_str(), version.as_str()),
            ("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1")
        );
        assert!(first_need("Depends: a (>= 1)\n").is_none());
    }
}
