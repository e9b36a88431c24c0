//! What `status` and `why` show of the device itself: people, applications, conditions.
//!
//! Not here: printing. Invariant: a row says the same in both languages.

use super::Lang;
use super::print::{say, sentence};
use crate::permit::conditions::Met;
use crate::status::{ShownApp, ShownCondition, ShownUntil, Status};
use patchward_protocol::approval::Need;
use patchward_protocol::ledger::ClinicalState;

/// A row: its name and its value.
type Row = (&'static str, String);

/// Everything at the device that may stand in the way, at `boot_ms`.
pub(super) fn rows(status: &Status, boot_ms: u64, lang: Lang) -> Vec<Row> {
    let mut rows = vec![interlock(status, lang)];
    rows.extend(status.interlock.apps.iter().map(|shown| app(shown, lang)));
    rows.extend(status.conditions.iter().map(|shown| condition(shown, lang)));
    if let Some(deferred) = &status.deferred {
        rows.push((say(lang, "deferred", "延期"), until(deferred, boot_ms, lang)));
    }
    if let Some(present) = &status.present {
        rows.push((say(lang, "present", "立会い"), until(present, boot_ms, lang)));
    }
    rows
}

fn interlock(status: &Status, lang: Lang) -> Row {
    let said = match status.interlock.said {
        None => say(lang, "not asked yet", "未確認"),
        Some(ClinicalState::Idle) => say(lang, "free", "空き"),
        Some(ClinicalState::InUse) => say(lang, "in use", "使用中"),
        Some(ClinicalState::Unknown) => say(lang, "no valid answer", "有効な応答なし"),
        Some(ClinicalState::NotNeeded) => say(lang, "not needed", "不要"),
    };
    let detail = &status.interlock.detail;
    let value = if detail.is_empty() { said.to_owned() } else { format!("{said} ({detail})") };
    (say(lang, "interlock", "使用状態"), value)
}

fn app(shown: &ShownApp, lang: Lang) -> Row {
    let said = match shown.said.as_str() {
        "idle" => say(lang, "idle", "空き"),
        "ready" => say(lang, "locked for the update", "更新のためロック中"),
        "busy" => say(lang, "in use", "使用中"),
        "refused" => say(lang, "not now", "拒否"),
        "absent" => say(lang, "not connected", "未接続"),
        _silent => say(lang, "holds no lease", "応答なし"),
    };
    let version = shown.version.as_ref().map_or("", |version| version.as_str());
    let why = shown.why.as_ref().map_or("", |why| why.as_str());
    let words = [shown.app.as_str(), version, said, why];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    (say(lang, "application", "アプリ"), words.join("  "))
}

fn condition(shown: &ShownCondition, lang: Lang) -> Row {
    let met = match shown.met {
        Met::Yes => say(lang, "met", "満たす"),
        Met::No => say(lang, "not met", "満たさない"),
        Met::Unknown => say(lang, "not known", "不明"),
    };
    let need = match shown.need {
        Need::Required => say(lang, "required", "必須"),
        Need::Advisory => say(lang, "advisory", "参考"),
    };
    let name = shown.reason.code();
    let mut value = format!("{name}: {met} ({need}; {})", shown.value);
    if shown.met != Met::Yes {
        value.push_str("  ");
        value.push_str(sentence(shown.reason, lang));
    }
    (say(lang, "condition", "機器条件"), value)
}

fn until(shown: &ShownUntil, boot_ms: u64, lang: Lang) -> String {
    let minutes = shown.until_boot_ms.saturating_sub(boot_ms).div_ceil(60_000);
    let by = shown.by.as_ref().map_or("?", |person| person.as_str());
    match lang {
        Lang::En => format!("{by}, {minutes} min left"),
        Lang::Ja => format!("{by}、残り{minutes}分"),
    }
}
