//! Many devices at once, each in its own way of failing; a person lets halted waves go on meanwhile.
//!
//! Invariant: every failure is told with its device, and the first does not end the campaign.

use anyhow::{Context as _, Result, bail};
use patchward_tests::chance::Chance;
use patchward_tests::clock::pause;
use patchward_tests::device::Device;
use patchward_tests::scene::Scene;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Devices that are killed at the same time: more only wait for each other.
pub(crate) const KILLED_AT_ONCE: usize = 6;
/// Longest time from the start of an agent to its kill: a little more than a whole update takes.
const LONGEST: Duration = Duration::from_millis(4500);

/// Does `each` with every device and its position, `at_once` at a time; gives the sum of what it counted.
///
/// Fails with everything that went wrong.
pub(crate) fn on_each(
    scene: &Scene,
    (devices, at_once): (&[Device], usize),
    each: impl Fn(usize, &Device) -> Result<usize> + Sync,
) -> usize {
    let (next, counted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(device) = devices.get(at) else { return };
            match each(at, device) {
                Ok(count) => {
                    counted.fetch_add(count, Ordering::SeqCst);
                }
                Err(error) => {
                    let told = format!("{}: {error:#}", device.name);
                    println!("{told}");
                    failures.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                }
            }
        }
    };
    scene.letting_go_on(|| {
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(work);
            }
        });
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = devices.len();
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    counted.into_inner()
}

/// Kills a device's agent once or twice; whatever stands there then is old or new, and the ledger reads.
/// Gives how often it was killed.
pub(crate) fn kill_somewhere(device: &Device, seed: u64, scene: &Scene) -> Result<usize> {
    let mut chance = Chance::seeded(seed);
    let kills = if chance.below(3) == 0 { 2 } else { 1 };
    for _ in 0..kills {
        let mut agent = device.start()?;
        pause(chance.at_most(LONGEST));
        agent.kill()?;
        old_or_new(device, scene)?;
        // Reads and verifies every signature and the chain, a torn end apart.
        device.ledger().context("the ledger after the kill")?;
    }
    Ok(kills)
}

/// What stands on the device is the old or the new image, whole.
pub(crate) fn old_or_new(device: &Device, scene: &Scene) -> Result<()> {
    let (old, new) = (&scene.factory.firmware.payload, &scene.next.firmware.payload);
    let runs = device.running_image().context("what stands there is no whole image")?;
    if runs != old.image_sha256 && runs != new.image_sha256 {
        bail!("neither old nor new: {runs}\n{}", device.story());
    }
    Ok(())
}
