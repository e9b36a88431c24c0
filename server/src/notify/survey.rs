//! What needs a person, found by looking at what is current: pure.
//!
//! Not here: reading the database ([`super::look`]), storing ([`super::raise`]). Invariant: looking twice
//! at the same world finds the same matters, whichever server looks.

use super::answer::{Answer, Given};
use super::channel::Channel;
use super::raise::{LAST_STEP, Matter};
use super::subject::{Severity, Subject, Trouble};
use crate::consent::state::{Consent, Running};
use crate::db::hold::Hold;
use crate::db::notice::Notice;
use crate::people::role::Place;
use crate::publish::current::{Current, Snapshot};
use crate::tls::expiry::Expiry;
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::gate::{Halt, WaveState};
use patchward_protocol::id::{DeviceId, FamilyId, MakerId, RepositoryId, SiteId};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Class, Firmware, ReleaseState, Severity as Cvss};
use std::collections::{BTreeSet, HashMap, HashSet};

const DAY_S: i64 = 24 * 3600;
/// A release that closes a hole which is known to be exploited: answer within so many days.
const EXPLOITED_DAYS: i64 = 3;
/// One that closes a critical hole.
const CRITICAL_DAYS: i64 = 7;
/// One that closes a grave hole.
const HIGH_DAYS: i64 = 30;
/// Any other that closes holes.
const SECURITY_DAYS: i64 = 90;
/// A signed document that runs out within so many days is told; it is important, then urgent.
const EXPIRY_DAYS: [i64; 3] = [60, 30, 7];
/// A certificate that runs out within so many days is told; it is important, then urgent.
const CERTIFICATE_DAYS: [i64; 3] = [30, 14, 7];
/// The end of support is told so many days ahead; it becomes important.
const SUPPORT_DAYS: [i64; 2] = [400, 90];

/// What is looked at.
#[derive(Debug)]
pub struct World<'a> {
    /// The repositories.
    pub snapshot: &'a Snapshot,
    /// What was decided.
    pub consent: &'a Consent,
    /// The families of each site's devices, those without an agent too.
    pub families: &'a HashMap<SiteId, BTreeSet<FamilyId>>,
    /// Sites with a device of the family that does not run its newest release.
    pub behind: &'a HashSet<(SiteId, FamilyId)>,
    /// Devices whose last update failed or that stay silent.
    pub troubles: &'a [Ailing],
    /// What is open.
    pub open: &'a [Notice],
    /// What sites answered, oldest first.
    pub answers: &'a [Given],
    /// Channels.
    pub channels: &'a [Channel],
    /// Ends of support.
    pub ends: &'a [(FamilyId, Timestamp)],
    /// Sites that could not act in an emergency.
    pub unready: &'a [SiteId],
    /// Until when certificates of this server last.
    pub certificates: &'a [Expiry],
    /// The moment.
    pub at: Timestamp,
}

/// A device whose update did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ailing {
    /// Where.
    pub site: SiteId,
    /// By which approval.
    pub approval: Sha256Digest,
    /// To which image.
    pub image: Sha256Digest,
    /// Which device.
    pub device: DeviceId,
    /// What is the matter.
    pub trouble: Trouble,
}

/// Everything that needs a person now.
#[must_use]
pub fn survey(world: &World<'_>) -> Vec<Matter> {
    let mut found = Vec::new();
    for (site, families) in world.families {
        for family in families {
            found.extend(release(world, site, family));
            found.extend(support(world, site, family));
        }
    }
    for (site, consent) in world.consent.sites() {
        for running in consent.all_rollouts() {
            halts(site, running, &mut found);
        }
        let own = consent.holds.iter().filter(|hold| hold.by == HoldBy::Site);
        let place = Place::Site(site.clone());
        found.extend(own.filter_map(|hold| overdue(world.at, place.clone(), hold)));
    }
    for current in world.snapshot.all() {
        found.extend(expiries(current, world.at));
        let RepositoryId::Family(family) = &current.id else { continue };
        let holds = world.consent.family(family).map(|of| of.holds.as_slice()).unwrap_or_default();
        let place = Place::Maker(family.maker());
        found.extend(holds.iter().filter_map(|hold| overdue(world.at, place.clone(), hold)));
    }
    found.extend(world.troubles.iter().filter_map(|ailing| ailing.matter(world.consent)));
    found.extend(world.channels.iter().filter_map(delivery));
    found.extend(world.open.iter().filter_map(unacknowledged));
    found.extend(world.certificates.iter().filter_map(|expiry| certificate(expiry, world.at)));
    found.extend(world.unready.iter().flat_map(|site| not_ready(world, site)));
    found
}

