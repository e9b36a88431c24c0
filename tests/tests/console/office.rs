//! The office of a hospital: its administrator sets up wards, windows, freezes, signers, rules, tables and
//! channels, lets devices in, and keeps what was done by hand.

use crate::house::{House, SITE, in_days, text};
use anyhow::{Context as _, Result, ensure};
use patchward_protocol::pack::EnrolmentPack;
use patchward_tests::bin::Programs;
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::desk::Signing;
use patchward_tests::device::Device;
use patchward_tests::image::put;
use patchward_tests::letterbox::Letterbox;
use patchward_tests::server::QUICK;
use serde_json::Value;

/// A server that sends webhooks to this machine, for there is no other here.
const NOTICES: &str = "[notify]\ncheck_s = 1\nprivate_webhooks = true\n";
/// The button of a form.
const SAVE: &str = "main form button.main";
/// A table with a kind that cannot be, a ward that is not there, and a second device of one name.
const BAD: &str = "\u{feff}\
id,ward,kind,pair,usage,attended,udi,serial_number
pump-01,,infusion-pump,,bench,unattended,,SN-0001
pump-02,nowhere,infusion-pump,,bench,unattended,,SN-0002
pump-03,5-east,infusion-pump,,in-service,sometimes,,SN-0003
";
/// A table as it should be, with one device that is cared for by hand.
const GOOD: &str = "\u{feff}\
id,ward,kind,pair,usage,attended,udi,serial_number
pump-01,,infusion-pump,,bench,unattended,,SN-0001
pump-02,,infusion-pump,,bench,unattended,,SN-0002
pump-03,5-east,infusion-pump,,in-service,unattended,,SN-0003
pump-04,5-east,infusion-pump,,in-service,unattended,,SN-0004
pump-06,6-west,infusion-pump,,in-service,unattended,,SN-0006
";

#[test]
fn an_administrator_sets_the_hospital_up_and_lets_devices_in() -> Result<()> {
    let house = House::begin_as("ja", Signing::Console, &format!("{QUICK}{NOTICES}"))?;
    let browser = Browser::start(&Settings::desk("ja"))?;
    house.joins(&browser, "mori", "admin")?;
    ward(&house, &browser)?;
    window_freeze_and_signer(&house, &browser)?;
    rules(&house, &browser)?;
    tables(&house, &browser)?;
    channel_is_proven(&house, &browser)?;
    device_joins(&house, &browser)?;
    by_hand(&house, &browser)?;
    feed(&house, &browser)?;
    colleague(&house, &browser)
}

/// Opens a form, fills it and saves it.
fn save(house: &House, browser: &Browser, form: &str, fields: &[(&str, &str)]) -> Result<()> {
    browser.open(&house.page(&format!("/settings/{form}"))?)?;
    for (name, value) in fields {
        browser.fill(&format!("#{name}"), value)?;
    }
    browser.submit(SAVE)
}

fn ward(house: &House, browser: &Browser) -> Result<()> {
    let fields = [
        ("id", "6-west"),
        ("name_en", "Sixth floor west"),
        ("name_ja", "6階西病棟"),
        ("min_in_service", "infusion-pump"),
        ("max_parallel", "2"),
    ];
    browser.open(&house.page("/settings/wards")?)?;
    browser.submit("main .actions a.main")?;
    save(house, browser, "ward", &fields)?;
    // What was wrong stands beside its field, and what was right stays.
    browser.wait("#min_in_service-wrong .wrong")?;
    let kept = browser.attribute("#name_ja", "value")?;
    ensure!(kept.as_deref() == Some("6階西病棟"), "the name is lost: {kept:?}");
    browser.fill("#min_in_service", "infusion-pump=1")?;
    browser.submit(SAVE)?;
    browser.done()?;
    browser.says("6階西病棟")
}

