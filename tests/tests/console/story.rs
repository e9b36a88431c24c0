//! The whole story in the browser, in Japanese and in English: published, approved with key files in the
//! page, a canary fails, the wave halts, STOP, lifted, ordered back, exported, verified offline.

use crate::house::{House, SITE, text};
use anyhow::{Context as _, Result, ensure};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::clock::until;
use patchward_tests::device::{Device, Health};
use std::time::Duration;

/// A slot begins on a full minute.
const SLOT: Duration = Duration::from_secs(150);

#[test]
fn the_story_in_japanese() -> Result<()> {
    tell("ja")
}

#[test]
fn the_story_in_english() -> Result<()> {
    tell("en")
}

fn tell(language: &'static str) -> Result<()> {
    let house = House::begin(language)?;
    let tanaka = Browser::start(&Settings::desk(language))?;
    let sato = Browser::start(&Settings::desk(language))?;
    house.joins(&tanaka, "tanaka", "approver")?;
    tanaka.comes_to(&format!("/console/sites/{SITE}"))?;
    house.joins(&sato, "sato", "approver")?;
    approve(&house, &tanaka, &sato)?;
    let _agents = canary_fails(&house, &tanaka)?;
    stop_and_lift(&house, &tanaka)?;
    roll_back(&house, &tanaka, &sato)?;
    export(&house, &tanaka)
}

/// From the list of what waits to the published approval, signed by two people in their pages.
fn approve(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    tanaka.open(&house.page("/approvals")?)?;
    tanaka.click("a[href*='/approvals/new?family=acme.infusion-a'][href*='2.4.1']")?;
    tanaka.says("2.4.1")?;
    ensure!(tanaka.count("input[name='device']:checked")? == 4, "all devices are chosen at first");
    tanaka.fill("#settle", "0")?;
    tanaka.click("main form button.main")?;
    tanaka.comes_to("/approvals/draft")?;
    house.signs_draft(tanaka, "tanaka")?;
    tanaka.says(&text(house.language, "approvals-signed-note")?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")?;
    ensure!(sato.count("main tbody tr")? >= 2, "both signatures stand in the record");
    Ok(())
}

/// The first device of the bench is updated, the second fails: the board says so while it is open.
fn canary_fails(house: &House, tanaka: &Browser) -> Result<Vec<patchward_tests::running::Running>> {
    tanaka.open(&house.page("/rollouts")?)?;
    tanaka.click("main ul.list a[href*='/rollouts/']")?;
    tanaka.wait("[data-live]")?;
    ensure!(tanaka.count("[data-live] .note.bad:not([hidden])")? == 0, "nothing has halted yet");
    let [first, second, third, _] = house.devices.as_slice() else {
        anyhow::bail!("four devices");
    };
    let mut agents = vec![first.start()?];
    runs(first, house)?;
    second.set_health(Health::Unwell)?;
    agents.extend([second.start()?, third.start()?]);
    tanaka
        .until("the wave to halt on the open board", || {
            Ok((tanaka.count("[data-live] .note.bad:not([hidden])")? > 0).then_some(()))
        })
        .with_context(|| second.story())?;
    second.noted(Transition::RolledBack, Reason::HealthFailed)?;
    third.held_for(&[Reason::WaveNotOpen, Reason::RolloutHalted])?;
    third.is_unchanged()?;
    Ok(agents)
}

fn runs(device: &Device, house: &House) -> Result<()> {
    let wanted = house.new.firmware.payload.image_sha256;
    until(&format!("{} to be updated", device.name), SLOT, || {
        Ok((device.running_image()? == wanted).then_some(()))
    })
    .with_context(|| device.story())?;
    device.updated_to(&house.new)
}

/// One button stops everything without a key; a signature lets it go on.
fn stop_and_lift(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.click("header a.stop")?;
    tanaka.fill("#reason", "Alarm")?;
    tanaka.click("main button.stop.huge")?;
    let third = house.devices.get(2).context("the third device")?;
    third.held_for(&[Reason::HeldByServer, Reason::RolloutHalted, Reason::WaveNotOpen])?;
    tanaka.open(&house.page("/holds")?)?;
    ensure!(tanaka.count("main ul.list a[href*='/act?do=lift']")? == 1, "one hold stands");
    tanaka.click("main ul.list a[href*='/act?do=lift']")?;
    tanaka.fill("#reason", "Looked at")?;
    tanaka.click("main form button.main")?;
    tanaka.wait("#sign")?;
    house.sign_in_page(tanaka, "tanaka")?;
    tanaka.until("the hold to be lifted", || Ok((tanaka.count("#sign")? == 0).then_some(())))?;
    tanaka.open(&house.page("/holds")?)?;
    tanaka.wait("main h1")?;
    ensure!(tanaka.count("main ul.list a[href*='/act?do=lift']")? == 0, "the hold still stands");
    Ok(())
}

/// The updated device is ordered back: two people say what stands in for the patch.
fn roll_back(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    let wanted = "/approvals/new?family=acme.infusion-a&version=2.4.0&kind=rollback";
    tanaka.open(&house.page(wanted)?)?;
    ensure!(tanaka.count("input[name='device']:checked")? == 1, "one device can go back");
    tanaka.fill("#settle", "0")?;
    tanaka.click("input[name='again']")?;
    tanaka.click("main form button.main")?;
    tanaka.comes_to("/approvals/draft")?;
    house.signs_draft(tanaka, "tanaka")?;
    tanaka.says(&text(house.language, "approvals-signed-note")?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")?;
    let first = house.devices.first().context("the first device")?;
    let wanted = house.old.firmware.payload.image_sha256;
    until("the first device to go back", SLOT, || {
        Ok((first.running_image()? == wanted).then_some(()))
    })
    .with_context(|| first.story())
}

/// The record is downloaded in the browser, and holds without the server.
fn export(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.open(&house.page("/records")?)?;
    tanaka.click("[href*='export'], form[action*='export'] button")?;
    let file = tanaka.saved(".zip")?;
    let said = house.hospital.desk.say(&mut house.hospital.verifying(&file))?;
    let rollbacks = said.get("rollbacks").and_then(serde_json::Value::as_u64);
    ensure!(rollbacks >= Some(1), "the record tells of the rollback: {said}");
    Ok(())
}
