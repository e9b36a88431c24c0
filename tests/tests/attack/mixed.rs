//! 7 mix-and-match, 8 replay across families and sites that share keys.

use anyhow::Result;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::reason::Reason;
use patchward_tests::forge;
use patchward_tests::forged::Forged;
use patchward_tests::owner::{Owner, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;

#[test]
fn attack_07_mix_and_match_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("07")?;
    let old = scene.site.targets_file()?;
    scene.approve()?;
    let version = version_of(&scene.site.targets)?;
    // The newest timestamp and snapshot, with the targets of before under the new name.
    let name = format!("metadata/{version}.targets.json");
    scene.show(vec![Forged::of(&scene.site).with(&name, &old)]);
    scene.start()?;
    scene.device.refused(Reason::MetadataMismatch)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_08_another_family_with_the_same_keys_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("08a")?;
    let other = RepositoryId::from_parts("family", "acme.other08")?;
    let (root, targets) = (scene.family.root_keys.clone(), scene.family.targets_keys.clone());
    let administrator = scene.stage.server.administrator()?;
    let mut other = Owner::open_with(&administrator, &other, root, targets)?;
    // Honestly signed by the same people, for the other family, with the same release in it.
    while version_of(&other.targets)? <= version_of(&scene.family.targets)? {
        other.publish()?;
    }
    let (family, _) = scene.steal_online()?;
    let (version, foreign) = (version_of(&other.targets)?, other.targets_file()?);
    scene.show(vec![Forged::chain(&scene.family, &family, (version, &foreign))?]);
    scene.approve()?;
    scene.start()?;
    scene.device.refused(Reason::MetadataOtherRepository)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_08_another_site_with_the_same_keys_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("08b")?;
    let other_id = patchward_protocol::id::SiteId::new("branch-08")?;
    let other = RepositoryId::Site(other_id.clone());
    let (root, targets) = (scene.site.root_keys.clone(), scene.site.targets_keys.clone());
    let administrator = scene.stage.server.administrator()?;
    let mut other = Owner::open_with(&administrator, &other, root, targets)?;
    // The branch approves a device that has this device's name and key.
    let device = (scene.device.name.clone(), scene.key);
    let approval = Plan::open_now("branch", 1).approval(&other_id, &scene.next, &[device])?;
    other.add_approval(&approval)?;
    other.publish()?;
    let (_, online) = scene.steal_online()?;
    let (version, foreign) = (version_of(&other.targets)?, other.targets_file()?);
    let bytes = approval.write()?;
    let digest = patchward_protocol::digest::Sha256Digest::of(&bytes);
    let file = format!("targets/approval/{digest}.{}.json", approval.id);
    let shown = Forged::chain(&scene.site, &online, (version, &foreign))?.with(&file, &bytes);
    scene.show(vec![shown]);
    scene.start()?;
    scene.device.refused(Reason::MetadataOtherRepository)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.approve()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_08_an_approval_of_another_site_in_the_right_repository_is_refused() -> Result<()> {
    let mut scene = Scene::begin("08c")?;
    let other = patchward_protocol::id::SiteId::new("branch-08c")?;
    let device = (scene.device.name.clone(), scene.key);
    let approval = Plan::open_now("branch", 1).approval(&other, &scene.next, &[device])?;
    // The server would refuse to publish it; the owner of the server shows it all the same.
    let bytes = approval.write()?;
    let mut targets = scene.site.targets.clone();
    let version = version_of(&targets)? + 1;
    forge::set(&mut targets, "version", version);
    let listed = targets.get_mut("targets").and_then(serde_json::Value::as_object_mut).unwrap();
    listed.insert("approval/branch.json".into(), forge::target_entry(&bytes, None));
    let targets = forge::sign(&targets, &scene.site.two(&scene.site.targets_keys))?;
    let (_, online) = scene.steal_online()?;
    let digest = patchward_protocol::digest::Sha256Digest::of(&bytes);
    let file = format!("targets/approval/{digest}.branch.json");
    let shown = Forged::chain(&scene.site, &online, (version, &targets))?.with(&file, &bytes);
    scene.show(vec![shown]);
    scene.start()?;
    scene.device.refused(Reason::ApprovalOtherSite)?;
    scene.nothing_changes()
}
