//! Real images of tens to hundreds of megabytes, compared byte for byte.

use anyhow::{Context as _, Result};
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Programs, setting, workspace};
use patchward_tests::hospital::Wish;
use patchward_tests::image::Recipe;
use patchward_tests::memory::peak_kib;
use patchward_tests::server::QUICK;
use patchward_tests::world::World;
use std::path::{Path, PathBuf};

const MEGABYTE: usize = 1024 * 1024;

/// Moves an image file into a slot through everything and compares every byte of it.
fn moved(name: &str, image: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new(&format!("acme.{name}"))?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
    let size_bytes = usize::try_from(std::fs::metadata(image)?.len())?;
    let new = Recipe { size_bytes, ..Recipe::small(&family, Kind::Slots, "2.0.0", 2) };
    let old = Recipe { size_bytes, ..Recipe::small(&family, Kind::Slots, "1.0.0", 1) };
    let factory = old.release()?;
    let draft = world.maker.prepare_image(&new, image)?;
    world.maker.release(&draft)?;
    let hospital = world.hospital(&format!("{name}-hospital"))?;
    let device = world.device(&hospital, "pump-01", &factory)?;
    drop(factory);
    let agent = device.start()?;
    hospital.approve(&Wish {
        id: "first".to_owned(),
        family,
        version: "2.0.0".to_owned(),
        devices: vec!["pump-01".to_owned()],
        start_s: 0,
        length_s: 3600,
    })?;
    device
        .noted_committed(&draft.image_sha256)
        .with_context(|| format!("{} of {size_bytes} bytes", image.display()))?;
    let slot = std::fs::read(device.folder.join("system/slot-b"))?;
    assert!(slot == std::fs::read(image)?, "the slot differs from the manufacturer's file");
    let peak = peak_kib(agent.id())?;
    assert!(peak < 32 * 1024, "the agent took {peak} KiB");
    Ok(())
}

#[test]
fn an_incompressible_image_of_64_megabytes_arrives_byte_for_byte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("image");
    let bytes = patchward_tests::chance::Chance::seeded(64).bytes(64 * MEGABYTE + 4711);
    patchward_tests::image::put(&image, &bytes)?;
    moved("incompressible", &image)
}

#[test]
fn images_of_real_software_arrive_byte_for_byte() -> Result<()> {
    let corpus = setting("PATCHWARD_CORPUS_DIR").map(PathBuf::from);
    let corpus = corpus.map_or_else(|| workspace().map(|root| root.join("target/corpus")), Ok)?;
    anyhow::ensure!(
        corpus.is_dir(),
        "{} is missing: cargo xtask corpus builds it",
        corpus.display()
    );
    let mut images = Vec::new();
    for entry in std::fs::read_dir(corpus.join("img")).context("cargo xtask corpus builds it")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            images.push(path);
        }
    }
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    images.sort_by_key(size);
    let largest = images.last().with_context(|| format!("no image in {}", corpus.display()))?;
    anyhow::ensure!(size(largest) > 10_000_000, "{} is small", largest.display());
    moved("real", largest)
}
