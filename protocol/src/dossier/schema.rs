//! The fields of a dossier: name, shape, and what each must contain.
//!
//! One table for the check, for its messages and for the annotated example.
//! Invariant: no path of the table is the beginning of another path followed by a dot.

use toml::Value;

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Dotted name.
    pub path: &'static str,
    /// What a value looks like.
    pub shape: Shape,
    /// What it must contain, in English.
    pub en: &'static str,
    /// What it must contain, in Japanese.
    pub ja: &'static str,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text that says something: not empty, no placeholder.
    Text,
    /// Three texts.
    ThreeTexts,
    /// A table with a text `ja` (Japanese) and a text `en`.
    BothLanguages,
    /// `true` or `false`.
    Flag,
    /// A whole number in this range.
    Number(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A date `2031-03-31`, as a text.
    Date,
    /// A list of texts, this many at least.
    Texts(usize),
    /// A list of whole numbers, each at least 1.
    Numbers,
    /// A CVE id.
    CveId,
    /// A list of tables, each with [`CVE_FIELDS`].
    Cves,
}

impl Shape {
    /// Whether a value has this shape.
    #[must_use]
    pub fn holds(self, value: &Value) -> bool {
        match self {
            Self::Text => value.as_str().is_some_and(says_something),
            Self::ThreeTexts => texts(value).is_some_and(|texts| texts.len() == 3),
            Self::Texts(least) => texts(value).is_some_and(|texts| texts.len() >= least),
            Self::Flag => value.is_bool(),
            Self::Number(least, most) => {
                value.as_integer().is_some_and(|n| (least..=most).contains(&n))
            }
            Self::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Date => {
                value.as_str().is_some_and(|text| text.parse::<jiff::civil::Date>().is_ok())
            }
            Self::Numbers => value
                .as_array()
                .is_some_and(|list| list.iter().all(|n| n.as_integer().is_some_and(|n| n >= 1))),
            Self::CveId => value.as_str().is_some_and(crate::tuf::custom::is_cve),
            Self::BothLanguages | Self::Cves => false,
        }
    }
}

/// Whether a text holds a kana or a Chinese character.
#[must_use]
pub fn is_japanese(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
}

/// Whether a field has exactly this name, or is a part of one (`why.ja`).
#[must_use]
pub fn is_leaf(path: &str) -> bool {
    FIELDS.iter().any(|field| match field.shape {
        Shape::BothLanguages => {
            path.strip_prefix(field.path).is_some_and(|rest| matches!(rest, ".ja" | ".en"))
        }
        Shape::Text
        | Shape::ThreeTexts
        | Shape::Flag
        | Shape::Number(..)
        | Shape::OneOf(_)
        | Shape::Date
        | Shape::Texts(_)
        | Shape::Numbers
        | Shape::CveId
        | Shape::Cves => field.path == path,
    })
}

/// Whether fields stand below this name.
#[must_use]
pub fn is_branch(path: &str) -> bool {
    FIELDS.iter().any(|field| {
        let whole = field.shape == Shape::BothLanguages && field.path == path;
        whole || field.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    })
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    let list = value.as_array()?;
    list.iter().map(|text| text.as_str().filter(|text| says_something(text))).collect()
}

fn says_something(text: &str) -> bool {
    let text = text.trim();
    let placeholder = ["tbd", "todo", "xxx", "n/a", "-", "...", "未定"];
    !text.is_empty() && !placeholder.contains(&text.to_lowercase().as_str())
}

const fn field(path: &'static str, shape: Shape, en: &'static str, ja: &'static str) -> Field {
    Field { path, shape, en, ja }
}

const DAY_S: i64 = 24 * 3600;
const SEQ_MAX: i64 = i64::MAX;

