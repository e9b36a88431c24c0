//! What `status` and `why` show of the device itself: people, applications, conditions.
//!
//! Not here: printing. Invariant: a row says the same in both languages.

use super::Lang;
use super::print::{say, sentence};
use crate::journal::Brought;
use crate::permit::conditions::Met;
use crate::stage::windows::Progress;
use crate::status::{ShownApp, ShownCondition, ShownUntil, Status};
use patchward_protocol::approval::Need;
use patchward_protocol::ledger::{Carried, ClinicalState};

/// A row: its name and its value.
type Row = (&'static str, String);

/// Everything at the device that may stand in the way, at `boot_ms`.
pub(super) fn rows(status: &Status, boot_ms: u64, lang: Lang) -> Vec<Row> {
    let mut rows = vec![interlock(status, lang)];
    rows.extend(status.staging.as_ref().map(|progress| staging(progress, lang)));
    rows.extend(status.brought.as_ref().map(|brought| came(brought, lang)));
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

fn staging(progress: &Progress, lang: Lang) -> Row {
    let Progress { windows, windows_done, fetched_bytes, full_bytes } = progress;
    let value = match lang {
        Lang::En => format!(
            "{windows_done} of {windows} windows, {fetched_bytes} bytes fetched (the full image \
             has {full_bytes})"
        ),
        Lang::Ja => format!(
            "{windows}区画中{windows_done}区画、取得{fetched_bytes}バイト\
             (完全なイメージは{full_bytes}バイト)"
        ),
    };
    (say(lang, "fetching", "取得中"), value)
}

/// How the last image came, and what a delta saved.
fn came(brought: &Brought, lang: Lang) -> Row {
    let Carried { delta_sha256, fetched_bytes, full_bytes, windows, windows_full } =
        &brought.carried;
    let saved = full_bytes.saturating_sub(*fetched_bytes);
    let mut value = match (delta_sha256, lang) {
        (Some(_), Lang::En) => format!(
            "by a delta: {fetched_bytes} of {full_bytes} bytes, {saved} saved; {windows_full} of \
             {windows} windows from the full image"
        ),
        (Some(_), Lang::Ja) => format!(
            "差分: {full_bytes}バイト中{fetched_bytes}バイト取得、{saved}バイト節約、\
             {windows}区画中{windows_full}区画は完全なイメージ"
        ),
        (None, Lang::En) => format!("the full image: {fetched_bytes} bytes"),
        (None, Lang::Ja) => format!("完全なイメージ: {fetched_bytes}バイト"),
    };
    if let Some(reason) = brought.reason {
        value.push_str(&format!("  {}: {}", reason.code(), sentence(reason, lang)));
    }
    (say(lang, "last image", "前回の取得"), value)
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

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::reason::Reason;

    fn brought(delta: Option<&[u8]>, reason: Option<Reason>) -> Brought {
        let carried = Carried {
            delta_sha256: delta.map(Sha256Digest::of),
            fetched_bytes: 4_000,
            full_bytes: 100_000,
            windows: 16,
            windows_full: 2,
        };
        Brought { image_sha256: Sha256Digest::of(b"image"), carried, reason }
    }

    #[test]
    fn how_the_last_image_came_is_said_in_both_languages() {
        let delta = brought(Some(b"delta"), Some(Reason::DeltaOutput));
        let (_, en) = came(&delta, Lang::En);
        assert!(en.contains("by a delta: 4000 of 100000 bytes, 96000 saved"), "{en}");
        assert!(en.contains("2 of 16 windows") && en.contains("delta_output: "), "{en}");
        let (_, ja) = came(&delta, Lang::Ja);
        assert!(ja.contains("96000バイト節約") && ja.contains("16区画中2区画"), "{ja}");
        let full = brought(None, Some(Reason::DeltaNone));
        assert!(came(&full, Lang::En).1.starts_with("the full image: 4000 bytes  delta_none: "));
        assert!(came(&full, Lang::Ja).1.contains(Reason::DeltaNone.ja()));
    }

    #[test]
    fn how_far_fetching_is_is_said_in_both_languages() {
        let progress = Progress { windows: 16, windows_done: 3, fetched_bytes: 5, full_bytes: 100 };
        assert!(staging(&progress, Lang::En).1.starts_with("3 of 16 windows, 5 bytes fetched"));
        assert!(staging(&progress, Lang::Ja).1.starts_with("16区画中3区画"));
    }
}
