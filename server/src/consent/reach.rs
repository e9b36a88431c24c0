//! Whom a hold, a freeze or a campaign reaches. Pure.
//!
//! Not here: what a device does with a hold (`protocol::decision`). Invariant: a hold of the
//! manufacturer or the operator never stands in the way of a hospital's rollback.

use super::layout::{Layout, Place};
use super::state::Paused;
use crate::db::hold::Hold;
use patchward_protocol::api::consent::{Campaign, CampaignState};
use patchward_protocol::approval::{Action, Approval, ApprovedDevice, Urgency};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{HoldBy, HoldNotice, HoldTarget};
use patchward_protocol::id::{DeviceId, FamilyId, HoldId, SiteId};
use patchward_protocol::inventory::{Freeze, FreezeScope, Hardness};
use patchward_protocol::key::PublicKey;
use patchward_protocol::limits::HOLD_REVIEW_S;
use patchward_protocol::time::Timestamp;

/// A device as far as holds look at it.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'a> {
    /// Its id.
    pub device: &'a DeviceId,
    /// Its family.
    pub family: &'a FamilyId,
    /// Where it stands, when the inventory says.
    pub place: Option<&'a Place>,
}

/// Whether a target takes in a device.
#[must_use]
pub fn target_reaches(target: &HoldTarget, of: Reached<'_>) -> bool {
    match target {
        HoldTarget::Device { device } => device == of.device,
        HoldTarget::Ward { ward } => {
            of.place.is_some_and(|place| place.ward.as_deref() == Some(ward))
        }
        HoldTarget::Site => true,
        HoldTarget::Release { family, .. } => family == of.family,
    }
}

/// Whether a hold stands in the way of an approval of this action for this image.
#[must_use]
pub fn hold_blocks(hold: &Hold, action: Action, image: &Sha256Digest) -> bool {
    let concerns = match &hold.target {
        HoldTarget::Release { image_sha256, .. } => image_sha256 == image,
        HoldTarget::Device { .. } | HoldTarget::Ward { .. } | HoldTarget::Site => true,
    };
    let passes = match hold.by {
        HoldBy::Maker | HoldBy::Operator => action == Action::Rollback,
        HoldBy::Site | HoldBy::Freeze => false,
    };
    concerns && !passes
}

/// Whether a freeze takes in a device.
#[must_use]
pub fn freeze_reaches(freeze: &Freeze, of: Reached<'_>) -> bool {
    match &freeze.scope {
        FreezeScope::Site {} => true,
        FreezeScope::Ward { ward } => {
            of.place.is_some_and(|place| place.ward.as_deref() == Some(ward))
        }
        FreezeScope::Family { family } => family == of.family,
        FreezeScope::Kind { equipment } => of.place.is_some_and(|place| *place.kind == *equipment),
    }
}

/// Whether a freeze runs at `at` that an approval does not pass; an emergency passes a soft one.
#[must_use]
pub fn freeze_stands(freeze: &Freeze, approval: &Approval, at: Timestamp) -> bool {
    let runs = freeze.from <= at && at < freeze.to;
    let passes = freeze.hardness == Hardness::Soft && approval.urgency == Urgency::Emergency;
    runs && !passes
}

/// Whether a freeze that takes in a device stands at `at` in the way of what an approval says of it:
/// it was entered after the approval was drawn up, or a slot of the device lies in it. Whoever planned
/// that slot did not see the freeze over this device, which stood elsewhere then; a planner keeps every
/// slot out of the others.
#[must_use]
pub fn freeze_blocks(
    layout: &Layout,
    freeze: &Freeze,
    (approval, named): (&Approval, &ApprovedDevice),
    at: Timestamp,
) -> bool {
    // One of which nobody knows when it was entered stands in the way too.
    let later = layout.frozen_at(&freeze.id).is_none_or(|entered| approval.issued < entered);
    let unseen =
        || named.slots.iter().any(|slot| freeze.from < slot.end() && slot.start() < freeze.to);
    freeze_stands(freeze, approval, at) && (later || unseen())
}

/// What a device is told of a freeze.
#[must_use]
pub fn freeze_notice(freeze: &Freeze, device: &DeviceId) -> Option<HoldNotice> {
    let target = match &freeze.scope {
        FreezeScope::Site {} => HoldTarget::Site,
        FreezeScope::Ward { ward } => HoldTarget::Ward { ward: ward.clone() },
        FreezeScope::Family { .. } | FreezeScope::Kind { .. } => {
            HoldTarget::Device { device: device.clone() }
        }
    };
    let id = HoldId::new(&format!("freeze-{}", freeze.id)).ok()?;
    let reason = freeze.why.clone();
    Some(HoldNotice { id, target, by: HoldBy::Freeze, reason, review_at: freeze.to })
}

/// Whether a campaign has reached a site.
#[must_use]
pub fn campaign_reaches(campaign: &Campaign, site: &SiteId) -> bool {
    if campaign.state == CampaignState::Paused {
        return false;
    }
    let open = usize::try_from(campaign.sites_open).unwrap_or(usize::MAX);
    match campaign.sites.iter().position(|named| named == site) {
        Some(position) => position < open,
        None => open >= campaign.sites.len(),
    }
}

/// Whether a device is in the share of its site that a campaign lets go. The same devices stay in
/// when the share grows.
#[must_use]
pub fn campaign_takes(campaign: &Campaign, image: &Sha256Digest, key: &PublicKey) -> bool {
    let mut bytes = image.as_bytes().to_vec();
    bytes.extend_from_slice(&key.to_bytes());
    let digest = Sha256Digest::of(&bytes);
    let drawn = digest.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    drawn % 100 < u64::from(campaign.percent)
}

/// What a device is told of a paused campaign: a hold of the manufacturer.
#[must_use]
pub fn pause_notice(family: &FamilyId, image: &Sha256Digest, since: &Paused) -> Option<HoldNotice> {
    let short: String = image.to_string().chars().take(16).collect();
    Some(HoldNotice {
        id: HoldId::new(&format!("campaign-{short}")).ok()?,
        target: HoldTarget::Release { family: family.clone(), image_sha256: *image },
        by: HoldBy::Maker,
        reason: "The manufacturer has paused this release.".to_owned(),
        review_at: since.0.plus_seconds(HOLD_REVIEW_S),
    })
}
