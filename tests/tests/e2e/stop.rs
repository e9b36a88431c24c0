//! STOP: a hold needs no key, reaches a waiting device at once, and only its owner lets it go on.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{
    Campaign, CampaignState, FileAct, ReadCampaign, ReadInventory, WriteCampaign, WriteInventory,
};
use patchward_protocol::clinical::{FromApp, ToApp};
use patchward_protocol::inventory::{Attendance, InventoryDevice, Usage, Ward};
use patchward_protocol::reason::Reason;
use patchward_tests::bedside::{Voice, us, with_socket};
use patchward_tests::clock::{Stopwatch, until};
use patchward_tests::desk::{Desk, text};
use patchward_tests::device::{InUse, PATIENCE};
use patchward_tests::image::put;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;
use patchward_tests::wire::Request;
use serde_json::Value;

/// A server that asks devices to come back in an hour: whatever is heard sooner was heard by a poll
/// that stood.
const RARE: &str =
    "poll_s = 3600\npoll_jitter_permille = 0\nlast_seen_flush_s = 1\nwatch_ms = 100\n";

/// A device that waits, with its image staged, because it is in use.
fn waiting(name: &str, config: &str) -> Result<Scene> {
    let mut scene = Scene::on(Stage::own(config)?, Cast::tree(name))?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    Ok(scene)
}

/// Waits until the device says this reason for waiting now.
fn says(scene: &Scene, reason: Reason) -> Result<()> {
    scene.device.why(reason.code()).map(|_| ())
}

#[test]
fn a_stop_reaches_a_device_whose_poll_stands_and_it_does_not_start() -> Result<()> {
    let scene = waiting("stop1", RARE)?;
    let desk = scene.desk()?;
    until("a poll to stand", PATIENCE, || Ok(scene.line.asked().iter().find_map(standing)))
        .with_context(|| scene.device.story())?;
    let watch = Stopwatch::start();
    let hold = desk.hold(scene.site_id.as_str(), &[])?;
    let set = watch.elapsed();
    // The next poll by the clock would be an hour away.
    says(&scene, Reason::HeldByServer)?;
    println!("STOP heard after {:?}, the command itself took {set:?}", watch.elapsed());
    scene.device.set_in_use(InUse::No)?;
    scene.device.looks_again(4)?;
    scene.lift(&hold)?;
    scene.device.updated_to(&scene.next)
}

/// How long a poll may stand, when it says so.
fn standing(request: &Request) -> Option<u64> {
    let body: patchward_protocol::envelope::Envelope =
        serde_json::from_slice(&request.body).ok()?;
    let poll: Value = body.insecure_peek().ok()?;
    poll.get("wait_s").and_then(Value::as_u64).filter(|wait_s| *wait_s > 0)
}

#[test]
fn a_hold_of_any_scope_holds_what_it_names_and_nothing_else() -> Result<()> {
    let scene = waiting("stop2", QUICK)?;
    stands_in(&scene, "icu")?;
    let (desk, site) = (scene.desk()?, scene.site_id.as_str());
    let (device, family) = (scene.device.name.to_string(), scene.device.family.to_string());
    let release = ["--release", "2.0.0", "--family", &family];
    let others: [&[&str]; 2] = [&["--ward", "wards-end"], &["--device", "pump-elsewhere"]];
    for scope in others {
        // A ward or device that is not there may be refused; held or not, this device goes on.
        let _ = desk.hold(site, scope);
    }
    let scopes: [&[&str]; 4] = [&[], &["--ward", "icu"], &["--device", &device], &release];
    for scope in scopes {
        let held = desk.hold(site, scope).and_then(|hold| {
            says(&scene, Reason::HeldByServer)?;
            scene.lift(&hold)?;
            says(&scene, Reason::InUse)
        });
        held.with_context(|| format!("{scope:?}"))?;
    }
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.next)
}

/// The hospital's inventory says where the device stands.
fn stands_in(scene: &Scene, ward: &str) -> Result<()> {
    let client = scene.stage.server.administrator()?;
    let site = scene.site_id.as_str();
    let mut inventory = client.must::<ReadInventory>(&[site], &())?;
    let id: patchward_protocol::id::WardId = ward.parse().context("a ward")?;
    inventory.wards.push(Ward {
        id: id.clone(),
        name_en: "Intensive care".to_owned(),
        name_ja: "集中治療室".to_owned(),
        min_in_service: vec![],
        max_parallel: None,
        windows: vec![],
        staff_on_site: vec![],
    });
    inventory.devices.push(InventoryDevice {
        id: scene.device.name.clone(),
        ward: Some(id),
        kind: "pump".parse().context("a kind")?,
        pair: None,
        usage: Usage::InService,
        attended: Attendance::Unattended,
        udi: None,
        serial_number: None,
    });
    client.must::<WriteInventory>(&[site], &inventory).map(|_| ())
}

