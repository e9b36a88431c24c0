//! Floors: who may depend on whom, in the workspace and outside it.
//!
//! Floor 0 `protocol`, floor 1 `server`, `agent`, `cli`, floor 2 everything that watches
//! (docs/STYLE.md, rule 1).

use crate::{nothing_found, root};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::{collections::BTreeSet, process::Command};

const FLOOR_0: &str = "patchward-protocol";
const FLOOR_1: [&str; 3] = ["patchward-server", "patchward-agent", "patchward-cli"];

/// Who alone may name a crate in its manifest.
const OWNERS: [(&str, &[&str]); 7] = [
    ("tough", &["patchward-protocol"]),
    ("actix-web", &["patchward-server"]),
    ("diesel", &["patchward-server"]),
    ("diesel-async", &["patchward-server"]),
    ("hyper", &["patchward-agent", "patchward-benches"]),
    ("ureq", &["patchward-cli", "patchward-server", "patchward-tests", "patchward-benches"]),
    ("lexopt", &["patchward-agent"]),
];

/// What must not be linked into a program, however far down (words of a crate's name).
const ABSENT: [(&str, &[&str]); 2] = [
    (
        "patchward-agent",
        &[
            "reqwest",
            "chrono",
            "regex",
            "openssl",
            "openssl-sys",
            "native-tls",
            "clap",
            "diesel",
            "actix-web",
            "libsqlite3-sys",
            "zbus",
            "ureq",
        ],
    ),
    (
        "patchward-cli",
        &["actix-web", "diesel", "libsqlite3-sys", "openssl", "openssl-sys", "reqwest"],
    ),
];

/// What cargo knows of the workspace and everything below it.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

/// One crate.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

impl Package {
    /// Crates of the workspace come from no registry.
    fn is_ours(&self) -> bool {
        self.source.is_none()
    }

    fn names(&self, other: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == other)
    }
}

/// Asks cargo, without the network; only for the platform of this machine, whose crates are here.
pub(crate) fn metadata() -> Result<Metadata> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let text = cargo(&["metadata", "--format-version", "1", "--filter-platform", &platform])?;
    serde_json::from_str(&text).context("read cargo metadata")
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).args(["--locked", "--offline"]).current_dir(root()?);
    let output = command.output().context("start cargo")?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("cargo writes UTF-8")
}

#[test]
fn nothing_on_the_first_floor_depends_on_its_neighbour() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for name in FLOOR_1 {
        let package = metadata.packages.iter().find(|package| package.name == name);
        let package = package.with_context(|| format!("no crate {name}"))?;
        for other in FLOOR_1.iter().filter(|other| package.names(other)) {
            findings.push(format!("{name} depends on {other}"));
        }
    }
    nothing_found("first floor, tests included (docs/STYLE.md, rule 1)", findings);
    Ok(())
}

#[test]
fn nothing_depends_on_a_floor_above() -> Result<()> {
    let metadata = metadata()?;
    let ours: Vec<&Package> =
        metadata.packages.iter().filter(|package| package.is_ours()).collect();
    let floor = |name: &str| match name {
        FLOOR_0 => 0,
        name if FLOOR_1.contains(&name) => 1,
        _ => 2,
    };
    let mut findings = Vec::new();
    for package in &ours {
        for other in ours.iter().filter(|other| package.names(&other.name)) {
            if floor(&other.name) > floor(&package.name) {
                findings.push(format!("{} depends on {}", package.name, other.name));
            }
        }
    }
    assert!(ours.len() > FLOOR_1.len(), "the workspace has only {} crates", ours.len());
    nothing_found("a floor carries what is above it (docs/STYLE.md, rule 1)", findings);
    Ok(())
}

#[test]
fn a_crate_with_an_owner_is_named_by_nobody_else() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.is_ours()) {
        for (owned, owners) in OWNERS {
            if package.names(owned) && !owners.contains(&package.name.as_str()) {
                findings.push(format!("{} names {owned}: only {owners:?} may", package.name));
            }
        }
    }
    nothing_found("who may depend on what (deny.toml says it too)", findings);
    Ok(())
}

#[test]
fn small_programs_stay_small() -> Result<()> {
    let mut findings = Vec::new();
    for (program, absent) in ABSENT {
        let tree = cargo(&["tree", "--package", program, "--edges", "normal", "--prefix", "none"])?;
        let linked: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(linked.contains(program), "cargo tree does not know {program}");
        for found in absent.iter().filter(|name| linked.contains(**name)) {
            findings.push(format!("{program} links {found} (cargo tree -p {program} -i {found})"));
        }
    }
    nothing_found("what a program must not bring along", findings);
    Ok(())
}
