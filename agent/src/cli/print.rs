//! What verbs print: the only place of the agent that writes to standard output.
#![allow(clippy::print_stdout, reason = "printing is what this module is for")]

use super::{Form, Lang};
use crate::enrol::Joined;
use crate::status::{ShownHold, Status};
use patchward_protocol::directive::{HoldBy, HoldNotice, HoldTarget};
use patchward_protocol::id::PersonId;
use patchward_protocol::ledger::Chain;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::TimeQuality;
use patchward_protocol::why::{self, Waiting};

/// Prints a line.
pub(super) fn line(text: &str) {
    println!("{text}");
}

/// A word in the language asked for.
pub(super) const fn say(lang: Lang, en: &'static str, ja: &'static str) -> &'static str {
    match lang {
        Lang::En => en,
        Lang::Ja => ja,
    }
}

/// The sentence for a reason.
pub(super) const fn sentence(reason: Reason, lang: Lang) -> &'static str {
    say(lang, reason.en(), reason.ja())
}

/// After joining.
pub(super) fn joined(joined: &Joined, lang: Lang) {
    let member = &joined.membership;
    println!("{}: {} / {}", say(lang, "Joined site", "登録した施設"), member.site, member.device);
    println!(
        "{}: {}",
        say(lang, "Fingerprint of this device", "この機器の照合コード"),
        joined.fingerprint
    );
    println!(
        "{}: {}",
        say(lang, "Fingerprint of the site root", "施設ルートの照合コード"),
        joined.site_root_fingerprint
    );
    println!(
        "{}: {:?}",
        say(lang, "Approvals need a signature at least as strong as", "承認に必要な署名方法"),
        joined.weakest
    );
}

/// `present`.
pub(super) fn present(by: &PersonId, minutes: u32, lang: Lang) {
    match lang {
        Lang::En => println!("{by} is at the device for {minutes} minutes."),
        Lang::Ja => println!("{by} が機器の前にいます({minutes}分間)。"),
    }
}

/// `status`.
pub(super) fn status(status: &Status, agent: Agent, form: Form, lang: Lang, boot_ms: u64) {
    if form == Form::Json {
        let mut value = serde_json::to_value(status).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("agent_runs".into(), (agent == Agent::Runs).into());
        }
        println!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        return;
    }
    let here = super::here::rows(status, boot_ms, lang);
    for (name, value) in rows(status, agent, lang).into_iter().chain(here) {
        println!("{name:<28} {value}");
    }
}

/// Whether an agent runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    /// It runs.
    Runs,
    /// It does not.
    Stopped,
}

fn rows(status: &Status, agent: Agent, lang: Lang) -> Vec<(&'static str, String)> {
    let none = || "-".to_owned();
    let image = |image: &Option<patchward_protocol::image::ImageRef>| {
        image.as_ref().map_or_else(none, ToString::to_string)
    };
    let version = |n: Option<u64>| n.map_or_else(none, |n| n.to_string());
    vec![
        (
            say(lang, "agent", "エージェント"),
            match agent {
                Agent::Runs => say(lang, "runs", "動作中").to_owned(),
                Agent::Stopped => say(lang, "does not run", "停止中").to_owned(),
            },
        ),
        (say(lang, "device", "機器"), format!("{} / {}", status.site, status.device)),
        (say(lang, "fingerprint", "照合コード"), status.fingerprint.clone()),
        (say(lang, "installed", "現在の版"), image(&status.installed)),
        (say(lang, "state", "状態"), status.state.clone()),
        (say(lang, "wanted", "適用予定"), image(&status.wanted)),
        (say(lang, "server", "サーバー"), status.server.url.clone()),
        (
            say(lang, "ledger", "機器記録"),
            format!(
                "{} ({} {})",
                status.ledger.seq,
                status.ledger.receipted_seq,
                say(lang, "receipted", "受領済み")
            ),
        ),
        (
            say(lang, "site record", "施設の監査記録"),
            status.record.as_ref().map_or_else(none, |record| {
                let odd = record.contradicted.map_or("", Reason::code);
                format!("{} {} {odd}", record.size, record.root.fingerprint())
            }),
        ),
        (say(lang, "site targets", "施設の承認一覧"), version(status.trusted.site_targets)),
        (say(lang, "family targets", "機種のリリース一覧"), version(status.trusted.family_targets)),
    ]
}

