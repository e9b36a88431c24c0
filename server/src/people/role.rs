//! Roles and the powers that they give: pure tables.
//!
//! Stopping needs no key and no special role: whoever may see a site may stop there, but for auditors,
//! who only read. Not here: who holds which role. Invariant: each power of a role stands in one
//! table here, and nowhere else is asked for a role.

use patchward_protocol::id::{MakerId, SiteId};
use std::fmt;

/// The word of [`Grant::Operator`].
const OPERATOR: &str = "operator";
/// The text of [`Place::Server`].
const SERVER: &str = "server";

/// Where a role counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A hospital.
    Site(SiteId),
    /// A manufacturer: all its families.
    Maker(MakerId),
    /// This server, for whoever runs it.
    Server,
}

/// A role in a hospital.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SiteRole {
    /// Sees everything of the site, and may stop.
    Viewer,
    /// A ward: also releases devices for clinical use.
    Ward,
    /// Plans and signs approvals.
    Approver,
    /// People, rules, keys, notifications.
    Admin,
    /// Reads the records, and nothing else.
    Auditor,
}

/// A role at a manufacturer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MakerRole {
    /// Sees everything of the manufacturer's.
    Viewer,
    /// Prepares releases.
    Release,
    /// Product security: advisories, and stopping.
    Psirt,
    /// Holds a key that signs; publishes.
    KeyHolder,
    /// Regulatory affairs: reads, and agrees to what is said to hospitals.
    Regulatory,
    /// People and notifications.
    Admin,
}

/// A role together with its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grant {
    /// In a hospital.
    Site(SiteId, SiteRole),
    /// At a manufacturer.
    Maker(MakerId, MakerRole),
    /// Runs this server.
    Operator,
}

/// What may be done in a hospital.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SitePower {
    /// See devices, releases, rollouts.
    See,
    /// Stop: hold a device, a ward, the site, a release.
    Stop,
    /// Release a device for clinical use again, and say what was done by hand.
    Accept,
    /// Answer the manufacturer: acknowledge, defer, decline, ask; and plan.
    Plan,
    /// Sign with a key of the site.
    Sign,
    /// People, wards, rules, windows, keys, notifications.
    Administer,
    /// Read and export the records.
    Records,
}

/// What may be done at a manufacturer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MakerPower {
    /// See families, releases, the field.
    See,
    /// Stop: hold a release at every site, pause a campaign.
    Stop,
    /// Prepare a release, answer questions of hospitals.
    Release,
    /// Bring staged files for the next signer, and take them away.
    Stage,
    /// Agree to what hospitals are told; never to what one wrote oneself.
    Review,
    /// Publish what reached its threshold.
    Publish,
    /// People, families, notifications.
    Administer,
    /// Read and export the records.
    Records,
}

impl SiteRole {
    /// All roles, the weakest first.
    pub const ALL: [Self; 5] =
        [Self::Auditor, Self::Viewer, Self::Ward, Self::Approver, Self::Admin];

    /// Whether the role gives the power.
    #[must_use]
    pub const fn may(self, power: SitePower) -> bool {
        match power {
            SitePower::See | SitePower::Stop => !matches!(self, Self::Auditor),
            SitePower::Accept => matches!(self, Self::Ward | Self::Approver | Self::Admin),
            SitePower::Plan | SitePower::Sign => matches!(self, Self::Approver | Self::Admin),
            SitePower::Administer => matches!(self, Self::Admin),
            SitePower::Records => true,
        }
    }

    /// The word in the database and in URLs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Ward => "ward",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl MakerRole {
    /// All roles, the weakest first.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Regulatory, Self::Psirt, Self::Release, Self::KeyHolder, Self::Admin];

