//! The section on rollbacks: one block for each, with everything that an auditor asks about it.
//!
//! What is not known is said to be not known. Not here: finding it ([`crate::record::export::rollback`]).
//! Invariant: every text that came from outside is escaped.

use super::Pen;
use crate::digest::Sha256Digest;
use crate::image::ImageRef;
use crate::language::Language;
use crate::ledger::{Fact, Kind};
use crate::record::export::audit::{Audited, Checked};
use crate::record::export::releases::{Permission, Releases};
use crate::record::export::rollback::{self, Rollback};
use crate::record::export::words::{self, escape, zoned};

pub(super) fn section(pen: &Pen<'_>) -> String {
    let all = rollback::all(pen.audited);
    let title = pen.pick("Rollbacks", "ロールバック");
    if all.is_empty() {
        return format!("<h2>{title}</h2>\n<p>{}</p>\n", pen.pick("None.", "なし"));
    }
    let blocks: String = all.iter().map(|rollback| block(pen, rollback)).collect();
    format!("<h2>{title}</h2>\n{blocks}")
}

/// One rollback as rows of name and markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The entry that ends it.
    pub n: u64,
    /// The rows; names are text, values are markup.
    pub rows: Vec<(&'static str, String)>,
}

/// Every rollback of a record, each as a sheet.
#[must_use]
pub fn sheets(audited: &Audited, releases: &Releases, language: Language, tz: &str) -> Vec<Sheet> {
    let pen = Pen { language, tz, audited, releases };
    let sheet = |rollback: &Rollback<'_>| Sheet {
        n: rollback.ended.n,
        rows: rows(&pen, rollback)
            .into_iter()
            .map(|(en, ja, value)| (pen.pick(en, ja), value))
            .collect(),
    };
    rollback::all(audited).iter().map(sheet).collect()
}

fn block(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    let title = format!("{} — #{}", rollback.entry.device, rollback.ended.n);
    format!("<section><h3>{title}</h3>\n{}</section>\n", pen.list(&rows(pen, rollback)))
}

fn rows(pen: &Pen<'_>, rollback: &Rollback<'_>) -> Vec<Row> {
    let fact = &rollback.entry.fact;
    let mut rows = place(pen, rollback);
    rows.extend(course(pen, rollback));
    rows.extend(people(pen, rollback));
    rows.extend([
        ("Clinical state", "使用状態", clinical(pen, rollback)),
        ("Self-test result", "自己診断の結果", self_test(pen, rollback)),
        ("Settings before / after", "設定の照合値(前/後)", settings(pen, fact)),
        (
            "CVEs open again, compensating control",
            "再び露出するCVEと補完的対策",
            controls(pen, rollback),
        ),
        ("Receipt", "受領", receipt(pen, rollback)),
    ]);
    rows
}

type Row = (&'static str, &'static str, String);

fn place(pen: &Pen<'_>, rollback: &Rollback<'_>) -> Vec<Row> {
    let unknown = || pen.pick("not in the record", "記録なし").to_owned();
    let placement = rollback.placement.as_ref();
    let text = |value: Option<&String>| value.map_or_else(unknown, |value| escape(value));
    let ward = placement.and_then(|placement| {
        let name = match pen.pick("en", "ja") {
            "ja" => placement.ward_ja.as_ref(),
            _ => placement.ward_en.as_ref(),
        };
        let id = placement.ward.as_ref()?;
        Some(format!("{} ({id})", escape(name.map_or("", String::as_str))))
    });
    let udi = text(placement.and_then(|placement| placement.udi.as_ref()));
    let serial = text(placement.and_then(|placement| placement.serial_number.as_ref()));
    vec![
        ("Device", "機器", rollback.entry.device.to_string()),
        ("UDI / serial number", "UDI/製造番号", format!("{udi} / {serial}")),
        ("Ward at the time", "当時の病棟・部門", ward.unwrap_or_else(unknown)),
    ]
}