/// `why`: one sentence per block, then the table.
pub(super) fn why(status: &Status, agent: Agent, lang: Lang, boot_ms: u64) {
    if agent == Agent::Stopped {
        let stopped = say(
            lang,
            "The agent does not run; this is what it last knew.",
            "エージェントは停止中です。以下は最後に確認された内容です。",
        );
        println!("{stopped}");
    }
    let blocks = blocks(status);
    for reason in &blocks {
        println!("{}: {}", reason.code(), said(status, Some(*reason), lang));
    }
    if blocks.is_empty() {
        println!("{}", said(status, None, lang));
    }
    if status.state == "awaiting-acceptance" {
        println!("patchward-agent accept --by {}", say(lang, "PERSON", "担当者"));
    }
    for hold in &status.holds {
        println!("{}", hold_line(hold, lang));
    }
    if let Some(reason) = status.record.as_ref().and_then(|record| record.contradicted) {
        println!("{}: {}", reason.code(), sentence(reason, lang));
    }
    for refused in &status.refused {
        println!(
            "{} {}: {}",
            say(lang, "refused approval", "拒否した承認"),
            refused.approval,
            sentence(refused.reason, lang)
        );
    }
    println!();
    let here = super::here::rows(status, boot_ms, lang);
    for (name, value) in table(status, lang).into_iter().chain(here) {
        println!("{name:<14} {value}");
    }
}

/// The sentence that server and console say too.
fn said(status: &Status, reason: Option<Reason>, lang: Lang) -> String {
    let waiting = Waiting { state: Some(&status.state), reason, slot: status.slot };
    let (en, ja) = why::sentence(&waiting, why::in_utc);
    match lang {
        Lang::En => en,
        Lang::Ja => ja,
    }
}

fn hold_line(hold: &ShownHold, lang: Lang) -> String {
    let HoldNotice { id, target, by, reason, review_at } = &hold.notice;
    let by = match by {
        HoldBy::Site => say(lang, "the hospital", "医療機関"),
        HoldBy::Maker => say(lang, "the manufacturer", "製造販売業者"),
        HoldBy::Operator => say(lang, "the server's operator", "サーバー運用者"),
        HoldBy::Freeze => say(lang, "a freeze", "凍結期間"),
    };
    let target = match target {
        HoldTarget::Device { .. } => say(lang, "this device", "この機器").to_owned(),
        HoldTarget::Ward { ward } => format!("{} {ward}", say(lang, "ward", "病棟")),
        HoldTarget::Site => say(lang, "the whole site", "施設全体").to_owned(),
        HoldTarget::Release { family, .. } => {
            format!("{} ({family})", say(lang, "this release", "このリリース"))
        }
    };
    let remembered = if hold.only_remembered {
        say(
            lang,
            "; the server does not tell it any more, only a signed act of the hospital lifts it",
            "。サーバーからは通知されなくなりました。解除には医療機関の署名が必要です",
        )
    } else {
        ""
    };
    let (hold, review) = (say(lang, "hold", "保留"), say(lang, "review", "見直し"));
    format!("{hold} {id}: {by}, {target}: {reason} ({review} {review_at}){remembered}")
}

