//! One's own account: the warning before a session ends, another password, another telephone, new
//! recovery codes.

use crate::entering::{House, SIGNED_IN};
use crate::house::text;
use anyhow::{Result, ensure};
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::person::Person;
use serde_json::json;

/// The page's clock goes ahead by this much: a session lasts half an hour, the warning comes two minutes
/// before its end.
const AHEAD_MS: i64 = (28 * 60 + 10) * 1000;

#[test]
fn somebody_is_warned_before_the_session_ends_and_changes_password_and_telephone() -> Result<()> {
    let house = House::begin()?;
    let browser = Browser::start(&Settings::desk("ja"))?;
    let person = house.operator(&browser)?;
    warned(&house, &browser)?;
    let person = other_password(&house, &browser, &person)?;
    let person = other_telephone(&house, &browser, person)?;
    let codes = new_codes(&house, &browser, &person)?;
    browser.sign_out()?;
    // A recovery code stands in for the telephone, once.
    for used in [false, true] {
        browser.open(&format!("{}/console/login", house.base))?;
        browser.fill("#login", &person.login)?;
        browser.fill("#password", &person.password)?;
        browser.submit("form[action='/console/login'] button.main")?;
        browser.fill("#code", &codes)?;
        browser.submit("main form button.main")?;
        if used {
            browser.wait(".note.bad[role='alert']")?;
            ensure!(browser.count(SIGNED_IN)? == 0, "a recovery code counts twice");
        } else {
            browser.wait(SIGNED_IN)?;
            browser.sign_out()?;
        }
    }
    Ok(())
}

/// The warning is not there at first, and there when the session is about to end.
fn warned(house: &House, browser: &Browser) -> Result<()> {
    let page = format!("{}/console/account", house.base);
    browser.open(&page)?;
    let words = text("ja", "frame-idle-soon")?;
    ensure!(!browser.text("#live")?.contains(&words), "warned at once");
    let ahead = format!("const now = Date.now.bind(Date); Date.now = () => now() + {AHEAD_MS};");
    let added =
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": ahead }));
    let id = added?.get("identifier").cloned().unwrap_or_default();
    browser.open(&page)?;
    browser.says(&words)?;
    let away = json!({ "identifier": id });
    browser.devtools("Page.removeScriptToEvaluateOnNewDocument", &away)?;
    // Looking at any page is enough to stay.
    browser.open(&page)?;
    browser.wait(SIGNED_IN)?;
    ensure!(!browser.text("#live")?.contains(&words), "warned again at once");
    Ok(())
}

fn other_password(house: &House, browser: &Browser, person: &Person) -> Result<Person> {
    let form = "form[action='/console/account/password']";
    let page = format!("{}/console/account", house.base);
    let changed = person.with_password("quite another long password 2026");
    for (old, good) in [("not the right one", false), (person.password.as_str(), true)] {
        browser.open(&page)?;
        browser.fill("#old", old)?;
        browser.fill("#new", &changed.password)?;
        browser.submit(&format!("{form} button"))?;
        ensure!((browser.count("#live .note.good")? > 0) == good, "the old password: {old}");
    }
    // Whoever only knows the old one stays outside.
    let stranger = Browser::start(&Settings::desk("ja"))?;
    stranger.open(&format!("{}/console/login", house.base))?;
    stranger.fill("#login", &person.login)?;
    stranger.fill("#password", &person.password)?;
    stranger.submit("form[action='/console/login'] button.main")?;
    stranger.wait(".note.bad[role='alert']")?;
    Ok(changed)
}

/// A new secret is shown and confirmed; the old telephone's codes count no more.
fn other_telephone(house: &House, browser: &Browser, person: Person) -> Result<Person> {
    browser.open(&format!("{}/console/account", house.base))?;
    browser.fill("#second-password", &person.password)?;
    browser.submit("form[action='/console/account/second/begin'] button")?;
    browser.wait("svg.qr")?;
    let other = person.with_password(&person.password);
    other.scan(&browser.text("main code.mono")?);
    browser.fill("#code", &person.code()?)?;
    browser.submit("main form button.main")?;
    browser.wait(".note.bad[role='alert']")?;
    browser.fill("#code", &other.code()?)?;
    browser.submit("main form button.main")?;
    browser.wait("ol.codes")?;
    browser.submit("main a.button.main")?;
    browser.wait(SIGNED_IN)?;
    Ok(other)
}

fn new_codes(house: &House, browser: &Browser, person: &Person) -> Result<String> {
    browser.open(&format!("{}/console/account", house.base))?;
    browser.fill("#codes-password", &person.password)?;
    browser.submit("form[action='/console/account/codes'] button")?;
    browser.wait("ol.codes")?;
    ensure!(browser.count("ol.codes li")? == 10, "ten codes");
    browser.text("ol.codes li:first-child code")
}