fn course(pen: &Pen<'_>, rollback: &Rollback<'_>) -> Vec<Row> {
    let fact = &rollback.entry.fact;
    let (en, ja) = rollback.trigger.words();
    let reason = fact.reason.map_or_else(String::new, |reason| {
        format!(" — {} ({})", pen.pick(reason.en(), reason.ja()), reason.code())
    });
    let outcome = words::kind(fact.kind, pen.language);
    vec![
        ("Outcome", "結果", outcome.to_owned()),
        ("From", "変更前の版", image(rollback.from)),
        ("To", "変更後の版", image(rollback.to)),
        ("Trigger", "契機", format!("{}{reason}", pen.pick(en, ja))),
        ("Manufacturer's permission", "製造販売業者の許可", permitted(pen, rollback)),
        ("Started", "開始", time(pen, rollback.started)),
        ("Finished", "終了", time(pen, Some(rollback.ended))),
    ]
}

fn people(pen: &Pen<'_>, rollback: &Rollback<'_>) -> Vec<Row> {
    let nobody = pen.pick("nobody: the device acted by itself", "なし(機器が自動で実行)");
    let asked = rollback.authorised.first();
    let asked = asked.map_or_else(|| nobody.to_owned(), |act| signature(pen, act));
    let authorised = signatures(pen, &rollback.authorised, nobody);
    let reverses = rollback.reverses.as_ref().map_or_else(
        || pen.pick("not in the record", "記録なし").to_owned(),
        |(digest, acts)| {
            let none = pen.pick("its signed acts are not in the record", "署名記録なし");
            format!("<code>{digest}</code><br>{}", signatures(pen, acts, none))
        },
    );
    let at_device = rollback
        .entry
        .fact
        .person
        .as_ref()
        .map_or_else(|| pen.pick("nobody", "なし").to_owned(), ToString::to_string);
    vec![
        ("Asked for by", "依頼者", asked),
        ("Authorised by", "許可者", authorised),
        ("Person at the device", "機器の前の担当者", at_device),
        ("Approval that it reverses", "取り消された承認", reverses),
    ]
}

fn signature(pen: &Pen<'_>, checked: &Checked) -> String {
    checked.act().map(|act| pen.signature(checked, act)).unwrap_or_default()
}

fn signatures(pen: &Pen<'_>, acts: &[&Checked], none: &str) -> String {
    if acts.is_empty() {
        return none.to_owned();
    }
    acts.iter().map(|act| signature(pen, act)).collect::<Vec<_>>().join("<br>")
}

fn image(image: Option<&ImageRef>) -> String {
    image.map_or_else(String::new, |image| format!("{image} <code>{}</code>", image.image_sha256))
}

/// The device's own time where it knew it, and when the server stored the entry.
fn time(pen: &Pen<'_>, checked: Option<&Checked>) -> String {
    let Some(checked) = checked else {
        return pen.pick("not in the record", "記録なし").to_owned();
    };
    let own = checked.ledger().and_then(|entry| entry.at.map(|at| (entry, at)));
    let own = own.map_or_else(
        || pen.pick("device's clock unknown", "機器の時刻不明").to_owned(),
        |(entry, at)| {
            let quality = words::quality(entry.time_quality, pen.language);
            format!("{} ({quality})", escape(&zoned(pen.tz, at)))
        },
    );
    let stored = escape(&zoned(pen.tz, checked.at));
    format!("{own}; {} {stored} [#{}]", pen.pick("stored", "保存"), checked.n)
}

fn clinical(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    let of = |checked: Option<&Checked>| {
        checked.and_then(Checked::ledger).and_then(|entry| entry.fact.clinical_state)
    };
    let state = rollback.entry.fact.clinical_state.or_else(|| of(rollback.started));
    let unknown = || pen.pick("not recorded", "記録なし").to_owned();
    state.map_or_else(unknown, |state| words::clinical(state, pen.language).to_owned())
}

