//! What comes out of the printer: the words are there, nothing is cut, nothing that only a screen needs.

use crate::house::{House, text};
use anyhow::{Context as _, Result, ensure};
use patchward_tests::browser::{Browser, Paper};

/// Prints the open page, which must say these words and must not have the navigation.
fn printed(browser: &Browser, name: &str, words: &[String]) -> Result<Paper> {
    let title = browser.text("main h1")?;
    let paper = browser.print(name)?;
    ensure!(!paper.sheets.is_empty(), "no sheet is printed");
    let empty = paper.sheets.iter().filter(|sheet| sheet.trim().is_empty()).count();
    ensure!(empty == 0, "{empty} of {} sheets are empty", paper.sheets.len());
    for said in words.iter().chain([&title]) {
        ensure!(paper.says(said), "“{said}” is not printed: {:?}", paper.sheets);
    }
    for id in ["frame-sign-out", "frame-skip", "frame-nav-lifecycle"] {
        let only_seen = text("en", id)?;
        ensure!(!paper.says(&only_seen), "“{only_seen}” is printed: {:?}", paper.sheets);
    }
    Ok(paper)
}

/// The approval, with its statement to the last line.
pub(crate) fn approval_sheet(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/approvals")?)?;
    browser.submit("main tbody a[href*='/approvals/sheet/']")?;
    let statement = browser.text("main pre.statement")?;
    let last = statement.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let words = ["Tanaka Yuki", "Sato Ken", "pump-04", &browser.text("dd.fingerprint")?, last];
    printed(browser, "approval", &words.map(str::to_owned)).map(|_| ())
}

/// What hangs on the ward's wall.
pub(crate) fn ward_notice(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/calendar")?)?;
    browser.submit("main ul.chips a[href*='/calendar/']")?;
    let words = ["pump-03".to_owned(), "pump-04".to_owned(), text("en", "calendar-ward-stop")?];
    let paper = printed(browser, "ward", &words)?;
    ensure!(paper.sheets.len() == 1, "a notice of {} sheets", paper.sheets.len());
    Ok(())
}

/// The record, with the last row of its table.
pub(crate) fn record(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/records")?)?;
    let first = browser.text("main tbody tr:first-child td:last-child b")?;
    let last = browser.text("main tbody tr:last-child td:nth-child(2)")?;
    printed(browser, "record", &[first, last]).map(|_| ())
}

/// The sheet of one rollback, to be signed by hand.
pub(crate) fn rollback_sheet(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/records")?)?;
    browser.submit("main tbody a[href*='/records/']")?;
    let sign = text("en", "records-sheet-sign")?;
    let device = browser.text("main dl.facts")?;
    let device = device.lines().find(|line| line.starts_with("pump-")).context("a device")?;
    printed(browser, "rollback", &[sign, device.to_owned()]).map(|_| ())
}
