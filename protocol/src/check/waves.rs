//! Order, soak and make-up of waves.

use super::{Broken, Case, WaveOrder, is_sole, is_used, ward_name};
use crate::approval::ApprovedDevice;
use crate::id::{DeviceId, WardId};
use crate::plan::Candidate;
use crate::time::Timestamp;
use std::collections::BTreeMap;

type Members<'a> = Vec<(&'a Candidate, &'a ApprovedDevice)>;

impl<'a> Case<'a> {
    pub(super) fn waves(&mut self, order: WaveOrder) {
        let mut members: BTreeMap<u32, Members<'a>> = BTreeMap::new();
        for (candidate, device) in self.placed.clone() {
            members.entry(device.wave).or_default().push((candidate, device));
            if !self.waves.iter().any(|wave| wave.n == device.wave) {
                self.report_one(Broken::WaveUnknown, &device.id, device.wave.to_string());
            }
        }
        let numbered = self.waves.iter().zip(0_u32..).all(|(wave, n)| wave.n == n);
        let filled = self.waves.iter().all(|wave| members.contains_key(&wave.n));
        if !numbered || !filled {
            self.report(Broken::WavesDisordered, Vec::new(), "");
        }
        if order == WaveOrder::InTime {
            self.in_time(&members);
        }
        self.gates(&members);
        let empty = Members::new();
        self.first(members.get(&0).unwrap_or(&empty));
        self.second(members.get(&1).unwrap_or(&empty));
        self.third(&members);
        self.better(&members);
    }

    fn in_time(&mut self, members: &BTreeMap<u32, Members<'a>>) {
        let slots = |n: u32| {
            let devices = members.get(&n).into_iter().flatten();
            devices.flat_map(|(_, device)| &device.slots)
        };
        let mut ready: Option<Timestamp> = None;
        for wave in self.waves {
            let first = slots(wave.n).map(|slot| slot.start()).min();
            let begin = first.map_or(wave.not_before, |first| first.min(wave.not_before));
            let held = first.is_some_and(|first| first < wave.not_before);
            if held || ready.is_some_and(|ready| begin < ready) {
                self.report(Broken::WaveTooEarly, Vec::new(), format!("{} {begin}", wave.n));
            }
            let soak_s =
                self.request.rules.soak_s_of(wave.n, self.request.urgency).max(wave.soak_s);
            let end = slots(wave.n).map(|slot| slot.end()).max();
            let soaked =
                |end: Timestamp| end.plus_seconds(i64::try_from(soak_s).unwrap_or(i64::MAX));
            ready = end.map(soaked).max(ready);
        }
    }

    fn gates(&mut self, members: &BTreeMap<u32, Members<'a>>) {
        let rules = &self.request.rules;
        for wave in self.waves {
            if wave.soak_s < rules.soak_s_of(wave.n, self.request.urgency) {
                self.report(Broken::SoakTooShort, Vec::new(), wave.n.to_string());
            }
            let before = wave.n.checked_sub(1).and_then(|n| members.get(&n));
            let Some(before) = before else { continue };
            let count = u64::try_from(before.len()).unwrap_or(u64::MAX);
            let asked = u64::from(wave.min_updated);
            let share = count.saturating_mul(u64::from(rules.min_updated_permille));
            let weak = asked == 0 || asked > count || asked.saturating_mul(1000) < share;
            let used = before.iter().all(|(candidate, _)| is_used(candidate));
            let hours = if used { rules.min_clinical_use_h_of(wave.n) } else { 0 };
            if weak || wave.min_clinical_use_h < hours {
                self.report(Broken::ProofTooWeak, Vec::new(), wave.n.to_string());
            }
        }
    }

    /// Bench and spare devices only, or one single device.
    fn first(&mut self, members: &Members<'a>) {
        let used = members.iter().filter(|(candidate, _)| is_used(candidate)).count();
        if used > 0 && members.len() > 1 {
            self.report(Broken::FirstTooWide, ids(members), members.len().to_string());
        }
    }

    fn second(&mut self, members: &Members<'a>) {
        let most = usize::try_from(self.request.rules.canary_per_ward).unwrap_or(usize::MAX);
        for (ward, devices) in by_ward(members) {
            if devices.len() > most {
                let name = ward_name(ward);
                self.report(Broken::TooManyCanaries, ids(&devices), name);
            }
        }
    }

    /// Half, rounded up, of those in use that are not yet through waves 0 and 1.
    fn third(&mut self, members: &BTreeMap<u32, Members<'a>>) {
        let empty = Members::new();
        let of = |n: u32| by_ward(members.get(&n).unwrap_or(&empty));
        let (first, second) = (of(0), of(1));
        let through = |ward| {
            let count = |members: &BTreeMap<_, Members<'a>>| members.get(&ward).map_or(0, Vec::len);
            count(&first).saturating_add(count(&second))
        };
        for (ward, devices) in of(2) {
            let request = self.request;
            let there = |device: &&Candidate| {
                device.ward.as_ref() == ward && is_used(device) && request.concerns(device)
            };
            let all = request.devices.iter().filter(there).count();
            let left = all.saturating_sub(through(ward));
            if devices.len() > left.div_ceil(2).max(1) {
                self.report(Broken::MoreThanHalf, ids(&devices), ward_name(ward));
            }
        }
    }

    /// No sole device and none of a pair among the first where a plain one comes later.
    fn better(&mut self, members: &BTreeMap<u32, Members<'a>>) {
        for n in [0, 1] {
            for (canary, device) in members.get(&n).into_iter().flatten() {
                let sole = is_sole(self.request, canary);
                if !is_used(canary) || !(sole || canary.pair.is_some()) {
                    continue;
                }
                let later = members.range(n.saturating_add(1)..).flat_map(|(_, devices)| devices);
                let mut plain = later.filter(|(other, approved)| {
                    is_used(other)
                        && other.pair.is_none()
                        && approved.attended == device.attended
                        && (sole || n == 0 || other.ward == canary.ward)
                });
                let Some((other, _)) = plain.find(|(other, _)| !is_sole(self.request, other))
                else {
                    continue;
                };
                let rule = if sole { Broken::SoleCanary } else { Broken::PairCanary };
                self.report_one(rule, &device.id, other.id.to_string());
            }
        }
    }
}

/// Devices in use of each ward.
fn by_ward<'a>(members: &Members<'a>) -> BTreeMap<Option<&'a WardId>, Members<'a>> {
    let mut wards: BTreeMap<Option<&WardId>, Members<'a>> = BTreeMap::new();
    for (candidate, device) in members.iter().filter(|(candidate, _)| is_used(candidate)) {
        wards.entry(candidate.ward.as_ref()).or_default().push((candidate, device));
    }
    wards
}

fn ids(members: &Members<'_>) -> Vec<DeviceId> {
    let mut ids: Vec<_> = members.iter().map(|(_, device)| device.id.clone()).collect();
    ids.sort_unstable();
    ids
}
