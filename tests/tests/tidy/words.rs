//! What must not be written anywhere: unfinished code, tests that do not run, paths of one machine.

use crate::{nothing_found, root, source};
use anyhow::Result;

/// The only file that knows tough's types.
const TOUGH_HOME: &str = "protocol/src/tuf/schema.rs";

#[test]
fn nothing_is_left_unfinished() -> Result<()> {
    let words = [
        (concat!("todo", "!("), "finish it, or leave the verb out"),
        (concat!("unimplemented", "!("), "finish it, or leave the verb out"),
        (concat!("#[igno", "re"), "a test runs, or it is not there (docs/STYLE.md, rule 29)"),
    ];
    let mut findings = Vec::new();
    for file in source::rust()? {
        for (number, line) in file.text.lines().enumerate() {
            for (word, why) in words.iter().filter(|(word, _)| code_of(line).contains(word)) {
                findings.push(format!("{}:{}: `{word}`: {why}", file.path, number + 1));
            }
        }
    }
    nothing_found("no stubs, no tests left out", findings);
    Ok(())
}

#[test]
fn only_one_file_uses_tough() -> Result<()> {
    let mut findings = Vec::new();
    for file in source::rust()?.iter().filter(|file| file.path != TOUGH_HOME) {
        let lines = file.text.lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| names_tough(code_of(line))) {
            findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
        }
    }
    nothing_found("tough is used in protocol/src/tuf/schema.rs alone", findings);
    Ok(())
}

#[test]
fn no_path_of_one_machine_is_written_down() -> Result<()> {
    let checkout = root()?.display().to_string();
    let places = [
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("../sha", "red"),
        checkout.as_str(),
    ];
    let mut findings = Vec::new();
    for file in source::all()? {
        for (number, line) in file.text.lines().enumerate() {
            for place in places.iter().filter(|place| line.contains(**place)) {
                findings.push(format!("{}:{}: `{place}`", file.path, number + 1));
            }
        }
    }
    nothing_found("a clone works anywhere: no path of one machine", findings);
    Ok(())
}

/// The line without its comment.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// `tough::` as a path, not as the end of another word.
fn names_tough(code: &str) -> bool {
    let path = concat!("tou", "gh::");
    code.match_indices(path).any(|(at, _)| {
        let before = code.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[test]
fn a_comment_may_speak_of_tough() {
    assert!(names_tough(code_of(concat!("use tou", "gh::schema;"))));
    assert!(!names_tough(code_of(concat!("// as tou", "gh::schema does"))));
    assert!(!names_tough(concat!("not_tou", "gh::schema")));
}
