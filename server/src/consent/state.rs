//! What was decided, in memory: inventories, holds, lifts, campaigns, and how waves stand.
//!
//! Read anew for each scope whose counter has moved ([`crate::db::change`]), here or on another
//! server of the same database. Not here: what follows for a device ([`super::directive`]).
//! Invariant: what is in here is a consistent past state of each scope, and never goes back.

use super::layout::Layout;
use crate::db::change::{self, Scope};
use crate::db::device::{self, StoredDevice};
use crate::db::hold::{self, Hold};
use crate::db::inventory;
use crate::db::rollout::{self, RolloutKey};
use crate::db::{Connection, DbError, campaign};
use patchward_protocol::api::consent::{Campaign, CampaignState};
use patchward_protocol::approval::{Action, Approval};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::gate::WaveCounters;
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Devices are told of lifted holds for this long, in seconds: 30 days.
const LIFT_TOLD_S: i64 = 30 * 24 * 3600;
/// Rollouts stay in memory for this long after their approval has ended, in seconds: 7 days.
const ROLLOUT_KEPT_S: i64 = 7 * 24 * 3600;

/// Everything that was decided.
#[derive(Debug, Clone, Default)]
pub struct Consent {
    seqs: HashMap<Scope, u64>,
    sites: HashMap<SiteId, Arc<SiteConsent>>,
    families: HashMap<FamilyId, Arc<FamilyConsent>>,
    server: Arc<Vec<Hold>>,
}

/// What was decided at a site.
#[derive(Debug, Default)]
pub struct SiteConsent {
    /// Where its devices stand, and its freezes.
    pub layout: Arc<Layout>,
    /// Its standing holds, and the operator's for it; oldest first.
    pub holds: Vec<Hold>,
    /// Its lifted holds of the last 30 days with the acts that lifted them; oldest first.
    pub lifts: Vec<Lift>,
    /// Its rollouts, by approval.
    pub rollouts: HashMap<Sha256Digest, Vec<Running>>,
}

/// A hold that was lifted by a signed act.
#[derive(Debug, Clone)]
pub struct Lift {
    /// What it held.
    pub target: HoldTarget,
    /// When it was lifted.
    pub at: Timestamp,
    /// The act.
    pub act: Envelope,
    /// Its length as JSON, in bytes.
    pub bytes: usize,
}

/// A rollout in memory.
#[derive(Debug, Clone)]
pub struct Running {
    /// Which.
    pub key: RolloutKey,
    /// The image.
    pub image: ImageRef,
    /// What the approval permits.
    pub action: Action,
    /// The approval without its devices.
    pub terms: Arc<Approval>,
    /// Its waves, in order.
    pub waves: Vec<WaveCounters>,
    /// Proofs of its waves, by wave.
    pub proofs: BTreeMap<u32, Sha256Digest>,
    /// When time alone may move a wave next.
    pub due: Option<Timestamp>,
}

/// What a manufacturer decided about a family.
#[derive(Debug, Default)]
pub struct FamilyConsent {
    /// Its standing holds; oldest first.
    pub holds: Vec<Hold>,
    /// Its campaigns, by image.
    pub campaigns: BTreeMap<Sha256Digest, Campaign>,
    /// Since when each paused campaign was last changed.
    pub paused: BTreeMap<Sha256Digest, Paused>,
}

/// When a campaign was paused.
#[derive(Debug, Clone, Copy)]
pub struct Paused(pub Timestamp);

/// One scope, as read.
#[derive(Debug, Clone)]
enum Part {
    Site(SiteId, Arc<SiteConsent>),
    Family(FamilyId, Arc<FamilyConsent>),
    Server(Arc<Vec<Hold>>),
    Devices(Arc<Vec<StoredDevice>>),
}

/// What has moved since an earlier look.
#[derive(Debug, Clone, Default)]
pub struct Moved(Vec<(Scope, u64, Part)>);

impl Moved {
    /// Whether nothing has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Devices that joined, or have other keys, here or on another server.
    pub fn devices(&self) -> impl Iterator<Item = &StoredDevice> {
        self.0.iter().flat_map(|(_, _, part)| match part {
            Part::Devices(devices) => devices.as_slice(),
            Part::Site(..) | Part::Family(..) | Part::Server(_) => &[],
        })
    }
}

impl Consent {
    /// Nothing read yet but the devices of these scopes.
    #[must_use]
    pub fn begin(seqs: Vec<(Scope, u64)>) -> Self {
        let devices = |(scope, _): &(Scope, u64)| matches!(scope, Scope::Devices(_));
        Self { seqs: seqs.into_iter().filter(devices).collect(), ..Self::default() }
    }

    /// What was decided at a site, when anything was.
    #[must_use]
    pub fn site(&self, site: &SiteId) -> Option<&Arc<SiteConsent>> {
        self.sites.get(site)
    }

    /// What was decided about a family, when anything was.
    #[must_use]
    pub fn family(&self, family: &FamilyId) -> Option<&Arc<FamilyConsent>> {
        self.families.get(family)
    }

    /// The operator's standing holds of every site.
    #[must_use]
    pub const fn server(&self) -> &Arc<Vec<Hold>> {
        &self.server
    }

