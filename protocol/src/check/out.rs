//! How many devices could be out at once, and pairs.
//!
//! Every slot counts as used, those of other approvals, too.

use super::{Broken, Case, ward_name};
use crate::id::{DeviceId, KindId, WardId};
use crate::plan::{Availability, Candidate};
use crate::slot::Slot;
use std::collections::{BTreeMap, BTreeSet};

/// One end of a slot: when, whether it begins there, whose, and who gave it.
type End<'a> = (i64, bool, &'a DeviceId, Giver);

/// A slot that could be used, of whom, and who gave it.
type Given<'a> = (&'a Candidate, Slot, Giver);

/// Who gave a slot. What other approvals break among themselves is not this plan's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Giver {
    ThisPlan,
    Another,
}

impl<'a> Case<'a> {
    pub(super) fn out(&mut self) {
        let slots = self.all_slots();
        self.taken();
        self.wards_and_kinds(&slots);
        if let Some(most) = self.request.rules.max_parallel {
            let ends = slots.iter().flat_map(ends).collect();
            if let Some((at, devices)) = beyond(ends, most) {
                self.report(Broken::SiteParallel, devices, at);
            }
        }
        self.pairs(&slots);
    }

    fn all_slots(&self) -> Vec<Given<'a>> {
        let own = self.placed.iter().flat_map(|(candidate, device)| {
            device.slots.iter().map(|slot| (*candidate, *slot, Giver::ThisPlan))
        });
        let others = self.request.busy.iter().filter_map(|busy| {
            self.known.get(&busy.device).map(|candidate| (*candidate, busy.slot, Giver::Another))
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

    fn wards_and_kinds(&mut self, slots: &[Given<'a>]) {
        let mut wards: BTreeMap<Option<&WardId>, Vec<End<'a>>> = BTreeMap::new();
        let mut kinds: BTreeMap<(Option<&WardId>, &KindId), Vec<End<'a>>> = BTreeMap::new();
        for given in slots {
            let (device, ward) = (given.0, given.0.ward.as_ref());
            wards.entry(ward).or_default().extend(ends(given));
            if device.serves() {
                kinds.entry((ward, &device.kind)).or_default().extend(ends(given));
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

    fn pairs(&mut self, slots: &[Given<'a>]) {
        let soak_s = self.request.rules.pair_soak_s(self.request.urgency);
        let soak_ms = i64::try_from(soak_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let mut of: BTreeMap<&DeviceId, Vec<Slot>> = BTreeMap::new();
        for (device, slot, _) in slots {
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

fn ends<'a>((device, slot, giver): &Given<'a>) -> [End<'a>; 2] {
    let (start, end) = (slot.start().millis(), slot.end().millis());
    [(start, true, &device.id, *giver), (end, false, &device.id, *giver)]
}

/// The first instant at which more than `most` devices are out, one of them by this plan.
fn beyond(mut ends: Vec<End<'_>>, most: u32) -> Option<(String, Vec<DeviceId>)> {
    // At the same instant, what ends goes before what begins.
    ends.sort_unstable();
    let mut out: BTreeMap<&DeviceId, u32> = BTreeMap::new();
    let mut own = 0_u32;
    for (at, begins, device, giver) in ends {
        let count = out.entry(device).or_default();
        let own_too = if giver == Giver::ThisPlan { &mut own } else { &mut 0 };
        for count in [&mut *count, own_too] {
            *count = if begins { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
        if *count == 0 {
            out.remove(device);
        }
        if own > 0 && u32::try_from(out.len()).unwrap_or(u32::MAX) > most {
            let at = crate::time::Timestamp::from_millis(at).to_string();
            return Some((at, out.into_keys().cloned().collect()));
        }
    }
    None
}
