//! Who is signed in: the account, its roles and its session, as every page sees it.
//!
//! Not here: how one signs in. Invariant: made from the database for one request, and kept by none.

use super::role::{Grant, MakerPower, Place, SitePower};
pub use patchward_protocol::language::Language;

use patchward_protocol::id::{MakerId, PersonId, SiteId};
use patchward_protocol::time::Timestamp;

/// An account's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct Who {
    /// The account.
    pub account: AccountId,
    /// The name it signs in with.
    pub login: String,
    /// Printed name, as it stands in records.
    pub name: String,
    /// Role in words, e.g. clinical engineer.
    pub title: String,
    /// In which language the person reads.
    pub language: Language,
    /// Which person of a site's root it is, site by site: two sites may give the same name to
    /// different people.
    pub persons: Vec<(SiteId, PersonId)>,
    /// Roles, sorted.
    pub grants: Vec<Grant>,
    /// Token that every form of this session carries: 32 hex digits.
    pub form_token: String,
    /// When the session ends if nothing more is done.
    pub idle_until: Timestamp,
}

impl Who {
    /// Whether the person may do this at the site.
    #[must_use]
    pub fn may_at(&self, site: &SiteId, power: SitePower) -> bool {
        self.grants.iter().any(|grant| match grant {
            Grant::Site(at, role) => at == site && role.may(power),
            Grant::Maker(..) | Grant::Operator => false,
        })
    }

    /// Whether the person may do this at the manufacturer.
    #[must_use]
    pub fn may_for(&self, maker: &MakerId, power: MakerPower) -> bool {
        self.grants.iter().any(|grant| match grant {
            Grant::Maker(at, role) => at == maker && role.may(power),
            Grant::Site(..) | Grant::Operator => false,
        })
    }

    /// Who writes in acts and records: never the printed name.
    #[must_use]
    pub fn by(&self) -> String {
        format!("account:{}", self.login)
    }

    /// Which person of the site's root it is, when it is one.
    #[must_use]
    pub fn person_at(&self, site: &SiteId) -> Option<&PersonId> {
        self.persons.iter().find(|(at, _)| at == site).map(|(_, person)| person)
    }

    /// Whether the person has any role there.
    #[must_use]
    pub fn belongs_to(&self, place: &Place) -> bool {
        self.grants.iter().any(|grant| grant.place() == *place)
    }

    /// The places of the person, each once, in order.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let mut places: Vec<_> = self.grants.iter().map(Grant::place).collect();
        places.sort();
        places.dedup();
        places
    }
}