#[test]
fn holds_of_manufacturer_and_operator_are_shown_as_theirs_and_lifted_by_them() -> Result<()> {
    let scene = waiting("stop3", QUICK)?;
    let family = scene.device.family.to_string();
    let everybody =
        Desk::new(patchward_tests::bin::Programs::for_tests()?, &scene.place("administrator")?)?;
    everybody.enter("login", &scene.stage.server.url()?, &scene.stage.server.token)?;
    let root = everybody.place("family.root.json");
    put(&root, &scene.family.root_file()?)?;
    everybody.trust(&scene.family.id, &root)?;
    let hospital = scene.desk()?;
    let by: [(&str, &[&str], &[&str]); 2] = [
        (
            "maker",
            &["--by", "maker", "--family", &family, "--release", "2.0.0"],
            &["--family", &family],
        ),
        ("operator", &["--by", "operator", "--site", scene.site_id.as_str()], &[]),
    ];
    for (who, scope, end) in by {
        let mut set = everybody.command(["hold", "set", "--reason", "Recall", "--owner", "Duty"]);
        let set = everybody.say(set.args(scope))?;
        let hold = text(&set, "id")?.to_owned();
        says(&scene, Reason::HeldByServer)?;
        let site = scene.site_id.as_str();
        let shown = hospital.say(&mut hospital.command(["hold", "list", "--site", site]))?;
        let mine = shown.as_array().into_iter().flatten().find(|one| one["id"] == hold.as_str());
        ensure!(mine.is_some_and(|one| one["by"] == who), "{who}: {shown}");
        // The hospital's signature lifts the hospital's holds only.
        let subject = Subject::Hold { hold: hold.parse().context("an id")? };
        let act = scene.site.act(subject, Meaning::HoldLifted, 0)?;
        let client = scene.stage.server.administrator()?;
        let refused = client.call::<FileAct>(&[site], &act)?;
        ensure!(refused.is_err(), "the hospital lifted a hold of the {who}");
        scene.device.looks_again(2)?;
        let mut command = everybody.command(["hold", "end", hold.as_str()]);
        everybody.say(command.args(end))?;
        says(&scene, Reason::InUse)?;
    }
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_hold_outlives_kill_9_of_the_agent_and_a_restart_of_the_server() -> Result<()> {
    let mut scene = waiting("stop4", QUICK)?;
    let hold = scene.desk()?.hold(scene.site_id.as_str(), &[])?;
    says(&scene, Reason::HeldByServer)?;
    scene.kill()?;
    let address = scene.stage.server.address()?.to_owned();
    let stage = std::sync::Arc::get_mut(&mut scene.stage).context("this stage is not shared")?;
    stage.server.kill()?;
    scene.device.set_in_use(InUse::No)?;
    // The server is still away: what the device remembers holds it.
    scene.start()?;
    scene.device.looks_again(2)?;
    let stage = std::sync::Arc::get_mut(&mut scene.stage).context("this stage is not shared")?;
    stage.server.start_on(&address)?;
    scene.device.looks_again(3)?;
    says(&scene, Reason::HeldByServer)?;
    scene.lift(&hold)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_stop_between_the_last_checks_and_the_write_stops_the_update() -> Result<()> {
    let mut scene = Scene::on(Stage::own(RARE)?, Cast::tree("stop6"))?;
    with_socket(&scene.device, &["pump-ui"], us())?;
    scene.approve()?;
    scene.start()?;
    let voice = Voice::of(&scene.device, "pump-ui")?;
    // The device is armed: all it waits for is the application's lock.
    let n = voice.asked()?;
    scene.desk()?.hold(scene.site_id.as_str(), &[])?;
    voice.say(&FromApp::Ready { n })?;
    ensure!(voice.hears()? == ToApp::Release { n }, "the application was not let go");
    says(&scene, Reason::HeldByServer)?;
    scene.nothing_changes()
}

#[test]
fn a_freeze_that_is_entered_after_signing_holds_and_ends_with_itself() -> Result<()> {
    let scene = waiting("stop5", QUICK)?;
    let (desk, site) = (scene.desk()?, scene.site_id.as_str());
    // The inventory's first word; then nothing is changed for a day.
    stands_in(&scene, "icu")?;
    let now = patchward_tests::clock::now().whole_second();
    let (from, to) = (now.plus_seconds(-60).to_string(), now.plus_seconds(24 * 3600).to_string());
    let mut freeze = desk.command(["inventory", "freezes", "add", "festival", "--site", site]);
    freeze.args(["--from", &from, "--to", &to, "--why", "Few people are here"]);
    desk.say(&mut freeze)?;
    says(&scene, Reason::HeldByServer)?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.looks_again(2)?;
    desk.say(&mut desk.command(["inventory", "freezes", "remove", "festival", "--site", site]))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_campaign_that_pauses_starts_nothing_anywhere_until_it_goes_on() -> Result<()> {
    let scene = waiting("stop6", QUICK)?;
    let client = scene.stage.server.administrator()?;
    let image = scene.next.firmware.payload.image_sha256.to_string();
    let image = image.rsplit(':').next().context("a digest")?;
    let path = [scene.device.family.as_str(), image];
    let pause = |state| -> Result<()> {
        let campaign = client.must::<ReadCampaign>(&path, &())?;
        client.must::<WriteCampaign>(&path, &Campaign { state, ..campaign }).map(|_| ())
    };
    pause(CampaignState::Paused)?;
    scene.device.why_any(&[Reason::HeldByServer, Reason::WaveNotOpen, Reason::RolloutHalted])?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.looks_again(2)?;
    pause(CampaignState::Running)?;
    scene.device.updated_to(&scene.next)
}
