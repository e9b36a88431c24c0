//! kill -9 of the agent at random instants of an update: old or new, whole, and the ledger explains it.

use super::campaign::{KILLED_AT_ONCE, kill_somewhere, on_each};
use anyhow::{Result, bail};
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::bin::rounds;
use patchward_tests::device::Device;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;

/// Kills one device's agent once or twice, then lets it finish; gives how often it was killed.
fn torture(device: &Device, seed: u64, scene: &Scene) -> Result<usize> {
    let kills = kill_somewhere(device, seed, scene)?;
    let agent = device.start()?;
    device.updated_to(&scene.next)?;
    drop(agent);
    explains(device)?;
    Ok(kills)
}

/// The ledger tells a whole story: one activation after another, each with its end.
fn explains(device: &Device) -> Result<()> {
    let entries = device.ledger()?;
    let ends = [Transition::Committed, Transition::RolledBack, Transition::NeedsService];
    let mut open = false;
    for kind in entries.iter().map(|entry| entry.fact.kind) {
        if kind == Transition::Activating {
            if open {
                bail!("two activations at once\n{}", device.story());
            }
            open = true;
        } else if ends.contains(&kind) {
            if !open {
                bail!("an end without a beginning\n{}", device.story());
            }
            open = false;
        }
    }
    let committed = entries.iter().filter(|e| e.fact.kind == Transition::Committed).count();
    if open || committed != 1 {
        bail!("{committed} commits, open: {open}\n{}", device.story());
    }
    Ok(())
}

#[test]
fn an_agent_killed_at_any_instant_leaves_old_or_new_and_a_ledger_that_explains_it() -> Result<()> {
    let count = rounds(200, 20);
    let mut scene = Scene::on(Stage::own(QUICK)?, Cast::tree("kill"))?;
    let devices = scene.approved_fleet(count)?;
    let killed = on_each(&scene, (&devices, KILLED_AT_ONCE), |_, device| {
        let seed = device.name.as_str().bytes().map(u64::from).sum::<u64>() * 7919;
        torture(device, seed + number_of(device), &scene)
    });
    println!("{killed} kills of {count} agents");
    Ok(())
}

fn number_of(device: &Device) -> u64 {
    device.name.as_str().rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}
