//! The whole story in the browser, in Japanese and in English: published, approved with key files in the
//! page, a canary fails, the wave halts, STOP, lifted, ordered back, exported, verified offline.

use crate::house::{House, SITE, SLOT, runs, text};
use crate::{crawl, keyboard, screens};
use anyhow::{Context as _, Result, ensure};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::clock::until;
use patchward_tests::device::{Device, Health};

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
    first_pages(&house, &tanaka)?;
    approve(&house, &tanaka, &sato)?;
    let _agents = canary_fails(&house, &tanaka)?;
    stop_and_lift(&house, &tanaka)?;
    withdraw(&house, &tanaka, &sato)?;
    roll_back(&house, &tanaka, &sato)?;
    export(&house, &tanaka)?;
    let wrong = [of_the_hospital(&house, &tanaka)?, of_the_manufacturer(&house, &sato)?].concat();
    ensure!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// What somebody sees before anything is approved.
fn first_pages(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.open(&house.page("")?)?;
    tanaka.says("2.4.1").context("today tells of the release that waits")?;
    screens::take(tanaka, house.language, "today")?;
    tanaka.open(&house.page("/releases/acme.infusion-a/2.4.1")?)?;
    tanaka.says("CVE-2026-1235").context("the dossier names the hole")?;
    screens::take(tanaka, house.language, "release")
}

/// Every page that the hospital's links lead to.
fn of_the_hospital(house: &House, tanaka: &Browser) -> Result<Vec<String>> {
    let first = format!("/console/sites/{SITE}");
    let (pages, wrong) = crawl::look(tanaka, &house.base()?, &first)?;
    let names = [
        "inbox",
        "approvals",
        "calendar",
        "devices",
        "rollouts",
        "records",
        "lifecycle",
        "settings",
    ];
    for name in names {
        let path = format!("{first}/{name}");
        ensure!(
            pages.iter().any(|page| page.starts_with(&path)),
            "{path} is not reached: {pages:?}"
        );
    }
    ensure!(pages.len() > 20, "{pages:?}");
    Ok(wrong)
}

/// Every page that the manufacturer's links lead to.
fn of_the_manufacturer(house: &House, browser: &Browser) -> Result<Vec<String>> {
    browser.forget()?;
    house.joins(browser, "maker", "maker:acme:key-holder")?;
    browser.open(&format!("{}/console/makers/acme", house.base()?))?;
    browser.wait("main h1")?;
    screens::take(browser, house.language, "dashboard")?;
    let (pages, wrong) = crawl::look(browser, &house.base()?, "/console/makers/acme")?;
    ensure!(pages.len() > 8, "{pages:?}");
    Ok(wrong)
}

