//! Every page that links lead to, as somebody sees it: judged by axe, narrow, with targets that are hit.
//!
//! Not here: pages that no link leads to in this state; the samples have them ([`crate::samples`]).

use anyhow::{Context as _, Result, ensure};
use patchward_tests::browser::{Axe, Browser};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Pages of one pattern that are looked at: two devices are enough of four.
const ALIKE_MAX: usize = 2;
/// Narrowest screen that a page must fit (WCAG 2.2, 1.4.10).
const NARROW: u32 = 320;
/// The screen of a desk.
const DESK: (u32, u32) = (1440, 1000);
/// Links of a page: own ones, but for files and what ends the session.
const LINKS: &str = "return [...document.querySelectorAll('a[href]')] \
    .filter(a => a.origin === location.origin && !a.download && a.pathname.startsWith('/console')) \
    .map(a => a.pathname + a.search)";
/// How the page was answered.
const STATUS: &str = "return performance.getEntriesByType('navigation')[0].responseStatus";
/// Ends of paths that give a file.
const FILES: [&str; 7] = [".csv", ".ics", ".zip", ".json", "/file", "/checkpoint", "/events"];

/// Looks at every page from here; gives their paths and what is wrong.
pub(crate) fn look(
    browser: &Browser,
    base: &str,
    first: &str,
) -> Result<(Vec<String>, Vec<String>)> {
    let axe = Axe::find()?;
    let mut waiting = VecDeque::from([first.to_owned()]);
    let (mut seen, mut alike) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let (mut pages, mut wrong) = (Vec::new(), Vec::new());
    while let Some(path) = waiting.pop_front() {
        let count = alike.entry(pattern(&path)).or_default();
        if !seen.insert(path.clone()) || *count >= ALIKE_MAX {
            continue;
        }
        *count = count.saturating_add(1);
        browser.open(&format!("{base}{path}"))?;
        let status = browser.run(STATUS, &[])?;
        if status != 200 {
            wrong.push(format!("{path}: answered with {status}"));
            continue;
        }
        wrong.extend(judged(browser, &axe)?.into_iter().map(|what| format!("{path}: {what}")));
        let links = browser.run(LINKS, &[])?;
        let links = links.as_array().context("links")?.iter().filter_map(Value::as_str);
        waiting.extend(links.filter(|link| is_page(link)).map(str::to_owned));
        pages.push(path);
    }
    ensure!(!pages.is_empty(), "no page was seen");
    Ok((pages, wrong))
}

fn judged(browser: &Browser, axe: &Axe) -> Result<Vec<String>> {
    let mut wrong: Vec<_> = axe.judge(browser)?.iter().map(ToString::to_string).collect();
    browser.size(NARROW, 800)?;
    let wide = browser.overflow()?.into_iter();
    wrong.extend(wide.map(|it| format!("wider than {NARROW}: {} ends at {}", it.what, it.right)));
    let small = browser.small_targets()?.into_iter();
    wrong.extend(small.map(|it| format!("{} x {} is small: {}", it.width, it.height, it.what)));
    browser.size(DESK.0, DESK.1)?;
    Ok(wrong)
}

fn is_page(link: &str) -> bool {
    let path = link.split('?').next().unwrap_or_default();
    let is_file = FILES.iter().any(|end| path.ends_with(end));
    !is_file && !link.contains("lang=") && !path.starts_with("/console/log")
}

/// What pages of one kind have in common: names with a digit are somebody's, values are chosen.
fn pattern(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let part = |part: &str| {
        if part.contains(|c: char| c.is_ascii_digit()) { "*" } else { part }.to_owned()
    };
    let path: Vec<String> = path.split('/').map(part).collect();
    let names: Vec<&str> =
        query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{}?{}", path.join("/"), names.join("&"))
}