/// Every field, in the order in which it is read aloud.
pub const FIELDS: &[Field] = &[
    field("v", Shape::Number(1, 1), "1, the version of this form", "書式の版。1 と記入"),
    field(
        "family",
        Shape::Text,
        "MAKER.NAME, e.g. \"acme.infusion-a\"",
        "機種ID(例 \"acme.infusion-a\")",
    ),
    field(
        "version",
        Shape::Text,
        "the version as people read it, e.g. \"2.4.1\"",
        "版名(例 \"2.4.1\")",
    ),
    field(
        "seq",
        Shape::Number(1, SEQ_MAX),
        "a whole number that rises with every release of the family",
        "リリースごとに増える通し番号(1以上の整数)",
    ),
    field(
        "class",
        Shape::OneOf(&["security", "security+fix", "feature"]),
        "\"security\", \"security+fix\" or \"feature\"",
        "種別。\"security\"、\"security+fix\"、\"feature\" のいずれか",
    ),
    field(
        "severity",
        Shape::OneOf(&["none", "low", "medium", "high", "critical"]),
        "worst CVSS severity of what it closes: \"none\", \"low\", \"medium\", \"high\" or \"critical\"",
        "対処する脆弱性の最大深刻度。\"none\"、\"low\"、\"medium\"、\"high\"、\"critical\" のいずれか",
    ),
    field(
        "hardware",
        Shape::Texts(1),
        "a list of the hardware ids that the image fits, at least one",
        "対象ハードウェアIDの一覧(1件以上)",
    ),
    field(
        "kind",
        Shape::OneOf(&["slots", "tree"]),
        "\"slots\" (image for one of two slots) or \"tree\" (folder of files)",
        "更新方式。\"slots\"(2面のスロット)または \"tree\"(フォルダー)",
    ),
    field(
        "min_seq",
        Shape::Number(0, SEQ_MAX),
        "the lowest seq that may be installed before this one (below seq; 0 for any)",
        "適用前に必要な最小の通し番号(seq未満、制限なしは0)",
    ),
    field(
        "rollback_ok",
        Shape::Numbers,
        "a list of the seqs that may be rolled back to, each below seq; empty for none",
        "ロールバックを認める通し番号の一覧(すべてseq未満、なしは空)",
    ),
    field(
        "therapy",
        Shape::Flag,
        "true when the device gives therapy, else false",
        "治療を行う機器なら true、それ以外は false",
    ),
    field(
        "acceptance",
        Shape::OneOf(&["none", "self-test", "human"]),
        "\"none\", \"self-test\" or \"human\": what must pass before clinical use",
        "臨床使用前の受入確認。\"none\"、\"self-test\"、\"human\" のいずれか",
    ),
    field(
        "why.ja",
        Shape::ThreeTexts,
        "three plain sentences in Japanese: why this release exists",
        "更新の理由を平易な日本語で3文",
    ),
    field(
        "why.en",
        Shape::ThreeTexts,
        "three plain sentences in English: why this release exists",
        "更新の理由を平易な英語で3文",
    ),
    field(
        "cve",
        Shape::Cves,
        "a list of tables [[cve]], or cve = [] when it closes none",
        "[[cve]] の一覧。該当がなければ cve = []",
    ),
    field(
        "patients.applied",
        Shape::BothLanguages,
        "what applying it means for patients, in ja and en",
        "適用した場合の患者への影響(日・英)",
    ),
    field(
        "patients.not_applied",
        Shape::BothLanguages,
        "what not applying it means for patients, in ja and en",
        "適用しない場合の患者への影響(日・英)",
    ),
    field(
        "downtime.typical_min",
        Shape::Number(0, 1440),
        "typical minutes out of service",
        "停止時間の目安(分)",
    ),
    field(
        "downtime.max_min",
        Shape::Number(0, 1440),
        "most minutes out of service, not below typical_min",
        "停止時間の最大(分)。目安以上の値",
    ),
    field(
        "downtime.activate_s",
        Shape::Number(0, DAY_S),
        "seconds from activation to restart",
        "適用から再起動までの秒数",
    ),
    field(
        "downtime.boot_s",
        Shape::Number(0, DAY_S),
        "seconds from restart until the agent runs",
        "再起動からエージェント起動までの秒数",
    ),
    field(
        "downtime.health_s",
        Shape::Number(0, DAY_S),
        "seconds until all health checks have answered",
        "動作確認がすべて終わるまでの秒数",
    ),
    field(
        "downtime.rollback_s",
        Shape::Number(0, DAY_S),
        "seconds to go back, should it be needed",
        "必要時にロールバックに要する秒数",
    ),
    field(
        "preconditions",
        Shape::BothLanguages,
        "what must hold before it is applied, in ja and en",
        "適用の前提条件(日・英)",
    ),
    field(
        "changes",
        Shape::BothLanguages,
        "what users will see changed, in ja and en",
        "使用者から見える変更点(日・英)",
    ),
    field(
        "settings_kept",
        Shape::BothLanguages,
        "which settings are kept and which are not, in ja and en",
        "設定の保持・非保持(日・英)",
    ),
    field(
        "validation",
        Shape::BothLanguages,
        "how it was validated, in ja and en",
        "検証の内容(日・英)",
    ),
    field(
        "field_evidence",
        Shape::BothLanguages,
        "where it runs already and with what result, in ja and en",
        "現場での稼働実績(日・英)",
    ),
    field(
        "post_update_test.what",
        Shape::BothLanguages,
        "the test after the update, in ja and en",
        "適用後の試験内容(日・英)",
    ),
    field(
        "post_update_test.who",
        Shape::BothLanguages,
        "who may do that test, in ja and en",
        "適用後の試験の実施者(日・英)",
    ),
    field(
        "rollback",
        Shape::BothLanguages,
        "how to go back and until when, in ja and en",
        "ロールバックの方法と期限(日・英)",
    ),
    field(
        "compensating_controls",
        Shape::BothLanguages,
        "what to do instead while it is not applied, in ja and en",
        "適用までの補完的対策(日・英)",
    ),
    field(
        "regulatory",
        Shape::BothLanguages,
        "regulatory note (approval, notification, none needed and why), in ja and en",
        "薬事上の扱い(承認・届出の要否と理由)(日・英)",
    ),
    field(
        "support.status",
        Shape::OneOf(&["supported", "limited", "end-of-support"]),
        "\"supported\", \"limited\" or \"end-of-support\"",
        "サポート状態。\"supported\"、\"limited\"、\"end-of-support\" のいずれか",
    ),
    field(
        "support.until",
        Shape::Date,
        "the day support ends, as \"2031-03-31\"",
        "サポート終了日(例 \"2031-03-31\")",
    ),
    field(
        "sbom_difference",
        Shape::BothLanguages,
        "which components changed since the release before, in ja and en",
        "前版からの部品の差分(日・英)",
    ),
    field(
        "contacts",
        Shape::BothLanguages,
        "whom to reach, with telephone and mail, in ja and en",
        "連絡先(電話・メール)(日・英)",
    ),
];

/// Fields of each `[[cve]]`.
pub const CVE_FIELDS: &[Field] = &[
    field("id", Shape::CveId, "the id, like \"CVE-2026-1234\"", "CVE番号(例 \"CVE-2026-1234\")"),
    field(
        "cvss",
        Shape::Text,
        "the CVSS score with its vector, as a text",
        "CVSS基本値とベクトル(文字列)",
    ),
    field(
        "known_exploited",
        Shape::Flag,
        "true when it is known to be exploited, else false",
        "悪用が確認されていれば true、それ以外は false",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_stands_inside_another() {
        for one in FIELDS {
            for other in FIELDS.iter().filter(|other| other.path != one.path) {
                let rest = other.path.strip_prefix(one.path);
                assert!(!rest.is_some_and(|rest| rest.starts_with('.')), "{}", other.path);
            }
        }
    }

    #[test]
    fn placeholders_say_nothing() {
        for bad in ["", "  ", "TBD", "todo", "未定"] {
            assert!(!Shape::Text.holds(&Value::String(bad.to_owned())), "{bad:?}");
        }
    }
}
