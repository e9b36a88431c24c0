//! The order of a refresh, without input or output: asks for a file, takes the answer, asks for the
//! next. Agent, command line, server and conformance client all follow this one.
//!
//! Roots one version after another until there is none, then timestamp, snapshot, targets. What is
//! held and still listed is not fetched again. Not here: connections, retries, disks; delegated
//! roles, which are fetched when something is looked up in them ([`super::search`]).
//! Invariant: [`Refresh::held`] and [`Refresh::floors`] are always a state worth storing, after an
//! error too: everything in them was trusted when it was taken.

use super::error::TufError;
use super::floors::Floors;
use super::profile::Profile;
use super::role::Role;
use super::schema::{Document, Envelope, Metafile, Part, Targets};
use super::trusted_set::{Adopted, Expiry, TrustedSet, as_listed};
use crate::limits::{REFRESH_BYTES_MAX, ROOT_STEPS_MAX};
use std::collections::BTreeMap;

/// Metadata of one repository as received, byte for byte: what a device stores.
///
/// A file that does not read is an error, never "absent": the caller restores the previous
/// generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The newest trusted root.
    pub root: Vec<u8>,
    /// The newest trusted timestamp.
    pub timestamp: Option<Vec<u8>>,
    /// The newest trusted snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The newest trusted targets.
    pub targets: Option<Vec<u8>>,
    /// Delegated roles, by name.
    pub delegated: BTreeMap<String, Vec<u8>>,
}

impl Held {
    /// Begins with a pinned root and nothing else.
    #[must_use]
    pub const fn pinned(root: Vec<u8>) -> Self {
        let (timestamp, snapshot, targets) = (None, None, None);
        Self { root, timestamp, snapshot, targets, delegated: BTreeMap::new() }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetch this file (percent-encoded, below the metadata URL), at most so many bytes, and
    /// [`Refresh::supply`] the answer. Any failure but "not found" ends the refresh: nothing is
    /// supplied.
    Fetch {
        /// The file.
        file: String,
        /// Where to stop reading and give up.
        bytes_max: usize,
    },
    /// Nothing: [`Refresh::finish`].
    Done,
}

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The whole file.
    Bytes(Vec<u8>),
    /// The server says that there is none (404 or 410; nothing else).
    NotFound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Root { steps: u32 },
    Timestamp,
    Snapshot,
    Targets,
    Done,
}

/// A refresh on its way.
#[derive(Debug, Clone)]
pub struct Refresh {
    set: TrustedSet,
    held: Held,
    turn: Turn,
    offered_timestamp: Option<Vec<u8>>,
    taken: usize,
}

impl Refresh {
    /// Begins from what is held.
    ///
    /// # Errors
    /// [`TufError::HeldUnreadable`] when a held file does not read; any reason not to trust the
    /// held root.
    pub fn begin(
        held: Held,
        floors: Floors,
        profile: Profile,
        expiry: Expiry,
    ) -> Result<Self, TufError> {
        let charset = profile.charset();
        if let Some(bytes) = &held.targets {
            readable(&Role::Targets, bytes, charset)?;
        }
        for (name, bytes) in &held.delegated {
            readable(&Role::Delegated(name.clone()), bytes, charset)?;
        }
        let set = TrustedSet::new(&held.root, floors, profile, expiry)
            .map_err(|error| error.if_held(&Role::Root))?;
        let (turn, offered_timestamp) = (Turn::Root { steps: 0 }, None);
        Ok(Self { set, held, turn, offered_timestamp, taken: 0 })
    }

    /// Verifies what is held again, without fetching anything: after a restart.
    ///
    /// # Errors
    /// Any reason not to trust it, [`TufError::MissingFile`] when it is not whole.
    pub fn reload(
        held: Held,
        floors: Floors,
        profile: Profile,
        expiry: Expiry,
    ) -> Result<TrustedSet, TufError> {
        let timestamp = held.timestamp.clone();
        let mut refresh = Self::begin(held, floors, profile, expiry)?;
        refresh.supply(Answer::NotFound)?;
        refresh.supply(timestamp.map_or(Answer::NotFound, Answer::Bytes))?;
        if let Step::Fetch { file, .. } = refresh.next() {
            return Err(TufError::MissingFile { file });
        }
        refresh.finish().map(|(set, ..)| set)
    }

