//! What the checks need from the machine's own packages, and getting it.
//!
//! For: finding what is missing, installing it where that is allowed, saying so. Not for: Rust, a C
//! compiler and cargo, which whoever calls this already has.
//!
//! Invariant: after `provide` everything is there, or the error tells how to install the rest.

use crate::{child, place, postgres};
use anyhow::{Result, bail};
use std::{io::IsTerminal as _, process::Command};

/// One thing that must be on the machine.
pub(crate) struct Component {
    /// What it is used for, for people.
    purpose: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

/// PostgreSQL: the second of the two databases.
pub(crate) const DATABASE: Component = Component {
    purpose: "tests on the second database",
    package: "postgresql",
    present: || postgres::programs().is_some(),
};
/// strace: kills the agent at a named system call.
pub(crate) const TRACER: Component = Component {
    purpose: "crash tests at a named system call",
    package: "strace",
    present: || place::program("strace").is_some(),
};
/// Python with venv: pip, and the reference TUF client.
pub(crate) const PYTHON: Component = Component {
    purpose: "the reference TUF client",
    package: "python3-venv",
    present: python_has_venv,
};
/// mke2fs and debugfs: root file systems of the corpus.
pub(crate) const EXT4: Component = Component {
    purpose: "ext4 images of the corpus and of the lint",
    package: "e2fsprogs",
    present: || {
        let programs = ["mke2fs", "debugfs", "e2fsck", "tune2fs"];
        programs.iter().all(|program| place::program(program).is_some())
    },
};
/// mksquashfs: root file systems of the corpus.
pub(crate) const SQUASHFS: Component = Component {
    purpose: "squashfs images of the corpus and of the lint",
    package: "squashfs-tools",
    present: || place::program("mksquashfs").is_some(),
};
/// mkfs.erofs: root file systems of the corpus.
pub(crate) const EROFS: Component = Component {
    purpose: "erofs images of the corpus and of the lint",
    package: "erofs-utils",
    present: || place::program("mkfs.erofs").is_some(),
};
/// sfdisk: partition tables that the lint reads.
pub(crate) const PARTITIONS: Component = Component {
    purpose: "partition tables of the lint",
    package: "fdisk",
    present: || place::program("sfdisk").is_some(),
};
/// mkfs.fat: volumes that the lint reads.
pub(crate) const FAT: Component = Component {
    purpose: "FAT volumes of the lint",
    package: "dosfstools",
    present: || place::program("mkfs.fat").is_some(),
};
/// systemd-analyze: reads the units, without a running systemd.
pub(crate) const UNIT_READER: Component = Component {
    purpose: "the check of the systemd units",
    package: "systemd",
    present: || place::program("systemd-analyze").is_some(),
};

/// Chromium: the browser that the console is tried in.
pub(crate) const CHROMIUM: Component = Component {
    purpose: "the console in a real browser",
    package: "chromium",
    present: || place::program("chromium").is_some(),
};
/// chromedriver: how the browser is driven.
pub(crate) const DRIVER: Component = Component {
    purpose: "driving the browser",
    package: "chromium-driver",
    present: || place::program("chromedriver").is_some(),
};
/// Noto CJK: Japanese text on screens.
pub(crate) const FONTS: Component = Component {
    purpose: "Japanese text on screens",
    package: "fonts-noto-cjk",
    present: || {
        let mut command = Command::new("fc-list");
        child::read(command.arg(":lang=ja")).is_ok_and(|fonts| !fonts.trim().is_empty())
    },
};
/// pdftotext: what is printed.
pub(crate) const PRINTED: Component = Component {
    purpose: "reading what is printed",
    package: "poppler-utils",
    present: || place::program("pdftotext").is_some(),
};

const COMPARED: &str = "comparing deltas";
/// bsdiff: compared with our deltas.
pub(crate) const BSDIFF: Component = Component {
    purpose: COMPARED,
    package: "bsdiff",
    present: || place::program("bsdiff").is_some(),
};
/// xdelta3: compared with our deltas.
pub(crate) const XDELTA: Component = Component {
    purpose: COMPARED,
    package: "xdelta3",
    present: || place::program("xdelta3").is_some(),
};
/// zstd: compared with our deltas.
pub(crate) const ZSTD: Component =
    Component { purpose: COMPARED, package: "zstd", present: || place::program("zstd").is_some() };
/// ostree: compared with our deltas.
pub(crate) const OSTREE: Component = Component {
    purpose: COMPARED,
    package: "ostree",
    present: || place::program("ostree").is_some(),
};
/// casync: compared with our deltas.
pub(crate) const CASYNC: Component = Component {
    purpose: COMPARED,
    package: "casync",
    present: || place::program("casync").is_some(),
};
/// zck: compared with our deltas.
pub(crate) const ZCHUNK: Component =
    Component { purpose: COMPARED, package: "zchunk", present: || place::program("zck").is_some() };

/// Everything that `cargo xtask test` needs.
pub(crate) const ALL: [&Component; 9] =
    [&DATABASE, &TRACER, &PYTHON, &EXT4, &SQUASHFS, &EROFS, &PARTITIONS, &FAT, &UNIT_READER];

/// Makes sure that all of these are there.
pub(crate) fn provide(components: &[&Component]) -> Result<String> {
    let missing = missing_of(components);
    if missing.is_empty() {
        return Ok(format!("{} components, all present", components.len()));
    }
    for component in &missing {
        println!("missing: {} ({})", component.package, component.purpose);
    }
    let packages: Vec<&str> = missing.iter().map(|component| component.package).collect();
    install(&packages)?;
    let still: Vec<&str> = missing_of(&missing).iter().map(|component| component.package).collect();
    if still.is_empty() {
        return Ok(format!("installed {}", packages.join(", ")));
    }
    bail!("installed, but still not usable: {}; {}", still.join(", "), hint(&still))
}

fn missing_of<'a>(components: &[&'a Component]) -> Vec<&'a Component> {
    components.iter().copied().filter(|component| !(component.present)()).collect()
}

