//! The record as a page that people read and print: signatures as 21 CFR 11.50 asks for them,
//! rollbacks, and every entry.
//!
//! One file without scripts, pictures or links; it proves nothing by itself and says how to check.
//! Not here: words ([`super::words`]) and what a rollback consists of ([`super::rollback`]).
//! Invariant: every text that came from outside is escaped.

mod rollbacks;

pub use rollbacks::{Sheet, sheets};

use super::audit::{Audited, Checked, Word};
use super::contents::Contents;
use super::releases::Releases;
use super::words::{self, escape, zoned};
use crate::act::{Act, CompensatingControl, Subject};
use crate::digest::Sha256Digest;
use crate::key::PublicKey;
use crate::language::Language;
use crate::ledger::SealedEntry;
use crate::record::entry::ServerAct;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;line-height:1.4}\
table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}\
th,td{border:1px solid #888;padding:.25em .5em;text-align:left;vertical-align:top;overflow-wrap:break-word}\
th{background:#eee}thead{display:table-header-group}tr,section{break-inside:avoid}\
code,pre{font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
section{border:1px solid #888;padding:0 1em;margin:1em 0}.unsigned{color:#555}\
@page{size:A4 landscape;margin:12mm}@media print{body{margin:0;font-size:9pt}}";

/// What every part of the page needs.
pub(super) struct Pen<'a> {
    pub(super) language: Language,
    pub(super) tz: &'a str,
    pub(super) audited: &'a Audited,
    pub(super) releases: &'a Releases,
}

impl Pen<'_> {
    pub(super) const fn pick<'t>(&self, en: &'t str, ja: &'t str) -> &'t str {
        self.language.pick(en, ja)
    }

    /// A table with these heads; cells are markup.
    pub(super) fn table(&self, heads: &[(&str, &str)], rows: &[Vec<String>]) -> String {
        let heads: String =
            heads.iter().map(|(en, ja)| format!("<th>{}</th>", self.pick(en, ja))).collect();
        let row = |cells: &Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let rows: String = rows.iter().map(row).collect();
        format!("<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table>\n")
    }

    /// A table of two columns: name and markup.
    pub(super) fn list(&self, rows: &[(&str, &str, String)]) -> String {
        let row = |(en, ja, value): &(&str, &str, String)| {
            format!("<tr><th>{}</th><td>{value}</td></tr>\n", self.pick(en, ja))
        };
        format!("<table><tbody>\n{}</tbody></table>\n", rows.iter().map(row).collect::<String>())
    }

    /// Printed name, role, meaning, date and time with zone, reason: the manifestation of a signature.
    pub(super) fn signature(&self, checked: &Checked, act: &Act) -> String {
        let meaning = self.pick(act.meaning.words().0, act.meaning.words().1);
        format!(
            "{} ({}) — {meaning} — {} — {} [#{}]",
            escape(&act.name),
            escape(&act.role),
            escape(&zoned(&act.tz, act.at)),
            escape(&act.reason),
            checked.n
        )
    }

    pub(super) fn control(&self, control: &CompensatingControl) -> String {
        let (cves, owner, due) = (
            self.pick("open again", "再び露出"),
            self.pick("owner", "責任者"),
            self.pick("until", "期限"),
        );
        format!(
            "{cves}: {} — {} — {owner}: {} — {due}: {}",
            escape(&control.cves.join(", ")),
            escape(&control.control),
            escape(&control.owner),
            escape(&zoned(self.tz, control.due))
        )
    }
}

/// The page.
#[must_use]
pub fn page(
    contents: &Contents,
    audited: &Audited,
    releases: &Releases,
    language: Language,
) -> String {
    let pen = Pen { language, tz: &contents.about.tz, audited, releases };
    let title = format!("{} {}", pen.pick("Record of site", "監査記録"), contents.about.site);
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    body.push_str(&head(&pen, contents));
    body.push_str(&signatures(&pen));
    body.push_str(&rollbacks::section(&pen));
    body.push_str(&everything(&pen));
    let lang = language.pick("en", "ja");
    format!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escape(&title)
    )
}

fn head(pen: &Pen<'_>, contents: &Contents) -> String {
    let about = &contents.about;
    let tree = &pen.audited.tree;
    let root_of = |root: Option<&Vec<u8>>| {
        root.map(|root| Sha256Digest::of(root).fingerprint()).unwrap_or_default()
    };
    let roots = format!(
        "{} … {} ({})",
        root_of(contents.roots.first()),
        root_of(contents.roots.last()),
        contents.roots.len()
    );
    let seen = about.seen_before.map_or_else(
        || {
            pen.pick(
                "nothing: this machine saw the record for the first time",
                "なし(この端末での初回)",
            )
            .to_owned()
        },
        |seen| format!("{} — {}", seen.size, seen.root),
    );
    let key =
        format!("<code>{}</code> ({})", contents.record_key, contents.record_key.fingerprint());
    let list = pen.list(&[
        ("Site", "医療機関", escape(about.site.as_str())),
        ("Exported at", "出力日時", escape(&zoned(&about.tz, about.made_at))),
        ("By", "プログラム", escape(&about.made_by)),
        ("Entries", "件数", tree.size().to_string()),
        ("Root of the tree", "ツリーのルート", format!("<code>{}</code>", tree.root())),
        ("Record key", "記録鍵", key),
        ("Site roots (first, last, count)", "施設ルート(最初・最新・数)", roots),
        ("Continues what was seen before", "前回確認した末尾", escape(&seen)),
        (
            "Signed checkpoint",
            "署名付きチェックポイント",
            format!("<pre>{}</pre>", escape_lines(&contents.checkpoint)),
        ),
    ]);
    let say = pen.pick(
        "This page is for reading. What proves it are the signatures in the same file; check them with: \
         patchward record verify FILE. Compare the fingerprints of record key and site root with those \
         that the hospital holds on paper. Devices and persons sign their own entries; entries of the \
         server are signed by nobody and stand in the tree only.",
        "このページは閲覧用です。証明となるのは同じファイル内の署名で、patchward record verify FILE で検証できます。\
         記録鍵と施設ルートの照合コードを、医療機関が紙で保管するものと照合してください。\
         機器と人の記録は本人の鍵で署名されています。サーバーの記録は無署名で、ツリーにのみ含まれます。",
    );
    format!("{list}<p>{say}</p>\n")
}

fn signatures(pen: &Pen<'_>) -> String {
    let acts = pen.audited.entries.iter().filter_map(|checked| match &checked.said {
        Word::Act(act, key) => Some(signature_row(pen, checked, act, key)),
        Word::Ledger(_) | Word::Server(_) | Word::Note(_) => None,
    });
    let heads = [
        ("#", "#"),
        ("Printed name", "氏名"),
        ("Role", "役割"),
        ("Date and time signed (zone)", "署名日時(タイムゾーン)"),
        ("Meaning of the signature", "署名の意味"),
        ("Reason", "理由"),
        ("About", "対象"),
        ("Key", "鍵"),
        ("Stored at", "保存日時"),
    ];
    let title = pen.pick("Signatures (21 CFR 11.50)", "署名一覧(21 CFR 11.50)");
    format!("<h2>{title}</h2>\n{}", pen.table(&heads, &acts.collect::<Vec<_>>()))
}

fn signature_row(pen: &Pen<'_>, checked: &Checked, act: &Act, key: &PublicKey) -> Vec<String> {
    let listed = pen.audited.people.all().iter().find(|listed| listed.key == *key);
    let method = words::method(listed.and_then(|listed| listed.method), pen.language);
    let mut about = subject(pen, act);
    if let Some(control) = &act.compensating {
        about.push_str("<br>");
        about.push_str(&pen.control(control));
    }
    vec![
        checked.n.to_string(),
        format!("{} ({})", escape(&act.name), act.person),
        escape(&act.role),
        escape(&zoned(&act.tz, act.at)),
        pen.pick(act.meaning.words().0, act.meaning.words().1).to_owned(),
        escape(&act.reason),
        about,
        format!("{}<br>{method}", key.fingerprint()),
        escape(&zoned(pen.tz, checked.at)),
    ]
}

fn subject(pen: &Pen<'_>, act: &Act) -> String {
    match &act.subject {
        Subject::Approval { approval, approval_sha256, targets_version, .. } => format!(
            "{} {approval} <code>{approval_sha256}</code> (targets v{targets_version})",
            pen.pick("approval", "承認")
        ),
        Subject::Wave { approval_sha256, wave, halts } => format!(
            "{} {wave} ({} {halts}) <code>{approval_sha256}</code>",
            pen.pick("wave", "段階"),
            pen.pick("halt", "停止")
        ),
        Subject::Hold { hold } => format!("{} {hold}", pen.pick("hold", "保留")),
        Subject::Device { device, image } => format!("{device}: {image}"),
    }
}

fn everything(pen: &Pen<'_>) -> String {
    let row = |checked: &Checked| {
        let (signer, what) = match &checked.said {
            Word::Ledger(sealed) => (sealed.entry.device.to_string(), ledger_words(pen, sealed)),
            Word::Act(act, _) => {
                let meaning = pen.pick(act.meaning.words().0, act.meaning.words().1);
                (escape(&act.name), format!("{meaning}: {}", subject(pen, act)))
            }
            Word::Server(act) => (unsigned(pen, act), server_words(act)),
            Word::Note(act) => {
                let note = pen.pick("remark", "注記");
                (unsigned(pen, act), format!("{note}: {}", server_words(act)))
            }
        };
        let leaf = format!("<code>{}</code>", checked.leaf);
        vec![checked.n.to_string(), escape(&zoned(pen.tz, checked.at)), signer, what, leaf]
    };
    let rows: Vec<_> = pen.audited.entries.iter().map(row).collect();
    let heads = [
        ("#", "#"),
        ("Stored at", "保存日時"),
        ("Signed by", "署名者"),
        ("What", "内容"),
        ("Leaf hash", "葉のハッシュ"),
    ];
    format!("<h2>{}</h2>\n{}", pen.pick("All entries", "全記録"), pen.table(&heads, &rows))
}

fn ledger_words(pen: &Pen<'_>, sealed: &SealedEntry) -> String {
    let (entry, fact) = (&sealed.entry, &sealed.entry.fact);
    let mut parts = vec![format!("{} (seq {})", words::kind(fact.kind, pen.language), entry.seq)];
    if let Some(image) = &fact.release {
        parts.push(image.to_string());
    }
    if let Some(approval) = &fact.approval {
        parts.push(format!("{} {}", pen.pick("approval", "承認"), approval.id));
    }
    if let Some(reason) = fact.reason {
        parts.push(format!("{} ({})", pen.pick(reason.en(), reason.ja()), reason.code()));
    }
    if let Some(person) = &fact.person {
        parts.push(person.to_string());
    }
    parts.extend(fact.detail.as_deref().map(escape));
    let clock = entry.at.map(|at| zoned(pen.tz, at)).unwrap_or_default();
    let quality = words::quality(entry.time_quality, pen.language);
    parts.push(format!("{} {clock} ({quality})", pen.pick("device's clock:", "機器の時刻:")));
    parts.join(" — ")
}

fn unsigned(pen: &Pen<'_>, act: &ServerAct) -> String {
    let say = pen.pick("unsigned", "無署名");
    format!("<span class=\"unsigned\">{} ({say})</span>", escape(act.who()))
}

fn server_words(act: &ServerAct) -> String {
    format!("{} <code>{}</code>", escape(act.act()), escape(&act.detail().to_string()))
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
