//! A power cut at the n-th sync, rename or write of the agent, for every n of an update; and a disk
//! that is full or broken from the n-th call on.

use super::campaign::{old_or_new, on_each};
use anyhow::{Context as _, Result};
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::bin::rounds;
use patchward_tests::clock::until;
use patchward_tests::device::{Device, PATIENCE};
use patchward_tests::fault::{self, Fault, When};
use patchward_tests::running::Running;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;
use std::time::Duration;

/// Devices that are tried at the same time.
const AT_ONCE: usize = 4;

/// One place of a sweep.
struct Point {
    calls: &'static str,
    fault: Fault,
    when: When,
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    let mut sweep = |calls, fault, numbers: Vec<u32>, when: fn(u32) -> When| {
        points.extend(numbers.into_iter().map(|n| Point { calls, fault, when: when(n) }));
    };
    let steps = |most: u32, by: u32| (1..=most).step_by(usize::try_from(by).unwrap_or(1)).collect();
    let coarse = rounds(1, 5);
    let by = |fine: u32| fine * u32::try_from(coarse).unwrap_or(1);
    sweep(fault::DURABLE, Fault::Killed, steps(60, by(1)), When::Once);
    sweep(fault::RENAMES, Fault::Killed, steps(24, by(1)), When::Once);
    sweep(fault::WRITES, Fault::Killed, steps(120, by(5)), When::Once);
    sweep(fault::ROOM, Fault::NoSpace, steps(120, by(12)), When::From);
    sweep(fault::DURABLE, Fault::Broken, steps(40, by(5)), When::From);
    points
}

/// Runs a device's agent under a fault, then without.
fn survive(device: &Device, point: &Point, scene: &Scene) -> Result<()> {
    let command = device.command("run");
    let mut traced = fault::under(&command, point.calls, point.fault, point.when)?;
    let mut agent = Running::start("a traced agent", &mut traced, &device.log_file())?;
    // A killed agent ends; one that goes on in spite of a bad disk is given up sooner.
    let within = if point.fault == Fault::Killed { PATIENCE } else { Duration::from_secs(10) };
    let met = until("the agent to meet the fault", within, || {
        let done = device.ledger().is_ok_and(|entries| {
            entries.iter().any(|entry| entry.fact.kind == Transition::Committed)
        });
        Ok((agent.ended()?.is_some() || done).then_some(()))
    });
    // An agent that goes on in spite of a bad disk is stopped here; a killed one is gone already.
    fault::end(&mut agent)?;
    if point.fault == Fault::Killed {
        met?;
    }
    old_or_new(device, scene)?;
    let _agent = device.start()?;
    // A power cut never costs the update: a write that was not made is made again.
    if point.fault == Fault::Killed {
        return device.updated_to(&scene.next);
    }
    // A disk that fails during the trial is a reason to go back, and to ask the hospital again.
    match device.ends()? == Transition::Committed {
        true => device.still_runs(scene.next.firmware.payload.image_sha256),
        false => device.still_runs(scene.factory.firmware.payload.image_sha256),
    }
}

#[test]
fn a_power_cut_or_a_bad_disk_at_any_call_leaves_old_or_new_and_the_update_still_comes() -> Result<()>
{
    let points = points();
    let mut scene = Scene::on(Stage::own(QUICK)?, Cast::tree("sweep"))?;
    let devices = scene.approved_fleet(points.len())?;
    let count = points.len();
    on_each(&scene, (&devices, AT_ONCE), |at, device| {
        let point = points.get(at).context("a point for each device")?;
        let Point { calls, fault, when } = point;
        let calls = calls.split(',').next().unwrap_or_default();
        survive(device, point, &scene).with_context(|| format!("{calls} {fault:?} {when:?}"))?;
        Ok(1)
    });
    assert!(count > 10, "{count} points");
    println!("{count} points");
    Ok(())
}
