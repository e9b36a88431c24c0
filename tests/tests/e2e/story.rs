//! From the manufacturer's desk to the device, for trees and for slots.

use anyhow::{Context as _, Result};
use patchward_protocol::id::FamilyId;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::device::{Health, InUse, PATIENCE};
use patchward_tests::hospital::Wish;
use patchward_tests::image::Recipe;
use patchward_tests::server::QUICK;
use patchward_tests::world::{World, view};

fn wish(family: &FamilyId, id: &str, devices: &[&str]) -> Wish {
    Wish {
        id: id.to_owned(),
        family: family.clone(),
        version: "2.0.0".to_owned(),
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
        start_s: 0,
        length_s: 3600,
    }
}

/// Approved devices update inside the slot, one rolls back, one waits, one is not named.
fn story(kind: Kind, name: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new(&format!("acme.{name}"))?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
    let (old, new) =
        (Recipe::small(&family, kind, "1.0.0", 1), Recipe::small(&family, kind, "2.0.0", 2));
    let (factory, next) = (old.release()?, new.release()?);
    let draft = world.maker.prepare(&new)?;
    assert_eq!(draft.image_sha256, next.firmware.payload.image_sha256.to_string());
    world.maker.release(&draft)?;
    let hospital = world.hospital(&format!("{name}-hospital"))?;
    let names = ["well", "unwell", "in-use", "not-named"];
    let devices = names.map(|name| world.device(&hospital, name, &factory));
    let [well, unwell, in_use, not_named] = devices;
    let (well, unwell, in_use, not_named) = (well?, unwell?, in_use?, not_named?);
    unwell.set_health(Health::Unwell)?;
    in_use.set_in_use(InUse::Yes)?;
    let agents = [well.start()?, unwell.start()?, in_use.start()?, not_named.start()?];
    hospital.approve(&wish(&family, "first", &["well", "in-use"]))?;
    // By itself: a device that goes back halts the rollout of its approval.
    hospital.approve(&wish(&family, "second", &["unwell"]))?;

    well.updated_to(&next)?;
    unwell.noted(Transition::RolledBack, Reason::HealthFailed)?;
    unwell.still_runs(factory.firmware.payload.image_sha256)?;
    in_use.held(Reason::InUse)?;
    in_use.is_unchanged()?;
    not_named.is_unchanged()?;
    in_use.why(Reason::InUse.code())?;

    // What the device says reaches the hospital, verbatim.
    until("the server to hear of the roll-back and the wait", PATIENCE, || {
        let well = view(&world.server, &hospital, "well")?;
        let waits = view(&world.server, &hospital, "in-use")?;
        let updated = well.installed.is_some_and(|image| image.version.as_str() == "2.0.0");
        Ok((updated && waits.reason == Some(Reason::InUse)).then_some(()))
    })?;
    in_use.set_in_use(InUse::No)?;
    in_use.updated_to(&next).context("after the patient was disconnected")?;
    drop(agents);
    Ok(())
}

#[test]
fn trees_travel_from_the_manufacturer_to_the_device_and_back_where_health_fails() -> Result<()> {
    story(Kind::Tree, "trees")
}

#[test]
fn slots_travel_from_the_manufacturer_to_the_device_and_back_where_health_fails() -> Result<()> {
    story(Kind::Slots, "slots")
}
