//! Every page with every sample in both languages, as the server's own test wrote them: judged by axe,
//! narrow, and with targets that fingers hit.

use anyhow::{Context as _, Result, ensure};
use patchward_tests::bin::setting;
use patchward_tests::browser::{Axe, Browser, Settings, Shade};
use std::path::PathBuf;

/// Narrowest screen that a page must fit (WCAG 2.2, 1.4.10).
const NARROW: u32 = 320;

/// The pages whose names end so.
fn pages(ending: &str) -> Result<Vec<PathBuf>> {
    let hint = "PATCHWARD_PAGES does not say where the samples are: run cargo xtask browser";
    let folder = setting("PATCHWARD_PAGES").context(hint)?;
    let found = std::fs::read_dir(&folder).with_context(|| format!("read {folder}"))?;
    let mut pages = Vec::new();
    for entry in found {
        let path = entry?.path();
        let name = path.to_string_lossy();
        let languages = [".en.html", ".ja.html"];
        let named = !name.ends_with(".html") || languages.iter().any(|it| name.ends_with(it));
        ensure!(named, "{name} does not say its language: nobody would judge it");
        if name.ends_with(ending) {
            pages.push(path.canonicalize()?);
        }
    }
    pages.sort();
    ensure!(pages.len() > 2, "{folder} has no samples …{ending}: {hint}");
    Ok(pages)
}

/// Asks every page something; gives all that is wrong, by page.
fn on_every_page(
    browser: &Browser,
    ending: &str,
    ask: impl Fn(&Browser) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for page in pages(ending)? {
        browser.open(&format!("file://{}", page.display()))?;
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        wrong.extend(ask(browser)?.into_iter().map(|what| format!("{name}: {what}")));
    }
    Ok(wrong)
}

fn nothing(wrong: &[String]) -> Result<()> {
    ensure!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn axe_finds_nothing_on_any_english_sample_light_or_dark() -> Result<()> {
    axe_finds_nothing("en")
}

#[test]
fn axe_finds_nothing_on_any_japanese_sample_light_or_dark() -> Result<()> {
    axe_finds_nothing("ja")
}

fn axe_finds_nothing(language: &'static str) -> Result<()> {
    let (axe, browser) = (Axe::find()?, Browser::start(&Settings::desk(language))?);
    let wrong = on_every_page(&browser, &format!(".{language}.html"), |browser| {
        browser.shade(Shade::Light)?;
        let light = axe.judge(browser)?;
        browser.shade(Shade::Dark)?;
        let dark = axe.judge_contrast(browser)?;
        let dark = dark.iter().map(|found| format!("in the dark: {found}"));
        Ok(light.iter().map(ToString::to_string).chain(dark).collect())
    })?;
    nothing(&wrong)
}

#[test]
fn no_sample_is_wider_than_a_telephone_and_every_target_is_hit() -> Result<()> {
    let narrow = Settings { width: NARROW, height: 800, ..Settings::desk("ja") };
    let browser = Browser::start(&narrow)?;
    let wrong = on_every_page(&browser, ".html", |browser| {
        let wide = browser.overflow()?.into_iter();
        let wide = wide.map(|it| format!("wider than {NARROW}: {} ends at {}", it.what, it.right));
        let small = browser.small_targets()?.into_iter();
        let small = small.map(|it| format!("{} x {} is small: {}", it.width, it.height, it.what));
        Ok(wide.chain(small).collect())
    })?;
    nothing(&wrong)
}
