//! What verbs print: the only place of the agent that writes to standard output.
#![allow(clippy::print_stdout, reason = "printing is what this module is for")]

use super::{Form, Lang};
use crate::enrol::Joined;
use crate::status::Status;
use patchward_protocol::id::PersonId;
use patchward_protocol::ledger::Chain;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::TimeQuality;

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
    for reason in blocks(status) {
        println!("{}: {}", reason.code(), sentence(reason, lang));
    }
    if blocks(status).is_empty() {
        println!("{}", nothing_blocks(status, lang));
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

fn nothing_blocks(status: &Status, lang: Lang) -> &'static str {
    match status.state.as_str() {
        "idle" => say(
            lang,
            "Nothing is waiting: no newer release is approved for this device.",
            "適用待ちはありません。この機器に承認された新しいリリースはありません。",
        ),
        "awaiting-acceptance" => say(
            lang,
            "The update is installed. A person must release the device: patchward-agent accept --by PERSON.",
            "更新は完了しました。受入確認が必要です: patchward-agent accept --by 担当者",
        ),
        "approved" | "fetching" => sentence(Reason::NotStagedYet, lang),
        _under_way => say(lang, "The update is under way.", "更新を実行中です。"),
    }
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
