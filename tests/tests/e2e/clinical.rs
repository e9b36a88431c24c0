//! The clinical interlock with real programs: applications on the socket, people and conditions at the
//! device. Whatever goes wrong, the outcome is "not now".

use anyhow::{Context as _, Result};
use patchward_protocol::clinical::{FromApp, ToApp, Why};
use patchward_protocol::id::PersonId;
use patchward_protocol::ledger::{ClinicalState, Entry, Kind};
use patchward_protocol::reason::Reason;
use patchward_tests::bedside::{
    Client, Voice, Written, socket_path, us, with_same_version, with_socket, without_probe,
};
use patchward_tests::clock::until;
use patchward_tests::device::{PATIENCE, script};
use patchward_tests::image::put;
use patchward_tests::running::{run, succeed};
use patchward_tests::scene::Scene;

const BOTH: [&str; 2] = ["pump-ui", "alarm"];

/// A scene whose device asks these applications, with the update approved and the agent running.
fn bedside(name: &str, apps: &[&str]) -> Result<Scene> {
    let mut scene = Scene::begin(name)?;
    with_socket(&scene.device, apps, us())?;
    scene.approve()?;
    scene.start()?;
    Ok(scene)
}

fn activating(scene: &Scene) -> Result<Entry> {
    let entries = scene.device.ledger()?;
    let found = entries.into_iter().find(|entry| entry.fact.kind == Kind::Activating);
    found.context("no activation in the ledger")
}

#[test]
fn both_reference_clients_take_an_update_through_and_are_released() -> Result<()> {
    let mut scene = Scene::begin("bedclients")?;
    with_socket(&scene.device, &BOTH, us())?;
    with_same_version(&scene.device, &BOTH)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InterlockSilent)?;
    let mut python = Client::start(&scene.device, "pump-ui", Written::Python)?;
    let mut rust = Client::start(&scene.device, "alarm", Written::Rust)?;
    scene.device.updated_to(&scene.next)?;
    for client in [&mut python, &mut rust] {
        for word in ["WELCOME", "PREPARE", "READY", "GO", "unlocked released"] {
            client.prints(word)?;
        }
        assert!(!client.is_locked());
    }
    assert_eq!(activating(&scene)?.fact.clinical_state, Some(ClinicalState::Idle));
    scene.kill()
}

#[test]
fn an_application_that_does_not_say_the_new_version_sends_the_device_back() -> Result<()> {
    let mut scene = Scene::begin("bedoldhello")?;
    with_socket(&scene.device, &["pump-ui"], us())?;
    with_same_version(&scene.device, &["pump-ui"])?;
    scene.approve()?;
    scene.start()?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    let n = voice.asked()?;
    voice.say(&FromApp::Ready { n })?;
    scene.device.noted(Kind::RolledBack, Reason::HealthSilent)?;
    assert_eq!(voice.hears()?, ToApp::Go { n });
    assert_eq!(voice.hears()?, ToApp::Release { n });
    scene.device.still_runs(scene.factory.firmware.payload.image_sha256)
}

