//! An account: what is kept of a person who may sign in.
//!
//! Not here: what the person may do ([`super::role`]) and how one signs in ([`super::enter`]).
//! Invariant: the password is there as its slow hash only, the second factor sealed.

use super::name::{LoginName, Printed};
use super::who::{AccountId, Language};
use patchward_protocol::time::Timestamp;

/// An account as stored.
#[derive(Clone)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// The name it signs in with.
    pub login: LoginName,
    /// Printed name.
    pub name: Printed,
    /// Role in words.
    pub title: Printed,
    /// In which language the person reads.
    pub language: Language,
    /// Slow hash of the password.
    pub password: String,
    /// Sealed secret of one-time codes; none before it was enrolled.
    pub second: Option<String>,
    /// The newest step whose code was taken: a code counts once.
    pub second_step: u64,
    /// Until when a second factor may be enrolled with the password alone.
    pub enrol_until: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// When it was disabled.
    pub disabled: Option<Timestamp>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.login)
    }
}
