//! Judging a plan, whoever made it: every rule that it breaks, with the devices.
//!
//! The second, independent look before somebody signs: it shares the words of [`Request`] with the
//! planner and none of its code, and asks the plain question of each rule (sort the ends, count).
//! Not here: why a device got no slot. Invariant: a plan without violations keeps every ward as it
//! must be, whichever slots the devices use.

mod hours;
mod out;
mod waves;

use crate::approval::{ApprovedDevice, Wave};
use crate::id::{DeviceId, WardId};
use crate::inventory::Usage;
use crate::limits::{SLOTS_PER_DEVICE_MAX, STANDING_SLOTS_PER_DEVICE_MAX};
use crate::plan::{Candidate, Request, Wish};
use crate::sentences::sentences;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

sentences! {
    /// A rule that a plan can break.
    Broken {
        UnknownDevice, "unknown_device",
            "The plan names a device that nobody asked for.", "依頼されていない機器が計画に含まれています。";
        DeviceTwice, "device_twice",
            "The plan names a device twice.", "同じ機器が計画に重複しています。";
        NotForDevice, "not_for_device",
            "The release is not for this device, or it has no agent.", "このリリースの対象外か、エージェントのない機器です。";
        OtherKey, "other_key",
            "The key is not the one of the device.", "機器鍵がこの機器のものと異なります。";
        PairDiffers, "pair_differs",
            "The plan names another partner than the inventory.", "対の機器が台帳の記載と異なります。";
        PersonMissing, "person_missing",
            "The device needs a person and the plan does not say so.", "立会いが必要な機器ですが、計画に記載されていません。";
        NoSlot, "no_slot",
            "The device has no slot.", "適用枠がありません。";
        TooManySlots, "too_many_slots",
            "The device has more slots than an approval may give.", "適用枠の数が上限を超えています。";
        SlotsDisordered, "slots_disordered",
            "The slots of the device overlap or are not in order.", "適用枠が重複しているか、時刻順ではありません。";
        SlotTooShort, "slot_too_short",
            "A slot is too short for the update and a way back.", "適用枠が更新と復旧に必要な時間より短くなっています。";
        OutsideSpan, "outside_span",
            "A slot lies before now or after the end of the approval.", "適用枠が現在より前、または承認の有効期間の後にあります。";
        OutsideWindow, "outside_window",
            "A slot leaves the windows of the ward.", "適用枠が病棟・部門の保守時間帯から外れています。";
        InFreeze, "in_freeze",
            "A slot lies in a freeze.", "適用枠が変更凍結期間に入っています。";
        NoStaff, "no_staff",
            "A slot of an attended device leaves the hours of staff.", "立会いが必要な機器の適用枠が職員の勤務時間から外れています。";
        SlotTaken, "slot_taken",
            "The device has a slot of another approval at that time.", "同じ時刻に別の承認による適用枠があります。";
        BelowMinimum, "below_minimum",
            "Too few devices of a kind would stay in service in the ward.", "病棟の最低稼働台数を下回ります。";
        WardParallel, "ward_parallel",
            "More devices of the ward could be out at once than its rule allows.", "病棟の同時実施台数の上限を超えます。";
        SiteParallel, "site_parallel",
            "More devices of the site could be out at once than its rule allows.", "施設の同時実施台数の上限を超えます。";
        PairTogether, "pair_together",
            "Two partners follow each other without the soak between.", "対の機器の間に必要な経過観察期間がありません。";
        PartnerOut, "partner_out",
            "The partner of a device is out of service.", "対の機器が使用できない状態です。";
        WaveUnknown, "wave_unknown",
            "A device stands in a wave that is not listed.", "記載のない段階に機器が割り当てられています。";
        WavesDisordered, "waves_disordered",
            "The waves are not numbered 0, 1, 2, … or one of them is empty.", "段階の番号が連続していないか、空の段階があります。";
        WaveTooEarly, "wave_too_early",
            "A wave begins before the one before has ended and soaked.", "前の段階の終了と経過観察の前に次の段階が始まります。";
        SoakTooShort, "soak_too_short",
            "A wave soaks for less than the rule asks.", "経過観察期間が規定より短くなっています。";
        ProofTooWeak, "proof_too_weak",
            "A wave asks for fewer updated devices or less clinical use of the wave before than the rule.", "次の段階に進む条件(更新済み台数・臨床使用時間)が規定より緩くなっています。";
        FirstTooWide, "first_too_wide",
            "The first wave holds more than bench and spare devices, or one single device.", "最初の段階に試験機・予備機以外の機器が複数含まれています。";
        TooManyCanaries, "too_many_canaries",
            "The second wave holds more devices of a ward than its rule allows.", "第2段階の病棟ごとの台数が上限を超えています。";
        SoleCanary, "sole_canary",
            "The sole device of its kind goes first though others could.", "他に候補があるのに、その種類で唯一の機器が先行しています。";
        PairCanary, "pair_canary",
            "A device of a pair goes first though others could.", "他に候補があるのに、対の機器が先行しています。";
        MoreThanHalf, "more_than_half",
            "The third wave holds more than half of what is left of a ward.", "第3段階が病棟の残りの半数を超えています。";
    }
}

