//! Devices that are not planned at all, and devices that may not go back: stable code, English, Japanese.
//!
//! Not here: devices that were planned and got no slot ([`crate::plan::Reason`]).
//! Invariant: who words a reason for people finds everything in it that varies.

use crate::id::DeviceId;
use crate::language::Language;
use crate::sentences::sentences;
use serde::{Deserialize, Serialize};
use serde_json::json;

sentences! {
    /// Why a device is not planned at all.
    LeftOut {
        OtherHardware, "other_hardware",
            "The release is for other hardware.",
            "このリリースの対象外のハードウェアです。";
        LedgerForked, "ledger_forked",
            "Its ledger forked: a cloned or restored device, look at it first.",
            "機器記録が分岐しています(複製または復元された機器)。先に確認してください。";
        RunsIt, "runs_it",
            "It runs it already, or a newer one.",
            "適用済みか、より新しい版です。";
        ApprovedAlready, "approved_already",
            "An approval in force names it already; ask for it to be planned again.",
            "有効な承認で承認済みです。計画し直すこともできます。";
        RunsUnknown, "runs_unknown",
            "It does not say what runs on it.",
            "適用中の版が不明です。";
        RunsOlder, "runs_older",
            "It runs this release or an older one.",
            "この版か、より古い版で動作しています。";
        BackNotPermitted, "back_not_permitted",
            "The manufacturer does not permit going back from what runs on it.",
            "製造販売業者は、適用中の版からのロールバックを許可していません。";
        ImageUnlisted, "image_unlisted",
            "What runs on it is not listed by the manufacturer.",
            "適用中の版が製造販売業者の一覧にありません。";
    }
}

/// A device that is not planned at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The device.
    pub device: DeviceId,
    /// Why.
    pub reason: LeftOut,
    /// The approval that names it, or the version that runs on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Left {
    /// A device with a reason that needs no more words.
    #[must_use]
    pub const fn new(device: DeviceId, reason: LeftOut) -> Self {
        Self { device, reason, about: None }
    }

    /// With the approval or the version.
    #[must_use]
    pub fn about(self, about: impl ToString) -> Self {
        Self { about: Some(about.to_string()), ..self }
    }

    /// Why, in a language.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let why = language.pick(self.reason.en(), self.reason.ja());
        match &self.about {
            Some(about) => format!("{why} ({about})"),
            None => why.to_owned(),
        }
    }

    /// Device and reason in one line, with the code.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        format!("{}: {} [{}]", self.device, self.words(language), self.reason.code())
    }

    /// For machines.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        json!({
            "device": self.device, "reason": self.reason.code(), "about": self.about,
            "en": self.words(Language::En), "ja": self.words(Language::Ja),
        })
    }
}
