//! What one device is told: open waves, holds, lifted holds. From memory, without the database.
//!
//! A function of the views, the device and the moment. Nothing in it starts anything: the device
//! holds the signed approvals and decides. Invariant: what is unknown is not open.

use super::reach::{
    Reached, campaign_reaches, campaign_takes, freeze_blocks, freeze_notice, freeze_reaches,
    hold_blocks, pause_notice, target_reaches,
};
use super::state::{Consent, FamilyConsent, Running, SiteConsent};
use crate::db::hold::Hold;
use crate::limits::{HOLDS_TOLD_MAX, LIFTS_TOLD_BYTES_MAX, OPEN_TOLD_MAX};
use crate::publish::approvals::Published;
use crate::publish::current::{Current, Snapshot};
use patchward_protocol::approval::{Action, Approval, ApprovedDevice};
use patchward_protocol::directive::{Directive, HoldNotice, HoldTarget, WaveOpen};
use patchward_protocol::gate;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;

/// The device that asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Its site.
    pub site: &'a SiteId,
    /// Its id.
    pub device: &'a DeviceId,
    /// Its device key.
    pub key: &'a PublicKey,
    /// Its family.
    pub family: &'a FamilyId,
    /// What runs on it.
    pub installed: Option<&'a ImageRef>,
}

/// An approval in force that names the asker, with one image of it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The approval.
    pub published: &'a Published,
    /// What it says of the asker.
    pub named: &'a ApprovedDevice,
    /// The rollout.
    pub running: &'a Running,
}

/// The views as one device looks at them.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    snapshot: &'a Snapshot,
    repository: Option<&'a Current>,
    site: Option<&'a SiteConsent>,
    family: Option<&'a FamilyConsent>,
    server: &'a [Hold],
    asker: Asker<'a>,
    at: Timestamp,
}

