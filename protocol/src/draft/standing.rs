//! Standing approvals: a policy signed once, for releases that nobody knows yet.
//!
//! Slots come from the usual windows until the policy ends; waves have no order in time, each device
//! asks for the proof of the wave before. Not here: which releases will come.
//! Invariant: what the policy does not name is not permitted; it lives at most 90 days.

use super::draw::Terms;
use super::error::BadDraft;
use super::planned::{Known, Planned};
use crate::approval::{Action, Approval, ApprovalState, RollbackTerms, StandingPolicy, Urgency};
use crate::id::{ApprovalId, DeviceId, SiteId, WardId};
use crate::inventory::Attendance;
use crate::limits::SLOT_RESERVE_S;
use crate::plan::{Ask, Hours, Request, Wanted, plan_standing};
use crate::time::Timestamp;
use crate::tuf::custom::Firmware;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;
/// What a slot must hold when no release of the families is known yet, in seconds.
const NEED_S_MIN: u64 = 1800;

/// A policy as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanting {
    /// Which releases it permits.
    pub policy: StandingPolicy,
    /// Days until it ends, 1 to 90.
    pub days: i64,
    /// Slots for each device over that time, 1 to 32.
    pub slots: usize,
    /// Only devices of these wards; all when empty.
    pub wards: Vec<WardId>,
    /// Devices that are broken, lost or away.
    pub out_of_service: Vec<DeviceId>,
    /// What must hold on the device.
    pub terms: Terms,
    /// Its id; made from the version of the targets when absent.
    pub id: Option<ApprovalId>,
    /// The approval that this one replaces.
    pub supersedes: Option<ApprovalId>,
}

/// What the known releases of the families ask of each slot: seconds and whether a person is needed.
#[must_use]
pub fn asks<'a>(
    releases: impl Iterator<Item = &'a Firmware>,
    known: &Known,
    wanted: Attendance,
) -> (u64, Attendance) {
    let (mut need, mut attended) = (NEED_S_MIN, wanted);
    for firmware in releases {
        need = need.max(super::planned::need_s(firmware, known.inventory.as_ref()));
        attended = super::planned::attended(firmware, attended);
    }
    (need, attended)
}

/// Plans its slots.
///
/// # Errors
/// [`BadDraft::NoInventory`], [`BadDraft::Ask`], [`BadDraft::NobodyPlaced`].
pub fn plan(
    wanting: &Wanting,
    site: &SiteId,
    known: &Known,
    issued: Timestamp,
    (need_s, attended): (u64, Attendance),
) -> Result<Planned, BadDraft> {
    let inventory = known.inventory.as_ref();
    let inventory = inventory.ok_or_else(|| BadDraft::NoInventory(site.clone()))?;
    let superseded = |approval: &Approval| wanting.supersedes.as_ref() == Some(&approval.id);
    let ask = Ask {
        families: wanting.policy.families.clone(),
        need_s,
        wait_s: SLOT_RESERVE_S,
        attended,
        urgency: Urgency::Routine,
        hours: Hours::Usual,
        alternatives: wanting.slots,
        now: issued,
        until: issued.plus_seconds(wanting.days.saturating_mul(DAY_S)),
        wanted: match wanting.wards.is_empty() {
            true => Wanted::All,
            false => Wanted::Wards(wanting.wards.clone()),
        },
        out_of_service: wanting.out_of_service.clone(),
        busy: known.busy(issued, superseded),
    };
    let request = Request::of(inventory, &known.views, &ask).map_err(BadDraft::Ask)?;
    let part = plan_standing(&request);
    let planned = Planned { request, parts: vec![part], left: Vec::new() };
    if planned.parts.iter().all(|part| part.devices.is_empty()) {
        return Err(planned.nobody_placed(site));
    }
    Ok(planned)
}

/// Draws it up. `version` is that of the targets that will list it.
///
/// # Errors
/// [`BadDraft::NoInventory`], [`BadDraft::Name`], [`BadDraft::Approval`].
pub fn draw_up(
    wanting: &Wanting,
    site: &SiteId,
    known: &Known,
    planned: &Planned,
    (version, serial, issued): (u64, u64, Timestamp),
) -> Result<Approval, BadDraft> {
    let none = || BadDraft::NoInventory(site.clone());
    let tz = known.inventory.as_ref().map(|inventory| inventory.tz.clone()).ok_or_else(none)?;
    let part = planned.parts.first().ok_or_else(none)?;
    let made = || {
        let name = format!("standing-v{version}");
        ApprovalId::new(&name).map_err(|_| BadDraft::Name(name))
    };
    let approval = Approval {
        v: 1,
        id: wanting.id.clone().map_or_else(made, Ok)?,
        site: site.clone(),
        serial,
        issued,
        valid_until: issued.plus_seconds(wanting.days.saturating_mul(DAY_S)),
        action: Action::Standing,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: None,
        standing: Some(wanting.policy.clone()),
        devices: part.devices.clone(),
        conditions: wanting.terms.conditions(),
        waves: part.waves.clone(),
        gates: part.gates.clone(),
        rollback: RollbackTerms { automatic: true, to: Vec::new() },
        tz,
        supersedes: wanting.supersedes.clone(),
        snapshot: None,
    };
    match approval.check() {
        Ok(()) => Ok(approval),
        Err(source) => Err(BadDraft::Approval { id: approval.id, source }),
    }
}