    /// Every site of which anything is known.
    pub fn sites(&self) -> impl Iterator<Item = (&SiteId, &Arc<SiteConsent>)> {
        self.sites.iter()
    }

    /// The state after a change; what is newer already stays.
    #[must_use]
    pub fn with(&self, moved: &Moved) -> Self {
        let mut next = self.clone();
        for (scope, seq, part) in &moved.0 {
            if next.seqs.get(scope).is_some_and(|held| held >= seq) {
                continue;
            }
            next.seqs.insert(scope.clone(), *seq);
            match part.clone() {
                Part::Site(site, consent) => drop(next.sites.insert(site, consent)),
                Part::Family(family, consent) => drop(next.families.insert(family, consent)),
                Part::Server(holds) => next.server = holds,
                // They stand in the table of the fleet.
                Part::Devices(_) => {}
            }
        }
        next
    }

    /// Reads what has moved.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn moved(&self, conn: &mut Connection, at: Timestamp) -> Result<Moved, DbError> {
        let mut moved = Vec::new();
        for (scope, seq) in change::all(conn)? {
            if self.seqs.get(&scope) == Some(&seq) {
                continue;
            }
            let part = match &scope {
                Scope::Site(site) => {
                    let held = self.site(site).map(Arc::as_ref);
                    Part::Site(site.clone(), Arc::new(SiteConsent::read(conn, site, held, at)?))
                }
                Scope::Devices(site) => Part::Devices(Arc::new(device::list(conn, site)?)),
                Scope::Family(family) => {
                    Part::Family(family.clone(), Arc::new(FamilyConsent::read(conn, family, at)?))
                }
                Scope::Server => {
                    let holds = hold::of_server(conn, at)?.into_iter();
                    let standing = holds.filter(|hold| hold.lifted_at.is_none());
                    Part::Server(Arc::new(standing.collect()))
                }
            };
            moved.push((scope, seq, part));
        }
        Ok(Moved(moved))
    }
}

impl SiteConsent {
    fn read(
        conn: &mut Connection,
        site: &SiteId,
        held: Option<&Self>,
        at: Timestamp,
    ) -> Result<Self, DbError> {
        let revision = inventory::revision(conn, site)?;
        let same =
            held.map(|held| &held.layout).filter(|kept| kept.revision() == revision.unwrap_or(0));
        let layout = match (same, revision) {
            (Some(kept), _) => Arc::clone(kept),
            (None, None) => Arc::default(),
            (None, Some(_)) => match inventory::find(conn, site) {
                Ok(found) => Arc::new(found.map(Layout::of).unwrap_or_default()),
                Err(error @ DbError::Column { .. }) => {
                    let chain = crate::error::Chain(&error).to_string();
                    tracing::error!(site.id = %site, error = %chain, "An inventory cannot be read");
                    Arc::new(Layout::unreadable())
                }
                Err(error) => return Err(error),
            },
        };
        let all = hold::of_site(conn, site, at.plus_seconds(-LIFT_TOLD_S))?;
        let (holds, lifted): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|hold| hold.lifted_at.is_none());
        let lift = |hold: Hold| {
            let act = hold.lift?;
            let bytes = serde_json::to_vec(&act).map_or(usize::MAX, |json| json.len());
            Some(Lift { target: hold.target, at: hold.lifted_at?, act, bytes })
        };
        let mut lifts: Vec<Lift> = lifted.into_iter().filter_map(lift).collect();
        lifts.sort_by_key(|lift| lift.at);
        let mut rollouts: HashMap<_, Vec<_>> = HashMap::new();
        for stored in rollout::of_site(conn, site, at.plus_seconds(-ROLLOUT_KEPT_S))? {
            let waves = rollout::waves(conn, &stored.key)?;
            let proofs = waves.iter().filter_map(|wave| Some((wave.counters.wave, wave.proof?)));
            rollouts.entry(stored.key.approval).or_default().push(Running {
                proofs: proofs.collect(),
                key: stored.key,
                image: stored.image,
                action: stored.terms.action,
                terms: Arc::new(stored.terms),
                waves: waves.into_iter().map(|wave| wave.counters).collect(),
                due: stored.due,
            });
        }
        Ok(Self { layout, holds, lifts, rollouts })
    }

    /// A rollout.
    #[must_use]
    pub fn rollout(&self, key: &RolloutKey) -> Option<&Running> {
        let of_approval = self.rollouts.get(&key.approval)?;
        of_approval.iter().find(|running| running.key.image == key.image)
    }

    /// Every rollout.
    pub fn all_rollouts(&self) -> impl Iterator<Item = &Running> {
        self.rollouts.values().flatten()
    }
}

impl FamilyConsent {
    fn read(conn: &mut Connection, family: &FamilyId, at: Timestamp) -> Result<Self, DbError> {
        let holds = hold::of_family(conn, family, at)?;
        let mut consent = Self {
            holds: holds.into_iter().filter(|hold| hold.lifted_at.is_none()).collect(),
            ..Self::default()
        };
        for (image, campaign, changed) in campaign::of_family(conn, family)? {
            if campaign.state == CampaignState::Paused {
                consent.paused.insert(image, Paused(changed));
            }
            consent.campaigns.insert(image, campaign);
        }
        Ok(consent)
    }
}
