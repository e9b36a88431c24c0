//! What limits a rollout from outside, from the views: holds, freezes, campaign, withdrawal.
//!
//! Not here: what follows (`protocol::gate`). Invariant: where no hold stands and no freeze runs, the
//! cost does not depend on how many devices there are.

use crate::consent::reach::{
    Reached, campaign_reaches, freeze_blocks, freeze_reaches, freeze_stands, hold_blocks,
    target_reaches,
};
use crate::consent::state::{Consent, Running, SiteConsent};
use crate::db::hold::Hold;
use crate::db::rollout::{RolloutKey, StoredRollout};
use crate::publish::approvals::Published;
use crate::publish::current::Snapshot;
use patchward_protocol::approval::{Approval, ApprovalState};
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::gate::{Campaign, Consent as Stands, World};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A rollout, stored or in memory.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// Which.
    pub key: &'a RolloutKey,
    /// The image.
    pub image: &'a ImageRef,
    /// The approval without its devices.
    pub terms: &'a Approval,
}

impl<'a> From<&'a StoredRollout> for Of<'a> {
    fn from(stored: &'a StoredRollout) -> Self {
        Self { key: &stored.key, image: &stored.image, terms: &stored.terms }
    }
}

impl<'a> From<&'a Running> for Of<'a> {
    fn from(running: &'a Running) -> Self {
        Self { key: &running.key, image: &running.image, terms: &running.terms }
    }
}

/// The approval of a rollout as it is published here, when it still is.
#[must_use]
pub fn published(snapshot: &Snapshot, key: &RolloutKey) -> Option<Arc<Published>> {
    let site = snapshot.get(&RepositoryId::Site(key.site.clone()))?;
    site.approvals.find(&key.approval).cloned()
}

/// The world of a rollout at `at`.
#[must_use]
pub fn world(snapshot: &Snapshot, consent: &Consent, rollout: Of<'_>, at: Timestamp) -> World {
    let approval = published(snapshot, rollout.key);
    let devices = approval.as_ref().map(|published| &published.approval);
    World {
        held_waves: devices
            .map_or_else(Vec::new, |approval| held_waves(consent, rollout, approval, at)),
        campaign: campaign(consent, rollout),
        consent: stands(snapshot, rollout),
    }
}

fn held_waves(consent: &Consent, rollout: Of<'_>, approval: &Approval, at: Timestamp) -> Vec<u32> {
    let site = consent.site(&rollout.key.site);
    let of_site = site.map(|site| site.holds.as_slice()).unwrap_or_default();
    let family = consent.family(&rollout.image.family);
    let of_family = family.map(|family| family.holds.as_slice()).unwrap_or_default();
    let blocks = |hold: &&Hold| {
        let one = matches!(hold.target, HoldTarget::Device { .. });
        !one && hold_blocks(hold, approval.action, &rollout.key.image)
    };
    let holds: Vec<&Hold> =
        of_site.iter().chain(consent.server().iter()).chain(of_family).filter(blocks).collect();
    let freezes = site.map(|site| site.layout.freezes()).unwrap_or_default().iter();
    let freezes: Vec<_> = freezes.filter(|freeze| freeze_stands(freeze, approval, at)).collect();
    if holds.is_empty() && freezes.is_empty() {
        return Vec::new();
    }
    let mut waves = BTreeSet::new();
    for device in &approval.devices {
        let place = site.and_then(|site| site.layout.place(&device.id));
        let of = Reached { device: &device.id, family: &rollout.image.family, place };
        let held = holds.iter().any(|hold| target_reaches(&hold.target, of));
        let frozen = freezes.iter().any(|freeze| {
            let blocks = |site: &Arc<SiteConsent>| {
                freeze_blocks(&site.layout, freeze, (approval, device), at)
            };
            freeze_reaches(freeze, of) && site.is_some_and(blocks)
        });
        if held || frozen {
            waves.insert(device.wave);
        }
    }
    waves.into_iter().collect()
}

fn campaign(consent: &Consent, rollout: Of<'_>) -> Campaign {
    let family = consent.family(&rollout.image.family);
    let campaign = family.and_then(|family| family.campaigns.get(&rollout.key.image));
    match campaign.is_none_or(|campaign| campaign_reaches(campaign, &rollout.key.site)) {
        true => Campaign::Running,
        false => Campaign::Paused,
    }
}

/// Withdrawn is what says so: an approval or a release that this server does not list (yet) stands.
fn stands(snapshot: &Snapshot, rollout: Of<'_>) -> Stands {
    let family = snapshot.get(&RepositoryId::Family(rollout.image.family.clone()));
    let firmware = family.and_then(|family| family.images.get(&rollout.key.image));
    let release = firmware.is_some_and(|firmware| firmware.state == ReleaseState::Withdrawn);
    let site = snapshot.get(&RepositoryId::Site(rollout.key.site.clone()));
    let approval = site.is_some_and(|site| {
        site.approvals.all().iter().any(|published| {
            published.approval.id == rollout.terms.id
                && published.approval.state == ApprovalState::Withdrawn
        })
    });
    if release || approval { Stands::Withdrawn } else { Stands::Stands }
}