/// Installs with apt, as root or through sudo.
fn install(packages: &[&str]) -> Result<()> {
    if place::program("apt-get").is_none() {
        bail!("no apt-get on this machine; {}", hint(packages));
    }
    if !place::is_root() && place::program("sudo").is_none() {
        bail!("neither root nor sudo; {}", hint(packages));
    }
    println!("installing with apt: {}", packages.join(" "));
    let wanted = ["install", "--yes", "--no-install-recommends"];
    let arguments: Vec<&str> = wanted.iter().copied().chain(packages.iter().copied()).collect();
    if child::show(&mut apt(&arguments)).is_ok() {
        return Ok(());
    }
    println!("once more with fresh package lists");
    let again = child::show(&mut apt(&["update"])).and_then(|()| child::show(&mut apt(&arguments)));
    again.or_else(|error| bail!("{error:#}; {}", hint(packages)))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = if place::is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        // Without a terminal nobody can type a password: fail at once, with the hint.
        if !std::io::stdin().is_terminal() {
            sudo.arg("-n");
        }
        sudo.arg("env");
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]).args(arguments);
    command
}

fn hint(packages: &[&str]) -> String {
    format!(
        "install by hand: apt-get install {} (or your system's name for it)",
        packages.join(" ")
    )
}

fn python_has_venv() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import venv, ensurepip"]);
    child::read(&mut command).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: Component =
        Component { purpose: "a test", package: "present", present: || true };
    const ABSENT: Component = Component { purpose: "a test", package: "absent", present: || false };

    #[test]
    fn nothing_is_installed_when_all_is_there() {
        assert_eq!(provide(&[&PRESENT, &PRESENT]).unwrap(), "2 components, all present");
    }

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let names: Vec<&str> =
            missing_of(&[&PRESENT, &ABSENT]).iter().map(|component| component.package).collect();
        assert_eq!(names, ["absent"]);
    }

    #[test]
    fn the_hint_names_the_packages() {
        assert!(hint(&["strace"]).contains("apt-get install strace"));
    }
}