/// How grave a release is, and how many days there are to answer.
#[must_use]
pub const fn urgency(firmware: &Firmware) -> (Severity, Option<i64>) {
    match (firmware.known_exploited, firmware.severity, firmware.class) {
        (true, _, _) => (Severity::Urgent, Some(EXPLOITED_DAYS)),
        (false, Cvss::Critical, _) => (Severity::Urgent, Some(CRITICAL_DAYS)),
        (false, Cvss::High, _) => (Severity::Important, Some(HIGH_DAYS)),
        (false, _, Class::Security | Class::SecurityAndFix) => {
            (Severity::Important, Some(SECURITY_DAYS))
        }
        (false, _, Class::Feature) => (Severity::Normal, None),
    }
}

/// The newest release that a family offers.
#[must_use]
pub fn newest(current: &Current) -> Option<&Firmware> {
    let offered = current.images.values().filter(|it| it.state == ReleaseState::Released);
    offered.max_by_key(|firmware| firmware.seq)
}

/// The newest release, where the site runs older ones and has not answered.
fn release(world: &World<'_>, site: &SiteId, family: &FamilyId) -> Option<Matter> {
    if !world.behind.contains(&(site.clone(), family.clone())) {
        return None;
    }
    let current = world.snapshot.get(&RepositoryId::Family(family.clone()))?;
    let firmware = newest(current)?;
    let image = firmware.payload.image_sha256;
    let Consented::Not { ended } = consented(world, site, firmware) else { return None };
    let of_this = |given: &&Given| {
        given.site == *site && given.family == *family && given.image_sha256 == image
    };
    let lasting = |given: &&Given| given.answer != Answer::Acknowledged;
    let put_off = match world.answers.iter().filter(of_this).rfind(lasting).map(|it| &it.answer) {
        Some(Answer::Declined) => return None,
        Some(Answer::Deferred { until, .. }) if *until > world.at => return None,
        Some(Answer::Deferred { until, .. }) => Some(*until).max(ended),
        Some(Answer::Acknowledged) | None => ended,
    };
    // What is open keeps its name, also when the approval that ended is not listed any more.
    let put_off = open_since(world, site, family, &image).unwrap_or(put_off);
    let (severity, days) = urgency(firmware);
    let subject = Subject::Release {
        family: family.clone(),
        image_sha256: image,
        version: firmware.version.clone(),
        seq: firmware.seq,
        put_off,
    };
    let due = days.map(|days| world.at.plus_seconds(days.saturating_mul(DAY_S)));
    Some(Matter { place: Place::Site(site.clone()), subject, severity, due })
}

/// Whether a site agreed to an image.
enum Consented {
    /// An approval lasts that names or permits it.
    Lasting,
    /// None does; when the last one ended, if there was one.
    Not { ended: Option<Timestamp> },
}

fn consented(world: &World<'_>, site: &SiteId, firmware: &Firmware) -> Consented {
    let current = world.snapshot.get(&RepositoryId::Site(site.clone()));
    let mut ended = None;
    for published in current.map(|current| current.approvals.all()).unwrap_or_default() {
        let approval = &published.approval;
        let named = approval.release.as_ref().is_some_and(|of| {
            of.family == firmware.family && of.image_sha256 == firmware.payload.image_sha256
        });
        let standing = approval.standing.as_ref().is_some_and(|policy| {
            policy.families.contains(&firmware.family) && policy.permits(firmware)
        });
        if !named && !standing {
            continue;
        }
        match approval.state {
            ApprovalState::Active if approval.valid_until > world.at => return Consented::Lasting,
            ApprovalState::Active => ended = ended.max(Some(approval.valid_until)),
            ApprovalState::Withdrawn => ended = ended.max(Some(approval.issued)),
        }
    }
    Consented::Not { ended }
}

/// Under which round an open notice about the release stands.
fn open_since(
    world: &World<'_>,
    site: &SiteId,
    family: &FamilyId,
    image: &Sha256Digest,
) -> Option<Option<Timestamp>> {
    world.open.iter().find_map(|notice| match (&notice.place, &notice.subject) {
        (Place::Site(at), Subject::Release { family: of, image_sha256, put_off, .. })
            if at == site && of == family && image_sha256 == image =>
        {
            Some(*put_off)
        }
        _ => None,
    })
}

/// Waves of a rollout that only a person can start again: for the site, and for the manufacturer.
fn halts(site: &SiteId, running: &Running, found: &mut Vec<Matter>) {
    for counters in &running.waves {
        let WaveState::Halted(halt) = counters.state else { continue };
        if !Halt::needs_act(halt) {
            continue;
        }
        let family = running.image.family.clone();
        let (wave, halts) = (counters.wave, counters.halts);
        let image_sha256 = running.key.image;
        let at_site = Subject::Halt {
            family: family.clone(),
            approval_sha256: running.key.approval,
            image_sha256,
            wave,
            halts,
            because: halt.code().to_owned(),
        };
        let maker = Place::Maker(family.maker());
        let version = running.image.version.clone();
        let in_field =
            Subject::FieldHalt { site: site.clone(), family, image_sha256, version, wave, halts };
        let place = Place::Site(site.clone());
        found.push(Matter { place, subject: at_site, severity: Severity::Urgent, due: None });
        let severity = Severity::Important;
        found.push(Matter { place: maker, subject: in_field, severity, due: None });
    }
}

