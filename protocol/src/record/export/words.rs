//! The words of a readable record: kinds, states and times, in English and Japanese; and escaping.
//!
//! One place, so that page and table say the same thing in the same words (docs/GLOSSARY.md). Not
//! here: the layout. Invariant: text that came from outside leaves [`escape`] without any markup.

use crate::approval::Action;
use crate::language::Language;
use crate::ledger::{ClinicalState, Kind, SigningMethod};
use crate::time::{TimeQuality, Timestamp};
use crate::tuf::schema::Method;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Text for a page: markup becomes harmless, control characters and those that turn the direction
/// of writing become visible.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, and marks that make text look like other text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// An instant in a zone, with the zone and its distance from UTC; in UTC where the zone is unknown.
#[must_use]
pub fn zoned(tz: &str, at: Timestamp) -> String {
    // The bundled zones: every machine writes the same page.
    let known = TimeZoneDatabase::bundled().get(tz).ok();
    let name = if known.is_some() { tz } else { "UTC" };
    let local = at.to_jiff().to_zoned(known.unwrap_or(TimeZone::UTC));
    format!("{} {name} (UTC{})", local.strftime("%Y-%m-%d %H:%M:%S"), local.strftime("%:z"))
}

/// What happened on a device.
#[must_use]
pub const fn kind(kind: Kind, language: Language) -> &'static str {
    let (en, ja) = match kind {
        Kind::Enrolled => ("joined the site", "機器登録"),
        Kind::Approved => ("approval and release verified", "承認とリリースを確認"),
        Kind::Staged => ("image staged and verified", "更新イメージを準備・検証"),
        Kind::Held => ("held", "保留"),
        Kind::Preparing => ("preparing", "適用準備"),
        Kind::Armed => ("all checks passed", "全条件を確認"),
        Kind::Activating => ("switching over", "切り替え"),
        Kind::Restarting => ("restart asked for", "再起動を要求"),
        Kind::Trial => ("new image on trial", "新しい版を確認中"),
        Kind::AwaitingAcceptance => ("waits for acceptance", "受入確認待ち"),
        Kind::Committed => ("image kept", "適用完了"),
        Kind::Used => ("in clinical use since", "臨床使用を報告"),
        Kind::Abandoned => ("given up before any change", "変更前に中止"),
        Kind::RollingBack => ("rolling back", "ロールバック開始"),
        Kind::RolledBack => ("rolled back", "ロールバック完了"),
        Kind::NeedsService => ("needs service", "要保守"),
        Kind::Refused => ("refused", "拒否"),
        Kind::HoldSet => ("hold set at the device", "機器で保留を設定"),
        Kind::HoldLifted => ("hold lifted at the device", "機器で保留を解除"),
        Kind::Recovered => ("recovered", "復旧"),
    };
    language.pick(en, ja)
}

/// What the interlock said.
#[must_use]
pub const fn clinical(state: ClinicalState, language: Language) -> &'static str {
    let (en, ja) = match state {
        ClinicalState::Idle => ("not in use", "未使用"),
        ClinicalState::InUse => ("in use", "使用中"),
        ClinicalState::Unknown => ("unknown (counts as in use)", "不明(使用中とみなす)"),
        ClinicalState::NotNeeded => ("no interlock needed", "確認不要"),
    };
    language.pick(en, ja)
}

/// How well a device knew the time.
#[must_use]
pub const fn quality(quality: TimeQuality, language: Language) -> &'static str {
    let (en, ja) = match quality {
        TimeQuality::Unknown => ("time unknown", "時刻不明"),
        TimeQuality::Plausible => ("one time source", "時刻源一つ"),
        TimeQuality::Attested => ("two time sources agree", "二つの時刻源が一致"),
    };
    language.pick(en, ja)
}

/// What an approval permits.
#[must_use]
pub const fn action(action: Action, language: Language) -> &'static str {
    let (en, ja) = match action {
        Action::Install => ("installation", "適用"),
        Action::Rollback => ("rollback", "ロールバック"),
        Action::Standing => ("standing approval", "事前承認"),
    };
    language.pick(en, ja)
}

/// How a person's key signs.
#[must_use]
pub const fn method(method: Option<Method>, language: Language) -> &'static str {
    let (en, ja) = match method {
        Some(Method::Offline) => {
            ("offline, on the signer's own machine", "署名者の端末(オフライン)")
        }
        Some(Method::Console) => ("in the browser page", "画面(コンソール)"),
        Some(Method::Custodial) => ("by the server, which holds the key", "サーバー保管の鍵"),
        None => ("not stated", "記載なし"),
    };
    language.pick(en, ja)
}

/// The weakest way in which an approval was signed.
#[must_use]
pub const fn weakest(method_of: SigningMethod, language: Language) -> &'static str {
    let of = match method_of {
        SigningMethod::Offline => Method::Offline,
        SigningMethod::Console => Method::Console,
        SigningMethod::Custodial => Method::Custodial,
    };
    method(Some(of), language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_hidden_characters_become_visible_text() {
        let odd = "<script>alert('x')</script>&\"\u{202e}\u{7}";
        let safe = escape(odd);
        assert_eq!(
            safe,
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_time_is_shown_with_its_zone() {
        let at = "2026-12-05T04:30:00Z".parse().unwrap();
        assert_eq!(zoned("Asia/Tokyo", at), "2026-12-05 13:30:00 Asia/Tokyo (UTC+09:00)");
        assert_eq!(zoned("Mars/Olympus", at), "2026-12-05 04:30:00 UTC (UTC+00:00)");
    }
}