fn self_test(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    let said = |checked: Option<&Checked>| {
        let entry = checked.and_then(Checked::ledger)?;
        let fact = &entry.fact;
        let reason = fact.reason.map(|reason| pen.pick(reason.en(), reason.ja()).to_owned());
        let detail = fact.detail.as_deref().map(escape);
        let parts: Vec<_> = reason.into_iter().chain(detail).collect();
        (!parts.is_empty()).then(|| parts.join(" — "))
    };
    let told = said(rollback.tested).or_else(|| said(Some(rollback.ended)));
    let passed = rollback.entry.fact.kind == Kind::Committed;
    let otherwise = if passed {
        pen.pick("passed", "合格")
    } else {
        pen.pick("not recorded", "記録なし")
    };
    told.unwrap_or_else(|| otherwise.to_owned())
}

fn settings(pen: &Pen<'_>, fact: &Fact) -> String {
    let text = |digest: Option<Sha256Digest>| {
        digest.map_or_else(|| "—".to_owned(), |digest| format!("<code>{digest}</code>"))
    };
    let same = match (fact.settings_before, fact.settings_after) {
        (Some(before), Some(after)) if before == after => pen.pick(" (unchanged)", "(変更なし)"),
        (Some(_), Some(_)) => pen.pick(" (CHANGED)", "(変更あり)"),
        (None, _) | (_, None) => "",
    };
    format!("{} / {}{same}", text(fact.settings_before), text(fact.settings_after))
}

/// What the manufacturer signed of this way back.
fn permitted(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    let (Some(from), Some(to)) = (rollback.from, rollback.to) else {
        return pen.pick("not in the record", "記録なし").to_owned();
    };
    let (to_seq, from_seq) = (to.seq, from.seq);
    match pen.releases.permission(from, to) {
        Permission::Listed => format!(
            "{} (rollback_ok: seq {to_seq}, seq {from_seq})",
            pen.pick("signed: the image that was left names this one", "署名あり(元の版が許可)")
        ),
        Permission::NotListed if rollback.authorised.is_empty() => pen
            .pick(
                "not asked for: the device kept the image that ran before, for this",
                "不要(直前の版として保持されていたもの)",
            )
            .to_owned(),
        Permission::NotListed => format!(
            "{} (seq {to_seq}, seq {from_seq})",
            pen.pick(
                "NOT in rollback_ok of the image that was left",
                "元の版のrollback_okに記載なし"
            )
        ),
        Permission::NotKnown => format!(
            "{} (seq {to_seq}, seq {from_seq})",
            pen.pick(
                "checked by the device; the manufacturer's metadata is not in this file",
                "機器が確認(製造販売業者のメタデータは本ファイルに含まれない)"
            )
        ),
    }
}

fn controls(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    let open = rollback.from.zip(rollback.to).map(|(from, to)| pen.releases.open_again(from, to));
    let open: Vec<String> = open.into_iter().flatten().map(escape).collect();
    let stated = rollback.authorised.iter().filter_map(|checked| checked.act());
    let stated = stated.filter_map(|act| act.compensating.as_ref()).map(|c| pen.control(c));
    let none = pen.pick(
        "NO compensating control in a signed act: name one with owner and due date",
        "署名記録に補完的対策の記載なし(責任者と期限を定めてください)",
    );
    let mut lines = Vec::new();
    if !open.is_empty() {
        let say = pen
            .pick("closed by what was left behind, as signed", "元の版で対処済みだったCVE(署名)");
        lines.push(format!("{say}: {}", open.join(", ")));
    }
    let before = lines.len();
    lines.extend(stated);
    if lines.len() == before {
        lines.push(none.to_owned());
    }
    lines.join("<br>")
}

fn receipt(pen: &Pen<'_>, rollback: &Rollback<'_>) -> String {
    format!(
        "{} #{}, {}; {} {} <code>{}</code>",
        pen.pick("stored as", "保存位置"),
        rollback.ended.n,
        escape(&zoned(pen.tz, rollback.ended.at)),
        pen.pick("ledger entry", "機器記録"),
        rollback.entry.seq,
        rollback.ended.leaf
    )
}