    /// Hands in a timestamp that came inside another answer (a check-in): it is used in its turn
    /// instead of fetching one, and checked like any other.
    ///
    /// The same answer may say that there is no newer root; that is as good as a 404 (both are the
    /// server's word) and is told by `supply(Answer::NotFound)` on the first turn.
    pub fn offer_timestamp(&mut self, bytes: Vec<u8>) {
        self.offered_timestamp = Some(bytes);
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Step {
        let fetch = |role: &Role, version: u64, listed: Option<u64>| {
            let role_max = role.bytes_max();
            let listed = listed.and_then(|length| usize::try_from(length).ok());
            let bytes_max = listed.map_or(role_max, |length| length.min(role_max));
            Step::Fetch { file: role.file(version, self.set.naming()), bytes_max }
        };
        match self.turn {
            Turn::Root { .. } => fetch(&Role::Root, self.set.next_root_version(), None),
            Turn::Timestamp => fetch(&Role::Timestamp, 0, None),
            Turn::Snapshot | Turn::Targets => {
                let role = if self.turn == Turn::Snapshot { Role::Snapshot } else { Role::Targets };
                match self.set.listing(&role) {
                    Ok(listing) => fetch(&role, listing.version.get(), listing.length),
                    Err(_) => Step::Done,
                }
            }
            Turn::Done => Step::Done,
        }
    }

    /// Takes the answer to the last [`Step::Fetch`].
    ///
    /// # Errors
    /// Any reason not to go on. What was trusted before it stays in [`Refresh::held`].
    pub fn supply(&mut self, answer: Answer) -> Result<(), TufError> {
        let bytes = match answer {
            Answer::Bytes(bytes) => Some(self.budgeted(bytes)?),
            Answer::NotFound => None,
        };
        match (self.turn, bytes) {
            (Turn::Root { steps }, Some(bytes)) => self.root(&bytes, steps)?,
            (Turn::Root { .. }, None) => {
                self.set
                    .end_roots(self.held.timestamp.as_deref(), self.held.snapshot.as_deref())?;
                self.turn = Turn::Timestamp;
                if let Some(bytes) = self.offered_timestamp.take() {
                    let bytes = self.budgeted(bytes)?;
                    self.timestamp(bytes)?;
                }
            }
            (Turn::Timestamp, Some(bytes)) => self.timestamp(bytes)?,
            (Turn::Snapshot, Some(bytes)) => self.snapshot(bytes)?,
            (Turn::Targets, Some(bytes)) => self.targets(bytes)?,
            (Turn::Timestamp | Turn::Snapshot | Turn::Targets, None) => {
                return Err(match self.next() {
                    Step::Fetch { file, .. } => TufError::MissingFile { file },
                    Step::Done => TufError::OutOfTurn { role: Role::Targets },
                });
            }
            (Turn::Done, _) => return Err(TufError::OutOfTurn { role: Role::Targets }),
        }
        Ok(())
    }

    /// What is trusted so far, as received: to store, also after an error.
    #[must_use]
    pub const fn held(&self) -> &Held {
        &self.held
    }

    /// The floors so far: to store, also after an error.
    #[must_use]
    pub const fn floors(&self) -> &Floors {
        self.set.floors()
    }

    /// The trusted set, what to store, and the floors to store with it.
    ///
    /// # Errors
    /// [`TufError::OutOfTurn`] before [`Step::Done`].
    pub fn finish(self) -> Result<(TrustedSet, Held, Floors), TufError> {
        if self.turn != Turn::Done {
            return Err(TufError::OutOfTurn { role: Role::Targets });
        }
        let floors = self.set.floors().clone();
        Ok((self.set, self.held, floors))
    }

    fn budgeted(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, TufError> {
        self.taken = self.taken.saturating_add(bytes.len());
        if self.taken > REFRESH_BYTES_MAX {
            return Err(TufError::ByteBudget { taken: self.taken, bytes_max: REFRESH_BYTES_MAX });
        }
        Ok(bytes)
    }

    fn root(&mut self, bytes: &[u8], steps: u32) -> Result<(), TufError> {
        self.set.update_root(bytes)?;
        self.held.root = bytes.to_vec();
        let steps = steps.saturating_add(1);
        if steps >= ROOT_STEPS_MAX {
            let reached = self.set.root().signed.version();
            return Err(TufError::EndlessRoot { steps, reached });
        }
        self.turn = Turn::Root { steps };
        Ok(())
    }

    fn timestamp(&mut self, bytes: Vec<u8>) -> Result<(), TufError> {
        if self.set.update_timestamp(&bytes)? == Adopted::Offered {
            self.held.timestamp = Some(bytes);
        }
        self.turn = Turn::Snapshot;
        match self.held.snapshot.clone().filter(|bytes| self.fits(&Role::Snapshot, bytes)) {
            Some(bytes) => self.snapshot(bytes).or_else(refetch),
            None => Ok(()),
        }
    }

    fn snapshot(&mut self, bytes: Vec<u8>) -> Result<(), TufError> {
        self.set.update_snapshot(&bytes)?;
        self.held.snapshot = Some(bytes);
        self.turn = Turn::Targets;
        match self.held.targets.clone().filter(|bytes| self.fits(&Role::Targets, bytes)) {
            Some(bytes) => self.targets(bytes).or_else(refetch),
            None => Ok(()),
        }
    }

    fn targets(&mut self, bytes: Vec<u8>) -> Result<(), TufError> {
        self.set.update_targets(&bytes)?;
        self.held.targets = Some(bytes);
        self.turn = Turn::Done;
        Ok(())
    }

    /// Whether held bytes are what is listed now.
    fn fits(&self, role: &Role, bytes: &[u8]) -> bool {
        let charset = self.set.profile().charset();
        self.set.listing(role).is_ok_and(|listing| is_listed(role, listing, bytes, charset))
    }
}

/// Whether bytes are the version that is listed, with its length and digest where they are given.
pub(super) fn is_listed(
    role: &Role,
    listing: &Metafile,
    bytes: &[u8],
    charset: crate::canonical::Charset,
) -> bool {
    as_listed(role, listing, bytes).is_ok()
        && Envelope::read(role, bytes, charset)
            .is_ok_and(|envelope| envelope.version() == Some(listing.version.get()))
}

/// A held file whose keys were replaced is fetched anew; any other refusal stands.
fn refetch(error: TufError) -> Result<(), TufError> {
    if matches!(error, TufError::SignatureThreshold { .. }) { Ok(()) } else { Err(error) }
}

fn readable(role: &Role, bytes: &[u8], charset: crate::canonical::Charset) -> Result<(), TufError> {
    let typed: Result<Document<Targets>, _> =
        Envelope::read(role, bytes, charset).and_then(Envelope::typed);
    typed.map(|_| ()).map_err(|error| error.if_held(role))
}
