//! A release on its way through several hands in the browser: brought, signed elsewhere, brought again,
//! its files uploaded, published by another person.

use crate::house::{House, text};
use anyhow::{Result, ensure};
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::image::Recipe;
use std::path::Path;

/// The form that takes a staged file.
const BRING: &str = "form[enctype='multipart/form-data']";
/// The button that publishes.
const PUBLISH: &str = "form[action*='/publish/'] button.main";

/// Brings 2.4.2; who prepares it never publishes it.
pub(crate) fn from_staged_to_published(house: &House, preparer: &Browser) -> Result<()> {
    let maker = &house.world.maker;
    let recipe = Recipe::small(&maker.family, Kind::Tree, "2.4.2", 3);
    let draft = maker.prepare(&recipe)?;
    let [tanaka, sato, _] = maker.keys.targets.as_slice() else { anyhow::bail!("three keys") };
    preparer.open(&format!("{}/console/makers/acme/releases", house.base()?))?;
    bring(preparer, &draft.staged)?;
    signed_and_missing(preparer, 0, &["tanaka", "sato", "suzuki"])?;
    // What the next signer downloads is what was brought.
    preparer.click("main a[download][href$='/file']")?;
    let saved = std::fs::read(preparer.saved(".stage.json")?)?;
    ensure!(saved == std::fs::read(&draft.staged)?, "another file comes down than went up");
    maker.desk.sign(&draft.staged, tanaka, draft.version, &[])?;
    bring(preparer, &draft.staged)?;
    signed_and_missing(preparer, 1, &["sato", "suzuki"])?;
    let holder = Browser::start(&Settings::desk("en"))?;
    house.joins(&holder, "holder", "maker:acme:key-holder")?;
    let page = preparer.url()?;
    maker.desk.sign(&draft.staged, sato, draft.version, &[])?;
    holder.open(page.split('?').next().unwrap_or_default())?;
    bring(&holder, &draft.staged)?;
    holder.says(&text("en", "staged-not-complete")?)?;
    ensure!(holder.count(PUBLISH)? == 0, "published without its files");
    maker.desk.say(maker.desk.command(["stage", "upload"]).arg(&draft.staged))?;
    preparer.open(page.split('?').next().unwrap_or_default())?;
    preparer.wait("main h1")?;
    ensure!(preparer.count(PUBLISH)? == 0, "who prepares a release publishes it");
    holder.reload()?;
    holder.submit(PUBLISH)?;
    holder.done()?;
    holder.says("2.4.2")
}

fn bring(browser: &Browser, file: &Path) -> Result<()> {
    browser.give("#file", file)?;
    browser.submit(&format!("{BRING} button"))?;
    browser.done()
}

fn signed_and_missing(browser: &Browser, signed: usize, missing: &[&str]) -> Result<()> {
    browser.until(&format!("{signed} signatures on the page"), || {
        Ok((browser.count("main .beside section ul .badge.good")? == signed).then_some(()))
    })?;
    let absent = "main .beside section ul .badge:not(.good)";
    ensure!(browser.count(absent)? == missing.len(), "{}", browser.text("main .beside")?);
    let said = browser.text("main .beside")?;
    ensure!(missing.iter().all(|name| said.contains(name)), "{missing:?} are missing: {said}");
    ensure!(browser.count(PUBLISH)? == 0, "published with {signed} signatures");
    Ok(())
}
