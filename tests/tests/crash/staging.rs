//! kill -9 of the agent, and cuts of its line, at random instants of staging a large image into a slot.
//!
//! Half of the devices take the full container, half a delta; every line is slow, and cut at random
//! bytes. What is fetched again after a kill is read from what each line sent.

use super::campaign::{old_or_new, on_each};
use anyhow::{Context as _, Result, ensure};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::torture;
use patchward_tests::chance::Chance;
use patchward_tests::clock::{pause, until};
use patchward_tests::container::{Container, WINDOW_BYTES, payloads_of};
use patchward_tests::deltas::{LIFE_S, Listed, chain, delegate, document};
use patchward_tests::device::{Device, PATIENCE};
use patchward_tests::forged::Forged;
use patchward_tests::hostile::{Answer, Hostile, Sent};
use patchward_tests::image::Carrier;
use patchward_tests::ledger::staged;
use patchward_tests::plan::Plan;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::AT_ONCE;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Length of the image: more than twice what may be fetched again after a kill.
const IMAGE_BYTES: usize = 40 * 1024 * 1024 + 4711;
/// Most bytes that may be fetched again after a kill.
const REDONE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Heads of files that are asked for again, in bytes.
const SLACK_BYTES: u64 = 4 * 1024 * 1024;
/// Kills of one device.
const KILLS_EACH: usize = 10;
/// Devices that are killed at the same time.
const AT_ONCE_MAX: usize = 2;
/// The line pauses so long after every 64 KiB: the whole image takes more than a second.
const PACE: Duration = Duration::from_millis(2);
/// Of so many answers with a part of a file, one is cut.
const CUT_EVERY: u64 = 3;

