//! Whose signatures count in a record: the server's record key, the people of the site's roots, the
//! devices as they joined.
//!
//! People come from every version of the site's root, each signed by the one before; devices from the
//! entries that say with which key they joined. Not here: checking entries.
//! Invariant: a person's key counts only when a root that chains from the first one lists it for root
//! or targets, under that person's name.

use crate::id::{PersonId, RepositoryId, SiteId};
use crate::key::PublicKey;
use crate::record::export::contents::PersonKey;
use crate::time::Timestamp;
use crate::tuf::error::TufError;
use crate::tuf::floors::Floors;
use crate::tuf::profile::Profile;
use crate::tuf::schema::TopLevel;
use crate::tuf::trusted_set::{Expiry, TrustedSet};

/// The roots of a site, verified one after the other, and the people in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    keys: Vec<PersonKey>,
}

impl People {
    /// Verifies the chain of roots, from version 1 on, and collects the people.
    ///
    /// # Errors
    /// [`TufError`] of the first root that does not follow.
    pub fn of(site: &SiteId, roots: &[Vec<u8>]) -> Result<Self, TufError> {
        let repository = RepositoryId::Site(site.clone());
        let profile = Profile::Patchward { repository };
        let mut people = Self { keys: Vec::new() };
        let Some((first, later)) = roots.split_first() else { return Ok(people) };
        // Old roots have expired; what counts is that each was signed by the one before.
        let expiry = Expiry::AsStaged(Timestamp::EPOCH);
        let mut set = TrustedSet::new(first, Floors::default(), profile, expiry)?;
        people.take(&set)?;
        for root in later {
            set.update_root(root)?;
            people.take(&set)?;
        }
        Ok(people)
    }

    /// The keys of a person, of every version of the root.
    #[must_use]
    pub fn keys_of(&self, person: &PersonId) -> Vec<PublicKey> {
        self.keys.iter().filter(|key| key.person == *person).map(|key| key.key).collect()
    }

    /// All of them, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> &[PersonKey] {
        &self.keys
    }

    fn take(&mut self, set: &TrustedSet) -> Result<(), TufError> {
        let version = set.next_root_version().saturating_sub(1);
        for role in [TopLevel::Root, TopLevel::Targets] {
            for listed in set.authority(role)?.keys {
                let (Some(key), Some(person)) = (listed.public(), listed.person.clone()) else {
                    continue;
                };
                let known = self.keys.iter_mut().find(|known| known.key == key);
                match known {
                    Some(known) if known.person == person => known.last_root = version,
                    _ => self.keys.push(PersonKey {
                        person,
                        key,
                        fingerprint: key.fingerprint(),
                        method: listed.method,
                        first_root: version,
                        last_root: version,
                    }),
                }
            }
        }
        Ok(())
    }
}