/// From the list of what waits to the published approval, signed by two people in their pages.
fn approve(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    if house.language == "en" {
        keyboard::approve(house, tanaka, "tanaka")?;
    } else {
        choose_and_plan(house, tanaka)?;
        house.signs_draft(tanaka, "tanaka")?;
    }
    tanaka.says(&text(house.language, "approvals-signed-note")?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")?;
    ensure!(sato.count("main tbody tr")? >= 2, "both signatures stand in the record");
    Ok(())
}

fn choose_and_plan(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.open(&house.page("/approvals")?)?;
    tanaka.submit("a[href*='/approvals/new?family=acme.infusion-a'][href*='2.4.1']")?;
    tanaka.says("2.4.1")?;
    ensure!(tanaka.count("input[name='device']:checked")? == 4, "all devices are chosen at first");
    tanaka.fill("#settle", "0")?;
    tanaka.submit("main form button.main")?;
    tanaka.comes_to("/approvals/draft")
}

/// The first device of the bench is updated, the second fails: the board says so while it is open.
fn canary_fails(house: &House, tanaka: &Browser) -> Result<Vec<patchward_tests::running::Running>> {
    tanaka.open(&house.page("/rollouts")?)?;
    tanaka.submit("main ul.list a[href*='/rollouts/']")?;
    tanaka.wait("[data-live]")?;
    ensure!(tanaka.count("[data-live] .note.bad:not([hidden])")? == 0, "nothing has halted yet");
    let [first, second, third, _] = house.devices.as_slice() else {
        anyhow::bail!("four devices");
    };
    let mut agents = vec![first.start()?];
    runs(first, &house.new)?;
    first.updated_to(&house.new)?;
    second.set_health(Health::Unwell)?;
    agents.extend([second.start()?, third.start()?]);
    tanaka
        .until("the wave to halt on the open board", || {
            Ok((tanaka.count("[data-live] .note.bad:not([hidden])")? > 0).then_some(()))
        })
        .with_context(|| second.story())?;
    second.noted(Transition::RolledBack, Reason::HealthFailed)?;
    third.held_for(&[Reason::SlotNotOpen, Reason::WaveNotOpen, Reason::RolloutHalted])?;
    third.is_unchanged()?;
    screens::take(tanaka, house.language, "board")?;
    tanaka.open(&house.page("/devices/pump-02")?)?;
    tanaka.says("pump-02")?;
    screens::take(tanaka, house.language, "device")?;
    Ok(agents)
}

/// One button stops everything without a key; a signature lets it go on.
fn stop_and_lift(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.submit("header a.stop")?;
    tanaka.fill("#reason", "Alarm")?;
    tanaka.submit("main button.stop.huge")?;
    let third = house.devices.get(2).context("the third device")?;
    let told =
        |third: &Device| Ok::<_, anyhow::Error>(third.status()?.pointer("/holds/0").is_some());
    until("the third device to hear of the STOP", SLOT, || Ok(told(third)?.then_some(())))?;
    tanaka.open(&house.page("/holds")?)?;
    ensure!(tanaka.count("main ul.list a[href*='/act?do=lift']")? == 1, "one hold stands");
    tanaka.submit("main ul.list a[href*='/act?do=lift']")?;
    tanaka.fill("#reason", "Looked at")?;
    tanaka.submit("main form button.main")?;
    tanaka.wait("#sign")?;
    house.sign_in_page(tanaka, "tanaka")?;
    tanaka.until("the hold to be lifted", || Ok((tanaka.count("#sign")? == 0).then_some(())))?;
    tanaka.open(&house.page("/holds")?)?;
    tanaka.wait("main h1")?;
    ensure!(tanaka.count("main ul.list a[href*='/act?do=lift']")? == 0, "the hold still stands");
    Ok(())
}

/// The halted approval is taken back, by two signatures like its making.
fn withdraw(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    tanaka.open(&house.page("/approvals")?)?;
    tanaka.submit("main tbody a[href*='/approvals/sheet/']")?;
    tanaka.submit("main a.danger[href*='/approvals/withdraw']")?;
    tanaka.submit("main form button.danger")?;
    tanaka.comes_to("/approvals/draft")?;
    both_sign(house, tanaka, sato)
}

fn both_sign(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    house.signs_draft(tanaka, "tanaka")?;
    tanaka.says(&text(house.language, "approvals-signed-note")?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")
}

/// The updated device is ordered back: two people say what stands in for the patch.
fn roll_back(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    let wanted = "/approvals/new?family=acme.infusion-a&version=2.4.0&kind=rollback";
    tanaka.open(&house.page(wanted)?)?;
    ensure!(tanaka.count("input[name='device']:checked")? == 1, "one device can go back");
    tanaka.fill("#settle", "0")?;
    tanaka.submit("main form button.main")?;
    tanaka.comes_to("/approvals/draft")?;
    both_sign(house, tanaka, sato)?;
    let first = house.devices.first().context("the first device")?;
    runs(first, &house.old)
}

/// The record is downloaded in the browser, and holds without the server.
fn export(house: &House, tanaka: &Browser) -> Result<()> {
    tanaka.open(&house.page("/records")?)?;
    tanaka.submit("form[action$='/records/export'] button")?;
    tanaka.click("a[href$='/records/export/file']")?;
    let file = tanaka.saved(".zip")?;
    let said = house.hospital.desk.say(&mut house.hospital.verifying(&file))?;
    let rollbacks = said.get("rollbacks").and_then(serde_json::Value::as_u64);
    ensure!(rollbacks >= Some(1), "the record tells of the rollback: {said}");
    Ok(())
}