fn window_freeze_and_signer(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/settings/window")?)?;
    browser.choose("#kind", "daily")?;
    let first = in_days(1);
    let window = [
        ("id", "night"),
        ("name_en", "Night"),
        ("name_ja", "夜間"),
        ("start", "02:00"),
        ("minutes", "120"),
        ("every", "2"),
        ("first", &first),
    ];
    for (name, value) in window {
        browser.fill(&format!("#{name}"), value)?;
    }
    browser.submit(SAVE)?;
    browser.done()?;
    browser.says("夜間")?;
    browser.open(&house.page("/settings/freeze")?)?;
    browser.fill("#id", "new-year")?;
    browser.fill("#why", "年末年始")?;
    browser.set("#from", &format!("{}T00:00", in_days(40)))?;
    browser.set("#to", &format!("{}T08:30", in_days(46)))?;
    browser.choose("#hardness", "hard")?;
    browser.submit(SAVE)?;
    browser.done()?;
    browser.says("年末年始")?;
    let signer = [("person", "suzuki"), ("name", "鈴木 一郎"), ("role", "臨床工学技士")];
    save(house, browser, "signer", &signer)?;
    browser.done()?;
    browser.says("鈴木 一郎")
}

fn rules(house: &House, browser: &Browser) -> Result<()> {
    save(house, browser, "rules", &[("tz", "Mars/Olympus")])?;
    browser.wait("#tz-wrong .wrong")?;
    save(house, browser, "rules", &[("max_parallel", "3")])?;
    browser.done()?;
    browser.open(&house.page("/settings/rules")?)?;
    let kept = browser.attribute("#max_parallel", "value")?;
    ensure!(kept.as_deref() == Some("3"), "the rule is not kept: {kept:?}");
    // Somebody else saves meanwhile: nothing is overwritten unseen.
    house.hospital.inventory(&["set", "--reserve-s", "2"])?;
    browser.fill("#max_parallel", "4")?;
    browser.submit(SAVE)?;
    browser.says(&text("ja", "settings-conflict")?)
}

fn tables(house: &House, browser: &Browser) -> Result<()> {
    let file = house.world.place("devices.csv");
    put(&file, BAD.as_bytes())?;
    browser.open(&house.page("/settings/tables")?)?;
    browser.give("#table", &file)?;
    browser.submit(SAVE)?;
    browser.wait("main table tbody tr")?;
    let said = browser.text("main table")?;
    ensure!(said.contains("attended") && said.contains("sometimes"), "{said}");
    put(&file, GOOD.as_bytes())?;
    browser.open(&house.page("/settings/tables")?)?;
    browser.give("#table", &file)?;
    browser.submit(SAVE)?;
    browser.done()
}

/// A code leaves through the channel; whoever types it has received it.
fn channel_is_proven(house: &House, browser: &Browser) -> Result<()> {
    let letterbox = Letterbox::open()?;
    browser.open(&house.page("/settings/notifications")?)?;
    browser.choose("#kind", "webhook")?;
    browser.choose("#whose", "place")?;
    browser.fill("#address", "http://elsewhere.example/")?;
    browser.submit("main form:not([action*='remove']) button.main")?;
    ensure!(browser.count("#live .note.good")? == 0, "a channel without TLS leads elsewhere");
    browser.open(&house.page("/settings/notifications")?)?;
    browser.choose("#kind", "webhook")?;
    browser.choose("#whose", "place")?;
    browser.fill("#address", &letterbox.url())?;
    browser.submit("main form:not([action*='remove']) button.main")?;
    browser.done()?;
    browser.open(&house.page("/readiness")?)?;
    browser.submit("form[action$='/readiness/drill'] button")?;
    browser.done()?;
    let code = letterbox.letter("the code of the drill", |letter| {
        let drill = letter.get("type").and_then(Value::as_str) == Some("drill");
        letter.get("code").filter(|_| drill).and_then(Value::as_str).map(str::to_owned)
    })?;
    browser.fill("#code", "AAAAAAAA")?;
    browser.submit("form[action$='/readiness/confirm'] button")?;
    ensure!(browser.count("#live .note.good")? == 0, "any code proves a channel");
    browser.open(&house.page("/readiness")?)?;
    browser.fill("#code", &code)?;
    browser.submit("form[action$='/readiness/confirm'] button")?;
    browser.done()?;
    browser.says(&text("ja", "readiness-arrived")?)
}

