//! The slots of a draft as a table of days for each ward, and who got none.
//!
//! Pure. Not here: planning. Invariant: every device of the draft has its line in it.

use super::reasons;
use crate::consent::draft::Draft;
use crate::console::when::{Day, When};
use crate::console::words::Words;
use patchward_protocol::approval::{Approval, ApprovedDevice};
use patchward_protocol::draft::plan_text::found_permille;
use patchward_protocol::inventory::Inventory;
use std::collections::{BTreeMap, BTreeSet};

/// The slots of a ward.
pub(super) struct WardSlots {
    /// Its name.
    pub(super) name: String,
    /// Its slots, in order of time.
    pub(super) slots: Vec<SlotRow>,
}

/// A slot.
pub(super) struct SlotRow {
    /// Its day.
    pub(super) day: Day,
    /// When it begins.
    pub(super) from: When,
    /// When it ends.
    pub(super) until: When,
    /// The device.
    pub(super) device: String,
    /// Its wave.
    pub(super) wave: u32,
    /// Whether a person must be there.
    pub(super) attended: bool,
    /// Alternatives, in order of time.
    pub(super) more: Vec<When>,
}

/// A wave.
pub(super) struct WaveRow {
    /// Its number.
    pub(super) n: u32,
    /// Its devices.
    pub(super) devices: usize,
    /// When it begins at the earliest.
    pub(super) from: When,
    /// How long it is watched.
    pub(super) soak: String,
    /// How likely a fault of one device in twenty is found up to here, in percent.
    pub(super) found: u32,
}

/// A device without a slot, and why.
pub(super) struct NotPlaced {
    /// The device.
    pub(super) device: String,
    /// Why.
    pub(super) why: String,
}

/// The slots of approvals, by ward.
pub(super) fn wards(words: Words, inventory: &Inventory, approvals: &[Approval]) -> Vec<WardSlots> {
    let mut by_ward: BTreeMap<String, Vec<(&Approval, &ApprovedDevice)>> = BTreeMap::new();
    for approval in approvals {
        for device in &approval.devices {
            let ward = inventory.device(&device.id).and_then(|device| device.ward.as_ref());
            let found = ward.and_then(|id| inventory.ward(id));
            let name = found.map(|ward| words.pick(&ward.name_en, &ward.name_ja).to_owned());
            let name = name.unwrap_or_else(|| words.t("approvals-no-ward"));
            by_ward.entry(name).or_default().push((approval, device));
        }
    }
    let ward = |(name, mut devices): (String, Vec<(&Approval, &ApprovedDevice)>)| {
        devices.sort_by_key(|(_, device)| device.slots.first().map(|slot| slot.start()));
        let rows =
            devices.into_iter().filter_map(|(approval, device)| row(words, approval, device));
        WardSlots { name, slots: rows.collect() }
    };
    by_ward.into_iter().map(ward).collect()
}

fn row(words: Words, approval: &Approval, device: &ApprovedDevice) -> Option<SlotRow> {
    let (first, tz) = (device.slots.first()?, &approval.tz);
    Some(SlotRow {
        day: words.day(first.start(), tz),
        from: words.clock(first.start(), tz),
        until: words.end(first.start(), first.end(), tz),
        device: device.id.to_string(),
        wave: device.wave,
        attended: device.attended,
        more: device.slots.iter().skip(1).map(|slot| words.instant(slot.start(), tz)).collect(),
    })
}

/// The waves of approvals.
pub(super) fn waves(words: Words, approvals: &[Approval]) -> Vec<WaveRow> {
    let mut rows = Vec::new();
    for approval in approvals {
        for wave in &approval.waves {
            let of = approval.devices.iter().filter(|device| device.wave == wave.n).count();
            let upto = approval.devices.iter().filter(|device| device.wave <= wave.n).count();
            rows.push(WaveRow {
                n: wave.n,
                devices: of,
                from: words.instant(wave.not_before, &approval.tz),
                soak: words.span(i64::try_from(wave.soak_s).unwrap_or(i64::MAX)),
                found: found_permille(upto, 50) / 10,
            });
        }
    }
    rows
}

/// Devices without a slot, and those that were not planned.
pub(super) fn not_placed(words: Words, draft: &Draft) -> Vec<NotPlaced> {
    let unplaced = draft.unplaced.iter().map(|unplaced| NotPlaced {
        device: unplaced.device.to_string(),
        why: reasons::unplaced(words, &draft.inventory, unplaced),
    });
    let chosen: Option<BTreeSet<_>> = match &draft.wanted {
        crate::consent::draft::Wanted::Release(wanted) => {
            wanted.wishes.devices.as_ref().map(|devices| devices.iter().collect())
        }
        crate::consent::draft::Wanted::Standing(_)
        | crate::consent::draft::Wanted::Withdraw { .. } => None,
    };
    let left = draft
        .left
        .iter()
        .filter(|left| chosen.as_ref().is_none_or(|chosen| chosen.contains(&left.device)));
    let left = left
        .map(|left| NotPlaced { device: left.device.to_string(), why: reasons::left(words, left) });
    unplaced.chain(left).collect()
}

/// What follows from signing, for the button: devices and hours.
pub(super) fn consequence(words: Words, approvals: &[Approval]) -> String {
    use patchward_protocol::approval::{Action, ApprovalState, Urgency};
    let devices: usize = approvals.iter().map(|approval| approval.devices.len()).sum();
    let slots = || approvals.iter().flat_map(|it| &it.devices).flat_map(|device| &device.slots);
    let first = slots().map(|slot| slot.start()).min();
    let last = slots().map(|slot| slot.end()).max();
    let tz = approvals.first().map_or("Etc/UTC", |approval| approval.tz.as_str());
    let id = match approvals.first().map(|it| (it.state, it.action, it.urgency)) {
        Some((ApprovalState::Withdrawn, _, _)) => "approvals-do-withdraw",
        Some((_, Action::Rollback, _)) => "approvals-do-rollback",
        Some((_, Action::Standing, _)) => "approvals-do-standing",
        Some((_, Action::Install, Urgency::Emergency)) => "approvals-do-emergency",
        Some((_, Action::Install, Urgency::Routine)) | None => "approvals-do-install",
    };
    let at = |at: Option<patchward_protocol::time::Timestamp>| {
        at.map(|at| words.instant(at, tz).words().to_owned()).unwrap_or_default()
    };
    words.say(id, &[("n", devices.into()), ("from", at(first).into()), ("until", at(last).into())])
}
