//! The release dossier: what a manufacturer tells a hospital before it approves, in ja and en.
//!
//! The TOML bytes are the target file; nothing is re-written. Every missing, unknown or misshapen
//! field is named at once, with what it must contain, so that a release engineer fills it in one
//! go. The part that devices act on ([`Facts`]) goes into `custom.fw`, so that paper and metadata
//! cannot disagree. Not here: reading files, rendering pages.
//! Invariant: a [`Dossier`] has every field of [`schema`], and no other.

pub mod schema;

use crate::civil::CivilDate;
use crate::id::{FamilyId, HardwareId, Seq, Version};
use crate::limits::DOSSIER_BYTES_MAX;
use crate::tuf::custom::{Acceptance, Class, Estimate, Kind, Severity};
use schema::{FIELDS, Field, Shape};
use serde::Deserialize;
use std::fmt;
use toml::{Table, Value};

/// A dossier that has every field.
#[derive(Debug, Clone)]
pub struct Dossier {
    facts: Facts,
    table: Table,
}

/// What of a dossier goes into `custom.fw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Device family.
    pub family: FamilyId,
    /// Version for people.
    pub version: Version,
    /// Rank.
    pub seq: Seq,
    /// What kind of change it is.
    pub class: Class,
    /// Worst severity of what it closes.
    pub severity: Severity,
    /// CVE ids that it closes.
    pub cves: Vec<String>,
    /// One of them is known to be exploited.
    pub known_exploited: bool,
    /// Hardware that the image fits.
    pub hardware: Vec<HardwareId>,
    /// Which installer it is for.
    pub kind: Kind,
    /// The installed image must have at least this rank.
    pub min_seq: Seq,
    /// Ranks that may be gone back to.
    pub rollback_ok: Vec<Seq>,
    /// The device gives therapy.
    pub therapy: bool,
    /// What must happen before clinical use.
    pub acceptance: Acceptance,
    /// How long each disruptive part takes.
    pub estimate: Estimate,
}

/// A vulnerability that a release closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cve<'a> {
    /// Its id.
    pub id: &'a str,
    /// Score and vector, as they were written.
    pub cvss: &'a str,
    /// It is known to be exploited.
    pub known_exploited: bool,
}

/// Why bytes are no dossier: everything that is wrong, in the order of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDossier {
    /// Each thing that is wrong.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a dossier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted name of the field, or `line N` for broken TOML.
    pub field: String,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// What it must contain, in English.
    pub en: String,
    /// What it must contain, in Japanese.
    pub ja: String,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is not there.
    Missing,
    /// No field has this name.
    Unknown,
    /// It is there and not what it must be.
    Misshapen,
    /// The file is no TOML, no UTF-8, or too long.
    Unreadable,
}

impl Wrong {
    /// In English and in Japanese.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("missing", "未記入"),
            Self::Unknown => ("unknown field", "未定義の項目"),
            Self::Misshapen => ("not as it must be", "記入内容が不正"),
            Self::Unreadable => ("unreadable", "読み取り不可"),
        }
    }
}

impl fmt::Display for BadDossier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the dossier has {} problems", self.problems.len())
    }
}

impl std::error::Error for BadDossier {}

impl Dossier {
    /// Reads and checks a dossier.
    ///
    /// # Errors
    /// [`BadDossier`] names everything that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, BadDossier> {
        let table = parse(bytes).map_err(|problem| BadDossier { problems: vec![problem] })?;
        let mut problems = Vec::new();
        for field in FIELDS {
            check_field(field, lookup(&table, field.path), &mut problems);
        }
        unknown_fields("", &table, &mut problems);
        if !problems.is_empty() {
            return Err(BadDossier { problems });
        }
        let facts = facts(&table).map_err(|problem| BadDossier { problems: vec![problem] })?;
        Ok(Self { facts, table })
    }

    /// What goes into `custom.fw`.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A text by its dotted name, e.g. `patients.applied.ja`.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        lookup(&self.table, path).and_then(Value::as_str)
    }

    /// The three sentences that say why, in `ja` or `en`.
    #[must_use]
    pub fn why(&self, language: &str) -> Vec<&str> {
        let list = lookup(&self.table, &format!("why.{language}")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A text in one language, e.g. `patients.applied`; empty where there is none.
    #[must_use]
    pub fn said(&self, path: &str, language: &str) -> &str {
        self.text(&format!("{path}.{language}")).unwrap_or_default()
    }

    /// The vulnerabilities that it closes, in the order of the file.
    #[must_use]
    pub fn cves(&self) -> Vec<Cve<'_>> {
        let list = lookup(&self.table, "cve").and_then(Value::as_array);
        fn read(cve: &Table) -> Option<Cve<'_>> {
            // What is not said to be unexploited counts as exploited.
            let exploited = cve.get("known_exploited").and_then(Value::as_bool).unwrap_or(true);
            Some(Cve {
                id: cve.get("id")?.as_str()?,
                cvss: cve.get("cvss")?.as_str()?,
                known_exploited: exploited,
            })
        }
        list.into_iter().flatten().filter_map(Value::as_table).filter_map(read).collect()
    }

    /// Support of the release: its status (a word of the schema) and the day on which it ends.
    #[must_use]
    pub fn support(&self) -> (&str, Option<CivilDate>) {
        let until = self.text("support.until").and_then(|date| date.parse().ok());
        (self.text("support.status").unwrap_or_default(), until)
    }

    /// Downtime in minutes: typical and at most.
    #[must_use]
    pub fn downtime_min(&self) -> (u64, u64) {
        let minutes = |path| integer(&self.table, path).unwrap_or(0);
        (minutes("downtime.typical_min"), minutes("downtime.max_min"))
    }
}

