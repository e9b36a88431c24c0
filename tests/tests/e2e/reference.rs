//! The reference TUF client (python-tuf's ngclient) reads both kinds of repository.

use anyhow::{Context as _, Result};
use patchward_protocol::api::token::Scope;
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Programs, setting, workspace};
use patchward_tests::container::image_in;
use patchward_tests::desk::text;
use patchward_tests::device::Device;
use patchward_tests::hospital::{Hospital, Wish};
use patchward_tests::image::Recipe;
use patchward_tests::running::{Said, run};
use patchward_tests::server::QUICK;
use patchward_tests::world::World;
use std::path::Path;
use std::process::Command;

/// Runs the client; the repository is `family/NAME` or `site/NAME`.
fn client(
    world: &World,
    repository: &str,
    root: &Path,
    target: &str,
    more: &[&str],
) -> Result<Said> {
    let python = setting("PATCHWARD_PYTHON").context(
        "PATCHWARD_PYTHON names no Python with `tuf`: run `cargo xtask test`, \
         or `python3 -m venv v && v/bin/pip install tuf` and set it to v/bin/python",
    )?;
    let url = world.server.url()?;
    let folder = world.place(&format!("reference-{}", repository.replace('/', "-")));
    let mut command = Command::new(python);
    command.arg(workspace()?.join("tests/python/reference_client.py")).arg(root);
    command.arg(format!("{url}/tuf/{repository}/metadata/"));
    command.arg(format!("{url}/tuf/{repository}/targets/"));
    command.arg(target).arg(folder).args(more);
    run(&mut command)
}

#[test]
fn python_tuf_downloads_and_verifies_a_target_of_both_kinds_of_repository() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.reference")?;
    let programs = Programs::for_tests()?;
    let world = World::begin(programs, folder.path(), &family, QUICK)?;
    let recipe = Recipe::small(&family, Kind::Tree, "2.0.0", 2);
    let draft = world.maker.prepare(&recipe)?;
    world.maker.release(&draft)?;
    let release = recipe.release()?;

    let name = format!("family/{family}");
    let image = &format!("img/{}", image_name(&draft.staged)?);
    let said = client(&world, &name, &world.maker.root, image, &[])?;
    assert!(said.status.success(), "{}{}", said.out, said.err);
    let bytes = std::fs::read(said.out.trim())?;
    // It knows no containers: what it verified is opened here.
    assert_eq!(image_in(&bytes)?, release.image, "the image is not the one that was built");

    let hospital: Hospital = world.hospital("reference-hospital")?;
    let device: Device = world.device(&hospital, "pump-01", &recipe_of_factory(&family)?)?;
    let wish = Wish {
        id: "first".to_owned(),
        family: family.clone(),
        version: "2.0.0".to_owned(),
        devices: vec![device.name.to_string()],
        start_s: 0,
        length_s: 3600,
    };
    let approved = hospital.approve(&wish)?;
    let name = format!("site/{}", hospital.site);
    let target = "approval/first.json";
    let said = client(&world, &name, &hospital.root, target, &[])?;
    assert!(!said.status.success(), "a site repository was readable without a token");
    let token = world.server.token_for(Scope::Site { site: hospital.site.clone() })?;
    let said = client(&world, &name, &hospital.root, target, &[&token])?;
    assert!(said.status.success(), "{}{}", said.out, said.err);
    let bytes = std::fs::read(said.out.trim())?;
    let digest = patchward_protocol::digest::Sha256Digest::of(&bytes);
    assert_eq!(digest.to_string(), text(&approved, "sha256")?);
    Ok(())
}

fn recipe_of_factory(family: &FamilyId) -> Result<patchward_tests::image::Release> {
    Recipe::small(family, Kind::Tree, "1.0.0", 1).release()
}

/// The file name of the only image in a draft.
fn image_name(staged: &Path) -> Result<String> {
    let draft: serde_json::Value = serde_json::from_slice(&std::fs::read(staged)?)?;
    let targets = draft["signed"]["targets"].as_object().context("targets")?;
    let image = targets.keys().find_map(|path| path.strip_prefix("img/"));
    Ok(image.context("an image")?.to_owned())
}
