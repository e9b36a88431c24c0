//! A change of the inventory that a form made: written, refused, or overtaken by somebody else's.
//!
//! Not here: what is changed. Invariant: an inventory is replaced by compare-and-swap on the revision
//! that the form was made of, and nothing of a refused one is stored.

use super::field::Wrong;
use crate::consent::inventory;
use crate::console::door::{AtSite, Visit};
use crate::console::turned::Turned;
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::inventory::Inventory;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stands.
    Written,
    /// Something is wrong with it; nothing is stored.
    Refused,
    /// The inventory is another one than the form was made of; nothing is stored.
    Overtaken,
}

/// Whether the form was made of another revision than this one.
///
/// # Errors
/// `request_invalid` when the form does not say.
pub fn overtaken(visit: &Visit<AtSite>, now: &Inventory) -> Result<bool, ApiError> {
    Ok(visit.form.read::<u64>("_revision")? != now.revision)
}

/// Writes what a form made of the inventory, unless something is wrong with it.
///
/// # Errors
/// What is not about this change.
pub async fn write(
    visit: &Visit<AtSite>,
    inventory: Inventory,
    wrong: &[Wrong],
) -> Result<Change, Turned> {
    if overtaken(visit, &inventory)? {
        return Ok(Change::Overtaken);
    }
    if !wrong.is_empty() {
        return Ok(Change::Refused);
    }
    let entry = &visit.entry;
    match inventory::write_by(&visit.app, &entry.site, inventory, entry.who.by()).await {
        Ok(_) => Ok(Change::Written),
        Err(error) if error.code() == ErrorCode::InventoryConflict => Ok(Change::Overtaken),
        Err(error) => Err(error.into()),
    }
}
