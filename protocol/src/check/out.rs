//! How many devices could be out at once, and pairs.
//!
//! Every slot counts as used, those of other approvals, too.

use super::{Broken, Case, ward_name};
use crate::id::{DeviceId, KindId, WardId};
use crate::plan::{Availability, Candidate};
use crate::slot::Slot;
use std::collections::{BTreeMap, BTreeSet};

/// One end of a slot: when, whether it begins there, whose.
type End<'a> = (i64, bool, &'a DeviceId);

impl<'a> Case<'a> {
    pub(super) fn out(&mut self) {
        let slots = self.all_slots();
        self.taken();
        self.wards_and_kinds(&slots);
        if let Some(most) = self.request.rules.max_parallel {
            let ends = slots.iter().flat_map(|(device, slot)| ends(&device.id, *slot)).collect();
            if let Some((at, devices)) = beyond(ends, most) {
                self.report(Broken::SiteParallel, devices, at);
            }
        }
        self.pairs(&slots);
    }

    fn all_slots(&self) -> Vec<(&'a Candidate, Slot)> {
        let own = self
            .placed
            .iter()
            .flat_map(|(candidate, device)| device.slots.iter().map(|slot| (*candidate, *slot)));
        let others = self.request.busy.iter().filter_map(|busy| {
            self.known.get(&busy.device).map(|candidate| (*candidate, busy.slot))
        });
        own.chain(others).collect()
    }

    fn taken(&mut self) {
        for (_, device) in self.placed.clone() {
            let mut held = self.request.busy.iter().filter(|busy| busy.device == device.id);
            let clash = held.find(|busy| {
                device
                    .slots
                    .iter()
                    .any(|slot| slot.start() < busy.slot.end() && busy.slot.start() < slot.end())
            });
            if let Some(busy) = clash {
                self.report_one(Broken::SlotTaken, &device.id, busy.slot.to_string());
            }
        }
    }

    fn wards_and_kinds(&mut self, slots: &[(&'a Candidate, Slot)]) {
        let mut wards: BTreeMap<Option<&WardId>, Vec<End<'a>>> = BTreeMap::new();
        let mut kinds: BTreeMap<(Option<&WardId>, &KindId), Vec<End<'a>>> = BTreeMap::new();
        for (device, slot) in slots {
            let ward = device.ward.as_ref();
            wards.entry(ward).or_default().extend(ends(&device.id, *slot));
            if device.serves() {
                kinds.entry((ward, &device.kind)).or_default().extend(ends(&device.id, *slot));
            }
        }
        let mut serving: BTreeMap<(Option<&WardId>, &KindId), u32> = BTreeMap::new();
        for device in self.request.devices.iter().filter(|device| device.serves()) {
            *serving.entry((device.ward.as_ref(), &device.kind)).or_default() += 1;
        }
        for rules in &self.request.wards {
            let ward = rules.id.as_ref();
            let ends = rules.max_parallel.and_then(|most| Some((most, wards.remove(&ward)?)));
            if let Some((at, devices)) = ends.and_then(|(most, ends)| beyond(ends, most)) {
                let detail = format!("{} {at}", ward_name(ward));
                self.report(Broken::WardParallel, devices, detail);
            }
            for min in rules.min_in_service.iter().filter(|min| min.count > 0) {
                let there = serving.get(&(ward, &min.kind)).copied().unwrap_or(0);
                let ends = kinds.remove(&(ward, &min.kind)).unwrap_or_default();
                let most = there.saturating_sub(min.count);
                if let Some((at, devices)) = beyond(ends, most) {
                    let detail = format!("{} {} {at}", ward_name(ward), min.kind);
                    self.report(Broken::BelowMinimum, devices, detail);
                }
            }
        }
    }

    fn pairs(&mut self, slots: &[(&'a Candidate, Slot)]) {
        let soak_s = self.request.rules.pair_soak_s(self.request.urgency);
        let soak_ms = i64::try_from(soak_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let mut of: BTreeMap<&DeviceId, Vec<Slot>> = BTreeMap::new();
        for (device, slot) in slots {
            of.entry(&device.id).or_default().push(*slot);
        }
        let mut told = BTreeSet::new();
        for (candidate, device) in self.placed.clone() {
            let Some(partner) = &candidate.pair else { continue };
            let other = self.known.get(partner).copied();
            if other.is_none_or(|other| other.availability != Availability::Working) {
                self.report_one(Broken::PartnerOut, &device.id, partner.to_string());
            }
            let far = |a: &Slot, b: &Slot| b.start().millis_since(a.end()) >= soak_ms;
            let theirs = of.get(partner).map_or(&[][..], Vec::as_slice);
            let near = |a: &Slot| theirs.iter().any(|b| !far(a, b) && !far(b, a));
            let mut names = vec![device.id.clone(), partner.clone()];
            names.sort_unstable();
            if device.slots.iter().any(near) && told.insert(names.clone()) {
                self.report(Broken::PairTogether, names, "");
            }
        }
    }
}

fn ends(device: &DeviceId, slot: Slot) -> [End<'_>; 2] {
    [(slot.start().millis(), true, device), (slot.end().millis(), false, device)]
}

/// The first instant at which more than `most` devices are out, with these devices.
fn beyond(mut ends: Vec<End<'_>>, most: u32) -> Option<(String, Vec<DeviceId>)> {
    // At the same instant, what ends goes before what begins.
    ends.sort_unstable();
    let mut out: BTreeMap<&DeviceId, u32> = BTreeMap::new();
    for (at, begins, device) in ends {
        let count = out.entry(device).or_default();
        *count = if begins { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            out.remove(device);
        }
        if u32::try_from(out.len()).unwrap_or(u32::MAX) > most {
            let at = crate::time::Timestamp::from_millis(at).to_string();
            return Some((at, out.into_keys().cloned().collect()));
        }
    }
    None
}
