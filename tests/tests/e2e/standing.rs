//! Standing and emergency approvals: what one signature permits for longer, and what two persons may
//! permit at once.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::approval::{Action, Approval, KnownExploited, StandingPolicy, Urgency};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::{Class, Severity};
use patchward_tests::forge::Key;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;

/// A policy signed once: releases that close holes and change nothing else.
fn standing(scene: &Scene, id: &str, serial: u64) -> Result<Approval> {
    let plan = Plan::open_now(id, serial);
    let mut approval = scene.draw_up(&plan, &scene.next, &[&scene.device])?;
    approval.action = Action::Standing;
    approval.release = None;
    approval.standing = Some(StandingPolicy {
        families: vec![scene.device.family.clone()],
        classes: vec![Class::Security],
        severity_min: Severity::High,
        known_exploited: KnownExploited::BySeverity,
    });
    approval.check().context("the approval holds")?;
    Ok(approval)
}

/// The manufacturer releases a version of a class.
fn release(scene: &mut Scene, version: &str, seq: u64, class: Class) -> Result<Release> {
    let recipe = Recipe::small(&scene.device.family, scene.device.kind, version, seq);
    let release = Recipe { class, ..recipe }.release()?;
    scene.family.add_release(&release)?;
    scene.family.publish()?;
    Ok(release)
}

#[test]
fn a_standing_approval_takes_the_next_fix_without_a_new_one_and_no_feature() -> Result<()> {
    let mut scene = Scene::begin("standing")?;
    scene.publish(&standing(&scene, "policy", 1)?)?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    // Nobody signs anything of the hospital from here on.
    let feature = release(&mut scene, "3.0.0", 3, Class::Feature)?;
    scene.asks_again(3)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)?;
    let fix = release(&mut scene, "3.0.1", 4, Class::Security)?;
    scene.device.updated_to(&fix)?;
    let ledger = scene.device.ledger()?;
    let begun = ledger.iter().filter(|entry| entry.fact.kind == Transition::Activating);
    for entry in begun {
        ensure!(entry.fact.action == Some(Action::Standing), "{entry:?}");
        let image = entry.fact.release.as_ref().map(|image| image.image_sha256);
        ensure!(image != Some(feature.firmware.payload.image_sha256), "{entry:?}");
    }
    Ok(())
}

#[test]
fn a_standing_approval_that_is_withdrawn_takes_nothing_more() -> Result<()> {
    let mut scene = Scene::begin("standing2")?;
    let mut approval = standing(&scene, "policy", 1)?;
    scene.publish(&approval)?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    approval.state = patchward_protocol::approval::ApprovalState::Withdrawn;
    scene.publish(&approval)?;
    scene.asks_again(2)?;
    release(&mut scene, "3.0.0", 3, Class::Security)?;
    scene.asks_again(3)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)
}

/// An approval for an hour in which nobody waits for windows.
fn emergency(scene: &Scene, id: &str, serial: u64) -> Result<Approval> {
    let plan = Plan::open_now(id, serial);
    let mut approval = scene.draw_up(&plan, &scene.next, &[&scene.device])?;
    approval.urgency = Urgency::Emergency;
    approval.check().context("the approval holds")?;
    Ok(approval)
}

#[test]
fn an_emergency_approval_needs_two_persons_and_not_two_keys_of_one() -> Result<()> {
    let mut scene = Scene::begin("emergency")?;
    // One person of this site has two keys; a threshold of two keys is no two persons.
    let old = scene.site.root_keys.clone();
    let second = Key::named("the second key of tanaka").of_person("tanaka", "offline");
    let first = scene.site.targets_keys.first().context("a targets key")?.clone();
    let other = scene.site.targets_keys.get(1).context("a second targets key")?.clone();
    let keys = vec![first.clone(), second.clone(), other.clone()];
    let listed: Vec<_> = keys.iter().map(Key::object).collect();
    scene.site.set_role("targets", &listed, 2);
    scene.site.targets_keys = keys;
    scene.site.publish_root(&old)?;
    let alone = scene.publish(&emergency(&scene, "alone", 1)?);
    scene.start()?;
    match alone {
        // What no device would obey may be refused by the server already; then nothing is there.
        Err(refused) => ensure!(format!("{refused:#}").contains("person"), "{refused:#}"),
        Ok(_) => scene.device.refused(Reason::ApprovalTooWeak).map(|_| ())?,
    }
    scene.nothing_changes()?;
    scene.site.targets_keys = vec![first, other, second];
    scene.publish(&emergency(&scene, "together", 2)?)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn an_emergency_approval_needs_a_live_permit_like_any_other() -> Result<()> {
    let mut scene = Scene::begin("emergency2")?;
    scene.device.set_in_use(patchward_tests::device::InUse::Yes)?;
    scene.publish(&emergency(&scene, "now", 1)?)?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    scene.nothing_changes()?;
    scene.device.set_in_use(patchward_tests::device::InUse::No)?;
    scene.device.updated_to(&scene.next)
}
