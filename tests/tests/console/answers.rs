//! What passes between a hospital and its manufacturer: a question and its answer, deferring, declining,
//! a release on its way from staging to published, an emergency; by people of every role.

use crate::house::{House, in_days, runs, text};
use crate::{publishing, roles};
use anyhow::{Context as _, Result, ensure};
use patchward_tests::browser::{Browser, Scripts, Settings};
use patchward_tests::desk::Signing;
use patchward_tests::server::QUICK;

/// A server that looks every second for what needs a person.
const NOTICES: &str = "[notify]\ncheck_s = 1\n";
/// The page that plans an emergency.
const EMERGENCY: &str = "/approvals/new?family=acme.infusion-a&version=2.4.1&kind=emergency";
/// The line of a release that waits, in the list of notices.
const WAITING: &str = "main ul.list a.button[href*='/inbox/']";

#[test]
fn a_hospital_asks_defers_and_declines_and_its_manufacturer_answers_and_publishes() -> Result<()> {
    let house = House::begin_as("en", Signing::Console, &format!("{QUICK}{NOTICES}"))?;
    let bare = Browser::start(&Settings { scripts: Scripts::Off, ..Settings::desk("en") })?;
    let maker = Browser::start(&Settings::desk("en"))?;
    let tanaka = house.joins(&bare, "tanaka", "approver")?;
    house.joins(&maker, "psirt", "maker:acme:psirt")?;
    acknowledges_and_asks(&house, &bare)?;
    maker_answers(&house, &maker)?;
    defers_without_scripts(&house, &bare)?;
    publishing::from_staged_to_published(&house, &maker)?;
    let scripted = Browser::start(&Settings::desk("en"))?;
    scripted.sign_in(&house.base()?, &tanaka)?;
    reads_the_answer_and_declines(&house, &scripted)?;
    what_the_manufacturer_sees(&house, &maker)?;
    let device = house.devices.get(2).context("the third device")?;
    let _agent = device.start()?;
    emergency(&house, &scripted, device.name.as_str())?;
    roles::every_role_follows_its_links(&house, &maker)?;
    runs(device, &house.new)
}

fn the_notice(house: &House, browser: &Browser, version: &str) -> Result<()> {
    let inbox = house.page("/inbox")?;
    browser.until(&format!("the notice of {version}"), || {
        browser.open(&inbox)?;
        let there = browser.count(WAITING)? > 0 && browser.text("main")?.contains(version);
        Ok(there.then_some(()))
    })?;
    browser.submit(&format!("{WAITING}[aria-label*='{version}']"))?;
    browser.says(version)
}

fn acknowledges_and_asks(house: &House, browser: &Browser) -> Result<()> {
    the_notice(house, browser, "2.4.1")?;
    browser.fill("#a-reason", "The ME centre looks into it.")?;
    browser.submit("form:has(#a-reason) button")?;
    browser.done()?;
    the_notice(house, browser, "2.4.1")?;
    ensure!(browser.count("#a-reason")? == 0, "what is acknowledged is asked for again");
    browser.fill("#q-words", "Does the update keep the drug library?")?;
    browser.submit("form[action$='/ask'] button")?;
    browser.comes_to("/questions/")?;
    browser.says("Does the update keep the drug library?")
}

fn maker_answers(house: &House, maker: &Browser) -> Result<()> {
    let inbox = format!("{}/console/makers/acme/inbox", house.base()?);
    maker.until("the question in the manufacturer's inbox", || {
        maker.open(&inbox)?;
        Ok((maker.count("main ul.list a.button[href*='/inbox/']")? > 0).then_some(()))
    })?;
    maker.submit("main ul.list a.button[href*='/inbox/']")?;
    maker.submit("main .actions a[href*='/questions/']")?;
    maker.says("Does the update keep the drug library?")?;
    maker.fill("#words", "Yes: it lies on another partition.")?;
    maker.submit("main form button.main")?;
    maker.done()?;
    maker.says("Yes: it lies on another partition.")
}

fn defers_without_scripts(house: &House, browser: &Browser) -> Result<()> {
    the_notice(house, browser, "2.4.1")?;
    let until = in_days(14);
    let [year, month, day] = until.split('-').collect::<Vec<_>>()[..] else {
        anyhow::bail!("{until}");
    };
    // As people write a day in English: month, day, year.
    browser.fill("#d-until", &format!("{month}{day}{year}"))?;
    browser.fill("#d-control", "The pumps stay off the network.")?;
    browser.fill("#d-reason", "The ward is full.")?;
    browser.submit("form:has(#d-until) button")?;
    browser.done()
}

fn reads_the_answer_and_declines(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/questions")?)?;
    browser.submit("main ul.list a[href*='/questions/']")?;
    browser.says("Yes: it lies on another partition.")?;
    the_notice(house, browser, "2.4.2")?;
    browser.fill("#n-reason", "We do not use this function.")?;
    browser.submit("form:has(#n-reason) button")?;
    browser.done()?;
    browser.open(&house.page("/records")?)?;
    browser.says("We do not use this function.")
}

fn what_the_manufacturer_sees(house: &House, maker: &Browser) -> Result<()> {
    let release = format!("{}/console/makers/acme/families/acme.infusion-a", house.base()?);
    maker.open(&release)?;
    maker.submit("main tbody tr:first-child th a")?;
    maker.says("2.4.2")?;
    let declined = text("en", "releases-declined")?;
    let tiles = maker.text("main ul.tiles")?;
    let lines: Vec<&str> = tiles.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.contains(&declined)).unwrap_or_default();
    let before = lines.get(at.saturating_sub(1)).copied().unwrap_or_default();
    let said = lines.get(at).copied().unwrap_or_default();
    ensure!(said.starts_with('1') || before == "1", "one hospital declined: {tiles}");
    Ok(())
}

/// What was put off cannot wait any longer: two keys of the console are not enough, one that no page ever
/// held is; the device is updated while people look around.
fn emergency(house: &House, tanaka: &Browser, device: &str) -> Result<()> {
    tanaka.open(&house.page(EMERGENCY)?)?;
    for other in ["pump-01", "pump-02", "pump-03", "pump-04"].iter().filter(|it| **it != device) {
        tanaka.click(&format!("input[name='device'][value='{other}']:checked"))?;
    }
    ensure!(tanaka.count("input[name='device']:checked")? == 1, "one device is chosen");
    tanaka.click("input[name='any_hours']")?;
    tanaka.fill("#settle", "0")?;
    tanaka.submit("main form button.main")?;
    tanaka.comes_to("/approvals/draft")?;
    house.signs_draft(tanaka, "tanaka")?;
    let sato = Browser::start(&Settings::desk("en"))?;
    house.joins(&sato, "sato", "approver")?;
    house.signs_draft(&sato, "sato")?;
    sato.comes_to("/approvals/draft/sign")?;
    sato.says("EMERGENCY")?;
    house.signs_elsewhere(&sato, "suzuki")?;
    sato.comes_to("/approvals/done/")?;
    let acts = sato.text("main table")?;
    let way = text("en", "approvals-way-offline")?;
    ensure!(acts.contains(&way), "the record does not say whose key was kept away: {acts}");
    Ok(())
}
