//! Sizes, names, and the map: what a reader sees before reading.

use crate::{nothing_found, root, source};
use anyhow::{Context as _, Result};
use std::{collections::BTreeSet, fs};

/// The wall of docs/STYLE.md, rule 3.
const LINES_MAX: usize = 600;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "stuff"];
/// So few paths in the map mean that the map was not found, not that it is right.
const MAP_PATHS_MIN: usize = 20;

#[test]
fn no_file_is_longer_than_the_wall() -> Result<()> {
    let mut findings = Vec::new();
    for file in &source::rust()? {
        let lines = file.code().count();
        if lines > LINES_MAX {
            findings.push(format!("{}: {lines} lines without its unit tests", file.path));
        }
    }
    nothing_found("one idea per file, at most 600 lines (docs/STYLE.md, rule 3)", findings);
    Ok(())
}

#[test]
fn no_file_has_an_empty_name() -> Result<()> {
    let mut findings = Vec::new();
    for file in source::all()? {
        let parts = file.path.split('/');
        let stems = parts.map(|part| part.split('.').next().unwrap_or_default());
        for stem in stems.filter(|stem| EMPTY_NAMES.contains(stem)) {
            findings.push(format!("{}: `{stem}` names no idea", file.path));
        }
    }
    nothing_found("the file's name is the noun (docs/STYLE.md, rule 3)", findings);
    Ok(())
}

#[test]
fn every_file_says_what_it_is_for() -> Result<()> {
    let mut findings = Vec::new();
    for file in source::rust()?.iter().filter(|file| !is_example_that_must_not_compile(&file.path))
    {
        if !file.text.trim_start().starts_with("//!") {
            findings.push(format!("{}: does not begin with `//!`", file.path));
        }
    }
    nothing_found("each module's `//!` says what it is for (docs/STYLE.md, rule 5)", findings);
    Ok(())
}

/// The compiler's answer to these is compared byte by byte, with line numbers.
fn is_example_that_must_not_compile(path: &str) -> bool {
    path.contains("/typestate/")
}

#[test]
fn every_path_in_the_map_exists() -> Result<()> {
    let root = root()?;
    let map = root.join("docs/ARCHITECTURE.md");
    let text = fs::read_to_string(&map).context("docs/ARCHITECTURE.md: the map is missing")?;
    let folders = top_folders()?;
    let paths: BTreeSet<String> = code_spans(&text)
        .filter(|span| span.split_once('/').is_some_and(|(first, _)| folders.contains(first)))
        .flat_map(with_braces_expanded)
        .collect();
    let missing = paths.iter().filter(|path| !root.join(path.trim_end_matches('/')).exists());
    let findings = missing.map(|path| format!("docs/ARCHITECTURE.md: `{path}`")).collect();
    nothing_found("the map names only what exists", findings);
    assert!(paths.len() >= MAP_PATHS_MIN, "the map names only {} paths", paths.len());
    Ok(())
}

#[test]
fn both_databases_have_the_same_migrations() -> Result<()> {
    let names = |engine: &str| -> Result<BTreeSet<String>> {
        let folder = root()?.join("migrations").join(engine);
        let entries = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let (sqlite, postgres) = (names("sqlite")?, names("postgres")?);
    let findings = sqlite
        .symmetric_difference(&postgres)
        .map(|name| format!("migrations/{{sqlite,postgres}}/{name}: only in one of them"))
        .collect();
    nothing_found("a migration has the same name for both (docs/STYLE.md, rule 24)", findings);
    assert!(!sqlite.is_empty(), "migrations/sqlite is empty");
    Ok(())
}

fn top_folders() -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(root()?).context("list the workspace")?.flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// What stands between single backticks, outside fenced blocks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    let open = text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    open.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|span| !span.contains(' '))
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`; `...::name` and `:12` after a path are no part of it.
fn with_braces_expanded(span: &str) -> Vec<String> {
    let path = span.split(':').next().unwrap_or_default();
    if path.contains(['*', '<', 'N', '…']) {
        return Vec::new();
    }
    match path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (names, tail))) => names
            .split(',')
            .flat_map(|name| with_braces_expanded(&format!("{head}{}{tail}", name.trim())))
            .collect(),
        None => vec![path.to_owned()],
    }
}

#[test]
fn a_path_with_braces_is_many_paths() {
    let text = "see `agent/src/{machine/step,journal}.rs:7`, not `a b/c`\n```\n`x/y`\n```\n";
    let paths: Vec<String> = code_spans(text).flat_map(with_braces_expanded).collect();
    assert_eq!(paths, ["agent/src/machine/step.rs", "agent/src/journal.rs"]);
}