impl<'a> Sight<'a> {
    /// Looks from a device.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        consent: &'a Consent,
        asker: Asker<'a>,
        at: Timestamp,
    ) -> Self {
        Self {
            snapshot,
            repository: snapshot.get(&RepositoryId::Site(asker.site.clone())).map(AsRef::as_ref),
            site: consent.site(asker.site).map(AsRef::as_ref),
            family: consent.family(asker.family).map(AsRef::as_ref),
            server: consent.server(),
            asker,
            at,
        }
    }

    /// What the device is told.
    #[must_use]
    pub fn directive(&self) -> Directive {
        let open = self.offers().filter(|offer| self.blocked(offer).is_none());
        let open = open.filter_map(|offer| self.wave_open(&offer));
        Directive {
            open: open.take(OPEN_TOLD_MAX).collect(),
            holds: self.notices(),
            lifts: self.lifts(),
        }
    }

    /// Every approval in force that names the device, with each of its images.
    pub fn offers(&self) -> impl Iterator<Item = Offer<'a>> {
        let (site, asker) = (self.site, self.asker);
        self.active().flat_map(move |(published, named)| {
            let of_approval = site.and_then(|site| site.rollouts.get(&published.sha256));
            let all = of_approval.map(Vec::as_slice).unwrap_or_default();
            let concerns = move |running: &&Running| {
                let older = asker.installed.is_some_and(|installed| {
                    running.action == Action::Standing && running.image.seq <= installed.seq
                });
                running.image.family == *asker.family && !older
            };
            all.iter().filter(concerns).map(move |running| Offer { published, named, running })
        })
    }

    /// Why the server does not call this offer's wave open; none when it does.
    #[must_use]
    pub fn blocked(&self, offer: &Offer<'_>) -> Option<Reason> {
        let Offer { published, named, running } = offer;
        if self.is_withdrawn(running) {
            return Some(Reason::ReleaseWithdrawn);
        }
        let held = self.holds().any(|hold| hold_blocks(hold, running.action, &running.key.image));
        let unknown = self.site.is_none_or(|site| site.layout.is_unreadable());
        let frozen = self.freezes((&published.approval, named)).next().is_some();
        if unknown || held || frozen || self.is_lost(running) {
            return Some(Reason::HeldByServer);
        }
        if running.action != Action::Rollback && !self.campaign_lets(running) {
            return Some(Reason::WaveNotOpen);
        }
        gate::may_go(&running.waves, named.wave).err()
    }

    /// Standing holds that reach the device, whoever set them.
    fn holds(&self) -> impl Iterator<Item = &'a Hold> {
        let of_site = self.site.map(|site| site.holds.as_slice()).unwrap_or_default();
        let of_family = self.family.map(|family| family.holds.as_slice()).unwrap_or_default();
        let of = self.reached();
        let all = of_site.iter().chain(self.server).chain(of_family);
        all.filter(move |hold| target_reaches(&hold.target, of))
    }

    /// Running freezes that reach the device, and that whoever planned the approval did not see.
    fn freezes(
        &self,
        approval: (&'a Approval, &'a ApprovedDevice),
    ) -> impl Iterator<Item = &'a patchward_protocol::inventory::Freeze> {
        let (site, of, at) = (self.site, self.reached(), self.at);
        let all = site.map(|site| site.layout.freezes()).unwrap_or_default().iter();
        all.filter(move |freeze| {
            freeze_reaches(freeze, of)
                && site.is_some_and(|site| freeze_blocks(&site.layout, freeze, approval, at))
        })
    }

    fn wave_open(&self, offer: &Offer<'_>) -> Option<WaveOpen> {
        let Offer { published, named, running } = offer;
        let proof = running.proofs.get(&named.wave).copied();
        if named.wave > 0 && proof.is_none() {
            return None;
        }
        Some(WaveOpen {
            approval_sha256: published.sha256,
            image_sha256: (running.action == Action::Standing).then_some(running.key.image),
            wave: named.wave,
            proof: proof.filter(|_| named.wave > 0 || named.pair.is_some()),
        })
    }

    /// The holds as the device is told them. A freeze is told when it stands in the way of every
    /// approval that names the device: an emergency that may pass a soft one is not held up by it.
    fn notices(&self) -> Vec<HoldNotice> {
        let mut notices: Vec<_> = self.holds().map(Hold::notice).take(HOLDS_TOLD_MAX).collect();
        if let Some(family) = self.family {
            let notice = |(image, since)| pause_notice(self.asker.family, image, since);
            notices.extend(family.paused.iter().filter_map(notice));
        }
        let mut approvals = self.active().map(|(published, named)| (&published.approval, named));
        if let Some(first) = approvals.next() {
            let rest: Vec<_> = approvals.collect();
            let in_every_way = |freeze: &&patchward_protocol::inventory::Freeze| {
                let blocks = |approval: &(&Approval, &ApprovedDevice)| {
                    self.site
                        .is_some_and(|site| freeze_blocks(&site.layout, freeze, *approval, self.at))
                };
                rest.iter().all(blocks)
            };
            let freezes = self.freezes(first).filter(in_every_way);
            notices.extend(freezes.filter_map(|freeze| freeze_notice(freeze, self.asker.device)));
        }
        notices
    }

    /// The acts that lifted holds which this device may have heard of, newest first.
    fn lifts(&self) -> Vec<patchward_protocol::envelope::Envelope> {
        let all = self.site.map(|site| site.lifts.as_slice()).unwrap_or_default();
        // A device may have left the ward meanwhile.
        let concerns = |target: &HoldTarget| {
            matches!(target, HoldTarget::Ward { .. }) || target_reaches(target, self.reached())
        };
        let mut bytes = 0_usize;
        let newest = all.iter().rev().filter(|lift| concerns(&lift.target)).take_while(|lift| {
            bytes = bytes.saturating_add(lift.bytes);
            bytes <= LIFTS_TOLD_BYTES_MAX
        });
        newest.map(|lift| lift.act.clone()).collect()
    }

    fn active(&self) -> impl Iterator<Item = (&'a Published, &'a ApprovedDevice)> {
        let (device, key, at) = (self.asker.device, self.asker.key, self.at);
        self.repository.into_iter().flat_map(move |site| site.approvals.active(device, key, at))
    }

    fn reached(&self) -> Reached<'a> {
        let Asker { device, family, .. } = self.asker;
        Reached { device, family, place: self.site.and_then(|site| site.layout.place(device)) }
    }

    fn is_withdrawn(&self, running: &Running) -> bool {
        let family = RepositoryId::Family(running.image.family.clone());
        let firmware = self.snapshot.get(&family).and_then(|of| of.images.get(&running.key.image));
        firmware.is_some_and(|firmware| firmware.state == ReleaseState::Withdrawn)
    }

    /// Whether the site's documents or the family's have moved on and cannot be read: what was withdrawn
    /// in them nobody here knows.
    fn is_lost(&self, running: &Running) -> bool {
        let family = RepositoryId::Family(running.image.family.clone());
        let site = RepositoryId::Site(self.asker.site.clone());
        self.snapshot.is_lost(&site) || self.snapshot.is_lost(&family)
    }

    fn campaign_lets(&self, running: &Running) -> bool {
        let campaign = self.family.and_then(|family| family.campaigns.get(&running.key.image));
        campaign.is_none_or(|campaign| {
            campaign_reaches(campaign, self.asker.site)
                && campaign_takes(campaign, &running.key.image, self.asker.key)
        })
    }
}

/// The next instant after `at` at which time alone may change what devices of a site are told.
#[must_use]
pub fn next_edge(
    snapshot: &Snapshot,
    consent: &Consent,
    site: &SiteId,
    at: Timestamp,
) -> Option<Timestamp> {
    let freezes = consent.site(site).map(|site| site.layout.freezes()).unwrap_or_default();
    let freezes = freezes.iter().flat_map(|freeze| [freeze.from, freeze.to]);
    let repository = snapshot.get(&RepositoryId::Site(site.clone()));
    let approvals = repository.map(|site| site.approvals.all()).unwrap_or_default().iter();
    let approvals =
        approvals.flat_map(|published| [published.approval.issued, published.approval.valid_until]);
    freezes.chain(approvals).filter(|edge| *edge > at).min()
}
