//! 21 an approval replayed, 23 an approval for one image used for another of the same version.

use anyhow::Result;
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::DeviceId;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::device::Health;
use patchward_tests::forge;
use patchward_tests::forged::Forged;
use patchward_tests::image::Recipe;
use patchward_tests::owner::{next_version, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use serde_json::{Value, json};

#[test]
fn attack_21_a_withdrawn_approval_stays_withdrawn() -> Result<()> {
    let mut scene = Scene::begin("21a")?;
    // Not yet open, so that the device sees it, waits, and then sees it withdrawn.
    let plan = Plan { start_s: 4, ..Plan::open_now("first", 1) };
    let device = (scene.device.name.clone(), scene.key);
    let mut approval = plan.approval(&scene.site_id, &scene.next, &[device])?;
    let active = approval.write()?;
    approval.state = ApprovalState::Withdrawn;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.start()?;
    scene.asks_again(3)?;
    // Now the owner of the server, with targets keys at hand, lists it as active again.
    let mut targets = scene.site.targets.clone();
    next_version(&mut targets)?;
    let listed = targets.get_mut("targets").and_then(Value::as_object_mut).unwrap();
    listed.insert("approval/first.json".into(), forge::target_entry(&active, None));
    let bytes = forge::sign(&targets, &scene.site.two(&scene.site.targets_keys))?;
    let (_, online) = scene.steal_online()?;
    let file = format!("targets/approval/{}.first.json", Sha256Digest::of(&active));
    let version = version_of(&targets)?;
    scene.show(vec![Forged::chain(&scene.site, &online, (version, &bytes))?.with(&file, &active)]);
    scene.device.refused(Reason::ApprovalReplayed)?;
    scene.nothing_changes()
}

#[test]
fn attack_21_an_approval_for_the_same_name_with_another_key_is_refused() -> Result<()> {
    let mut scene = Scene::begin("21b")?;
    let other = forge::Key::named("the device that had this name before").public();
    let device = (scene.device.name.clone(), other);
    let approval = Plan::open_now("first", 1).approval(&scene.site_id, &scene.next, &[device])?;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.start()?;
    scene.device.refused(Reason::ApprovalOtherDevice)?;
    scene.nothing_changes()?;
    scene.approve_as(&Plan::open_now("second", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_21_an_approval_for_another_device_changes_nothing_here() -> Result<()> {
    let mut scene = Scene::begin("21c")?;
    let device = (DeviceId::new("pump-elsewhere")?, scene.key);
    let approval = Plan::open_now("first", 1).approval(&scene.site_id, &scene.next, &[device])?;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.start()?;
    scene.asks_again(4)?;
    assert_eq!(scene.line.asked_for("/targets/img/"), 0, "fetched without approval");
    scene.device.is_unchanged()
}

#[test]
fn attack_21_an_approval_whose_time_is_over_permits_nothing() -> Result<()> {
    let mut scene = Scene::begin("21d")?;
    let plan = Plan { start_s: -3 * 3600, length_s: 3600, ..Plan::open_now("first", 1) };
    scene.approve_as(&plan)?;
    scene.start()?;
    scene.device.refused_for(&[Reason::ApprovalOver, Reason::SlotsOver])?;
    scene.nothing_changes()?;
    scene.approve_as(&Plan::open_now("second", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_21_an_approval_works_once_and_not_again_after_a_rollback() -> Result<()> {
    let mut scene = Scene::begin("21e")?;
    scene.device.set_health(Health::Unwell)?;
    scene.approve()?;
    scene.start()?;
    scene.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    scene.device.set_health(Health::Well)?;
    // The same approval is still listed, active and inside its slot.
    scene.device.refused(Reason::ApprovalReplayed)?;
    scene.asks_again(3)?;
    scene.device.still_runs(scene.factory.firmware.payload.image_sha256)?;
    let activations = scene.device.ledger()?;
    let activations = activations.iter().filter(|e| e.fact.kind == Transition::Activating);
    assert_eq!(activations.count(), 1);
    scene.approve_as(&Plan::open_now("second", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_23_an_approval_is_for_one_image_whatever_the_version_string_says() -> Result<()> {
    let mut scene = Scene::begin("23")?;
    scene.approve()?;
    // The same version, rank and path with other bytes, by the manufacturer's stolen keys.
    let recipe = Recipe::small(&scene.device.family, scene.device.kind, "2.0.0", 2);
    let other = Recipe { size_bytes: 30_000, ..recipe }.release()?;
    assert_eq!(other.path, scene.next.path);
    let mut targets = scene.family.targets.clone();
    next_version(&mut targets)?;
    let listed = targets.get_mut("targets").and_then(Value::as_object_mut).unwrap();
    let custom = Some(json!({ "fw": other.firmware }));
    listed.insert(other.path.to_string(), forge::target_entry(&other.file, custom));
    let bytes = forge::sign(&targets, &scene.family.two(&scene.family.targets_keys))?;
    let (online, _) = scene.steal_online()?;
    let (dir, name) = other.path.parts();
    let file = format!("targets/{dir}/{}.{name}", Sha256Digest::of(&other.file));
    let version = version_of(&targets)?;
    let shown = Forged::chain(&scene.family, &online, (version, &bytes))?;
    scene.show(vec![shown.with(&file, &other.file)]);
    scene.start()?;
    scene.device.refused(Reason::ApprovalOtherImage)?;
    scene.nothing_changes()
}
