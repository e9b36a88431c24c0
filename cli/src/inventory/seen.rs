//! The inventory by whose rules a key last signed: a file beside the key, one for each site.
//!
//! `tanaka.key` has `tanaka.inventory.city-hospital.json`. A server that quietly loosens a ward rule
//! before it asks for a signature is noticed here. Not here: comparing ([`super::difference`]).
//! Invariant: what is there and does not read is never taken for absent.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use patchward_protocol::id::SiteId;
use patchward_protocol::inventory::Inventory;
use std::path::{Path, PathBuf};

/// The inventory that this key last signed by; nothing when it never did.
///
/// # Errors
/// [`Code::InventoryBad`] and failures of reading.
pub fn last(key_file: &Path, site: &SiteId) -> Outcome<Option<Inventory>> {
    let path = path(key_file, site);
    match super::open(&path) {
        Ok(inventory) => Ok(Some(inventory)),
        Err(failure) if failure.code == Code::FileMissing => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Remembers the inventory, durably.
///
/// # Errors
/// Failures of writing.
pub fn remember(key_file: &Path, inventory: &Inventory) -> Outcome<()> {
    let bytes =
        serde_json::to_vec(inventory).map_err(|error| Failure::new(Code::WriteFailed, error))?;
    let path = path(key_file, &inventory.site);
    disk::write(&path, &bytes, Readers::Owner, Place::Replace)
}

fn path(key_file: &Path, site: &SiteId) -> PathBuf {
    key_file.with_extension(format!("inventory.{site}.json"))
}
