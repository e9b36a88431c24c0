//! Pictures of the main pages for the guide, taken while the story is told.

use anyhow::Result;
use patchward_tests::browser::{Browser, screens};
use patchward_tests::image::put;

/// Takes one.
pub(crate) fn take(browser: &Browser, language: &str, name: &str) -> Result<()> {
    let folder = screens()?.join(language);
    std::fs::create_dir_all(&folder)?;
    browser.run("window.scrollTo(0, 0)", &[])?;
    put(&folder.join(format!("{name}.png")), &browser.picture()?)
}
