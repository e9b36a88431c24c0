//! kill -9 of the agent at random instants of an update: old or new, whole, and the ledger explains it.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::bin::rounds;
use patchward_tests::chance::Chance;
use patchward_tests::clock::pause;
use patchward_tests::device::Device;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Devices that update at the same time: more only wait for each other.
const AT_ONCE: usize = 6;
/// Longest time from the start of an agent to its kill: a little more than a whole update takes.
const LONGEST: Duration = Duration::from_millis(4500);

/// Kills one device's agent once or twice, then lets it finish; gives how often it was killed.
fn torture(device: &Device, seed: u64, scene: &Scene) -> Result<usize> {
    let mut chance = Chance::seeded(seed);
    let (old, new) = (&scene.factory.firmware.payload, &scene.next.firmware.payload);
    let kills = if chance.below(3) == 0 { 2 } else { 1 };
    for _ in 0..kills {
        let mut agent = device.start()?;
        pause(chance.at_most(LONGEST));
        agent.kill()?;
        let runs = device.running_image().context("what stands there is no whole image")?;
        if runs != old.image_sha256 && runs != new.image_sha256 {
            bail!("neither old nor new: {runs}\n{}", device.story());
        }
        // Reads and verifies every signature and the chain, a torn end apart.
        device.ledger().context("the ledger after the kill")?;
    }
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

    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    scene.letting_go_on(|| {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(device) = devices.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let seed = device.name.as_str().bytes().map(u64::from).sum::<u64>() * 7919;
                        match torture(device, seed + number_of(device), &scene) {
                            Ok(kills) => {
                                killed.fetch_add(kills, Ordering::SeqCst);
                            }
                            Err(error) => failures
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(format!("{}: {error:#}", device.name)),
                        }
                    }
                });
            }
        });
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    println!("{} kills of {count} agents", killed.load(Ordering::SeqCst));
    Ok(())
}

fn number_of(device: &Device) -> u64 {
    device.name.as_str().rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}
