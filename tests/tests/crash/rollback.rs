//! kill -9 of the agent at random instants of a rollback that the hospital ordered.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::approval::Action;
use patchward_protocol::ledger::Kind as Transition;
use patchward_tests::bin::rounds;
use patchward_tests::chance::Chance;
use patchward_tests::clock::pause;
use patchward_tests::device::Device;
use patchward_tests::plan::Plan;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Devices that go back at the same time.
const AT_ONCE: usize = 6;
/// Longest time from the start of an agent to its kill: a little more than a whole rollback takes.
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
        device.ledger().context("the ledger after the kill")?;
    }
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
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    scene.letting_go_on(|| {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::SeqCst);
                        let Some(device) = devices.get(n) else { return };
                        match torture(device, u64::try_from(n).unwrap_or(0) * 7919 + 5, &scene) {
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
    println!("{} kills of {count} agents on their way back", killed.load(Ordering::SeqCst));
    Ok(())
}
