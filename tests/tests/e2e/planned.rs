//! Two hospitals that plan from their own wards: a canary on the bench fails and halts one of them, the
//! other goes on; a fixed release follows, every wave in its own hour, and the record of it all holds.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::id::FamilyId;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::device::{Device, Health, PATIENCE};
use patchward_tests::hospital::Hospital;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::server::QUICK;
use patchward_tests::world::World;
use serde_json::Value;
use std::time::Duration;

/// One ward that keeps one of its two pumps in service, and a pump on the bench.
const WARDS: &str = "\
id,name_en,name_ja,min_in_service,max_parallel,windows,staff_on_site
icu,Intensive care,集中治療室,infusion-pump=1,1,,
";
const DEVICES: &str = "\
id,ward,kind,pair,usage,attended,udi,serial_number
bench,,infusion-pump,,bench,unattended,,
icu-1,icu,infusion-pump,,in-service,unattended,,
icu-2,icu,infusion-pump,,in-service,unattended,,
";
const NAMES: [&str; 3] = ["bench", "icu-1", "icu-2"];
/// One slot each, as short as the update itself: planned in whole minutes, one wave after the other.
const SHORT: [&str; 6] = ["--alternatives", "1", "--wait-s", "0", "--horizon-days", "1"];
/// Until the slot of the second wave is over, on a busy machine.
const SLOTS: Duration = Duration::from_secs(420);

/// A hospital with its inventory, and its three devices.
fn hospital(world: &World, name: &str, factory: &Release) -> Result<(Hospital, Vec<Device>)> {
    let hospital = world.hospital(name)?;
    let devices: Result<Vec<_>> =
        NAMES.iter().map(|name| world.device(&hospital, name, factory)).collect();
    hospital.describe(WARDS, DEVICES)?;
    let always = ["windows", "add", "always", "--days", "mon,tue,wed,thu,fri,sat,sun"];
    let always = [&always[..], &["--start", "00:00", "--minutes", "1440", "--usual"]].concat();
    hospital.inventory(&always)?;
    let rules = ["set", "--soak-h", "0", "--min-clinical-use-h", "0", "--reserve-s", "1"];
    hospital.inventory(&rules)?;
    Ok((hospital, devices?))
}

/// The wave that a plan gives to a device.
fn wave_of(plan: &Value, device: &str) -> Option<u64> {
    let devices = plan.get("parts")?.get(0)?.get("devices")?.as_array()?;
    devices.iter().find(|one| one["id"] == device)?.get("wave")?.as_u64()
}

#[test]
fn two_hospitals_plan_one_halts_and_goes_on_with_a_fixed_release() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.planned")?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
    let recipe = |version, seq| Recipe::small(&family, Kind::Tree, version, seq);
    let factory = recipe("1.0.0", 1).release()?;
    let (faulty, fixed) = (recipe("2.0.0", 2), recipe("2.0.1", 3));
    world.maker.release(&world.maker.prepare(&faulty)?)?;
    let (north, at_north) = hospital(&world, "north", &factory)?;
    let (south, at_south) = hospital(&world, "south", &factory)?;
    let _agents: Vec<_> =
        at_north.iter().chain(&at_south).map(Device::start).collect::<Result<_>>()?;

    // The bench goes first, the two pumps of the ward one after the other.
    let plan = north.plan(&family, "2.0.0", &SHORT)?;
    let waves: Vec<_> = NAMES.iter().map(|name| wave_of(&plan, name)).collect();
    ensure!(waves[0] == Some(0), "{plan}");
    ensure!(waves[1] > Some(0) && waves[2] > Some(0), "{plan}");

    // In the north the bench finds a fault; the south has none.
    at_north[0].set_health(Health::Unwell)?;
    north.approve_planned("first", &family, "2.0.0", &SHORT)?;
    south.approve_planned("first", &family, "2.0.0", &SHORT)?;
    at_north[0].noted(Transition::RolledBack, Reason::HealthFailed)?;
    let halted = |hospital: &Hospital| {
        until("the first wave to halt", PATIENCE, || {
            Ok((hospital.wave_state("first", 0)? == "halted").then_some(()))
        })
    };
    halted(&north).with_context(|| at_north[0].story())?;
    // There the next wave goes in its own minutes, after the bench and with its proof.
    let first = faulty.release()?.firmware.payload.image_sha256;
    until("the second wave in the south", SLOTS, || {
        let running: Result<Vec<_>> = at_south.iter().skip(1).map(Device::running_image).collect();
        Ok(running?.contains(&first).then_some(()))
    })
    .with_context(|| at_south[1].story())?;
    for device in at_north.iter().skip(1) {
        device.is_unchanged()?;
    }

    // The manufacturer repairs it; the north approves that instead.
    world.maker.release(&world.maker.prepare(&fixed)?)?;
    at_north[0].set_health(Health::Well)?;
    let again = [&SHORT[..], &["--supersedes", "first", "--again"]].concat();
    north.approve_planned("second", &family, "2.0.1", &again)?;
    at_north[0].updated_to(&fixed.release()?).context("in the north")?;
    until("the first wave to have passed", PATIENCE, || {
        Ok((north.wave_state("second", 0)? == "passed").then_some(()))
    })
    .with_context(|| format!("{:?}", north.rollout("second")))?;
    // Everything that began, began inside a slot that was signed; the fault never left the bench.
    for device in at_north.iter().chain(&at_south) {
        let ledger = device.ledger()?;
        let begun = ledger.iter().filter(|entry| entry.fact.kind == Transition::Activating);
        for entry in begun {
            let (at, slot) = (entry.at.context("an instant")?, entry.fact.slot.context("a slot")?);
            ensure!(slot.contains(at), "{}: {entry:?}", device.name);
        }
    }
    for device in at_north.iter().skip(1) {
        let ledger = device.ledger()?;
        let faulty = ledger.iter().any(|entry| {
            let image = entry.fact.release.as_ref().map(|image| image.image_sha256);
            entry.fact.kind == Transition::Activating && image == Some(first)
        });
        ensure!(!faulty, "{}", device.story());
    }
    let verified = north.export_and_verify("record.zip")?;
    ensure!(verified.is_object(), "{verified}");
    Ok(())
}
