//! What people at the device can do without server and key: hold, lift, ask why, read the ledger.

use anyhow::Result;
use patchward_protocol::ledger::Kind;
use patchward_protocol::reason::Reason;
use patchward_tests::device::InUse;
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
