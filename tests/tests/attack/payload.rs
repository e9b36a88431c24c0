//! 17 a malformed payload, signed by the manufacturer's own keys and approved by the hospital.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::image::{Carrier, Recipe, Release};
use patchward_tests::plan::Plan;
use patchward_tests::scene::{Cast, Scene, Stage};

/// A release whose image is these bytes, described truly.
fn release_of(scene: &Scene, image: Vec<u8>) -> Result<Release> {
    let recipe = Recipe::small(&scene.device.family, scene.device.kind, "6.6.6", 6);
    Recipe { carrier: scene.cast.carrier, ..recipe }.release_of(image)
}

/// An honest archive with a name in it replaced by another of the same length, checksum put right.
fn renamed(archive: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut archive = archive.to_vec();
    let at = archive.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.expect("the name is in the archive");
    archive[at..at + to.len()].copy_from_slice(to.as_bytes());
    let start = at - at % 512;
    let header = &mut archive[start..start + 512];
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    header[148..156].copy_from_slice(text.as_bytes());
    archive
}

/// In a container, and as the file itself.
fn refused(name: &str, spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<()> {
    refused_in(Carrier::Container, name, &spoil)?;
    refused_in(Carrier::Plain, &format!("{name}p"), &spoil)
}

fn refused_in(carrier: Carrier, name: &str, spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<()> {
    let mut scene = Scene::on(Stage::shared()?, Cast { carrier, ..Cast::tree(name) })?;
    let archive = scene.next.image.clone();
    let evil = release_of(&scene, spoil(archive))?;
    scene.family.add_release(&evil)?;
    scene.family.publish()?;
    scene.approve_release(&Plan::open_now("evil", 1), &evil)?;
    scene.start()?;
    scene.device.refused_for(&[Reason::TreeMalformed, Reason::ImageMismatch])?;
    scene.nothing_changes()?;
    let outside = scene.device.folder.join("escaped");
    assert!(!outside.exists() && !scene.device.folder.join("system/escaped").exists());
    // A good release of a higher rank still comes through.
    let good = Recipe::small(&scene.device.family, scene.device.kind, "7.0.0", 7).release()?;
    scene.family.add_release(&good)?;
    scene.family.publish()?;
    scene.approve_release(&Plan::open_now("good", 2), &good)?;
    scene.device.updated_to(&good)
}

#[test]
fn attack_17_an_archive_that_climbs_out_of_its_folder_is_refused() -> Result<()> {
    refused("17a", |archive| renamed(&archive, "content.bin", "../escaped!"))
}

#[test]
fn attack_17_a_truncated_archive_is_refused() -> Result<()> {
    refused("17b", |mut archive| {
        archive.truncate(archive.len() - 1500);
        archive
    })
}

#[test]
fn attack_17_an_archive_that_is_noise_is_refused() -> Result<()> {
    refused("17c", |archive| patchward_tests::chance::Chance::seeded(17).bytes(archive.len()))
}

#[test]
fn attack_17_bytes_behind_the_end_of_the_archive_are_refused() -> Result<()> {
    refused("17d", |mut archive| {
        archive.extend_from_slice(&[1; 512]);
        archive
    })
}