fn overdue(at: Timestamp, place: Place, hold: &Hold) -> Option<Matter> {
    if hold.review_at > at {
        return None;
    }
    let family = match &hold.target {
        HoldTarget::Release { family, .. } => Some(family.clone()),
        HoldTarget::Device { .. } | HoldTarget::Ward { .. } | HoldTarget::Site => {
            hold.family.clone()
        }
    };
    let subject = Subject::Hold { hold: hold.id.clone(), family, review_at: hold.review_at };
    Some(Matter { place, subject, severity: Severity::Important, due: Some(hold.review_at) })
}

/// Root and targets that people must sign again.
fn expiries(current: &Current, at: Timestamp) -> Vec<Matter> {
    let Some(documents) = &current.documents else { return Vec::new() };
    let place = match &current.id {
        RepositoryId::Site(site) => Place::Site(site.clone()),
        RepositoryId::Family(family) => Place::Maker(family.maker()),
    };
    let each = [("root", documents.root.expires), ("targets", documents.targets.expires)];
    let told = each.into_iter().filter_map(|(role, expires)| {
        let severity = graver(at, expires, EXPIRY_DAYS)?;
        let (repository, role) = (current.id.clone(), role.to_owned());
        let subject = Subject::Metadata { repository, role, expires };
        Some(Matter { place: place.clone(), subject, severity, due: Some(expires) })
    });
    told.collect()
}

fn support(world: &World<'_>, site: &SiteId, family: &FamilyId) -> Option<Matter> {
    let (_, ends) = world.ends.iter().find(|(of, _)| of == family)?;
    let [known, important] = SUPPORT_DAYS.map(|days| within(world.at, *ends, days));
    let severity = if important { Severity::Important } else { Severity::Normal };
    let subject = Subject::Support { family: family.clone(), ends: *ends };
    let place = Place::Site(site.clone());
    known.then_some(Matter { place, subject, severity, due: Some(*ends) })
}

fn certificate(expiry: &Expiry, at: Timestamp) -> Option<Matter> {
    let Expiry { part, name, at: expires } = expiry.clone();
    let severity = graver(at, expires, CERTIFICATE_DAYS)?;
    let subject = Subject::Certificate { part, name, expires };
    Some(Matter { place: Place::Server, subject, severity, due: Some(expires) })
}

/// How grave it is that something runs out, by the days that are left: to know, important, urgent.
fn graver(at: Timestamp, expires: Timestamp, days: [i64; 3]) -> Option<Severity> {
    match days.map(|days| within(at, expires, days)) {
        [_, _, true] => Some(Severity::Urgent),
        [_, true, false] => Some(Severity::Important),
        [true, false, false] => Some(Severity::Normal),
        [false, false, false] => None,
    }
}

fn within(at: Timestamp, end: Timestamp, days: i64) -> bool {
    end <= at.plus_seconds(days.saturating_mul(DAY_S))
}

fn delivery(channel: &Channel) -> Option<Matter> {
    let (since, _) = channel.health.failing.as_ref()?;
    let subject = Subject::Delivery { channel: channel.id.to_string(), since: *since };
    let place = channel.place.clone();
    Some(Matter { place, subject, severity: Severity::Important, due: None })
}

/// What a site has not acknowledged though it was passed on twice.
fn unacknowledged(open: &Notice) -> Option<Matter> {
    let Place::Site(site) = &open.place else { return None };
    let Subject::Release { family, image_sha256, version, .. } = &open.subject else { return None };
    if open.step < LAST_STEP || open.acknowledged.is_some() {
        return None;
    }
    let subject = Subject::Unacknowledged {
        site: site.clone(),
        family: family.clone(),
        image_sha256: *image_sha256,
        version: version.clone(),
    };
    let place = Place::Maker(family.maker());
    Some(Matter { place, subject, severity: Severity::Urgent, due: open.due })
}

fn not_ready(world: &World<'_>, site: &SiteId) -> Vec<Matter> {
    let families = world.families.get(site).into_iter().flatten();
    let makers: BTreeSet<MakerId> = families.map(FamilyId::maker).collect();
    let matter = |maker| Matter {
        place: Place::Maker(maker),
        subject: Subject::NotReady { site: site.clone() },
        severity: Severity::Normal,
        due: None,
    };
    makers.into_iter().map(matter).collect()
}

impl Ailing {
    /// A matter while the rollout is remembered.
    fn matter(&self, consent: &Consent) -> Option<Matter> {
        let rollouts = &consent.site(&self.site)?.rollouts;
        let running =
            rollouts.get(&self.approval)?.iter().find(|running| running.key.image == self.image)?;
        let subject = Subject::Device {
            family: running.image.family.clone(),
            device: self.device.clone(),
            trouble: self.trouble,
            mark: Sha256Digest::of(format!("{}|{}", self.approval, self.image).as_bytes()),
        };
        let place = Place::Site(self.site.clone());
        Some(Matter { place, subject, severity: Severity::Important, due: None })
    }
}
