//! One-time links for people: to join with a role, to choose a new password, or to set up a second factor.
//!
//! There is no default account: `init` prints such a link for the first person. Not here: who may make
//! one ([`super::invite`]). Invariant: the secret of a link is stored nowhere, only its digest.

use super::role::Grant;
use super::who::{AccountId, Language};
use crate::clock::{self, NoChance, Rng};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::PersonId;
use patchward_protocol::time::Timestamp;
use std::fmt;

/// Life of a link, in seconds: three days.
pub const INVITATION_S: i64 = 72 * 3600;
/// Life of the first person's link, in seconds: a week, as of the token beside it.
pub const FIRST_S: i64 = 7 * 24 * 3600;

/// What a link is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To hold a role.
    Join {
        /// The role and its place.
        grant: Grant,
        /// Which person of the site's root it will be.
        person: Option<PersonId>,
    },
    /// To choose a new password for this account.
    Password(AccountId),
    /// To set up a second factor for this account, whose password is asked for too.
    Second(AccountId),
}

/// A link without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its name in lists.
    pub id: String,
    /// What it is good for.
    pub purpose: Purpose,
    /// Whom it is meant for: a printed name, which they may correct.
    pub name: String,
    /// Their role in words.
    pub title: String,
    /// In which language they are addressed.
    pub language: Language,
    /// The account that made it; none for whoever runs the server.
    pub inviter: Option<AccountId>,
    /// Who made it, as in records.
    pub invited_by: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used.
    pub used: Option<Timestamp>,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
}

/// The secret of a link.
#[derive(Clone)]
pub struct Ticket([u8; 32]);

impl Invitation {
    /// Whether it still can be used.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.used.is_none() && self.revoked.is_none() && at < self.expires
    }
}

impl Ticket {
    /// A new one.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn draw(rng: &dyn Rng) -> Result<Self, NoChance> {
        clock::random(rng).map(Self)
    }

    /// Reads one from a link.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// As it stands in the link. Shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256Digest::of(&self.0).to_string()
    }

    /// The link's path.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/console/claim/{}", self.reveal())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;

    #[test]
    fn a_link_is_read_back_and_kept_as_a_digest_only() {
        let ticket = Ticket::draw(&SeededRng::new(1)).unwrap();
        assert_eq!(Ticket::read(&ticket.reveal()).unwrap().digest(), ticket.digest());
        assert!(!ticket.digest().contains(&ticket.reveal()));
        assert!(Ticket::read("abc").is_none());
        assert_eq!(format!("{ticket:?}"), "Ticket(…)");
    }
}
