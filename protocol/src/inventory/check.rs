//! Everything that is wrong with an inventory, at once.
//!
//! A hospital corrects a file in one go when it sees all of it. Not here: whether the rules can be
//! kept (the planner says that for each device). Invariant: every problem names where it stands.

mod parts;

use super::Inventory;
use crate::canonical::ReadJson;
use crate::sentences::sentences;
use std::fmt;

sentences! {
    /// A rule that an inventory can break.
    BrokenRule {
        Unreadable, "unreadable", "The file is not JSON of this shape.", "この形式のJSONではありません。";
        Version, "version", "This software knows version 1 only.", "このソフトウェアが扱えるのは第1版のみです。";
        Empty, "empty", "Something must be written here.", "記入が必要です。";
        TooLong, "too_long", "The text is too long or holds control characters.", "文字数が多すぎるか、制御文字が含まれています。";
        TooMany, "too_many", "The list has too many entries.", "件数が上限を超えています。";
        Twice, "twice", "It stands here twice; each may stand once.", "重複しています。一度だけ記入してください。";
        NoZone, "no_zone", "There is no such IANA time zone; write it like Asia/Tokyo.", "このIANAタイムゾーンは存在しません。Asia/Tokyoのように記入してください。";
        NoWard, "no_ward", "There is no ward of this id.", "このIDの病棟・部門はありません。";
        NoDevice, "no_device", "There is no device of this id.", "このIDの機器はありません。";
        NoWindow, "no_window", "There is no window of this id.", "このIDの保守時間帯はありません。";
        PairSelf, "pair_self", "A device cannot be its own partner.", "機器自身を対の機器にはできません。";
        PairOneSided, "pair_one_sided", "The partner must name this device as its partner.", "対の機器の側にもこの機器を記入してください。";
        NoDays, "no_days", "At least one day or date must be named.", "曜日または日付を一つ以上記入してください。";
        Minutes, "minutes", "A window lasts 1 to 1440 minutes.", "保守時間帯の長さは1~1440分です。";
        Every, "every", "Every 1 to 52 weeks or 1 to 366 days, and `first` must be named when it is not 1.", "間隔は1~52週または1~366日です。1以外の場合は開始日(first)が必要です。";
        LastBeforeFirst, "last_before_first", "The last date is before the first.", "終了日が開始日より前です。";
        FreezeEmpty, "freeze_empty", "The freeze ends before or when it begins.", "変更凍結期間の終わりが始まりより後になっていません。";
        Zero, "zero", "It must be at least 1.", "1以上でなければなりません。";
        Permille, "permille", "Thousandths are 0 to 1000.", "千分率は0~1000です。";
        Soak, "soak", "A wave is watched for at most 90 days.", "経過観察期間は90日以内です。";
        EmergencyPersons, "emergency_persons", "An emergency approval needs at least two persons.", "緊急承認には2名以上の署名が必要です。";
        Email, "email", "This is no e-mail address.", "メールアドレスの形式が正しくありません。";
    }
}

/// One thing that is wrong with an inventory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Dotted place, e.g. `wards[2].windows[0]`.
    pub path: String,
    /// What stands there, as far as it is short.
    pub value: String,
    /// Which rule it breaks.
    pub rule: BrokenRule,
}

/// Everything that is wrong with an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadInventory {
    /// Each problem, in the order of the document.
    pub problems: Vec<Problem>,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, value: impl fmt::Display, rule: BrokenRule) -> Self {
        let value = value.to_string().chars().take(200).collect();
        Self { path: path.into(), value, rule }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}: {}", self.path, self.value, self.rule.en())
    }
}

impl BadInventory {
    pub(super) fn unreadable(error: &ReadJson) -> Self {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        let value = format!("{error}{}", cause.unwrap_or_default());
        Self { problems: vec![Problem::new("file", value, BrokenRule::Unreadable)] }
    }
}

impl fmt::Display for BadInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the inventory has {} problems", self.problems.len())
    }
}

impl std::error::Error for BadInventory {}

impl Inventory {
    /// Everything that is wrong with it, in the order of the document; nothing when it is in order.
    ///
    /// That a zone exists is only known with the feature `zones`; without it, zones are judged by
    /// their form.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        parts::problems(self)
    }
}
