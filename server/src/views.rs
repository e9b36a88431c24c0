//! What is current in memory: repositories, and what hospitals, manufacturers and the operator have
//! decided; with a bell for those who wait until it changes.
//!
//! Check-ins are answered from here. Not here: reading the database ([`crate::app::App::reload`]).
//! Invariant: each view is replaced as a whole, never changed, and never by an older one.

use crate::consent::state::Consent;
use crate::limits::BLIND_S;
use crate::publish::current::Snapshot;
use arc_swap::ArcSwap;
use patchward_protocol::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::{Notify, watch};

/// The database answers.
const SEES: i64 = i64::MAX;

/// The views, shared by everything in this program.
#[derive(Debug)]
pub struct Views {
    snapshot: ArcSwap<Snapshot>,
    consent: ArcSwap<Consent>,
    news: watch::Sender<News>,
    look: Notify,
    /// Since when the database has not been followed, in milliseconds, or [`SEES`].
    unseen_since: AtomicI64,
}

/// What a standing poll is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Something has changed; rises each time.
    Changed(u64),
    /// The program is ending: everybody is answered now.
    Ending,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            snapshot: ArcSwap::default(),
            consent: ArcSwap::default(),
            news: watch::Sender::new(News::Changed(0)),
            look: Notify::new(),
            unseen_since: AtomicI64::new(SEES),
        }
    }
}

impl Views {
    /// Views of nothing but what `consent` holds.
    #[must_use]
    pub fn begin(consent: Consent) -> Self {
        Self { consent: ArcSwap::from_pointee(consent), ..Self::default() }
    }

    /// The repositories.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What was decided.
    #[must_use]
    pub fn consent(&self) -> Arc<Consent> {
        self.consent.load_full()
    }

    /// Puts what was read into place and wakes who waits.
    pub fn change(&self, with: impl Fn(&Snapshot) -> Snapshot, and: impl Fn(&Consent) -> Consent) {
        self.snapshot.rcu(|now| with(now));
        self.consent.rcu(|now| and(now));
        self.ring();
    }

    /// Wakes who waits, without anything new.
    pub fn ring(&self) {
        self.news.send_if_modified(|news| match news {
            News::Changed(n) => {
                *n = n.wrapping_add(1);
                true
            }
            News::Ending => false,
        });
    }

    /// Tells who waits that the program is ending.
    pub fn end(&self) {
        self.news.send_replace(News::Ending);
    }

    /// To be woken by what changes from now on.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// The database was followed.
    pub fn seen(&self) {
        self.unseen_since.store(SEES, Ordering::Relaxed);
    }

    /// The database could not be followed at `at`.
    pub fn unseen(&self, at: Timestamp) {
        self.unseen_since.fetch_min(at.millis(), Ordering::Relaxed);
    }

    /// Whether these views have not followed the database for so long that somebody may have stopped
    /// what they still show as open.
    #[must_use]
    pub fn is_blind(&self, at: Timestamp) -> bool {
        let since = self.unseen_since.load(Ordering::Relaxed);
        since != SEES && Timestamp::from_millis(since).plus_seconds(BLIND_S) <= at
    }

    /// Asks for the database to be read soon: something was stored that views must show.
    pub fn ask_to_look(&self) {
        self.look.notify_one();
    }

    /// Returns when somebody asked.
    pub async fn asked_to_look(&self) {
        self.look.notified().await;
    }
}
