//! What people at the device can do without server and key: hold, lift, ask why, read the ledger.

use anyhow::Result;
use patchward_protocol::ledger::Kind;
use patchward_protocol::reason::Reason;
use patchward_tests::device::{InUse, script};
use patchward_tests::plan::Plan;
use patchward_tests::running::succeed;
use patchward_tests::scene::Scene;

#[test]
fn a_hold_at_the_device_needs_no_server_stops_everything_and_says_so_in_two_languages() -> Result<()>
{
    let mut scene = Scene::begin("hold")?;
    // Before the agent ever ran.
    let mut hold = scene.device.command("hold");
    succeed(hold.args(["--by", "tanaka", "--why", "in theatre 3"]))?;
    scene.approve()?;
    scene.start()?;
    let held = scene.device.held(Reason::HeldHere)?;
    assert_eq!(held.fact.kind, Kind::Held);
    let set = scene.device.noted(Kind::HoldSet, Reason::HeldHere)?;
    assert_eq!(set.fact.person.as_ref().map(|person| person.as_str()), Some("tanaka"));
    scene.nothing_changes()?;
    let english = succeed(&mut scene.device.command("why"))?.out;
    let japanese = succeed(scene.device.command("why").args(["--lang", "ja"]))?.out;
    assert!(english.contains(Reason::HeldHere.en()), "{english}");
    assert!(japanese.contains(Reason::HeldHere.ja()), "{japanese}");
    for row in ["time", "slot", "approval", "permit", "conditions", "state"] {
        assert!(english.lines().any(|line| line.starts_with(row)), "{row}: {english}");
    }
    let status = scene.device.status()?;
    assert_eq!(status["held_here"], true);
    assert_eq!(status["agent_runs"], true);
    assert_eq!(status["state"], "holding");
    succeed(scene.device.command("hold").arg("--lift"))?;
    scene.device.updated_to(&scene.next)?;
    assert!(scene.device.has(Kind::HoldLifted)?, "{}", scene.device.story());
    Ok(())
}

#[test]
fn a_hold_that_is_set_while_the_device_waits_outlives_the_reason_it_waited_for() -> Result<()> {
    let mut scene = Scene::begin("holdlate")?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    succeed(&mut scene.device.command("hold"))?;
    scene.device.noted(Kind::HoldSet, Reason::HeldHere)?;
    scene.device.set_in_use(InUse::No)?;
    scene.nothing_changes()?;
    succeed(scene.device.command("hold").arg("--lift"))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn the_ledger_is_verified_and_printed_beside_a_running_agent_and_a_second_agent_is_refused()
-> Result<()> {
    let mut scene = Scene::begin("ledgerverb")?;
    scene.approve()?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    let said = succeed(scene.device.command("ledger").arg("verify"))?.out;
    assert!(said.contains("entries verified"), "{said}");
    let lines = succeed(&mut scene.device.command("export-ledger"))?.out;
    assert!(lines.lines().count() >= scene.device.ledger()?.len() - 1, "{lines}");
    let second = patchward_tests::running::run(&mut scene.device.command("run"))?;
    assert_eq!(second.status.code(), Some(5), "{}", second.err);
    assert!(second.err.contains("already_running"), "{}", second.err);
    Ok(())
}

#[test]
fn an_attended_update_waits_for_a_person_at_the_device_who_is_named_in_the_ledger() -> Result<()> {
    let mut scene = Scene::begin("attended")?;
    let next = scene.next.clone();
    let mut approval = scene.draw_up(&Plan::open_now("attended", 1), &next, &[&scene.device])?;
    approval.devices.iter_mut().for_each(|device| device.attended = true);
    scene.publish(&approval)?;
    scene.start()?;
    scene.device.held(Reason::NeedsPerson)?;
    scene.nothing_changes()?;
    scene.device.told(&["present", "--by", "tanaka", "--minutes", "10"])?;
    scene.device.updated_to(&scene.next)?;
    let ledger = scene.device.ledger()?;
    let begun = ledger.iter().find(|entry| entry.fact.kind == Kind::Activating);
    let person = begun.and_then(|entry| entry.fact.person.as_ref());
    assert_eq!(person.map(|person| person.as_str()), Some("tanaka"), "{}", scene.device.story());
    Ok(())
}

#[test]
fn not_now_at_the_device_holds_for_its_time_over_a_restart_and_is_never_overruled() -> Result<()> {
    let mut scene = Scene::begin("defer")?;
    scene.device.told(&["defer", "--by", "sato", "--minutes", "30"])?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::HeldHere)?;
    scene.nothing_changes()?;
    scene.kill()?;
    scene.start()?;
    scene.nothing_changes()?;
    scene.device.why(Reason::HeldHere.code())?;
    // Whoever said it may take it back.
    scene.device.told(&["hold", "--lift"])?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn changed_settings_wait_for_a_person_who_releases_the_device() -> Result<()> {
    let mut scene = Scene::begin("settings")?;
    // The new version writes other alarm limits than the nurses had set.
    let folder = scene.device.folder.display().to_string();
    let writes = format!(
        "#!/bin/sh\necho restarted >> '{folder}/restarts'\n\
         echo 'alarm_limit = 90' > '{folder}/settings.toml'\nexit 0\n"
    );
    script(&scene.device.folder.join("restart.sh"), &writes)?;
    scene.approve()?;
    scene.start()?;
    let waits = scene.device.noted(Kind::AwaitingAcceptance, Reason::SettingsChanged)?;
    let (before, after) = (waits.fact.settings_before, waits.fact.settings_after);
    assert!(before.is_some() && after.is_some() && before != after, "{waits:?}");
    assert!(!scene.device.has(Kind::Committed)?, "{}", scene.device.story());
    scene.device.why("awaiting-acceptance")?;
    scene.device.told(&["accept", "--by", "tanaka"])?;
    scene.device.updated_to(&scene.next)?;
    let ledger = scene.device.ledger()?;
    let done = ledger.iter().find(|entry| entry.fact.kind == Kind::Committed);
    let person = done.and_then(|entry| entry.fact.person.as_ref());
    assert_eq!(person.map(|person| person.as_str()), Some("tanaka"), "{}", scene.device.story());
    Ok(())
}
