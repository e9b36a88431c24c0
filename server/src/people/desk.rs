//! What signing in shares with the rest of the program: the vault and the hasher.
//!
//! Invariant: made once, when the program starts.

use super::password::{COST, Hasher};
use super::vault::Vault;
use crate::clock::{NoChance, Rng};
use crate::keys::MacSecret;
use std::sync::Arc;

/// Vault and hasher.
#[derive(Debug)]
pub struct PeopleDesk {
    /// Keys of people's secrets.
    pub vault: Arc<Vault>,
    /// Hashes passwords.
    pub hasher: Hasher,
}

impl PeopleDesk {
    /// With the server's MAC secret.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn new(secret: &MacSecret, rng: &dyn Rng) -> Result<Self, NoChance> {
        let vault = Arc::new(Vault::new(secret));
        Ok(Self { hasher: Hasher::new(Arc::clone(&vault), COST, rng)?, vault })
    }
}