/// A rule that a plan breaks, with the devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Broken,
    /// The devices, by their ids; none when it is about waves alone.
    pub devices: Vec<DeviceId>,
    /// Where or when, in numbers.
    pub detail: String,
}

/// Whether waves must follow each other in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaveOrder {
    /// They must: one release.
    InTime,
    /// They need not: a standing approval, where the device asks for the proof of the wave before.
    ByProof,
}

/// What a check looks at: who is who, and the plan.
struct Case<'a> {
    request: &'a Request,
    known: BTreeMap<&'a DeviceId, &'a Candidate>,
    waves: &'a [Wave],
    /// Devices of the plan that the request knows.
    placed: Vec<(&'a Candidate, &'a ApprovedDevice)>,
    found: Vec<Violation>,
}

/// Every rule that these waves and devices break, in the order of [`Broken`]; none when all is well.
#[must_use]
pub fn check(
    request: &Request,
    order: WaveOrder,
    waves: &[Wave],
    devices: &[ApprovedDevice],
) -> Vec<Violation> {
    let known = request.devices.iter().map(|device| (&device.id, device)).collect();
    let mut case = Case { request, known, waves, placed: Vec::new(), found: Vec::new() };
    case.named(devices);
    case.slots(order);
    case.hours();
    case.out();
    case.waves(order);
    case.found.sort_by(|a, b| (a.rule, &a.devices).cmp(&(b.rule, &b.devices)));
    case.found
}

impl<'a> Case<'a> {
    fn report(&mut self, rule: Broken, devices: Vec<DeviceId>, detail: impl Into<String>) {
        self.found.push(Violation { rule, devices, detail: detail.into() });
    }

    fn report_one(&mut self, rule: Broken, device: &DeviceId, detail: impl Into<String>) {
        self.report(rule, vec![device.clone()], detail);
    }

    /// Each device once, asked for, with its own key, partner and attendance.
    fn named(&mut self, devices: &'a [ApprovedDevice]) {
        let mut seen = BTreeSet::new();
        for device in devices {
            if !seen.insert(&device.id) {
                self.report_one(Broken::DeviceTwice, &device.id, "");
            }
            let known = self.known.get(&device.id).copied();
            let Some(candidate) = known.filter(|known| known.wish == Wish::Update) else {
                self.report_one(Broken::UnknownDevice, &device.id, "");
                continue;
            };
            self.placed.push((candidate, device));
            if !self.request.concerns(candidate) {
                self.report_one(Broken::NotForDevice, &device.id, "");
            }
            if candidate.key != Some(device.key) {
                self.report_one(Broken::OtherKey, &device.id, "");
            }
            if candidate.pair != device.pair {
                self.report_one(Broken::PairDiffers, &device.id, "");
            }
            if self.request.needs_person(candidate) && !device.attended {
                self.report_one(Broken::PersonMissing, &device.id, "");
            }
        }
    }

    fn slots(&mut self, order: WaveOrder) {
        let most = match order {
            WaveOrder::InTime => SLOTS_PER_DEVICE_MAX,
            WaveOrder::ByProof => STANDING_SLOTS_PER_DEVICE_MAX,
        };
        let need_ms = i64::try_from(self.request.need_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        for (_, device) in self.placed.clone() {
            let slots = &device.slots;
            if slots.is_empty() {
                self.report_one(Broken::NoSlot, &device.id, "");
            }
            if slots.len() > most {
                self.report_one(Broken::TooManySlots, &device.id, slots.len().to_string());
            }
            let mut follows = slots.iter().zip(slots.iter().skip(1));
            if follows.any(|(a, b)| a.end() > b.start()) {
                self.report_one(Broken::SlotsDisordered, &device.id, "");
            }
            for slot in slots {
                if slot.end().millis_since(slot.start()) < need_ms {
                    self.report_one(Broken::SlotTooShort, &device.id, slot.to_string());
                }
                if slot.start() < self.request.now || slot.end() > self.request.until {
                    self.report_one(Broken::OutsideSpan, &device.id, slot.to_string());
                }
            }
        }
    }
}

/// Whether it is the only device of its kind on which its ward counts.
fn is_sole(request: &Request, device: &Candidate) -> bool {
    let alike = |other: &&Candidate| {
        other.ward == device.ward && other.kind == device.kind && other.serves()
    };
    is_used(device)
        && device.ward.is_some()
        && request.devices.iter().filter(alike).take(2).count() <= 1
}

fn is_used(device: &Candidate) -> bool {
    device.usage == Usage::InService
}

/// A ward as violations name it.
fn ward_name(ward: Option<&WardId>) -> &str {
    ward.map_or("no ward", WardId::as_str)
}
