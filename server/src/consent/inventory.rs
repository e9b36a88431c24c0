//! The inventory of a site is read and replaced, whole, by compare-and-swap.
//!
//! With it the server remembers when each freeze was entered: one that came after an approval was
//! signed acts as a hold. Not here: whether an inventory is in order (`protocol::inventory`).
//! Invariant: nothing of a refused inventory is stored.

use crate::app::App;
use crate::auth::api_token::Holder;
use crate::db::act::{self, Act};
use crate::db::change::{self, Scope};
use crate::db::inventory::{self, Frozen, StoredInventory};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::record::log;
use crate::rollout::settle;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{RepositoryId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// The zone of an inventory that nobody has written yet.
const FIRST_ZONE: &str = "Etc/UTC";

/// The inventory of a site; an empty one, revision 0, before the first was written.
///
/// # Errors
/// A failure of ours.
pub async fn read(app: &App, site: &SiteId) -> Result<Inventory, ApiError> {
    let named = site.clone();
    let stored = app.db.read(move |conn| inventory::find(conn, &named)).await?;
    let empty = || Inventory::empty(site.clone(), FIRST_ZONE);
    Ok(stored.map_or_else(empty, |stored| stored.inventory))
}

/// Replaces the inventory of a site. Its revision must be the stored one; the reply has the next.
///
/// # Errors
/// `inventory_invalid` with every problem, `inventory_conflict`, or a failure of ours.
pub async fn write(
    app: &Arc<App>,
    site: &SiteId,
    inventory: Inventory,
    holder: &Holder,
) -> Result<Inventory, ApiError> {
    write_by(app, site, inventory, holder.id.clone()).await
}

/// The same, by `who`: the name of a token, or an account.
///
/// # Errors
/// As [`write()`].
pub async fn write_by(
    app: &Arc<App>,
    site: &SiteId,
    mut inventory: Inventory,
    who: String,
) -> Result<Inventory, ApiError> {
    let mut problems: Vec<String> = inventory.check().iter().map(ToString::to_string).collect();
    if inventory.site != *site {
        problems
            .insert(0, format!("site: {:?}: another site's inventory", inventory.site.as_str()));
    }
    if !problems.is_empty() {
        return Err(ApiError::with(ErrorCode::InventoryInvalid, problems.join("\n")));
    }
    let (at, from) = (app.clock.now(), inventory.revision);
    inventory.revision = from.saturating_add(1);
    let reply = inventory.clone();
    let stored = app.db.write(move |conn| replace(conn, inventory, from, who, at)).await?;
    if !stored {
        return Err(ApiError::of(ErrorCode::InventoryConflict));
    }
    settle::after_decision(app, &Scope::Site(site.clone())).await?;
    Ok(reply)
}

fn replace(
    conn: &mut Connection,
    inventory: Inventory,
    from: u64,
    who: String,
    at: Timestamp,
) -> Result<bool, DbError> {
    let before = inventory::find(conn, &inventory.site)?;
    if before.as_ref().map_or(0, |before| before.inventory.revision) != from {
        return Ok(false);
    }
    let frozen = frozen(before.as_ref(), &inventory, at);
    let earlier = before.as_ref().map(|before| &before.inventory);
    log::append_placements(conn, &who, earlier, &inventory, at)?;
    let scope = RepositoryId::Site(inventory.site.clone()).to_string();
    let detail = json!({
        "revision": inventory.revision, "devices": inventory.devices.len(),
        "wards": inventory.wards.len(), "freezes": inventory.freezes,
    });
    act::append(conn, &Act { at, scope, who: who.clone(), act: "write-inventory", detail })?;
    change::mark(conn, &Scope::Site(inventory.site.clone()))?;
    let stored = StoredInventory { inventory, frozen, changed: at, changed_by: who };
    inventory::swap(conn, &stored, from)
}

/// When each freeze was entered: unchanged ones keep their date.
fn frozen(before: Option<&StoredInventory>, inventory: &Inventory, at: Timestamp) -> Frozen {
    let entered = |freeze: &patchward_protocol::inventory::Freeze| {
        let before = before?;
        let same = before.inventory.freezes.iter().any(|earlier| earlier == freeze);
        before.frozen.get(&freeze.id).copied().filter(|_| same)
    };
    let each = inventory.freezes.iter();
    each.map(|freeze| (freeze.id.clone(), entered(freeze).unwrap_or(at))).collect()
}
