//! Golden cases of peers about windows, time and permission: each names the peer and its issue.
//!
//! The list of all such cases, here and elsewhere, is docs/GOLDEN_CASES.md.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::approval::NeededTime;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::{now, until};
use patchward_tests::device::{InUse, PATIENCE, script};
use patchward_tests::forge::DAY_S;
use patchward_tests::forged::{Forged, short_lived, time_answer};
use patchward_tests::hostile::Answer;
use patchward_tests::image::Recipe;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;

/// How often zincati lets a user's session put an update off before it forces the reboot.
const FORCED_ELSEWHERE_AFTER: usize = 10;

/// zincati#928: a staged update stays, and is applied, though a newer one exists.
#[test]
fn a_staged_update_gives_way_to_a_newer_approved_one() -> Result<()> {
    let mut scene = Scene::begin("newer")?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    let newest = Recipe::small(&scene.device.family, scene.device.kind, "3.0.0", 3).release()?;
    scene.family.add_release(&newest)?;
    scene.family.publish()?;
    scene.approve_release(&Plan::open_now("second", 2), &newest)?;
    scene.device.noted(Transition::Abandoned, Reason::Superseded)?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&newest)?;
    let ledger = scene.device.ledger()?;
    let begun = ledger.iter().filter(|entry| entry.fact.kind == Transition::Activating);
    let begun: Vec<_> = begun.filter_map(|entry| entry.fact.release.as_ref()).collect();
    ensure!(begun.len() == 1 && begun.iter().all(|image| image.seq.0 == 3), "{begun:?}");
    Ok(())
}

/// zincati#245: permission to update should expire by itself; Flight Control: an update may run on
/// past its window.
#[test]
fn permission_ends_by_itself() -> Result<()> {
    let mut scene = Scene::begin("ends")?;
    scene.device.set_in_use(InUse::Yes)?;
    // Open now and for a few seconds more; nobody takes anything back.
    scene.approve_as(&Plan { start_s: -60, length_s: 70, ..Plan::open_now("short", 1) })?;
    scene.start()?;
    let over = [Reason::SlotsOver, Reason::ApprovalOver];
    let what = "the permission to end by itself";
    until(what, PATIENCE, || {
        let ledger = scene.device.ledger()?;
        let said = ledger.into_iter().filter_map(|entry| entry.fact.reason);
        Ok(said.into_iter().any(|reason| over.contains(&reason)).then_some(()))
    })
    .with_context(|| scene.device.story())?;
    scene.device.set_in_use(InUse::No)?;
    scene.nothing_changes()?;
    scene.approve_as(&Plan::open_now("again", 2))?;
    scene.device.updated_to(&scene.next)
}

/// Nobody checks that an update and its way back fit into the rest of a window.
#[test]
fn a_slot_whose_rest_is_too_short_for_the_way_there_and_back_starts_nothing() -> Result<()> {
    let mut scene = Scene::begin("rest")?;
    // Half an hour is left, and this device's owner wants an hour in reserve.
    scene.device.reconfigure("reserve_s = 1", "reserve_s = 3600")?;
    scene.approve_as(&Plan { length_s: 1800, ..Plan::open_now("short", 1) })?;
    scene.start()?;
    scene.device.held(Reason::SlotTooShort)?;
    scene.nothing_changes()
}

/// aktualizr PR#1548, tough#112: metadata that expires between staging and the restart stops the update.
#[test]
fn metadata_that_expires_between_staging_and_the_slot_does_not_stop_an_approved_update()
-> Result<()> {
    let mut scene = Scene::begin("expires")?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    // From here on both repositories are seen only as they were, with a timestamp that soon ends.
    let (family, site) = scene.steal_online()?;
    let life_s = 8;
    let ends = now().plus_seconds(life_s);
    let old = [
        short_lived(&scene.site, &site, -DAY_S, life_s)?,
        short_lived(&scene.family, &family, -DAY_S, life_s)?,
    ];
    scene.line.play(move |request, upstream| both(&old, request, upstream));
    until("the metadata to expire", PATIENCE, || Ok((now() > ends).then_some(())))?;
    scene.device.refused(Reason::MetadataExpired)?;
    scene.asks_again(2)?;
    scene.device.is_unchanged()?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.next)
}

