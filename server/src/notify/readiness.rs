//! Whether a place could act in an emergency tonight: pure, with a word on what to do for each gap.
//!
//! Not here: reading the database ([`known`] does) and drawing. Invariant: what is not known is never
//! green.

use super::channel::Channel;
use super::raise;
use crate::db::{Connection, DbError, account, channel, grant, inventory};
use crate::people::role::{Grant, Place, SitePower};
use crate::publish::current::Snapshot;
use patchward_protocol::id::{FamilyId, PersonId, RepositoryId, SiteId};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::RootSpec;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A channel counts as proven for so many seconds after a confirmed drill: 90 days.
pub const PROVEN_S: i64 = 90 * 24 * 3600;
/// Documents that people sign should last longer than so many seconds: 30 days.
const LASTING_S: i64 = 30 * 24 * 3600;
/// An emergency approval needs so many different persons.
const PERSONS_MIN: usize = 2;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// In order.
    Green,
    /// It works, and somebody should see to it.
    Amber,
    /// It would fail tonight.
    Red,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// A channel through which a drill was confirmed.
    Channel,
    /// No channel fails.
    Delivery,
    /// Two people with accounts who may sign.
    People,
    /// Two persons' keys in the site's root, for an emergency.
    Keys,
    /// Wards with devices.
    Wards,
    /// Usual windows.
    Windows,
    /// What people sign lasts.
    Metadata,
}

/// One line: what, how it stands, and since or until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub check: Check,
    /// How it stands.
    pub light: Light,
    /// When it was proven, or when it ends.
    pub when: Option<Timestamp>,
    /// How many, where it is a number.
    pub count: usize,
}

/// Ready for an emergency, or not, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Every line, in the order of [`Check::ALL`].
    pub checks: Vec<Checked>,
}

/// What is known of a place.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its living channels.
    pub channels: Vec<Channel>,
    /// How many people may sign there.
    pub signers: usize,
    /// How many different persons have keys that sign.
    pub persons: usize,
    /// How many wards have rules.
    pub wards: usize,
    /// How many usual windows there are.
    pub windows: usize,
    /// When the first of root and targets runs out; none before the first publish.
    pub expires: Option<Timestamp>,
}

impl Check {
    /// All, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Channel,
        Self::Delivery,
        Self::People,
        Self::Keys,
        Self::Wards,
        Self::Windows,
        Self::Metadata,
    ];

    /// The end of ids of texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Delivery => "delivery",
            Self::People => "people",
            Self::Keys => "keys",
            Self::Wards => "wards",
            Self::Windows => "windows",
            Self::Metadata => "metadata",
        }
    }
}

impl Light {
    /// The end of ids of texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

impl Readiness {
    /// The worst of all lights.
    #[must_use]
    pub fn light(&self) -> Light {
        self.checks.iter().map(|checked| checked.light).max().unwrap_or(Light::Red)
    }

