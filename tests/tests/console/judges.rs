//! The judges themselves: what is wrong on a page of our own making is found, or nothing they say counts.

use anyhow::{Result, ensure};
use patchward_tests::browser::{Axe, Browser, Scripts, Settings};

/// A page of these words of markup.
fn page(body: &str) -> String {
    let head = "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>A page</title>";
    let page = format!("{head}<main><h1>A page</h1>{body}</main>");
    let escaped = page.bytes().map(|byte| format!("%{byte:02x}"));
    format!("data:text/html;charset=utf-8,{}", escaped.collect::<String>())
}

#[test]
fn axe_finds_a_label_that_is_missing_and_words_that_are_too_pale() -> Result<()> {
    let (axe, browser) = (Axe::find()?, Browser::start(&Settings::desk("en"))?);
    browser.open(&page("<p>All is well.</p>"))?;
    let none = axe.judge(&browser)?;
    ensure!(none.is_empty(), "{none:?}");
    browser.open(&page("<input><p style='color:#bbb'>Pale</p>"))?;
    let rules: Vec<String> = axe.judge(&browser)?.into_iter().map(|found| found.rule).collect();
    ensure!(rules.iter().any(|rule| rule == "label"), "{rules:?}");
    ensure!(rules.iter().any(|rule| rule == "color-contrast"), "{rules:?}");
    Ok(())
}

#[test]
fn a_wide_page_a_small_target_and_a_focus_that_does_not_show_are_found() -> Result<()> {
    let narrow = Settings { width: 320, height: 800, ..Settings::desk("en") };
    let browser = Browser::start(&narrow)?;
    let wide = "<div style='width:600px;background:#eee'>wide</div>";
    browser.open(&page(wide))?;
    ensure!(!browser.overflow()?.is_empty(), "a wide page is not found");
    browser.open(&page(&format!("<div style='overflow-x:auto'>{wide}</div>")))?;
    ensure!(browser.overflow()?.is_empty(), "what scrolls by itself is found");
    let small = "<style>button{width:14px;height:14px;padding:0;border:0}</style>";
    browser.open(&page(&format!("{small}<button>a</button><button>b</button>")))?;
    ensure!(browser.small_targets()?.len() == 2, "small targets are not found");
    browser.open(&page("<style>a{outline:none}</style><a href='#x'>one</a>"))?;
    ensure!(browser.tab_to("a").is_err(), "a focus that does not show is not found");
    let cover = "<div style='position:fixed;inset:0;background:#eee'></div>";
    browser.open(&page(&format!("<a href='#x'>one</a>{cover}")))?;
    ensure!(browser.tab_to("a").is_err(), "a focus below something is not found");
    browser.open(&page("<a href='#x'>one</a> <a id='two' href='#x'>two</a>"))?;
    ensure!(browser.tab_to("#two")?.len() == 2, "plain links are reached");
    Ok(())
}

#[test]
fn with_scripts_switched_off_a_page_runs_none() -> Result<()> {
    let off = Settings { scripts: Scripts::Off, ..Settings::desk("en") };
    for (settings, said) in [(Settings::desk("en"), "ran"), (off, "did not")] {
        let browser = Browser::start(&settings)?;
        let script = "<script>document.getElementById('x').textContent = 'ran'</script>";
        browser.open(&page(&format!("<p id='x'>did not</p>{script}")))?;
        ensure!(browser.text("#x")? == said, "{settings:?}: {}", browser.text("#x")?);
    }
    Ok(())
}
