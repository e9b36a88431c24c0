//! 30 a full disk, a broken disk, or a power cut at any write: old or new, whole, and it goes on.
//!
//! A few instants of each kind; the sweeps over all of them are in the crash tests.

use anyhow::Result;
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::clock::until;
use patchward_tests::device::PATIENCE;
use patchward_tests::fault::{self, Fault, When};
use patchward_tests::plan::Plan;
use patchward_tests::running::Running;
use patchward_tests::scene::Scene;

/// Runs the agent under a fault until it ends or is done, then without; old or new in between.
fn survives(name: &str, calls: &str, fault: Fault, instants: &[When]) -> Result<()> {
    let mut scene = Scene::begin(name)?;
    scene.approve()?;
    let (old, new) =
        (scene.factory.firmware.payload.image_sha256, scene.next.firmware.payload.image_sha256);
    for when in instants {
        let mut traced = fault::under(&scene.device.command("run"), calls, fault, *when)?;
        let log = scene.device.log_file();
        let mut agent = Running::start("a traced agent", &mut traced, &log)?;
        let asked = scene.line.asked_for("/v1/check-in") + 3;
        until("the agent to meet the fault", PATIENCE, || {
            let over = agent.ended()?.is_some();
            let went_on = scene.line.asked_for("/v1/check-in") >= asked;
            Ok((over || went_on).then_some(()))
        })
        .or_else(|error| if fault == Fault::Killed { Err(error) } else { Ok(()) })?;
        fault::end(&mut agent)?;
        let runs = scene.device.running_image()?;
        assert!(runs == old || runs == new, "{when:?}: {runs}");
    }
    scene.start()?;
    if fault != Fault::Killed && scene.device.ends()? == Transition::RolledBack {
        // A disk that fails during the trial is a reason to go back, and to ask the hospital again.
        scene.device.still_runs(old)?;
        scene.approve_as(&Plan::open_now("again", 2))?;
    }
    scene.device.updated_to(&scene.next)
}

fn instants(numbers: &[u32], when: fn(u32) -> When) -> Vec<When> {
    numbers.iter().copied().map(when).collect()
}

#[test]
fn attack_30_a_power_cut_at_a_sync_leaves_old_or_new() -> Result<()> {
    let times = instants(&[1, 4, 9, 15, 22, 30], When::Once);
    survives("30a", fault::DURABLE, Fault::Killed, &times)
}

#[test]
fn attack_30_a_power_cut_at_a_rename_leaves_old_or_new() -> Result<()> {
    let times = instants(&[1, 3, 6, 9, 13], When::Once);
    survives("30b", fault::RENAMES, Fault::Killed, &times)
}

#[test]
fn attack_30_a_full_disk_changes_no_device_and_ends_when_there_is_room() -> Result<()> {
    let times = instants(&[1, 5, 40, 80], When::From);
    survives("30c", fault::ROOM, Fault::NoSpace, &times)
}

#[test]
fn attack_30_a_broken_sync_changes_no_device_and_ends_when_it_works_again() -> Result<()> {
    let times = instants(&[1, 7, 16, 25], When::From);
    survives("30d", fault::DURABLE, Fault::Broken, &times)
}
