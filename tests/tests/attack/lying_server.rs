//! 22 the server forges every directive and every time answer, differently each time.

use anyhow::Result;
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_tests::clock::{now, until};
use patchward_tests::device::{InUse, PATIENCE};
use patchward_tests::forge;
use patchward_tests::forged::time_answer;
use patchward_tests::owner::keys_of;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::wave::asking;
use patchward_tests::wire::{Reply, Request};
use serde_json::{Value, json};

/// Rewrites every good answer to a check-in.
fn lie(scene: &Scene, change: impl Fn(&Request, &mut Value) -> Result<()> + Send + Sync + 'static) {
    scene.line.play(move |request, upstream| {
        if request.path != "/v1/check-in" {
            return Ok(None);
        }
        let reply: Reply = upstream.ask(request)?;
        if reply.status != 200 {
            return Ok(Some(patchward_tests::hostile::Answer::Reply(reply)));
        }
        let mut value: Value = serde_json::from_slice(&reply.body)?;
        change(request, &mut value)?;
        let body = forge::write(&value)?;
        Ok(Some(patchward_tests::hostile::Answer::Reply(Reply { body, ..reply })))
    });
}

#[test]
fn attack_22_no_directive_installs_what_nobody_approved() -> Result<()> {
    let mut scene = Scene::begin("22a")?;
    let image = scene.next.firmware.payload.image_sha256;
    lie(&scene, move |_, reply| {
        // Everything a careless device might obey.
        reply["directive"] = json!({
            "open": [{ "approval_sha256": image, "wave": 0 }], "holds": [],
        });
        reply["install_now"] = json!({ "image_sha256": image, "force": true });
        reply["skip_approval"] = json!(true);
        reply["skip_permit"] = json!(true);
        Ok(())
    });
    scene.start()?;
    scene.asks_again(4)?;
    assert_eq!(scene.line.asked_for("/targets/img/"), 0, "fetched without approval");
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.approve()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_no_lie_about_the_time_opens_a_slot_of_tomorrow() -> Result<()> {
    let mut scene = Scene::begin("22b")?;
    let tomorrow = 24 * 3600;
    let plan = Plan { start_s: tomorrow, ..Plan::open_now("tomorrow", 1) };
    let digest = scene.approve_as(&plan)?;
    // Whoever owns the server signs any time with the true key, and says that the wave is open.
    let (_, online) = scene.steal_online()?;
    lie(&scene, move |request, reply| {
        let utc = now().plus_seconds(tomorrow + 60);
        reply["time"] = time_answer(request, utc, &online.timestamp)?;
        reply["directive"] = json!({
            "open": [{ "approval_sha256": digest, "wave": 0 }], "holds": [],
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::ClockDisagrees)?;
    scene.nothing_changes()?;
    scene.line.rest();
    // Once the server is honest again the device waits for its slot, and for nothing else.
    scene.device.held(Reason::SlotNotOpen)?;
    scene.nothing_changes()?;
    scene.approve_as(&Plan::open_now("today", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_a_time_answer_by_another_key_or_to_another_question_is_refused() -> Result<()> {
    let mut scene = Scene::begin("22c")?;
    scene.approve()?;
    let (family, _) = scene.steal_online()?;
    lie(&scene, move |request, reply| {
        reply["time"] = time_answer(request, now(), &family.timestamp)?;
        Ok(())
    });
    scene.start()?;
    scene.device.refused(Reason::TimeAnswerWrong)?;
    scene.nothing_changes()?;
    let (_, online) = scene.steal_online()?;
    lie(&scene, move |_, reply| {
        let answer = json!({ "v": 1, "nonce": "00".repeat(16), "utc": now() });
        let sealed = Envelope::seal(PayloadType::TimeAnswer, &answer, online.timestamp.secret())?;
        reply["time"] = serde_json::to_value(sealed)?;
        Ok(())
    });
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_no_word_of_the_server_starts_a_device_that_is_in_use() -> Result<()> {
    let mut scene = Scene::begin("22d")?;
    scene.device.set_in_use(InUse::Yes)?;
    let digest = scene.approve()?;
    lie(&scene, move |_, reply| {
        reply["directive"] = json!({
            "open": [{ "approval_sha256": digest, "wave": 0 }], "holds": [],
            "clinical_state": "idle", "skip_permit": true,
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    scene.nothing_changes()?;
    scene.line.rest();
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_a_wave_that_was_not_opened_stays_closed_whatever_else_is_said() -> Result<()> {
    let mut scene = Scene::begin("22e")?;
    scene.approve()?;
    lie(&scene, |_, reply| {
        // Open for something else, and for a wave that is not this device's.
        reply["directive"] = json!({
            "open": [
                { "approval_sha256": "11".repeat(32), "wave": 0 },
                { "approval_sha256": "22".repeat(32), "wave": 7 },
            ],
            "holds": [],
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::WaveNotOpen)?;
    scene.nothing_changes()?;
    scene.line.rest();
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_a_hold_that_was_heard_once_is_not_forgotten_for_any_forged_lift() -> Result<()> {
    let mut scene = Scene::begin("22j")?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    let desk = scene.desk()?;
    let other = desk.hold(scene.site_id.as_str(), &[])?;
    let hold = desk.hold(scene.site_id.as_str(), &[])?;
    // Heard, and durable: what was never heard of can be hidden, what was heard cannot.
    let remembered = scene.device.folder.join("state/holds.json");
    until("the device to remember the hold", PATIENCE, || {
        let held = std::fs::read_to_string(&remembered).unwrap_or_default();
        Ok(held.contains(&hold).then_some(()))
    })?;
    scene.device.why(Reason::HeldByServer.code())?;
    // A true lift of another hold; lifts of this one by keys that do not count; another meaning.
    let subject = |id: &str| Ok::<_, anyhow::Error>(Subject::Hold { hold: id.parse()? });
    let true_other = scene.site.act(subject(&other)?, Meaning::HoldLifted, 0)?;
    scene.file(&true_other)?;
    let mut stranger = scene.site.clone();
    stranger.targets_keys = keys_of("attacker", "targets");
    let mut with_root_key = scene.site.clone();
    with_root_key.targets_keys.clone_from(&scene.site.root_keys);
    let relabelled = {
        let genuine = scene.site.act(subject(&hold)?, Meaning::Acknowledged, 0)?;
        serde_json::to_value(&genuine)?
    };
    let forged = [
        serde_json::to_value(true_other)?,
        serde_json::to_value(stranger.act(subject(&hold)?, Meaning::HoldLifted, 0)?)?,
        serde_json::to_value(with_root_key.act(subject(&hold)?, Meaning::HoldLifted, 0)?)?,
        relabelled,
    ];
    lie(&scene, move |_, reply| {
        reply["directive"]["holds"] = json!([]);
        reply["directive"]["lifts"] = json!(forged);
        Ok(())
    });
    scene.device.set_in_use(InUse::No)?;
    scene.asks_again(2)?;
    scene.nothing_changes()?;
    // Not even over a restart of the agent.
    scene.kill()?;
    scene.start()?;
    scene.nothing_changes()?;
    scene.device.why(Reason::HeldByServer.code())?;
    scene.line.rest();
    scene.lift(&hold)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_neighbours_that_are_told_different_times_start_in_no_other_hour() -> Result<()> {
    let mut scene = Scene::begin("22k")?;
    let neighbour = scene.another("neighbour")?;
    let next = scene.next.clone();
    let day_s = 24 * 3600;
    // Both tomorrow, one after the other.
    let plan = Plan { start_s: day_s, length_s: 7200, ..Plan::open_now("tomorrow", 1) };
    let mut approval = scene.draw_up(&plan, &next, &[&scene.device, &neighbour])?;
    let slot = approval.devices[0].slots[0];
    let half = slot.start().plus_seconds(3600);
    approval.devices[0].slots = vec![Slot::new(slot.start(), half)?];
    approval.devices[1].slots = vec![Slot::new(half, slot.end())?];
    let digest = scene.publish(&approval)?;
    let (_, online) = scene.steal_online()?;
    let (first, starts) = (scene.device.name.to_string(), [slot.start(), half]);
    lie(&scene, move |request, reply| {
        // Each is told the very hour in which it may start.
        let start = if asking(request)? == first { starts[0] } else { starts[1] };
        reply["time"] = time_answer(request, start.plus_seconds(60), &online.timestamp)?;
        reply["directive"] = json!({
            "open": [{ "approval_sha256": digest, "wave": 0 }], "holds": [],
        });
        Ok(())
    });
    scene.start()?;
    let _agent = neighbour.start()?;
    scene.device.held(Reason::ClockDisagrees)?;
    neighbour.held(Reason::ClockDisagrees)?;
    scene.asks_again(4)?;
    neighbour.is_unchanged()?;
    scene.nothing_changes()
}

#[test]
fn attack_22_one_source_of_time_is_not_enough_unless_the_hospital_said_so() -> Result<()> {
    let mut scene = Scene::begin("22l")?;
    scene.device.reconfigure("system_clock = \"independent\"", "system_clock = \"ignored\"")?;
    scene.device.set_in_use(InUse::Yes)?;
    let tomorrow = 24 * 3600;
    scene.approve_as(&Plan { start_s: tomorrow, ..Plan::open_now("attested", 1) })?;
    let (_, online) = scene.steal_online()?;
    lie(&scene, move |request, reply| {
        let utc = now().plus_seconds(tomorrow + 60);
        reply["time"] = time_answer(request, utc, &online.timestamp)?;
        Ok(())
    });
    scene.start()?;
    // The slot is open by the only source there is, which is the server's word.
    scene.device.held(Reason::ClockNotAttested)?;
    scene.device.set_in_use(InUse::No)?;
    scene.nothing_changes()
}