fn parse(bytes: &[u8]) -> Result<Table, Problem> {
    let unreadable = |field: String, en: String, ja: &str| Problem {
        field,
        wrong: Wrong::Unreadable,
        en,
        ja: ja.to_owned(),
    };
    if bytes.len() > DOSSIER_BYTES_MAX {
        let en = format!("a dossier has at most {DOSSIER_BYTES_MAX} bytes");
        return Err(unreadable("file".to_owned(), en, "リリース説明書が上限を超えています"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let en = format!("the file must be UTF-8; it is not at byte {}", error.valid_up_to());
        unreadable("file".to_owned(), en, "UTF-8で保存してください")
    })?;
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let en = format!("TOML is broken here: {}", error.message());
        unreadable(format!("line {line}"), en, "この行のTOMLの書式が正しくありません")
    })
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let value = table.get(first)?;
    rest.map_or(Some(value), |rest| lookup(value.as_table()?, rest))
}

fn integer(table: &Table, path: &str) -> Option<u64> {
    lookup(table, path).and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok())
}

fn check_field(field: &Field, value: Option<&Value>, problems: &mut Vec<Problem>) {
    let problem = |suffix: &str, wrong| Problem {
        field: format!("{}{suffix}", field.path),
        wrong,
        en: field.en.to_owned(),
        ja: field.ja.to_owned(),
    };
    match (field.shape, value) {
        (Shape::BothLanguages, Some(Value::Table(both))) => {
            for language in ["ja", "en"] {
                match both.get(language) {
                    None => problems.push(problem(&format!(".{language}"), Wrong::Missing)),
                    Some(text) if !is_text(text, language) => {
                        problems.push(problem(&format!(".{language}"), Wrong::Misshapen));
                    }
                    Some(_) => {}
                }
            }
        }
        (Shape::BothLanguages, None) => {
            problems.push(problem(".ja", Wrong::Missing));
            problems.push(problem(".en", Wrong::Missing));
        }
        (Shape::Cves, Some(Value::Array(cves))) => {
            for (index, cve) in cves.iter().enumerate() {
                check_cve(index, cve, problems);
            }
        }
        (_, None) => problems.push(problem("", Wrong::Missing)),
        (shape, Some(value)) if !shape.holds(value) => {
            problems.push(problem("", Wrong::Misshapen));
        }
        (_, Some(_)) => {}
    }
}

fn check_cve(index: usize, cve: &Value, problems: &mut Vec<Problem>) {
    let empty = Table::new();
    let table = cve.as_table().unwrap_or(&empty);
    for field in schema::CVE_FIELDS {
        let wrong = match table.get(field.path) {
            None => Wrong::Missing,
            Some(value) if !field.shape.holds(value) => Wrong::Misshapen,
            Some(_) => continue,
        };
        let name = format!("cve[{index}].{}", field.path);
        let (en, ja) = (field.en.to_owned(), field.ja.to_owned());
        problems.push(Problem { field: name, wrong, en, ja });
    }
    for key in table.keys() {
        if !schema::CVE_FIELDS.iter().any(|field| field.path == key) {
            problems.push(unknown(format!("cve[{index}].{key}")));
        }
    }
}

fn unknown_fields(prefix: &str, table: &Table, problems: &mut Vec<Problem>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if schema::is_leaf(&path) {
            continue;
        }
        match value.as_table().filter(|_| schema::is_branch(&path)) {
            Some(inner) => unknown_fields(&path, inner, problems),
            None => problems.push(unknown(path)),
        }
    }
}

fn unknown(field: String) -> Problem {
    let en = "no field has this name; check the spelling against the annotated example".to_owned();
    let ja = "この名前の項目はありません。記入例と照らして綴りを確認してください".to_owned();
    Problem { field, wrong: Wrong::Unknown, en, ja }
}

fn is_text(value: &Value, language: &str) -> bool {
    let Some(text) = value.as_str() else { return false };
    Shape::Text.holds(value) && (language != "ja" || schema::is_japanese(text))
}

