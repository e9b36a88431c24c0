//! Without scripts everything works but signing: STOP, answers to notices, forms.

use crate::house::{House, SITE};
use anyhow::{Result, ensure};
use patchward_tests::browser::{Browser, Scripts, Settings};

/// A ward nurse with a browser that runs no scripts stops the ward, and reads what waits.
#[test]
fn a_nurse_without_scripts_stops_everything_and_reads_every_main_page() -> Result<()> {
    let house = House::begin("ja")?;
    let browser = Browser::start(&Settings { scripts: Scripts::Off, ..Settings::desk("ja") })?;
    house.joins(&browser, "suzuki", "ward")?;
    browser.comes_to(&format!("/console/sites/{SITE}"))?;
    browser.submit("header a.stop")?;
    browser.fill("#reason", "輸液ポンプの警報")?;
    browser.submit("main button.stop.huge")?;
    browser.comes_to("/holds")?;
    browser.says("輸液ポンプの警報")?;
    // Whoever stops needs no key; whoever lets it go on does.
    ensure!(browser.count("main a[href*='/act?do=lift']")? == 0, "a nurse is offered to lift it");
    for rest in ["", "/inbox", "/approvals", "/devices", "/rollouts", "/records"] {
        browser.open(&house.page(rest)?)?;
        ensure!(browser.count("main h1")? == 1, "{rest} has no heading");
    }
    // The same form in the other language.
    browser.open(&house.page("/stop?lang=en")?)?;
    browser.wait("html[lang='en']")
}
