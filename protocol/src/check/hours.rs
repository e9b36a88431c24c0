//! Every slot inside windows, outside freezes, inside the hours of staff.

use super::{Broken, Case};
use crate::slot::Slot;
use crate::time::Timestamp;

impl Case<'_> {
    pub(super) fn hours(&mut self) {
        let request = self.request;
        for (candidate, device) in self.placed.clone() {
            let ward = request.wards.iter().find(|ward| ward.id == candidate.ward);
            let windows = ward.map_or(&[][..], |ward| &ward.windows);
            let staff = ward.map_or(&[][..], |ward| &ward.staff);
            for slot in &device.slots {
                if !request.skips_windows() && !is_covered(*slot, windows) {
                    self.report_one(Broken::OutsideWindow, &device.id, slot.to_string());
                }
                let person = request.needs_person(candidate) || device.attended;
                if person && !is_covered(*slot, staff) {
                    self.report_one(Broken::NoStaff, &device.id, slot.to_string());
                }
                let against = |freeze: &&crate::inventory::Freeze| {
                    request.freezes(freeze, candidate)
                        && freeze.from < slot.end()
                        && slot.start() < freeze.to
                };
                if let Some(freeze) = request.freezes.iter().find(against) {
                    let detail = format!("{slot} {}", freeze.id);
                    self.report_one(Broken::InFreeze, &device.id, detail);
                }
            }
        }
    }
}

/// Whether hours that follow each other without a gap cover the slot.
fn is_covered(slot: Slot, hours: &[Slot]) -> bool {
    let mut from: Timestamp = slot.start();
    for hours in hours.iter().filter(|hours| hours.end() > slot.start()) {
        if hours.start() > from {
            return false;
        }
        from = from.max(hours.end());
        if from >= slot.end() {
            return true;
        }
    }
    false
}
