//! Exports under way and ready to be fetched, in memory.
//!
//! A long record takes minutes: whoever asked sees how far it is, and may come back. One for each
//! site, few at a time, and none is kept for long. Not here: making one ([`super::export`]).
//! Invariant: an export is given only to those who may read the record of its site (the page's door).

use super::export;
use crate::app::App;
use crate::error::ApiError;
use crate::limits::{EXPORT_KEPT_S, EXPORTS_AT_ONCE_MAX, EXPORTS_KEPT_MAX};
use bytes::Bytes;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Semaphore;

/// The exports.
#[derive(Debug)]
pub struct Exports {
    of_sites: Mutex<HashMap<SiteId, Arc<Export>>>,
    places: Arc<Semaphore>,
}

/// One export.
#[derive(Debug)]
pub struct Export {
    /// When it was asked for.
    pub begun: Timestamp,
    done: AtomicU64,
    total: AtomicU64,
    end: OnceLock<Result<Bytes, ErrorCode>>,
}

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// So many entries of so many are read; when all are, they are checked.
    Reading(u64, u64),
    /// It is ready.
    Ready(Bytes),
    /// It cannot be made.
    Failed(ErrorCode),
}

impl Default for Exports {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(EXPORTS_AT_ONCE_MAX));
        Self { of_sites: Mutex::default(), places }
    }
}

impl Exports {
    /// The export of a site that was asked for last, while it is kept.
    #[must_use]
    pub fn of(&self, site: &SiteId, at: Timestamp) -> Option<Arc<Export>> {
        self.lock(at).get(site).cloned()
    }

    /// Begins an export, or joins the one under way.
    pub fn begin(&self, app: &Arc<App>, site: &SiteId, tz: &str) -> Arc<Export> {
        let at = app.clock.now();
        let mut of_sites = self.lock(at);
        if let Some(under_way) = of_sites.get(site).filter(|export| export.end.get().is_none()) {
            return Arc::clone(under_way);
        }
        let export = Arc::new(Export::at(at));
        of_sites.insert(site.clone(), Arc::clone(&export));
        drop(of_sites);
        let (app, site, tz) = (Arc::clone(app), site.clone(), tz.to_owned());
        let (kept, places) = (Arc::clone(&export), Arc::clone(&self.places));
        tokio::spawn(async move {
            let place = places.acquire_owned().await;
            let made = export::make(&app, &site, &tz, |done, total| kept.tell(done, total)).await;
            drop(place);
            kept.finish(made.map(Bytes::from));
        });
        export
    }

    /// Without those that are too old, and without the oldest when there are too many.
    fn lock(&self, at: Timestamp) -> MutexGuard<'_, HashMap<SiteId, Arc<Export>>> {
        let mut of_sites = self.of_sites.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = |export: &Export| export.end.get().is_none();
        of_sites
            .retain(|_, export| under_way(export) || export.begun.plus_seconds(EXPORT_KEPT_S) > at);
        while of_sites.len() > EXPORTS_KEPT_MAX {
            let ended = of_sites.iter().filter(|(_, export)| !under_way(export));
            let oldest = ended.min_by_key(|(_, export)| export.begun).map(|(site, _)| site.clone());
            let Some(site) = oldest else { break };
            of_sites.remove(&site);
        }
        of_sites
    }
}

impl Export {
    const fn at(begun: Timestamp) -> Self {
        Self { begun, done: AtomicU64::new(0), total: AtomicU64::new(0), end: OnceLock::new() }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match self.end.get() {
            None => {
                let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
                Progress::Reading(read(&self.done), read(&self.total))
            }
            Some(Ok(bytes)) => Progress::Ready(bytes.clone()),
            Some(Err(code)) => Progress::Failed(*code),
        }
    }

    fn tell(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn finish(&self, made: Result<Bytes, ApiError>) {
        let end = made.map_err(|error| {
            if let ApiError::Failed(_) = &error {
                let chain = crate::error::Chain(&error).to_string();
                tracing::error!(error = %chain, "An export of a record cannot be made");
            }
            error.code()
        });
        // Nobody else finishes it.
        drop(self.end.set(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus_seconds(second)
    }

    #[test]
    fn an_export_tells_how_far_it_is_and_ends_once() {
        let export = Export::at(at(0));
        assert_eq!(export.progress(), Progress::Reading(0, 0));
        export.tell(512, 4096);
        assert_eq!(export.progress(), Progress::Reading(512, 4096));
        export.finish(Ok(Bytes::from_static(b"zip")));
        export.finish(Err(ApiError::of(ErrorCode::RecordTooLong)));
        assert_eq!(export.progress(), Progress::Ready(Bytes::from_static(b"zip")));
    }

    #[test]
    fn what_is_ready_goes_after_a_while_and_what_is_under_way_stays() {
        let exports = Exports::default();
        let (north, south): (SiteId, SiteId) = ("north".parse().unwrap(), "south".parse().unwrap());
        let (ready, slow) = (Arc::new(Export::at(at(0))), Arc::new(Export::at(at(0))));
        ready.finish(Ok(Bytes::new()));
        exports.lock(at(0)).insert(north.clone(), ready);
        exports.lock(at(0)).insert(south.clone(), slow);
        assert!(exports.of(&north, at(EXPORT_KEPT_S - 1)).is_some());
        assert!(exports.of(&north, at(EXPORT_KEPT_S)).is_none());
        assert!(exports.of(&south, at(EXPORT_KEPT_S * 2)).is_some());
    }
}
