//! Going back because the hospital says so: approved, slotted and permitted like going forward.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::approval::{Action, Approval};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::FamilyId;
use patchward_protocol::ledger::{Entry, Kind as Transition};
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::{Kind, ReleaseState};
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::desk::Desk;
use patchward_tests::device::{InUse, PATIENCE};
use patchward_tests::hospital::Wish;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::server::QUICK;
use patchward_tests::world::{World, view};

/// An approval to go back to a release.
fn back_to(scene: &Scene, release: &Release, id: &str, serial: u64) -> Result<Approval> {
    let mut approval = scene.draw_up(&Plan::open_now(id, serial), release, &[&scene.device])?;
    approval.action = Action::Rollback;
    approval.check().context("the approval holds")?;
    Ok(approval)
}

/// A device that has taken the update.
fn updated(name: &str) -> Result<Scene> {
    let mut scene = Scene::begin(name)?;
    scene.approve()?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    Ok(scene)
}

/// What the ledger says of an approval, in order.
fn under(scene: &Scene, approval: Sha256Digest) -> Result<Vec<Entry>> {
    let entries = scene.device.ledger()?.into_iter();
    let named = |entry: &Entry| entry.fact.approval.as_ref().map(|named| named.sha256);
    Ok(entries.filter(|entry| named(entry) == Some(approval)).collect())
}

#[test]
fn a_rollback_that_the_hospital_orders_waits_for_its_permit_and_is_told_as_one() -> Result<()> {
    let mut scene = updated("back1")?;
    scene.device.set_in_use(InUse::Yes)?;
    let digest = scene.publish(&back_to(&scene, &scene.factory.clone(), "back", 2)?)?;
    scene.device.held(Reason::InUse)?;
    scene.asks_again(2)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.factory)?;
    let told = under(&scene, digest)?;
    for kind in [Transition::Approved, Transition::Activating, Transition::Committed] {
        let entry = told.iter().find(|entry| entry.fact.kind == kind);
        let entry = entry.with_context(|| format!("no {kind:?}\n{}", scene.device.story()))?;
        ensure!(entry.fact.action == Some(Action::Rollback), "{entry:?}");
    }
    let done = told.iter().find(|entry| entry.fact.kind == Transition::Committed);
    let done = done.context("committed")?;
    let from = done.fact.from.as_ref().map(|image| image.seq.0);
    let to = done.fact.release.as_ref().map(|image| image.seq.0);
    ensure!((from, to) == (Some(2), Some(1)), "{done:?}");
    // The order to go back is used up: forward again, and it does not take the device back again.
    scene.approve_as(&Plan::open_now("forward", 3))?;
    scene.device.updated_to_again(&scene.next)?;
    scene.asks_again(3)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)
}

#[test]
fn what_the_installed_release_does_not_permit_to_go_back_to_is_refused() -> Result<()> {
    let mut scene = updated("back2")?;
    let recipe = Recipe::small(&scene.device.family, scene.device.kind, "3.0.0", 3);
    let newest = Recipe { rollback_ok: vec![1], ..recipe }.release()?;
    scene.family.add_release(&newest)?;
    scene.family.publish()?;
    scene.approve_release(&Plan::open_now("newest", 2), &newest)?;
    scene.device.updated_to(&newest)?;
    scene.publish(&back_to(&scene, &scene.next.clone(), "back", 3)?)?;
    scene.device.refused(Reason::RollbackNotPermitted)?;
    scene.asks_again(2)?;
    scene.device.still_runs(newest.firmware.payload.image_sha256)?;
    // What it permits is gone back to.
    scene.publish(&back_to(&scene, &scene.factory.clone(), "permitted", 4)?)?;
    scene.device.updated_to(&scene.factory)
}

#[test]
fn holds_of_others_do_not_stop_a_rollback_and_the_hospitals_own_does() -> Result<()> {
    let scene = updated("back3")?;
    let mut scene = scene;
    let everybody = Desk::new(Programs::for_tests()?, &scene.place("administrator")?)?;
    everybody.enter("login", &scene.stage.server.url()?, &scene.stage.server.token)?;
    let site = scene.site_id.to_string();
    everybody.hold(&site, &["--by", "operator"])?;
    let own = everybody.hold(&site, &[])?;
    scene.publish(&back_to(&scene, &scene.factory.clone(), "back", 2)?)?;
    scene.device.held(Reason::HeldByServer)?;
    scene.asks_again(2)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)?;
    // The operator's hold stands on.
    scene.lift(&own)?;
    scene.device.updated_to(&scene.factory)
}

#[test]
fn a_release_that_its_manufacturer_withdraws_is_not_started_any_more() -> Result<()> {
    let mut scene = Scene::begin("withdrawn")?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    let mut withdrawn = scene.next.clone();
    withdrawn.firmware.state = ReleaseState::Withdrawn;
    scene.family.add_release(&withdrawn)?;
    scene.family.publish()?;
    scene.device.noted(Transition::Abandoned, Reason::ReleaseWithdrawn)?;
    scene.device.set_in_use(InUse::No)?;
    scene.nothing_changes()
}

/// The whole way back through the command line: ordered, with what stands in for the patch, signed by
/// two, done by the device, and told in the record.
#[test]
fn a_rollback_by_the_command_line_names_what_opens_again_and_stands_in_the_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.ordered")?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
    let old = Recipe::small(&family, Kind::Tree, "1.0.0", 1);
    let new = Recipe::small(&family, Kind::Tree, "2.0.0", 2);
    for recipe in [&old, &new] {
        world.maker.release(&world.maker.prepare(recipe)?)?;
    }
    let hospital = world.hospital("ordered-hospital")?;
    let device = world.device(&hospital, "pump-01", &old.release()?)?;
    let _agent = device.start()?;
    let wish = |id: &str, version: &str| Wish {
        id: id.to_owned(),
        family: family.clone(),
        version: version.to_owned(),
        devices: vec!["pump-01".to_owned()],
        start_s: 0,
        length_s: 3600,
    };
    hospital.approve(&wish("forward", "2.0.0"))?;
    device.updated_to(&new.release()?)?;
    until("the server to have heard what runs", PATIENCE, || {
        let installed = view(&world.server, &hospital, "pump-01")?.installed;
        Ok(installed.filter(|image| image.seq.0 == 2))
    })?;
    // Without a word on what stands in for the patch nobody signs: holes are open again.
    let drafted = hospital.draft_back(&wish("silent", "1.0.0"))?;
    ensure!(!hospital.sign_attempt(&drafted)?.status.success(), "signed without a control");
    hospital.order_back(&wish("back", "1.0.0"), "The ward's network is isolated")?;
    device.updated_to(&old.release()?)?;
    let last = device.ledger()?.last().context("a ledger has entries")?.seq;
    until("the server to have stored it all", PATIENCE, || {
        let stored = view(&world.server, &hospital, "pump-01")?.ledger_seq;
        Ok((stored >= last).then_some(()))
    })?;
    hospital.export_and_verify("record.zip").map(|_| ())
}
