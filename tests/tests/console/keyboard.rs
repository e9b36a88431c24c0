//! The approve flow with the keyboard alone: every stop shows, nothing hides it, nothing needs a mouse.

use crate::house::House;
use anyhow::{Result, ensure};
use patchward_tests::browser::{Browser, Key};

/// Chooses, plans, reviews, says why and signs; a dialog of the system gives the key file.
pub(crate) fn approve(house: &House, browser: &Browser, person: &str) -> Result<()> {
    browser.open(&house.page("/approvals")?)?;
    go(browser, "a[href*='/approvals/new?family=acme.infusion-a'][href*='2.4.1']", Key::Enter)?;
    browser.wait("#settle")?;
    browser.tab_to("#settle")?;
    browser.run("document.activeElement.select()", &[])?;
    browser.strike("0")?;
    // A space chooses, and another takes it back.
    browser.tab_to("input[name='again']")?;
    browser.press(&[Key::Space, Key::Space])?;
    go(browser, "main form button.main", Key::Enter)?;
    browser.comes_to("/approvals/draft")?;
    browser.wait("a[href$='/draft/sign']")?;
    go(browser, "a[href$='/draft/sign']", Key::Enter)?;
    browser.wait("#reason")?;
    browser.tab_to("#reason")?;
    browser.strike("Closes a hole.")?;
    go(browser, "form[action$='/draft/reason'] button.main", Key::Space)?;
    browser.wait("#sign")?;
    let key = house.key(person)?;
    let passphrase = std::fs::read_to_string(&key.passphrase)?;
    browser.tab_to("#key-file")?;
    browser.give("#key-file", &key.key)?;
    browser.tab_to("#passphrase")?;
    browser.strike(passphrase.trim_end())?;
    let stops = browser.tab_to("#sign button.main")?;
    ensure!(stops.len() < 20, "the way to the button is long: {}", stops.len());
    browser.press(&[Key::Enter])
}

fn go(browser: &Browser, css: &str, key: Key) -> Result<()> {
    browser.tab_to(css)?;
    browser.press(&[key])
}
