//! Why a device has not been updated yet: the one sentence that device, server and console say.
//!
//! It is made of what both sides know: the state that the device reports, its reason, and the slot it
//! waits for. How an instant is said is up to whoever says the sentence: a server knows the zone of the
//! hospital, a device says UTC. Not here: tables with values (`patchward-agent why`).
//! Invariant: the same [`Waiting`] gives the same sentence everywhere, but for how instants are written.

use crate::language::Language;
use crate::reason::Reason;
use crate::slot::Slot;
use crate::time::Timestamp;

/// What a device says of its waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// State of its machine, e.g. `holding`; none when it was never heard.
    pub state: Option<&'a str>,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// The next or open slot.
    pub slot: Option<Slot>,
}

/// An instant in UTC, for a program that knows no other zone.
#[must_use]
pub fn in_utc(at: Timestamp, _: Language) -> String {
    at.to_string()
}

/// The sentence in English and in Japanese; `when` writes an instant.
#[must_use]
pub fn sentence(
    waiting: &Waiting<'_>,
    when: impl Fn(Timestamp, Language) -> String,
) -> (String, String) {
    if let Some(reason) = waiting.reason {
        return match (reason, waiting.slot) {
            (Reason::SlotNotOpen | Reason::SlotTooShort, Some(slot)) => {
                let edges = |language| (when(slot.start(), language), when(slot.end(), language));
                let ((opens, closes), (from, to)) = (edges(Language::En), edges(Language::Ja));
                (
                    format!("{} It opens {opens} and closes {closes}.", reason.en()),
                    format!("{}適用枠: {from} から {to} まで。", reason.ja()),
                )
            }
            _ => (reason.en().to_owned(), reason.ja().to_owned()),
        };
    }
    let (en, ja) = match waiting.state {
        None => (
            "The device has not been heard of yet. Check that it is switched on and connected.",
            "機器からの通信がまだありません。電源と接続を確認してください。",
        ),
        Some("idle") => (
            "Nothing is waiting: what runs is what is approved.",
            "待機中の更新はありません。承認済みの版で動作しています。",
        ),
        Some("approved" | "fetching") => (
            "The approved image is being fetched and staged; the device works on meanwhile.",
            "承認された更新イメージを取得・準備中です。その間も機器は通常どおり使用できます。",
        ),
        Some("staged" | "holding") => (
            "The image is staged and the device is about to check whether the moment is right.",
            "更新イメージの準備が完了し、適用の条件を確認するところです。",
        ),
        Some("preparing" | "armed" | "activating" | "restarting" | "trial" | "committed") => (
            "The update is under way. Do not switch the device off.",
            "更新を適用中です。電源を切らないでください。",
        ),
        Some("awaiting-acceptance") => (
            "The update is done; a person must check the device and release it for clinical use.",
            "更新は完了しました。担当者が確認し、使用を許可してください。",
        ),
        Some("rolling-back" | "rolled-back" | "abandoned") => (
            "The update was given up; the device is on the version before.",
            "更新を中止し、前の版で動作しています。",
        ),
        Some("needs-service") => (
            "The device needs service. Take it out of use and call the manufacturer.",
            "保守が必要です。使用を中止し、製造販売業者へ連絡してください。",
        ),
        Some(_) => (
            "The device says something that this software does not know. Update the software.",
            "このソフトウェアが解釈できない状態です。ソフトウェアを更新してください。",
        ),
    };
    (en.to_owned(), ja.to_owned())
}

/// The sentence for a device that was heard of once and not any more, since then.
#[must_use]
pub fn unheard(since: Timestamp, when: impl Fn(Timestamp, Language) -> String) -> (String, String) {
    let (en, ja) = (when(since, Language::En), when(since, Language::Ja));
    (
        format!(
            "The device has not been heard of since {en}. Check that it is switched on and connected."
        ),
        format!("{ja} 以降、機器からの通信がありません。電源と接続を確認してください。"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_in_the_words_of_the_table() {
        let waiting = Waiting { state: Some("holding"), reason: Some(Reason::InUse), slot: None };
        assert_eq!(
            sentence(&waiting, in_utc),
            (Reason::InUse.en().into(), Reason::InUse.ja().into())
        );
    }

    #[test]
    fn a_slot_that_is_not_open_is_named() {
        let slot: Slot =
            serde_json::from_str(r#"["2026-12-05T04:30:00Z","2026-12-05T06:30:00Z"]"#).unwrap();
        let waiting =
            Waiting { state: Some("holding"), reason: Some(Reason::SlotNotOpen), slot: Some(slot) };
        let (en, ja) = sentence(&waiting, in_utc);
        assert!(en.contains("2026-12-05T04:30:00Z") && ja.contains("2026-12-05T06:30:00Z"));
        let (en, ja) = sentence(&waiting, |at, language| match language {
            Language::En => format!("{} s", at.millis() / 1000),
            Language::Ja => format!("{}秒", at.millis() / 1000),
        });
        assert!(en.ends_with("It opens 1796445000 s and closes 1796452200 s."), "{en}");
        assert!(ja.ends_with("適用枠: 1796445000秒 から 1796452200秒 まで。"), "{ja}");
    }
}
