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

/// A walk along everything that people of several roles are shown; what one of them has seen in a language
/// is not judged again in it.
pub(crate) struct Walk<'a> {
    browser: &'a Browser,
    base: String,
    axe: Axe,
    judged: BTreeSet<String>,
    wrong: Vec<String>,
}

impl<'a> Walk<'a> {
    /// Begins one.
    pub(crate) fn begin(browser: &'a Browser, base: &str) -> Result<Self> {
        let (judged, wrong) = (BTreeSet::new(), Vec::new());
        Ok(Self { browser, base: base.to_owned(), axe: Axe::find()?, judged, wrong })
    }

    /// Follows every link from here as whoever is signed in, in a language; gives how many pages there are.
    pub(crate) fn along(&mut self, (who, language): (&str, &str), first: &str) -> Result<usize> {
        self.browser.open(&format!("{}{first}?lang={language}", self.base))?;
        let mut waiting = VecDeque::from([(first.to_owned(), String::new())]);
        let (mut seen, mut alike) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
        let mut pages = 0_usize;
        while let Some((path, from)) = waiting.pop_front() {
            let kind = pattern(&path);
            let count = alike.entry(kind.clone()).or_default();
            if !seen.insert(path.clone()) || *count >= ALIKE_MAX {
                continue;
            }
            *count = count.saturating_add(1);
            let led = self.browser.follow(&path)?;
            if led.status != 200 || led.at.starts_with("/console/login") {
                let what = format!("{who}: {from} leads to {path}: {} {}", led.status, led.at);
                self.wrong.push(what);
                continue;
            }
            let links = led.links.into_iter().filter(|link| is_shown(link));
            waiting.extend(links.map(|link| (link, path.clone())));
            pages = pages.saturating_add(usize::from(is_page(&path)));
            if is_page(&path) && self.judged.insert(format!("{language} {kind}")) {
                self.browser.open(&format!("{}{path}", self.base))?;
                let found = judged(self.browser, &self.axe)?;
                self.wrong.extend(found.into_iter().map(|what| format!("{who}: {path}: {what}")));
            }
        }
        Ok(pages)
    }

    /// Says what was wrong.
    pub(crate) fn end(self) -> Result<()> {
        ensure!(self.wrong.is_empty(), "{} findings:\n{}", self.wrong.len(), self.wrong.join("\n"));
        Ok(())
    }
}

/// What a person may follow: files too, but neither what goes on for ever nor the other language.
fn is_shown(link: &str) -> bool {
    let path = link.split('?').next().unwrap_or_default();
    let other = link.contains("lang=") || path.ends_with("/events") || path.contains("/log");
    path.starts_with("/console") && !other
}
