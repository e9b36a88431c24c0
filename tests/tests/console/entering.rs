//! Coming in: by a one-time link, by password and code, by passkey; and going.

use anyhow::{Context as _, Result, ensure};
use patchward_tests::bin::Programs;
use patchward_tests::browser::{Browser, Scripts, Settings};
use patchward_tests::image::put;
use patchward_tests::person::{Person, Role, invited};
use patchward_tests::server::{QUICK, Server};
use std::net::TcpListener;
use tempfile::TempDir;

/// A server that browsers reach as `localhost`: passkeys are bound to a name.
pub(crate) struct House {
    server: Server,
    pub(crate) base: String,
    _folder: TempDir,
}

impl House {
    pub(crate) fn begin() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let programs = Programs::for_tests()?;
        let mut server = Server::begin(programs, &folder.path().join("server"), QUICK)?;
        server.stop()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let base = format!("http://localhost:{port}");
        let config = format!("public_url = \"{base}\"\n{QUICK}");
        put(&server.config_file(), config.as_bytes())?;
        server.start_on(&format!("127.0.0.1:{port}"))?;
        Ok(Self { server, base, _folder: folder })
    }

    /// Somebody who has followed the link of the server's operator.
    pub(crate) fn operator(&self, browser: &Browser) -> Result<Person> {
        let role = Role {
            role: "server:operator",
            person: None,
            name: "佐藤 健",
            title: "システム管理者",
            language: "ja",
        };
        let person = Person::new("sato");
        browser.join(&self.base, &invited(&self.server, &role)?, &person)?;
        browser.open(&format!("{}/console/account", self.base))?;
        Ok(person)
    }
}

/// The page of the person's own, in Japanese.
pub(crate) const SIGNED_IN: &str = "header form[action='/console/logout']";

#[test]
fn a_link_makes_an_account_once_and_then_password_and_code_open_it() -> Result<()> {
    let house = House::begin()?;
    let browser = Browser::start(&Settings::desk("ja"))?;
    let person = house.operator(&browser)?;
    browser.wait(SIGNED_IN)?;
    for cookie in browser.cookies()? {
        let flag = |name: &str| cookie.get(name).cloned().unwrap_or_default();
        ensure!(flag("httpOnly") == true, "a script reads {cookie}");
        ensure!(flag("sameSite") == "Lax" || flag("sameSite") == "Strict", "{cookie}");
    }
    browser.sign_out()?;
    browser.open(&format!("{}/console/account", house.base))?;
    browser.comes_to("/console/login")?;
    browser.sign_in(&house.base, &person)?;
    // A code counts once: the same person at another desk needs the next one.
    let elsewhere = Browser::start(&Settings::desk("en"))?;
    elsewhere.sign_in(&house.base, &person)?;
    // A wrong password says so, in words, and gives nothing away.
    let stranger = Browser::start(&Settings::desk("ja"))?;
    stranger.open(&format!("{}/console/login", house.base))?;
    stranger.fill("#login", &person.login)?;
    stranger.fill("#password", "not the right one")?;
    stranger.submit("form[action='/console/login'] button.main")?;
    stranger.wait(".note.bad[role='alert']")?;
    ensure!(stranger.count(SIGNED_IN)? == 0, "a wrong password opens the console");
    ensure!(
        stranger.attribute("#password", "value")?.unwrap_or_default().is_empty(),
        "the page gives a password back"
    );
    Ok(())
}

#[test]
fn a_passkey_opens_the_console_without_a_password_and_not_for_somebody_else() -> Result<()> {
    let house = House::begin()?;
    let browser = Browser::start(&Settings::desk("ja"))?;
    let authenticator = browser.plug_in()?;
    let person = house.operator(&browser)?;
    browser.open(&format!("{}/console/account", house.base))?;
    let form = "form[data-passkey='create']";
    browser.fill("#label", "受付のパソコン")?;
    browser.fill("#passkey-password", &person.password)?;
    browser.submit(&format!("{form} button"))?;
    browser.says("受付のパソコン")?;
    ensure!(authenticator.credentials()?.len() == 1, "the authenticator keeps one passkey");
    browser.sign_out()?;
    browser.click("form[data-passkey='get'] button")?;
    browser.wait(SIGNED_IN)?;
    browser.sign_out()?;
    authenticator.somebody_else()?;
    browser.click("form[data-passkey='get'] button")?;
    browser.wait("form[data-passkey='get'] .wrong:not([hidden])")?;
    ensure!(browser.count(SIGNED_IN)? == 0, "an unverified person comes in by a passkey");
    Ok(())
}

#[test]
fn whoever_has_no_scripts_signs_in_and_out_all_the_same() -> Result<()> {
    let house = House::begin()?;
    let settings = Settings { scripts: Scripts::Off, ..Settings::desk("en") };
    let browser = Browser::start(&settings)?;
    let person = house.operator(&browser)?;
    browser.wait(SIGNED_IN)?;
    browser.sign_out()?;
    browser.sign_in(&house.base, &person)
}

#[test]
fn a_session_that_is_ended_elsewhere_is_ended_here() -> Result<()> {
    let house = House::begin()?;
    let here = Browser::start(&Settings::desk("ja"))?;
    let person = house.operator(&here)?;
    let there = Browser::start(&Settings::desk("en"))?;
    there.sign_in(&house.base, &person)?;
    there.open(&format!("{}/console/account", house.base))?;
    // The row of the other browser, not of this one.
    let other = "tr:not(:has(.badge.info)) form[action='/console/account/sessions/end'] button";
    there.submit(other)?;
    here.open(&format!("{}/console/account", house.base))?;
    here.comes_to("/console/login").context("the first session has ended")?;
    there.open(&format!("{}/console/account", house.base))?;
    there.wait(SIGNED_IN)
}
