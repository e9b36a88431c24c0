//! Licences of everything that is linked, read as SPDX expressions.
//!
//! Not for: texts and notices; cargo-deny looks at those where a crate states none.

use crate::{crates, nothing_found};
use anyhow::Result;

/// The same list as in `deny.toml`.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn every_crate_may_be_delivered() -> Result<()> {
    let metadata = crates::metadata()?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or_default();
        if !allows(licence) {
            findings.push(format!("{} {}: `{licence}`", package.name, package.version));
        }
    }
    assert!(metadata.packages.len() > 10, "cargo metadata lists nothing");
    nothing_found("licences of dependencies (deny.toml has the list)", findings);
    Ok(())
}

#[test]
fn cargo_deny_has_the_same_list() -> Result<()> {
    let text = std::fs::read_to_string(crate::root()?.join("deny.toml"))?;
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next());
    let named = list.into_iter().flat_map(|list| list.split('"').skip(1).step_by(2));
    assert_eq!(named.collect::<Vec<_>>(), ALLOWED);
    Ok(())
}

/// May something under this expression be delivered? An empty or broken one: no.
fn allows(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let answer = any_of(&mut rest);
    answer == Some(true) && rest.is_empty()
}

/// `a OR b OR ...`
fn any_of(words: &mut &[&str]) -> Option<bool> {
    let mut answer = all_of(words)?;
    while take(words, "OR") {
        answer |= all_of(words)?;
    }
    Some(answer)
}

/// `a AND b AND ...`, which binds closer.
fn all_of(words: &mut &[&str]) -> Option<bool> {
    let mut answer = one(words)?;
    while take(words, "AND") {
        answer &= one(words)?;
    }
    Some(answer)
}

/// A name, a name with an exception, or an expression in brackets.
fn one(words: &mut &[&str]) -> Option<bool> {
    if take(words, "(") {
        let answer = any_of(words)?;
        return take(words, ")").then_some(answer);
    }
    let (name, rest) = words.split_first()?;
    *words = rest;
    if !take(words, "WITH") {
        return Some(ALLOWED.contains(name));
    }
    let (exception, rest) = words.split_first()?;
    *words = rest;
    Some(ALLOWED.contains(&format!("{name} WITH {exception}").as_str()))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[test]
fn one_allowed_licence_of_several_is_enough() {
    assert!(allows("MIT OR GPL-3.0-only"));
    assert!(allows("Unlicense/MIT"));
    assert!(allows("GPL-2.0 OR (MIT AND Unicode-3.0)"));
    assert!(allows("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only"));
}

#[test]
fn every_one_of_joined_licences_must_be_allowed() {
    assert!(!allows("MIT AND GPL-3.0-only"));
    assert!(!allows("MIT AND (GPL-3.0-only OR AGPL-3.0-only)"));
    assert!(!allows("GPL-2.0 WITH Classpath-exception-2.0"));
}

#[test]
fn no_licence_and_a_broken_one_are_refused() {
    for broken in ["", "(MIT", "MIT)", "MIT MIT", "OR MIT", "MIT AND"] {
        assert!(!allows(broken), "{broken}");
    }
}
