//! kill -9 of the agent at random instants of a rollback that the hospital ordered.

use super::campaign::{KILLED_AT_ONCE, kill_somewhere, on_each};
use anyhow::{Result, bail};
use patchward_protocol::approval::Action;
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::bin::rounds;
use patchward_tests::device::Device;
use patchward_tests::plan::Plan;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;

/// Kills one device's agent once or twice, then lets it finish; gives how often it was killed.
fn torture(device: &Device, seed: u64, scene: &Scene) -> Result<usize> {
    let kills = kill_somewhere(device, seed, scene)?;
    let agent = device.start()?;
    device.updated_to(&scene.factory)?;
    drop(agent);
    let entries = device.ledger()?;
    let committed: Vec<_> =
        entries.iter().filter(|entry| entry.fact.kind == Transition::Committed).collect();
    let told = committed.iter().all(|entry| entry.fact.action == Some(Action::Rollback));
    if committed.len() != 1 || !told {
        bail!("{} commits, told as rollback: {told}\n{}", committed.len(), device.story());
    }
    Ok(kills)
}

#[test]
fn an_agent_killed_at_any_instant_of_a_rollback_goes_back_once_and_says_so() -> Result<()> {
    let count = rounds(30, 8);
    let mut scene = Scene::on(Stage::own(QUICK)?, Cast::tree("killback"))?;
    let devices: Vec<Device> = (0..count)
        .map(|n| scene.running_the_update(&format!("back-{n:02}")))
        .collect::<Result<_>>()?;
    let named: Vec<&Device> = devices.iter().collect();
    let mut approval = scene.draw_up(&Plan::open_now("back", 1), &scene.factory.clone(), &named)?;
    approval.action = Action::Rollback;
    scene.publish(&approval)?;
    let killed = on_each(&scene, (&devices, KILLED_AT_ONCE), |n, device| {
        torture(device, u64::try_from(n).unwrap_or(0) * 7919 + 5, &scene)
    });
    println!("{killed} kills of {count} agents on their way back");
    Ok(())
}