#[test]
fn two_applications_that_disagree_hold_the_update_and_why_says_which() -> Result<()> {
    let mut scene = Scene::begin("beddisagree")?;
    with_socket(&scene.device, &BOTH, us())?;
    scene.approve()?;
    let python = Client::start(&scene.device, "pump-ui", Written::Python)?;
    let rust = Client::start(&scene.device, "alarm", Written::Rust)?;
    rust.begin_therapy()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    scene.device.why_with(&["alarm", "in use"])?;
    let japanese = succeed(scene.device.command("why").args(["--lang", "ja"]))?.out;
    assert!(japanese.contains("使用中"), "{japanese}");
    scene.nothing_changes()?;
    assert!(!python.is_locked() && !rust.is_locked());
    rust.end_therapy()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn the_death_of_an_application_at_any_message_leaves_the_device_as_it_is() -> Result<()> {
    let scene = bedside("bedappdies", &BOTH)?;
    let alarm = Client::start(&scene.device, "alarm", Written::Rust)?;
    for last in ["connect", "hello", "idle", "asked", "ready"] {
        match last {
            "connect" => drop(Voice::connect(&scene.device)?),
            "hello" => drop(Voice::of(&scene.device, "pump-ui")?),
            "idle" => Voice::of(&scene.device, "pump-ui")?.idle()?,
            _ => {
                let voice = Voice::of(&scene.device, "pump-ui")?;
                let n = voice.asked().with_context(|| scene.device.story())?;
                if last == "ready" {
                    voice.say(&FromApp::Ready { n })?;
                }
            }
        }
        scene.nothing_changes().with_context(|| format!("it died after: {last}"))?;
    }
    until("the other's lock to open", PATIENCE, || Ok((!alarm.is_locked()).then_some(())))?;
    let _python = Client::start(&scene.device, "pump-ui", Written::Python)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn busy_after_ready_stops_the_update_before_the_write() -> Result<()> {
    let scene = bedside("bedrace", &["pump-ui"])?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    let n = voice.asked()?;
    voice.say(&FromApp::Ready { n })?;
    voice.busy()?;
    scene.device.held(Reason::InUse)?;
    assert_eq!(voice.hears()?, ToApp::Release { n });
    scene.nothing_changes()?;
    // The lock is asked for anew; a refusal is a refusal.
    let again = voice.asked()?;
    assert!(again > n);
    voice.say(&FromApp::Refuse { n: again, why: Why::new("theatre")? })?;
    assert_eq!(voice.hears()?, ToApp::Release { n: again });
    scene.nothing_changes()?;
    // An answer to the first question locks nothing.
    let third = voice.asked()?;
    voice.say(&FromApp::Ready { n })?;
    assert_eq!(voice.hears()?, ToApp::Release { n });
    voice.say(&FromApp::Ready { n: third })?;
    assert_eq!(voice.hears()?, ToApp::Go { n: third });
    scene.device.updated_to(&scene.next)
}

#[test]
fn an_agent_that_dies_while_it_holds_the_lock_sets_the_application_free() -> Result<()> {
    let mut scene = bedside("bedagentdies", &BOTH)?;
    let mut rust = Client::start(&scene.device, "pump-ui", Written::Rust)?;
    // One is locked, the other has not answered yet.
    let voice = Voice::of(&scene.device, "alarm")?;
    voice.asked()?;
    rust.prints("READY")?;
    assert!(rust.is_locked());
    scene.kill()?;
    rust.prints("unlocked closed")?;
    assert!(!rust.is_locked());
    scene.device.is_unchanged()?;
    // Started again, everything is asked anew.
    scene.start()?;
    let voice = Voice::of(&scene.device, "alarm")?;
    let n = voice.asked()?;
    scene.device.is_unchanged()?;
    voice.say(&FromApp::Ready { n })?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn after_a_crash_behind_the_write_the_restart_waits_until_nobody_depends_on_the_device()
-> Result<()> {
    let mut scene = Scene::begin("bedlatebusy")?;
    with_socket(&scene.device, &["pump-ui"], us())?;
    let folder = scene.device.folder.display().to_string();
    // The first restart takes the agent's life before it has done anything.
    let text = format!(
        "#!/bin/sh\nif [ ! -e '{folder}/killed' ]; then : > '{folder}/killed'; kill -9 $PPID; exit 1; fi\n\
         echo restarted >> '{folder}/restarts'\n"
    );
    script(&scene.device.folder.join("restart.sh"), &text)?;
    scene.approve()?;
    scene.start()?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    let n = voice.asked()?;
    voice.say(&FromApp::Ready { n })?;
    assert_eq!(voice.hears()?, ToApp::Go { n });
    voice.is_shut_out()?;
    // Therapy has begun when the agent comes back.
    scene.kill()?;
    scene.start()?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    voice.busy()?;
    let log = || std::fs::read_to_string(scene.device.log_file()).unwrap_or_default();
    until("the restart to wait", PATIENCE, || {
        Ok((log().matches("waits for the interlock").count() > 1).then_some(()))
    })?;
    let restarts = scene.device.folder.join("restarts");
    assert!(!restarts.exists(), "nobody was disturbed");
    let n = voice.asked()?;
    assert!(!restarts.exists(), "idle is not locked");
    voice.say(&FromApp::Ready { n })?;
    assert_eq!(voice.hears()?, ToApp::Go { n });
    scene.device.updated_to(&scene.next)
}

#[test]
fn garbage_and_floods_are_shut_out_and_the_agent_works_on() -> Result<()> {
    let mut scene = bedside("bedflood", &["pump-ui"])?;
    for bytes in [b"garbage".to_vec(), vec![0xff; 1024], vec![b'{'; 1025], vec![b' '; 60_000]] {
        let voice = Voice::of(&scene.device, "pump-ui")?;
        voice.idle()?;
        voice.send(&bytes)?;
        voice.is_shut_out()?;
    }
    let voice = Voice::of(&scene.device, "pump-ui")?;
    let mut sent = 0_u32;
    while sent < 100_000 && voice.idle().is_ok() {
        sent += 1;
    }
    voice.is_shut_out()?;
    let crowd: Vec<_> = (0..40).map(|_| Voice::connect(&scene.device)).collect::<Result<_>>()?;
    for one in &crowd {
        one.is_shut_out()?;
    }
    scene.nothing_changes()?;
    assert_eq!(scene.device.status()?["agent_runs"], true);
    let _client = Client::start(&scene.device, "pump-ui", Written::Python)?;
    scene.device.updated_to(&scene.next)?;
    scene.kill()
}

#[test]
fn a_user_who_takes_no_part_is_shut_out_and_the_device_stays_in_use() -> Result<()> {
    let mut scene = Scene::begin("bedstranger")?;
    with_socket(&scene.device, &["pump-ui"], us() + 1)?;
    scene.approve()?;
    scene.start()?;
    Voice::connect(&scene.device)?.is_shut_out()?;
    scene.device.held(Reason::InterlockSilent)?;
    scene.nothing_changes()
}

#[test]
fn a_lease_that_is_not_renewed_ends() -> Result<()> {
    let mut scene = Scene::begin("bedlease")?;
    with_socket(&scene.device, &["pump-ui"], us())?;
    scene.device.reconfigure("settle_s = 0", "settle_s = 3600")?;
    scene.approve()?;
    scene.start()?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    voice.say(&FromApp::Idle { lease_s: patchward_protocol::clinical::LeaseS::new(2)? })?;
    scene.device.held(Reason::Settling)?;
    let entries = scene.device.ledger()?.len();
    until("the lease to end", PATIENCE, || {
        let later = scene.device.ledger()?.split_off(entries);
        Ok(later.iter().any(|e| e.fact.reason == Some(Reason::InterlockSilent)).then_some(()))
    })?;
    scene.nothing_changes()
}

#[test]
fn a_person_defers_through_the_socket_and_the_command_line_and_lifts_it() -> Result<()> {
    let scene = bedside("beddefer", &["pump-ui"])?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    voice.send(br#"{"type":"DEFER","minutes":30,"by":"tanaka"}"#)?;
    let set = scene.device.noted(Kind::HoldSet, Reason::HeldHere)?;
    assert_eq!(set.fact.person, PersonId::new("tanaka").ok());
    let _client = Client::start(&scene.device, "pump-ui", Written::Python)?;
    drop(voice);
    scene.device.held(Reason::HeldHere)?;
    let why = scene.device.why("deferred")?;
    assert!(why.contains("tanaka, ") && why.contains(" min left"), "{why}");
    scene.nothing_changes()?;
    let mut defer = scene.device.command("defer");
    succeed(defer.args(["--minutes", "1440", "--by", "sato"]))?;
    assert_eq!(scene.device.status()?["deferred"]["by"], "sato");
    let too_long = run(scene.device.command("defer").args(["--minutes", "1441", "--by", "sato"]))?;
    assert_eq!(too_long.status.code(), Some(2), "{}", too_long.err);
    succeed(scene.device.command("hold").arg("--lift"))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_manual_device_waits_for_a_person_whose_name_stands_in_the_ledger() -> Result<()> {
    let mut scene = Scene::begin("bedmanual")?;
    without_probe(&scene.device, "manual = true")?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::NeedsPerson)?;
    scene.nothing_changes()?;
    let said = succeed(scene.device.command("present").args(["--by", "sato"]))?;
    assert!(said.out.contains("sato"), "{}", said.out);
    scene.device.updated_to(&scene.next)?;
    assert_eq!(activating(&scene)?.fact.person, PersonId::new("sato").ok());
    let japanese = succeed(scene.device.command("status").args(["--lang", "ja"]))?.out;
    assert!(japanese.contains("立会い") && japanese.contains("残り"), "{japanese}");
    Ok(())
}

#[test]
fn a_condition_of_the_device_holds_the_update_until_it_is_met() -> Result<()> {
    let mut scene = Scene::begin("bedwarm")?;
    let sensor = scene.device.folder.join("temp");
    let table = format!(
        "[conditions.temperature]\nfile = \"{}\"\ncelsius_min = 5\ncelsius_max = 60\n\n\
         [conditions.battery]\npercent_min = 30\nneed = \"advisory\"\n\n[install]\n",
        sensor.display()
    );
    scene.device.reconfigure("[install]\n", &table)?;
    put(&sensor, b"75000\n")?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::TemperatureUnfit)?;
    scene.nothing_changes()?;
    let why = scene.device.why("temperature_unfit: not met")?;
    assert!(why.contains("(required; 75 °C"), "{why}");
    scene.device.why("battery_low: not known (advisory")?;
    std::fs::remove_file(&sensor)?;
    scene.device.why("the sensor cannot be read")?;
    scene.nothing_changes()?;
    put(&sensor, b"41000\n")?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_socket_that_an_agent_left_behind_is_replaced_and_a_strangers_file_is_not() -> Result<()> {
    let mut scene = bedside("bedleftover", &["pump-ui"])?;
    let path = socket_path(&scene.device);
    drop(Voice::connect(&scene.device)?);
    scene.kill()?;
    assert!(path.exists(), "a killed agent leaves its socket behind");
    scene.start()?;
    drop(Voice::of(&scene.device, "pump-ui")?);
    scene.kill()?;
    std::fs::remove_file(&path)?;
    put(&path, b"mine")?;
    scene.start()?;
    scene.device.why("is not a socket of this user")?;
    scene.nothing_changes()?;
    assert_eq!(std::fs::read(&path)?, b"mine");
    std::fs::remove_file(&path)?;
    let _client = Client::start(&scene.device, "pump-ui", Written::Rust)?;
    scene.device.updated_to(&scene.next)
}