    /// When a channel was last proven.
    #[must_use]
    pub fn proven(&self) -> Option<Timestamp> {
        self.checks.iter().find(|it| it.check == Check::Channel).and_then(|it| it.when)
    }
}

/// What follows from what is known.
#[must_use]
pub fn readiness(known: &Known, at: Timestamp) -> Readiness {
    let check = |check: Check| {
        let (light, when, count) = judge(check, known, at);
        Checked { check, light, when, count }
    };
    Readiness { checks: Check::ALL.map(check).to_vec() }
}

fn judge(check: Check, known: &Known, at: Timestamp) -> (Light, Option<Timestamp>, usize) {
    let enough = |count: usize, most: usize| match count {
        0 => Light::Red,
        count if count < most => Light::Amber,
        _ => Light::Green,
    };
    match check {
        Check::Channel => {
            let proven = known.channels.iter().filter_map(|channel| channel.health.proven).max();
            (proof(proven, at), proven, known.channels.len())
        }
        Check::Delivery => {
            let failing = known.channels.iter().filter_map(|it| it.health.failing.as_ref());
            let since = failing.clone().map(|(since, _)| *since).min();
            let count = failing.count();
            let light = match count {
                0 if known.channels.is_empty() => Light::Red,
                0 => Light::Green,
                count if count < known.channels.len() => Light::Amber,
                _ => Light::Red,
            };
            (light, since, count)
        }
        Check::People => (enough(known.signers, PERSONS_MIN), None, known.signers),
        Check::Keys => (enough(known.persons, PERSONS_MIN), None, known.persons),
        Check::Wards => (enough(known.wards, 1), None, known.wards),
        Check::Windows => (enough(known.windows, 1).min(Light::Amber), None, known.windows),
        Check::Metadata => {
            let light = match known.expires {
                Some(end) if end > at.plus_seconds(LASTING_S) => Light::Green,
                Some(end) if end > at => Light::Amber,
                Some(_) | None => Light::Red,
            };
            (light, known.expires, 0)
        }
    }
}

/// How good the last proof of a channel is.
#[must_use]
pub fn proof(proven: Option<Timestamp>, at: Timestamp) -> Light {
    match proven {
        Some(proven) if proven.plus_seconds(PROVEN_S) > at => Light::Green,
        Some(_) => Light::Amber,
        None => Light::Red,
    }
}

/// Sites that no message could reach for certain: without a channel that a drill has proven in time and
/// that delivers.
#[must_use]
pub fn unready(
    families: &HashMap<SiteId, BTreeSet<FamilyId>>,
    channels: &[Channel],
    at: Timestamp,
) -> Vec<SiteId> {
    let works =
        |it: &&Channel| it.health.failing.is_none() && proof(it.health.proven, at) == Light::Green;
    let proven = channels.iter().filter(works);
    let reached: HashSet<&Place> = proven.map(|channel| &channel.place).collect();
    let sites = families.keys().filter(|site| !reached.contains(&Place::Site((*site).clone())));
    let mut sites: Vec<SiteId> = sites.cloned().collect();
    sites.sort();
    sites
}

/// Reads what is known of a site.
///
/// # Errors
/// [`DbError`].
pub fn known(conn: &mut Connection, snapshot: &Snapshot, site: &SiteId) -> Result<Known, DbError> {
    let place = Place::Site(site.clone());
    let signs: BTreeSet<_> = grant::at(conn, &place)?
        .into_iter()
        .filter(|(_, grant)| matches!(grant, Grant::Site(_, role) if role.may(SitePower::Sign)))
        .map(|(account, _)| account)
        .collect();
    let signs: Vec<_> = signs.into_iter().collect();
    let mut signers = account::some(conn, &signs)?;
    // Who is disabled signs nothing tonight.
    signers.retain(|account| account.disabled.is_none());
    let inventory = inventory::find(conn, site)?.map(|stored| stored.inventory);
    let documents = snapshot.get(&RepositoryId::Site(site.clone()));
    let documents = documents.and_then(|current| current.documents.as_ref());
    Ok(Known {
        channels: raise::living(conn, &place)?,
        signers: signers.len(),
        persons: documents.map_or(0, |documents| persons(&documents.root.bytes)),
        wards: inventory.as_ref().map_or(0, |inventory| inventory.wards.len()),
        windows: inventory.as_ref().map_or(0, |inventory| inventory.windows.len()),
        expires: documents.map(|of| of.root.expires.min(of.targets.expires)),
    })
}

/// The same for every site that has a channel or devices, without what needs its inventory: for lists.
///
/// # Errors
/// [`DbError`].
pub fn proven_of_all(conn: &mut Connection) -> Result<HashMap<SiteId, Option<Timestamp>>, DbError> {
    let mut all: HashMap<SiteId, Option<Timestamp>> = HashMap::new();
    for channel in channel::all(conn)? {
        let Place::Site(site) = channel.place else { continue };
        let proven = all.entry(site).or_default();
        *proven = (*proven).max(channel.health.proven);
    }
    Ok(all)
}

/// How many different persons may sign targets, as the root says.
fn persons(root: &[u8]) -> usize {
    let Ok(root) = Staged::read(Role::Root, root) else { return 0 };
    let Ok(root) = root.typed::<Root>() else { return 0 };
    let Ok(spec) = RootSpec::of(&root.signed) else { return 0 };
    let named: BTreeSet<PersonId> =
        spec.targets.keys.into_iter().filter_map(|key| key.person).collect();
    named.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-22T05:00:00Z".parse().unwrap()
    }

    fn light(known: &Known, check: Check) -> Light {
        readiness(known, at()).checks.iter().find(|it| it.check == check).unwrap().light
    }

    #[test]
    fn nothing_known_is_red() {
        let readiness = readiness(&Known::default(), at());
        assert_eq!(readiness.light(), Light::Red);
        assert!(readiness.checks.iter().all(|it| it.light != Light::Green), "{readiness:?}");
    }

    #[test]
    fn one_person_is_not_enough_for_an_emergency() {
        let one = Known { signers: 1, persons: 1, ..Known::default() };
        assert_eq!(
            (light(&one, Check::People), light(&one, Check::Keys)),
            (Light::Amber, Light::Amber)
        );
        let two = Known { signers: 2, persons: 2, ..Known::default() };
        assert_eq!(
            (light(&two, Check::People), light(&two, Check::Keys)),
            (Light::Green, Light::Green)
        );
    }

    #[test]
    fn a_proof_grows_old_after_ninety_days() {
        assert_eq!(proof(Some(at().plus_seconds(-PROVEN_S + 1)), at()), Light::Green);
        assert_eq!(proof(Some(at().plus_seconds(-PROVEN_S)), at()), Light::Amber);
        assert_eq!(proof(None, at()), Light::Red);
    }

    #[test]
    fn what_runs_out_soon_is_amber_and_what_ran_out_is_red() {
        let until =
            |seconds| Known { expires: Some(at().plus_seconds(seconds)), ..Known::default() };
        assert_eq!(light(&until(LASTING_S + 1), Check::Metadata), Light::Green);
        assert_eq!(light(&until(60), Check::Metadata), Light::Amber);
        assert_eq!(light(&until(0), Check::Metadata), Light::Red);
    }
}