    /// Whether the role gives the power.
    #[must_use]
    pub const fn may(self, power: MakerPower) -> bool {
        match power {
            MakerPower::See | MakerPower::Records => true,
            MakerPower::Stop => !matches!(self, Self::Viewer | Self::Regulatory),
            MakerPower::Release => matches!(self, Self::Release | Self::Psirt),
            MakerPower::Stage => matches!(self, Self::Release | Self::Psirt | Self::KeyHolder),
            MakerPower::Review => matches!(self, Self::Regulatory | Self::Psirt),
            MakerPower::Publish => matches!(self, Self::KeyHolder),
            MakerPower::Administer => matches!(self, Self::Admin),
        }
    }

    /// The word in the database and in URLs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Release => "release",
            Self::Psirt => "psirt",
            Self::KeyHolder => "key-holder",
            Self::Regulatory => "regulatory",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl Grant {
    /// Where it counts.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Site(site, _) => Place::Site(site.clone()),
            Self::Maker(maker, _) => Place::Maker(maker.clone()),
            Self::Operator => Place::Server,
        }
    }

    /// The role of a word, at a place.
    #[must_use]
    pub fn of(place: &Place, word: &str) -> Option<Self> {
        match place {
            Place::Site(site) => SiteRole::of(word).map(|role| Self::Site(site.clone(), role)),
            Place::Maker(maker) => MakerRole::of(word).map(|role| Self::Maker(maker.clone(), role)),
            Place::Server => (word == OPERATOR).then_some(Self::Operator),
        }
    }

    /// The role's word in the database and in URLs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Site(_, role) => role.word(),
            Self::Maker(_, role) => role.word(),
            Self::Operator => OPERATOR,
        }
    }

    /// Whether it is the role that changes people at its place.
    #[must_use]
    pub fn administers(&self) -> bool {
        match self {
            Self::Site(_, role) => role.may(SitePower::Administer),
            Self::Maker(_, role) => role.may(MakerPower::Administer),
            Self::Operator => true,
        }
    }
}

impl Place {
    /// The place of a text such as `site:city-hospital`.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text == SERVER {
            return Some(Self::Server);
        }
        match text.split_once(':')? {
            ("site", site) => SiteId::new(site).ok().map(Self::Site),
            ("maker", maker) => MakerId::new(maker).ok().map(Self::Maker),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => write!(f, "site:{site}"),
            Self::Maker(maker) => write!(f, "maker:{maker}"),
            Self::Server => f.write_str(SERVER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sees_a_site_may_stop_there() {
        for role in SiteRole::ALL {
            assert_eq!(role.may(SitePower::See), role.may(SitePower::Stop), "{role:?}");
        }
    }

    #[test]
    fn every_role_reads_the_records_and_only_an_admin_changes_people() {
        assert!(SiteRole::ALL.iter().all(|role| role.may(SitePower::Records)));
        for role in SiteRole::ALL {
            assert_eq!(role.may(SitePower::Administer), role == SiteRole::Admin);
        }
    }

    #[test]
    fn nobody_at_a_manufacturer_both_writes_and_publishes() {
        for role in MakerRole::ALL {
            assert!(!(role.may(MakerPower::Release) && role.may(MakerPower::Publish)), "{role:?}");
        }
    }

    #[test]
    fn a_word_leads_back_to_its_role() {
        assert!(SiteRole::ALL.iter().all(|role| SiteRole::of(role.word()) == Some(*role)));
        assert!(MakerRole::ALL.iter().all(|role| MakerRole::of(role.word()) == Some(*role)));
        assert_eq!(SiteRole::of("root"), None);
        let site = Place::Site(SiteId::new("city").unwrap());
        let maker = Place::Maker(MakerId::new("acme").unwrap());
        for place in [&site, &maker, &Place::Server] {
            assert_eq!(Place::of(&place.to_string()).as_ref(), Some(place));
        }
        assert_eq!(Grant::of(&site, "release"), None, "a manufacturer's role, not a hospital's");
        assert_eq!(Grant::of(&Place::Server, "admin"), None);
    }
}
