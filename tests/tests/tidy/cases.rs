//! Lists of cases and the tests that play them: golden cases of peers, attacks of the threat page.
//!
//! Not for: whether a test is a good one. A case without a test is found here, and so is a test that
//! no list knows of.

use crate::{nothing_found, root, source};
use anyhow::{Context as _, Result};
use std::{collections::BTreeSet, fs};

/// The page of golden cases.
const GOLDEN: &str = "docs/GOLDEN_CASES.md";
/// The page with the numbered attacks.
const THREATS: &str = "docs/THREATS.md";
/// So few cases mean that the page was not understood, not that it is right.
const CASES_MIN: usize = 20;
/// As many attacks are numbered.
const ATTACKS_MIN: usize = 32;

#[test]
fn every_golden_case_has_its_test_and_every_golden_test_its_case() -> Result<()> {
    let text = fs::read_to_string(root()?.join(GOLDEN)).context(GOLDEN)?;
    let named = tests_named(&text);
    let mut findings = Vec::new();
    for (path, name) in &named {
        let file = fs::read_to_string(root()?.join(path)).unwrap_or_default();
        if !file.contains(&format!("fn {name}(")) {
            findings.push(format!("{GOLDEN}: `{path}::{name}` is not there"));
        }
    }
    for (path, name) in golden_tests()? {
        if !named.contains(&(path.clone(), name.clone())) {
            findings.push(format!("{path}: `{name}` is not in {GOLDEN}"));
        }
    }
    nothing_found("every golden case has its test", findings);
    assert!(named.len() >= CASES_MIN, "{GOLDEN} names only {} tests", named.len());
    Ok(())
}

#[test]
fn every_attack_has_its_test_and_every_attack_test_its_number() -> Result<()> {
    let text = fs::read_to_string(root()?.join(THREATS)).context(THREATS)?;
    let (_, list) = text.split_once("## The attacks").context("the list of attacks")?;
    let attacks = attacks_in(list);
    let mut played = BTreeSet::new();
    for file in source::rust()?.iter().filter(|file| file.path.starts_with("tests/tests/attack/")) {
        played.extend(file.text.lines().filter_map(attack_of));
    }
    let mut findings = Vec::new();
    for (number, words) in &attacks {
        // "(comes with deltas)": what it attacks is not there yet.
        if !played.contains(number) && !words.contains("(comes with") {
            findings.push(format!("{THREATS}: attack {number} has no test: {words}"));
        }
    }
    for number in played.iter().filter(|number| !attacks.iter().any(|(n, _)| n == *number)) {
        findings.push(format!("tests/tests/attack: attack {number} is not in {THREATS}"));
    }
    nothing_found("every attack has its test", findings);
    assert!(attacks.len() >= ATTACKS_MIN, "{THREATS} numbers only {} attacks", attacks.len());
    Ok(())
}

/// `path.rs::name` between backticks.
fn tests_named(text: &str) -> BTreeSet<(String, String)> {
    let spans = text.split('`').skip(1).step_by(2);
    let named = spans.filter_map(|span| span.split_once("::"));
    named.map(|(path, name)| (path.to_owned(), name.to_owned())).collect()
}

/// Every test in a file whose name begins with `golden`.
fn golden_tests() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in source::rust()? {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if name.starts_with("golden") {
            let tests = tests_in(&file.text);
            found.extend(tests.into_iter().map(|test| (file.path.clone(), test)));
        }
    }
    Ok(found)
}

/// The functions that stand right below `#[test]` or `#[tokio::test]`.
fn tests_in(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test");
    let below = lines.windows(2).filter(|pair| pair.first().is_some_and(is_test));
    let below = below.filter_map(|pair| pair.last());
    let names = below.filter_map(|line| line.trim_start_matches("async ").strip_prefix("fn "));
    names.filter_map(|name| name.split('(').next()).map(str::to_owned).collect()
}

/// The numbers of the list and what is said of each: `1 freeze (…) · 2 freeze by …`.
fn attacks_in(list: &str) -> Vec<(u32, String)> {
    let text = list.split_whitespace().collect::<Vec<_>>().join(" ");
    let items = text.split(" · ").filter_map(|item| item.split_once(' '));
    items.filter_map(|(n, words)| Some((n.parse().ok()?, words.to_owned()))).collect()
}

/// The number in `fn attack_07_…`.
fn attack_of(line: &str) -> Option<u32> {
    let rest = line.trim().strip_prefix("fn attack_")?;
    rest.split('_').next()?.parse().ok()
}

#[test]
fn cases_and_attacks_are_read_from_their_pages() {
    let named = tests_named("| x | `a/b.rs::c`, `d/e.rs::f` | `no test` |");
    assert_eq!(named.len(), 2);
    let attacks = attacks_in("\n1 freeze (a) · 2 freeze\nby b · 25 bundle (comes with bundles)");
    assert_eq!(attacks.len(), 3);
    assert_eq!(attacks.last().map(|(n, _)| *n), Some(25));
    assert_eq!(attack_of("    fn attack_07_mix() -> Result<()> {"), Some(7));
    assert_eq!(attack_of("fn attacker() {"), None);
    let two = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test]\nasync fn three() {}\n";
    assert_eq!(tests_in(two), ["one", "three"]);
}