/// A line of its own for each device, which shows the same repository and is cut at random bytes.
struct Lines {
    lines: Vec<Hostile>,
    devices: Vec<Device>,
    /// Where the payloads of full image and delta stand in their files.
    payloads: [(&'static str, Range<u64>); 2],
}

/// What was fetched again, over all devices.
struct Redone {
    payloads: [(&'static str, Range<u64>); 2],
    most: AtomicU64,
    all: AtomicU64,
}

/// A scene whose hospital approves the update for so many devices, half of which are offered a delta.
fn begin(count: usize) -> Result<(Scene, Lines)> {
    let cast = Cast {
        kind: Kind::Slots,
        size_bytes: IMAGE_BYTES,
        carrier: Carrier::Container,
        ..Cast::tree("staging")
    };
    let mut scene = Scene::on(Stage::own(AT_ONCE)?, cast)?;
    let key = scene.stage.server.steal_deltas(&scene.family.id)?;
    delegate(&mut scene.family, &key);
    scene.family.publish()?;
    let (online, _) = scene.steal_online()?;
    let container = Container::delta(&scene.factory.image, &scene.next.image, WINDOW_BYTES)?;
    let listed = [Listed::between(&scene.factory, &scene.next, &container)];
    let shown = |listed: &[Listed]| {
        let role = document(&scene.family, (9, LIFE_S), listed, &[&key])?;
        chain(&scene.family, &online, Some((9, &role)), listed)
    };
    let image = Listed { path: scene.next.path.to_string(), ..listed[0].clone() };
    let image = Listed { file: scene.next.file.clone(), ..image };
    let (with, without) = (shown(&listed)?, shown(&[])?);
    let (mut lines, mut devices) = (Vec::new(), Vec::new());
    for n in 0..count {
        let line = Hostile::in_front_of(scene.stage.server.address()?)?;
        let forged = if n % 2 == 0 { without.clone() } else { with.clone() };
        // The image comes from here too: the server need not read it for every device again.
        let forged = forged.with(&image.place(), &image.file);
        line.pace(PACE);
        cut_at_random(&line, forged, u64::try_from(n)?);
        devices.push(scene.another_behind(&line, &format!("staging-{n:02}"))?);
        lines.push(line);
    }
    let named: Vec<&Device> = devices.iter().collect();
    let approval = scene.draw_up(&Plan::open_now("all", 1), &scene.next.clone(), &named)?;
    scene.publish(&approval)?;
    let payloads = [
        ("/targets/img/", payloads_of(&image.file)?),
        ("/targets/delta/", payloads_of(&listed[0].file)?),
    ];
    Ok((scene, Lines { lines, devices, payloads }))
}

/// Shows a repository; one of three answers with a part of a file ends at a random byte.
fn cut_at_random(line: &Hostile, forged: Forged, seed: u64) {
    let chance = Mutex::new(Chance::seeded(0xc07 + seed));
    line.play(move |request, upstream| {
        let answer = forged.answer(request, upstream)?;
        let mut chance = chance.lock().expect("no thread panicked");
        Ok(match answer {
            Some(Answer::Reply(reply))
                if request.path.contains("/targets/") && chance.below(CUT_EVERY) == 0 =>
            {
                let length = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
                let at = usize::try_from(chance.below(length)).unwrap_or(0);
                Some(Answer::CutAt(reply, at))
            }
            other => other,
        })
    });
}

fn is_done(device: &Device) -> Result<bool> {
    device.has(Transition::Committed)
}

/// Kills a device's agent when its line has sent a random number of bytes more, and a moment later.
fn kill_once(device: &Device, line: &Hostile, chance: &mut Chance, whole: u64) -> Result<()> {
    let wanted = line.sent_for("/targets/").saturating_add(chance.below(whole));
    let mut agent = device.start()?;
    let silence = Mutex::new((0, 0_u32));
    until("the line to send so much", PATIENCE, || {
        let sent = line.sent_for("/targets/");
        // Everything was sent: the image is read back, or has been.
        let mut silence = silence.lock().expect("no thread panicked");
        silence.1 = if silence.0 == sent && sent > 0 { silence.1 + 1 } else { 0 };
        silence.0 = sent;
        Ok((sent >= wanted || silence.1 > 40).then_some(()))
    })?;
    pause(chance.at_most(Duration::from_millis(60)));
    agent.kill()
}

/// What was fetched again after the last kill: from where the line goes on to where it had come.
///
/// Header and table come by themselves, and may come again.
fn redone(payloads: &[(&str, Range<u64>)], before: &[Sent], after: &[Sent]) -> u64 {
    let again = payloads.iter().map(|(file, payloads)| {
        let of = |sent: &&Sent| sent.path.contains(file) && payloads.contains(&sent.start);
        let came = before.iter().filter(of).map(|sent| sent.start.saturating_add(sent.bytes)).max();
        let goes_on = after.iter().filter(of).map(|sent| sent.start).min();
        came.unwrap_or(0).saturating_sub(goes_on.unwrap_or(u64::MAX))
    });
    again.sum()
}

/// Kills one device's agent again and again, then lets it finish; gives how often it was killed.
fn torment(
    device: &Device,
    line: &Hostile,
    scene: &Scene,
    (seed, told): (u64, &Redone),
) -> Result<usize> {
    let mut chance = Chance::seeded(seed);
    let whole = u64::try_from(scene.next.file.len())?;
    let mut kills = 0;
    let mut before: Vec<Sent> = Vec::new();
    let mut sum = 0;
    let mut look = |before: &mut Vec<Sent>| -> Result<()> {
        let sent = line.sent();
        let again = redone(&told.payloads, before, sent.get(before.len()..).unwrap_or_default());
        ensure!(again <= REDONE_BYTES_MAX, "{again} bytes were fetched again (seed {seed})");
        told.most.fetch_max(again, Ordering::SeqCst);
        told.all.fetch_add(again, Ordering::SeqCst);
        sum += again;
        *before = sent;
        Ok(())
    };
    while kills < KILLS_EACH && !is_done(device)? {
        kill_once(device, line, &mut chance, whole / 4)?;
        kills += 1;
        look(&mut before)?;
        old_or_new(device, scene)?;
        device.ledger().context("the ledger after the kill")?;
    }
    let agent = device.start()?;
    device.updated_to(&scene.next).with_context(|| format!("seed {seed}"))?;
    drop(agent);
    look(&mut before)?;
    let (_, carried) = staged(device)?;
    // What was on its way when the power went was sent and never came.
    let sent = line.sent_for("/targets/");
    ensure!(carried.fetched_bytes <= sent, "{sent} bytes were sent: {carried:?}");
    ensure!(sent <= whole + sum + SLACK_BYTES, "{sent} bytes were sent, {sum} of them again");
    Ok(kills)
}

#[test]
fn an_agent_killed_and_cut_off_while_it_stages_goes_on_and_ends_with_the_signed_bytes() -> Result<()>
{
    let (count, least) = (torture(40, 4, 2), torture(200, 4, 2));
    let (scene, Lines { lines, devices, payloads }) = begin(count)?;
    let told = Redone { payloads, most: AtomicU64::new(0), all: AtomicU64::new(0) };
    let killed = on_each(&scene, (&devices, AT_ONCE_MAX), |n, device| {
        let line = lines.get(n).context("its line")?;
        let seed = u64::try_from(n)?.wrapping_mul(7919).wrapping_add(16);
        torment(device, line, &scene, (seed, &told)).with_context(|| format!("seed {seed}"))
    });
    let (most, all) = (told.most.into_inner(), told.all.into_inner());
    println!(
        "{killed} kills of {count} agents; fetched again: {all} bytes, at most {most} at once"
    );
    ensure!(killed >= least, "{killed} kills are no campaign: {least} at least");
    Ok(())
}
