//! Why a device got no slot: stable code, English, Japanese.
//!
//! Not here: why a device that has a slot waits ([`crate::reason`]).

use crate::id::{DeviceId, FreezeId};
use crate::sentences::sentences;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

sentences! {
    /// Why a device got no slot.
    Reason {
        NoAgent, "no_agent",
            "It has no agent; update it by hand and record it.",
            "エージェントがないため、手作業で更新し記録してください。";
        OtherFamily, "other_family",
            "It is of another device family than the release.",
            "リリースの対象と異なる機種です。";
        NoKey, "no_key",
            "It has not enrolled, so there is no key to approve.",
            "機器登録が済んでいないため、承認する機器鍵がありません。";
        NotInInventory, "not_in_inventory",
            "It is enrolled and not in the inventory, so nobody knows its ward; add it.",
            "登録済みですが台帳にないため、病棟・部門が不明です。台帳に追加してください。";
        PartnerUnknown, "partner_unknown",
            "Its partner is not in the inventory; correct the pair.",
            "対の機器が台帳にありません。組み合わせを修正してください。";
        PartnerOut, "partner_out",
            "Its partner is out of service, so this one must not stop; repair the partner first.",
            "対の機器が使用できないため、停止できません。先に対の機器を復旧してください。";
        NeedsLoaner, "needs_loaner",
            "The ward has no device of this kind to spare; it needs a loaner.",
            "病棟の最低稼働台数に余裕がありません。代替機が必要です。";
        NoWindow, "no_window",
            "No window of its ward opens before the approval ends.",
            "承認の有効期間内に、病棟・部門の保守時間帯がありません。";
        WindowTooShort, "window_too_short",
            "No window of its ward is long enough for the update and a way back.",
            "更新と復旧に足りる長さの保守時間帯がありません。";
        NeedsAttendedSlot, "needs_attended_slot",
            "A person must be there, and no window long enough lies in the hours of staff; it needs an attended slot.",
            "立会いが必要ですが、職員の勤務時間内に足りる長さの保守時間帯がありません。立会いのできる適用枠が必要です。";
        Frozen, "frozen",
            "A freeze covers every window that is long enough.",
            "足りる長さの保守時間帯がすべて変更凍結期間に入っています。";
        NoTimeLeft, "no_time_left",
            "The waves before it and their soak leave no window before the approval ends; let it end later or soak less.",
            "前の段階と経過観察の後、承認の有効期間内に保守時間帯が残りません。有効期間を延ばすか経過観察期間を短くしてください。";
        NoRoom, "no_room",
            "Every window that is left is taken by others, by its partner or by a limit; let the approval end later, or plan the rest next.",
            "残りの保守時間帯は、他の機器・対の機器・同時実施の上限により空きがありません。有効期間を延ばすか、残りを次の計画に回してください。";
    }
}

/// A device without a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplaced {
    /// The device.
    pub device: DeviceId,
    /// Why.
    pub reason: Reason,
    /// The freeze that ends last, when it is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<FreezeId>,
    /// When that freeze ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Unplaced {
    /// A device with a reason that needs no more words.
    #[must_use]
    pub const fn new(device: DeviceId, reason: Reason) -> Self {
        Self { device, reason, freeze: None, until: None }
    }

    /// One sentence in English.
    #[must_use]
    pub fn en(&self) -> String {
        match (&self.freeze, self.until) {
            (Some(freeze), Some(until)) => {
                format!("{} ({freeze}, until {until})", self.reason.en())
            }
            _ => self.reason.en().to_owned(),
        }
    }

    /// One sentence in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match (&self.freeze, self.until) {
            (Some(freeze), Some(until)) => format!("{}({freeze}、{until}まで)", self.reason.ja()),
            _ => self.reason.ja().to_owned(),
        }
    }
}