/// Every reason, the first to be shown first.
pub(super) fn blocks(status: &Status) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if status.held_here {
        reasons.push(Reason::HeldHere);
    }
    reasons.extend(status.reasons.iter().copied());
    reasons.extend(status.reason);
    reasons.extend(status.server.failed);
    if status.ledger.full {
        reasons.push(Reason::LedgerFull);
    }
    let mut seen = Vec::new();
    reasons.retain(|reason| {
        let new = !seen.contains(reason);
        seen.push(*reason);
        new
    });
    reasons
}

fn table(status: &Status, lang: Lang) -> Vec<(&'static str, String)> {
    let none = || "-".to_owned();
    let approval = status.approval.as_ref();
    let quality = match (status.time.quality, status.time.disagrees) {
        (_, true) => say(lang, "sources disagree", "時刻源が不一致"),
        (TimeQuality::Unknown, false) => say(lang, "unknown", "不明"),
        (TimeQuality::Plausible, false) => say(lang, "plausible (one source)", "推定(時刻源一つ)"),
        (TimeQuality::Attested, false) => {
            say(lang, "attested (two sources)", "確認済み(時刻源二つ)")
        }
    };
    let utc = status.time.utc.map_or_else(none, |utc| utc.to_string());
    let slots = approval.filter(|shown| !shown.slots.is_empty()).map_or_else(none, |shown| {
        shown.slots.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    });
    let conditions = approval.and_then(|shown| shown.conditions.as_ref()).map_or_else(none, |c| {
        format!(
            "time {:?}, settle {} s, mains {:?}, battery {} %, acceptance {:?}, offline {}",
            c.time, c.settle_s, c.mains, c.battery_min, c.acceptance, c.offline_ok
        )
    });
    let permit = |reasons: &[Reason]| {
        let of_interlock = |reason: &&Reason| {
            matches!(
                reason,
                Reason::InUse
                    | Reason::InterlockSilent
                    | Reason::InterlockMissing
                    | Reason::InterlockNotReady
                    | Reason::Settling
                    | Reason::NeedsPerson
            )
        };
        reasons.iter().find(of_interlock).map_or_else(none, |reason| reason.code().to_owned())
    };
    let waits = matches!(status.state.as_str(), "staged" | "holding");
    vec![
        (say(lang, "time", "時刻"), format!("{utc}  {quality}")),
        (say(lang, "slot", "適用枠"), slots),
        (
            say(lang, "approval", "承認"),
            approval.map_or_else(none, |shown| {
                format!("{}  {}  {:?}", shown.id, shown.fingerprint, shown.weakest_method)
            }),
        ),
        (say(lang, "permit", "適用許可"), if waits { permit(&status.reasons) } else { none() }),
        (say(lang, "conditions", "条件"), conditions),
        (say(lang, "state", "状態"), status.state.clone()),
    ]
}

/// `slots`: the open and the next slots of what is wanted.
pub(super) fn slots(status: &Status, next: usize, lang: Lang) {
    let slots = status.approval.iter().flat_map(|approval| &approval.slots);
    let coming = slots.filter(|slot| status.time.utc.is_none_or(|utc| slot.end() > utc));
    let coming: Vec<_> = coming.take(next).collect();
    if coming.is_empty() {
        println!("{}", say(lang, "No slot is to come.", "今後の適用枠はありません。"));
    }
    for slot in coming {
        let open = status.time.utc.is_some_and(|utc| slot.contains(utc));
        let minutes = slot.end().millis_since(slot.start()) / 60_000;
        let open = if open { say(lang, "open now", "適用中") } else { "" };
        println!("{} – {}  {minutes} min  {open}", slot.start(), slot.end());
    }
}

/// `ledger verify`.
pub(super) fn verified(chain: &Chain, count: u64, lang: Lang) {
    println!(
        "{} {count}; {} {}; {} {}",
        say(lang, "entries verified", "検証済みの記録"),
        say(lang, "last position", "最終番号"),
        chain.seq,
        say(lang, "head", "末尾ハッシュ"),
        chain.head_sha256.map_or_else(|| "-".to_owned(), |digest| digest.to_string())
    );
}