/// The typed part. The schema has been checked, so a failure here names one last rule.
fn facts(table: &Table) -> Result<Facts, Problem> {
    let seq = Seq(integer(table, "seq").unwrap_or(0));
    let min_seq = Seq(integer(table, "min_seq").unwrap_or(0));
    let rollback_ok: Vec<Seq> = get(table, "rollback_ok")?;
    let cves: Vec<Value> = get(table, "cve")?;
    let cves: Vec<Table> = cves.into_iter().filter_map(|cve| cve.try_into().ok()).collect();
    let exploited =
        |cve: &Table| cve.get("known_exploited").and_then(Value::as_bool).unwrap_or(true);
    let known_exploited = cves.iter().any(exploited);
    let ids = cves.iter().filter_map(|cve| cve.get("id").and_then(Value::as_str));
    let facts = Facts {
        family: get(table, "family")?,
        version: get(table, "version")?,
        seq,
        class: get(table, "class")?,
        severity: get(table, "severity")?,
        cves: ids.map(str::to_owned).collect(),
        known_exploited,
        hardware: get(table, "hardware")?,
        kind: get(table, "kind")?,
        min_seq,
        rollback_ok,
        therapy: get(table, "therapy")?,
        acceptance: get(table, "acceptance")?,
        estimate: Estimate {
            activate_s: get(table, "downtime.activate_s")?,
            boot_s: get(table, "downtime.boot_s")?,
            health_s: get(table, "downtime.health_s")?,
            rollback_s: get(table, "downtime.rollback_s")?,
        },
    };
    let rule = |holds: bool, path: &str| if holds { Ok(()) } else { Err(misshapen(path)) };
    rule(facts.min_seq < facts.seq, "min_seq")?;
    rule(facts.rollback_ok.iter().all(|back| *back < facts.seq), "rollback_ok")?;
    let (typical, most) =
        (integer(table, "downtime.typical_min"), integer(table, "downtime.max_min"));
    rule(typical <= most, "downtime.max_min")?;
    Ok(facts)
}

fn get<T: for<'de> Deserialize<'de>>(table: &Table, path: &str) -> Result<T, Problem> {
    let value = lookup(table, path).ok_or_else(|| misshapen(path))?;
    value.clone().try_into().map_err(|_| misshapen(path))
}

fn misshapen(path: &str) -> Problem {
    let field = FIELDS.iter().find(|field| field.path == path);
    let (en, ja) = field.map_or(("", ""), |field| (field.en, field.ja));
    Problem {
        field: path.to_owned(),
        wrong: Wrong::Misshapen,
        en: en.to_owned(),
        ja: ja.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../keys-example/dossier.toml");

    fn problems(text: &str) -> Vec<(String, Wrong)> {
        let bad = Dossier::read(text.as_bytes()).unwrap_err();
        bad.problems.into_iter().map(|problem| (problem.field, problem.wrong)).collect()
    }

    #[test]
    fn the_annotated_example_is_a_dossier() {
        let dossier = Dossier::read(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(dossier.facts().version.as_str(), "2.4.1");
        assert_eq!(dossier.why("ja").len(), 3);
        assert!(dossier.facts().known_exploited);
        let cve = dossier.cves().first().copied().unwrap();
        assert_eq!((cve.id, cve.known_exploited), ("CVE-2026-1234", true));
        let (status, until) = dossier.support();
        assert_eq!((status, until.unwrap().to_string().as_str()), ("supported", "2031-03-31"));
        assert!(dossier.said("patients.not_applied", "ja").ends_with('。'));
        assert_eq!(dossier.said("patients.nobody", "en"), "");
    }

    #[test]
    fn an_empty_file_names_every_field_with_what_it_must_contain() {
        let bad = Dossier::read(b"").unwrap_err();
        assert!(bad.problems.len() >= FIELDS.len());
        for field in FIELDS {
            assert!(bad.problems.iter().any(|problem| problem.field.starts_with(field.path)));
        }
        assert!(
            bad.problems.iter().all(|problem| !problem.en.is_empty() && !problem.ja.is_empty())
        );
    }

    #[test]
    fn a_missing_an_unknown_and_a_wrong_field_are_all_named_at_once() {
        let text = EXAMPLE
            .replace("severity = \"high\"", "sevarity = \"high\"")
            .replace("therapy = true", "therapy = \"yes\"");
        let found = problems(&text);
        assert!(found.contains(&("severity".to_owned(), Wrong::Missing)), "{found:?}");
        assert!(found.contains(&("sevarity".to_owned(), Wrong::Unknown)), "{found:?}");
        assert!(found.contains(&("therapy".to_owned(), Wrong::Misshapen)), "{found:?}");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn broken_toml_is_named_by_its_line() {
        let text = EXAMPLE.replacen("therapy = true", "therapy = = true", 1);
        let line = EXAMPLE.lines().position(|line| line.starts_with("therapy")).unwrap() + 1;
        assert_eq!(problems(&text), [(format!("line {line}"), Wrong::Unreadable)]);
        assert_eq!(problems("x = \"\u{0}\"").first().unwrap().1, Wrong::Unreadable);
    }

    #[test]
    fn a_ja_text_without_japanese_is_refused() {
        let line = EXAMPLE.lines().find(|line| line.contains("警報限界")).unwrap();
        let text = EXAMPLE.replace(line, "ja = \"All kept.\"");
        assert_eq!(problems(&text), [("settings_kept.ja".to_owned(), Wrong::Misshapen)]);
    }
}
