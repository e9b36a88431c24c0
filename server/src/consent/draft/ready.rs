//! Drafts that pages show again and again, read once: a draft carries the devices and the inventory of its
//! hospital, and reading them takes longer than making the page.
//!
//! Bounded: the sites that were asked for last. Not here: the rows ([`crate::db::draft`]). Invariant: what is
//! given was read from exactly the text that is stored.

use super::kept::{Draft, File};
use crate::db::DbError;
use patchward_protocol::approval::Approval;
use patchward_protocol::id::SiteId;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most drafts that are kept.
const KEPT_MAX: usize = 8;

/// The drafts.
#[derive(Debug, Default)]
pub struct Drafts(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    site: SiteId,
    revision: u64,
    text: String,
    draft: Arc<Draft>,
}

impl Drafts {
    /// The draft of a site that is stored as this text in this revision; `read` reads it.
    ///
    /// # Errors
    /// As `read`.
    pub fn of(
        &self,
        site: &SiteId,
        (revision, text): (u64, String),
        read: impl FnOnce(&str) -> Result<Draft, DbError>,
    ) -> Result<Arc<Draft>, DbError> {
        let same =
            |kept: &&Kept| kept.site == *site && kept.revision == revision && kept.text == text;
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known().iter().find(same) {
            return Ok(Arc::clone(&kept.draft));
        }
        // Not under the lock: others go on meanwhile.
        let draft = Arc::new(Draft { revision, ..read(&text)? });
        let mut all = known();
        all.retain(|kept| kept.site != *site);
        if all.len() >= KEPT_MAX {
            all.remove(0);
        }
        all.push(Kept { site: site.clone(), revision, text, draft: Arc::clone(&draft) });
        Ok(draft)
    }
}

/// The approvals of a draft as they were read first, with the files that they were read from.
#[derive(Debug, Clone, Default)]
pub struct ReadOnce(OnceLock<(Vec<File>, Vec<Approval>)>);

impl ReadOnce {
    /// The approvals in these files; `read` reads them when they are others than the first time.
    ///
    /// # Errors
    /// As `read`.
    pub(super) fn of<E>(
        &self,
        files: &[File],
        read: impl FnOnce() -> Result<Vec<Approval>, E>,
    ) -> Result<Vec<Approval>, E> {
        if let Some((_, approvals)) = self.0.get().filter(|(of, _)| of == files) {
            return Ok(approvals.clone());
        }
        let approvals = read()?;
        // Whoever comes second keeps nothing.
        let _ = self.0.set((files.to_vec(), approvals.clone()));
        Ok(approvals)
    }
}
