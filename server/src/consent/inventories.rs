//! Inventories that pages ask for again and again, kept while their revision stands.
//!
//! Bounded: the sites that were asked for last. Not here: what polls need ([`super::layout`]).
//! Invariant: what is given is the inventory of the revision that the state in memory names, or newer.

use super::inventory;
use crate::app::App;
use crate::error::ApiError;
use patchward_protocol::id::SiteId;
use patchward_protocol::inventory::Inventory;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most inventories that are kept.
const KEPT_MAX: usize = 64;

/// The inventories.
#[derive(Debug, Default)]
pub struct Inventories(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    clock: u64,
    sites: HashMap<SiteId, (u64, Arc<Inventory>)>,
}

impl Inventories {
    /// The inventory of a site; an empty one, revision 0, before the first was written.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn of(&self, app: &App, site: &SiteId) -> Result<Arc<Inventory>, ApiError> {
        let consent = app.views.consent();
        let revision = consent.site(site).map_or(0, |at| at.layout.revision());
        if let Some(held) = self.held(site).filter(|held| held.revision >= revision) {
            return Ok(held);
        }
        let read = Arc::new(inventory::read(app, site).await?);
        self.keep(site, &read);
        Ok(read)
    }

    fn held(&self, site: &SiteId) -> Option<Arc<Inventory>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock = kept.clock.saturating_add(1);
        let now = kept.clock;
        let (used, inventory) = kept.sites.get_mut(site)?;
        *used = now;
        Some(Arc::clone(inventory))
    }

    fn keep(&self, site: &SiteId, inventory: &Arc<Inventory>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.clock;
        kept.sites.insert(site.clone(), (now, Arc::clone(inventory)));
        if kept.sites.len() > KEPT_MAX {
            let oldest = kept.sites.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(site) = oldest.map(|(site, _)| site.clone()) {
                kept.sites.remove(&site);
            }
        }
    }
}
