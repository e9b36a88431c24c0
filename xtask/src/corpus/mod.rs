//! The corpus: two versions each of real software, as folders, archives and root file systems.
//!
//! For: end-to-end tests and benches that move and compare real images. Not for: delivery; nothing
//! of it is committed or published, only the lock that says which wheels it is made from.
//!
//! Invariant: the same lock and the same tools make the same bytes, in any folder, as any user.

mod debian;
mod image;
mod lock;
mod sums;
mod tree;
mod wheel;

use crate::{needs, place::Place, python::Python};
use anyhow::{Context as _, Result};
use lock::{Lock, Side};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What one call asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Instead of `corpus` in the target folder.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) lock: LockUse,
    pub(crate) debs: Debs,
}

/// Which versions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum LockUse {
    /// As committed.
    #[default]
    AsIs,
    /// The two newest that the registry has; written into the lock.
    Renew,
}

/// Debian packages vanish from the archive when they are superseded, so nothing depends on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Debs {
    #[default]
    None,
    Too,
}

/// Builds what is not there yet, verifies what is; gives the folder and a line for people.
pub(crate) fn build(place: &Place, wanted: &Wanted) -> Result<(PathBuf, String)> {
    needs::provide(&[&needs::PYTHON, &needs::EXT4, &needs::SQUASHFS, &needs::EROFS])?;
    let python = Python::provide(place)?;
    let folder = wanted.folder.clone().unwrap_or_else(|| place.target.join("corpus"));
    let folder = std::path::absolute(&folder).context("name the folder of the corpus")?;
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let wheels_lock = place.root.join("benches/corpus/wheels.lock");
    if wanted.lock == LockUse::Renew {
        wheel::renew(&python, &wheels_lock, &folder.join("relock"))?;
    }
    let lock = Lock::read(&wheels_lock)?;
    let origin = sums::origin(&lock)?;
    let note = match sums::verify(&folder, &origin)? {
        Some(verified) => verified,
        None => {
            make(&python, &lock, &folder)?;
            sums::write(&folder, &origin)?
        }
    };
    if wanted.debs == Debs::Too {
        debian::build(&place.root.join("benches/corpus/debs.lock"), &wanted.lock, &folder)?;
    }
    println!("{}: {note}", folder.display());
    Ok((folder, note))
}

/// Everything, from the wheels on.
fn make(python: &Python, lock: &Lock, folder: &Path) -> Result<()> {
    let (wheels, trees, images) = (folder.join("wheels"), folder.join("tree"), folder.join("img"));
    for made in [&trees, &images] {
        tree::make_empty(made)?;
    }
    wheel::fetch(python, lock, &wheels)?;
    for side in Side::BOTH {
        let root = trees.join(format!("rootfs.{side}"));
        let library = root.join("opt/device/lib");
        tree::make_empty(&library)?;
        for wheel in lock.wheels(side) {
            let file = wheels.join(&wheel.file);
            if let Some(name) = wheel.own_name() {
                let own = trees.join(format!("{name}.{side}"));
                wheel::unpack(python, &file, &own)?;
                tree::normalise(&own)?;
                image::tar(&own, &images.join(format!("{name}-tar.{side}")))?;
            }
            if wheel.purpose.in_root() {
                wheel::unpack(python, &file, &library)?;
            }
        }
        tree::place_text(&root.join("etc/device-release"), &lock.release_text(side))?;
        tree::normalise(&root)?;
        image::ext4(&root, &images.join(format!("rootfs-ext4.{side}")))?;
        for form in image::ReadOnly::ALL {
            let name = format!("rootfs-{form}.{side}");
            image::read_only(&root, &images.join(name), form)?;
        }
    }
    Ok(())
}