/// A pack is downloaded, a new device enrols with it, and stands in the list.
fn device_joins(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/devices")?)?;
    browser.submit("main a[href$='/enrol']")?;
    browser.click("input[name='families'][value='acme.infusion-a']")?;
    browser.fill("#device", "pump-06")?;
    browser.click("button[name='as'][value='file']")?;
    let bytes = std::fs::read(browser.saved(".pack.json")?)?;
    let pack = EnrolmentPack::read(&bytes).context("the pack reads")?;
    let root = std::fs::read(&house.world.maker.root)?;
    let folder = house.world.place("pump-06");
    let programs = Programs::for_tests()?;
    let device = Device::from_factory(programs, &folder, "pump-06", &house.old, &root)?;
    device.enrol(&pack)?;
    browser.open(&house.page("/devices/pump-06")?)?;
    browser.says("SN-0006")
}

/// A device without an agent: what was done by hand is written down, with the version it then has.
fn by_hand(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/enrol")?)?;
    browser.fill("#id", "pump-99")?;
    browser.submit("form[action$='/enrol/add'] button.main")?;
    browser.comes_to("/devices/pump-99")?;
    browser.submit("main a[href$='/by-hand']")?;
    browser.fill("#to_version", "2.4.1")?;
    browser.set("#performed", "2999-01-01T00:00")?;
    browser.fill("#verified", "自己診断で表示を確認")?;
    browser.submit(SAVE)?;
    browser.wait("#performed-wrong")?;
    let kept = browser.text("#verified")?;
    ensure!(browser.attribute("#to_version", "value")?.as_deref() == Some("2.4.1"), "{kept}");
    browser.open(&house.page("/devices/pump-99/by-hand")?)?;
    browser.fill("#to_version", "2.4.1")?;
    browser.fill("#verified", "自己診断で表示を確認")?;
    browser.submit(SAVE)?;
    browser.done()?;
    browser.says("自己診断で表示を確認")?;
    browser.open(&house.page("/devices")?)?;
    browser.click("main a[href*='devices.csv']")?;
    let table = std::fs::read_to_string(browser.saved(".csv")?)?;
    let line = table.lines().find(|line| line.starts_with("\"pump-99\""));
    ensure!(line.is_some_and(|line| line.contains("2.4.1")), "{table}");
    Ok(())
}

/// Whoever has the link reads the calendar, until it is ended.
fn feed(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/calendar")?)?;
    browser.submit("form[action$='/calendar/feed'] button")?;
    let address = browser.text("main .note.good p.mono")?;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut got = agent.get(address.trim()).call()?;
    let calendar = got.body_mut().read_to_string()?;
    ensure!(got.status() == 200 && calendar.starts_with("BEGIN:VCALENDAR"), "{calendar}");
    browser.submit("form[action$='/calendar/feed/end'] button")?;
    browser.wait("form[action$='/calendar/feed'] button")?;
    let gone = agent.get(address.trim()).call()?.status();
    ensure!(gone == 404, "an ended link is answered with {gone}");
    Ok(())
}

/// Somebody is invited in the page, joins by the link, and reads the record.
fn colleague(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/settings/people")?)?;
    browser.fill("#name", "高橋 誠")?;
    browser.fill("#title", "監査室")?;
    browser.click("input[name='role'][value='auditor']")?;
    browser.submit(SAVE)?;
    let link = browser.attribute("#link", "value")?.unwrap_or_default();
    let link = if link.is_empty() { browser.text("#link")? } else { link };
    let at = link.find("/console/claim/").with_context(|| format!("no link: {link}"))?;
    let auditor = Browser::start(&Settings::desk("ja"))?;
    let person = patchward_tests::person::Person::new("takahashi");
    auditor.join(&house.base()?, link.get(at..).unwrap_or_default().trim(), &person)?;
    auditor.comes_to(&format!("/console/sites/{SITE}/records"))
}
