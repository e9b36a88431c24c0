//! 31 the server, or whoever carries the pack, offers another site root at enrolment.

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::reason::Reason;
use patchward_tests::bin::Programs;
use patchward_tests::device::Device;
use patchward_tests::forge;
use patchward_tests::forged::Forged;
use patchward_tests::owner::Owner;
use patchward_tests::plan::Plan;
use patchward_tests::running::run;
use patchward_tests::scene::{Scene, pack_for};

/// A root of the attacker's that says it is the site's.
fn foreign_root(scene: &Scene) -> Result<Vec<u8>> {
    let mut owner: Owner = scene.site.clone();
    owner.root_keys = patchward_tests::owner::keys_of("attacker 31", "root");
    owner.targets_keys = patchward_tests::owner::keys_of("attacker 31", "targets");
    let listed: Vec<_> = owner.root_keys.iter().map(forge::Key::object).collect();
    owner.set_role("root", &listed, 2);
    let listed: Vec<_> = owner.targets_keys.iter().map(forge::Key::object).collect();
    owner.set_role("targets", &listed, 2);
    owner.root_file()
}

/// Another device of the same scene, not yet enrolled.
fn another(scene: &Scene, name: &str) -> Result<Device> {
    let folder = scene.stage.folder().join(format!("device-{name}"));
    let root = scene.family.root_file()?;
    Device::from_factory(Programs::for_tests()?, &folder, name, &scene.factory, &root)
}

#[test]
fn attack_31_a_device_keeps_the_root_of_its_pack_whatever_the_server_shows() -> Result<()> {
    let mut scene = Scene::begin("31a")?;
    let device = another(&scene, "pump-31a-new")?;
    let foreign = foreign_root(&scene)?;
    let shown = Forged::of(&scene.site)
        .with("metadata/1.root.json", &foreign)
        .with("metadata/2.root.json", &foreign);
    scene.show(vec![shown]);
    let server = &scene.stage.server;
    let pack = pack_for(server, &scene.site_id, &device.family, &scene.line.url())?;
    let said = run(&mut device.enrolment(&pack)?)?;
    if said.status.success() {
        let _agent = device.start()?;
        device.refused_for(&[Reason::RootChain, Reason::MetadataSignature])?;
    }
    device.is_unchanged()?;
    scene.recover()?;
    scene.start()?;
    scene.approve()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_31_a_pack_with_another_root_than_the_typed_fingerprint_is_refused() -> Result<()> {
    let scene = Scene::begin("31b")?;
    let device = another(&scene, "pump-31b-new")?;
    let server = &scene.stage.server;
    let mut pack = pack_for(server, &scene.site_id, &device.family, &scene.line.url())?;
    let true_root = STANDARD.decode(&pack.site_root)?;
    let fingerprint = patchward_protocol::digest::Sha256Digest::of(&true_root).fingerprint();
    pack.site_root = STANDARD.encode(foreign_root(&scene)?);
    let mut command = device.enrolment(&pack)?;
    let said = run(command.args(["--site-root-fingerprint", &fingerprint]))?;
    assert!(!said.status.success(), "{}", said.out);
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains(Reason::PackUntrusted.code()), "{told}");
    device.is_unchanged()
}

#[test]
fn attack_31_an_enrolled_device_does_not_take_another_site_root() -> Result<()> {
    let mut scene = Scene::begin("31c")?;
    let server = &scene.stage.server;
    let other = RepositoryId::from_parts("site", "hospital-31c-other")?;
    let other = Owner::open(&server.administrator()?, &other)?;
    let other_id = patchward_protocol::id::SiteId::new("hospital-31c-other")?;
    let pack = pack_for(server, &other_id, &scene.device.family, &scene.line.url())?;
    let said = run(&mut scene.device.enrolment(&pack)?)?;
    assert!(!said.status.success(), "enrolled again at {}: {}", other.id, said.out);
    scene.device.is_unchanged()?;
    // It still belongs to the first one.
    scene.approve_as(&Plan::open_now("first", 1))?;
    scene.start()?;
    scene.device.updated_to(&scene.next)
}
