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

/// Approved devices update inside the slot, one waits, one is not named, one rolls back and stops the rest.
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
    let agents = [well.start()?, in_use.start()?, not_named.start()?];
    hospital.approve(&wish(&family, "first", &["well", "unwell", "in-use"]))?;

    well.updated_to(&next)?;
    in_use.held(Reason::InUse)?;
    in_use.is_unchanged()?;
    in_use.why(Reason::InUse.code())?;
    not_named.is_unchanged()?;

    // What the device says reaches the hospital, verbatim.
    until("the server to hear of the update and the wait", PATIENCE, || {
        let well = view(&world.server, &hospital, "well")?;
        let waits = view(&world.server, &hospital, "in-use")?;
        let updated = well.installed.is_some_and(|image| image.version.as_str() == "2.0.0");
        Ok((updated && waits.reason == Some(Reason::InUse)).then_some(()))
    })?;

    // One that goes back stops the others, until a person says by a signature that they may go on.
    let third = unwell.start()?;
    unwell.noted(Transition::RolledBack, Reason::HealthFailed)?;
    unwell.still_runs(factory.firmware.payload.image_sha256)?;
    until("the rollout to halt", PATIENCE, || {
        Ok((hospital.wave_state("first", 0)? == "halted").then_some(()))
    })?;
    in_use.set_in_use(InUse::No)?;
    in_use.looks_again(3)?;
    hospital.resume("first", 0)?;
    in_use.updated_to(&next).context("after a person let it go on")?;
    drop((agents, third));
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