/// Shows two repositories; both timestamps travel in one reply to a check-in.
fn both(
    shown: &[Forged],
    request: &patchward_tests::wire::Request,
    upstream: &patchward_tests::hostile::Upstream,
) -> Result<Option<Answer>> {
    if request.path != "/v1/check-in" {
        for one in shown {
            if let Some(answer) = one.answer(request, upstream)? {
                return Ok(Some(answer));
            }
        }
        return Ok(None);
    }
    let mut reply = upstream.ask(request)?;
    for one in shown {
        reply = one.in_check_in_own(reply)?;
    }
    Ok(Some(Answer::Reply(reply)))
}

/// uptane-standard#31: one time answer from the far future blocks a device for ever.
#[test]
fn one_time_answer_from_the_far_future_does_not_block_for_ever() -> Result<()> {
    let mut scene = Scene::begin("future1")?;
    // This device has no second source, and its hospital said that one is enough.
    scene.device.reconfigure("system_clock = \"independent\"", "system_clock = \"ignored\"")?;
    let plan = Plan { time: NeededTime::Plausible, ..Plan::open_now("plausible", 1) };
    scene.approve_as(&plan)?;
    let (_, online) = scene.steal_online()?;
    scene.line.play(move |request, upstream| {
        if request.path != "/v1/check-in" {
            return Ok(None);
        }
        let reply = upstream.ask(request)?;
        if reply.status != 200 {
            return Ok(Some(Answer::Reply(reply)));
        }
        let far = time_answer(request, now().plus_seconds(20 * 365 * DAY_S), &online.timestamp)?;
        reply.with_json(|value| value["time"] = far).map(|reply| Some(Answer::Reply(reply)))
    });
    scene.start()?;
    scene.asks_again(3)?;
    scene.device.is_unchanged()?;
    // Also over a restart of the agent.
    scene.kill()?;
    scene.start()?;
    scene.asks_again(2)?;
    scene.device.is_unchanged()?;
    scene.line.rest();
    scene.device.updated_to(&scene.next)
}

/// zincati: goes on when its check of sessions fails, and forces the reboot after 10 postponements;
/// snapd overrides a refusal after 14 days.
#[test]
fn an_update_whose_check_cannot_be_made_never_proceeds_and_is_never_forced() -> Result<()> {
    let mut scene = Scene::begin("unasked")?;
    let probe = scene.device.folder.join("in-use.sh");
    let asked = scene.device.folder.join("asked");
    script(&probe, &format!("#!/bin/sh\necho asked >> '{}'\nexit 77\n", asked.display()))?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InterlockSilent)?;
    until("the check to fail more often than others put up with", PATIENCE, || {
        Ok((scene.device.times_asked() > FORCED_ELSEWHERE_AFTER).then_some(()))
    })
    .with_context(|| scene.device.story())?;
    scene.device.is_unchanged()?;
    // The program of the check is lost altogether.
    std::fs::remove_file(&probe)?;
    scene.kill()?;
    scene.start()?;
    scene.nothing_changes()?;
    script(&probe, "#!/bin/sh\nexit 0\n")?;
    scene.device.updated_to(&scene.next)
}

/// hawkBit: the device never learns when its window begins and ends.
#[test]
fn a_device_knows_its_slot_before_it_opens_and_says_so() -> Result<()> {
    let mut scene = Scene::begin("knows")?;
    let start = now().plus_seconds(7200);
    scene.approve_as(&Plan { start_s: 7200, ..Plan::open_now("later", 1) })?;
    scene.start()?;
    scene.device.held(Reason::SlotNotOpen)?;
    // The day and the hour, as they were signed.
    let hour = start.to_string();
    scene.device.why(hour.get(..13).context("a date and an hour")?)?;
    scene.nothing_changes()
}
