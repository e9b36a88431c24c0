//! Entries of a record for people: read backwards from an end, those that a filter lets through.
//!
//! Signatures were checked when the entries were stored, and are checked again by whoever exports. Not
//! here: words. Invariant: one look reads a bounded number of entries and says where it stopped.

use super::log;
use super::words::{Topic, Who};
use crate::db::record::Sought;
use crate::db::{Connection, DbError, record};
use crate::limits::{RECORD_LISTED_MAX, RECORD_LOOKED_MAX};
use patchward_protocol::act::Act;
use patchward_protocol::id::SiteId;
use patchward_protocol::ledger::Entry;
use patchward_protocol::record::entry::{Body, RecordEntry, ServerAct};
use patchward_protocol::time::Timestamp;
use std::ops::Range;

/// Longest part of a name that is looked for, in bytes; nothing has a longer one.
const PART_BYTES_MAX: usize = 1024;

/// An entry as it says itself.
#[derive(Debug, Clone)]
pub struct Readable {
    /// Its position.
    pub n: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// What it says.
    pub said: Said,
    /// The stored bytes.
    pub bytes: Vec<u8>,
}

/// What an entry says.
#[derive(Debug, Clone)]
pub enum Said {
    /// A device, signed.
    Device(Box<Entry>),
    /// A person, signed.
    Person(Box<Act>),
    /// The server, for itself or for somebody it had authenticated; unsigned.
    Server(ServerAct),
    /// It cannot be read.
    Unreadable,
}

/// Which kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Of devices.
    Devices,
    /// Signed acts of people.
    People,
    /// Holds, and what lifted them.
    Holds,
    /// Ways back.
    Rollbacks,
    /// Of the server.
    Server,
}

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which kinds.
    pub which: Which,
    /// A part of a device's id.
    pub device: Option<String>,
    /// A part of a name of a person or account.
    pub person: Option<String>,
    /// When it was stored.
    pub when: Option<Range<Timestamp>>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entries, newest first.
    pub entries: Vec<Readable>,
    /// Where an older look goes on, when there is more.
    pub older: Option<u64>,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::All, Self::Devices, Self::People, Self::Holds, Self::Rollbacks, Self::Server];

    /// The word in a URL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Devices => "devices",
            Self::People => "people",
            Self::Holds => "holds",
            Self::Rollbacks => "rollbacks",
            Self::Server => "server",
        }
    }

    /// Of a word; all when it is none.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|which| which.word() == word).unwrap_or_default()
    }

    const fn sought(self) -> (Option<Who>, Option<Topic>) {
        match self {
            Self::All => (None, None),
            Self::Devices => (Some(Who::Device), None),
            Self::People => (Some(Who::Person), None),
            Self::Server => (Some(Who::Server), None),
            Self::Holds => (None, Some(Topic::Hold)),
            Self::Rollbacks => (None, Some(Topic::Rollback)),
        }
    }
}

impl Filter {
    /// In the words that are stored; nothing when it can fit no entry.
    fn sought(&self) -> Option<Sought> {
        let (who, topic) = self.which.sought();
        Some(Sought {
            who,
            topic,
            device: part(self.device.as_deref())?,
            person: part(self.person.as_deref())?,
            when: self.when.clone().map(|when| when.start.millis()..when.end.millis()),
        })
    }
}

/// A part of a name as it is stored; nothing when no name has it.
fn part(typed: Option<&str>) -> Option<String> {
    let typed = typed.unwrap_or_default().to_lowercase();
    (typed.len() <= PART_BYTES_MAX && !typed.contains(char::is_control)).then_some(typed)
}

impl Said {
    /// What this says; signatures are not checked.
    #[must_use]
    pub fn of(body: &Body) -> Self {
        match body {
            Body::Ledger(envelope) => envelope
                .insecure_peek()
                .map_or(Self::Unreadable, |read| Self::Device(Box::new(read))),
            Body::Act(envelope) => envelope
                .insecure_peek()
                .map_or(Self::Unreadable, |read| Self::Person(Box::new(read))),
            Body::Server(act) | Body::Note(act) => Self::Server(act.clone()),
        }
    }
}

impl Readable {
    /// Of stored bytes.
    #[must_use]
    pub fn of(n: u64, bytes: Vec<u8>) -> Self {
        let Ok(entry) = RecordEntry::read(&bytes) else {
            return Self { n, at: Timestamp::EPOCH, said: Said::Unreadable, bytes };
        };
        let said = Said::of(&entry.body);
        Self { n, at: entry.at, said, bytes }
    }
}

/// Looks back from `before`, or from the end.
///
/// # Errors
/// [`DbError`].
pub fn back(
    conn: &mut Connection,
    site: &SiteId,
    filter: &Filter,
    before: Option<u64>,
) -> Result<Found, DbError> {
    let size = log::end(conn, site)?.size;
    let end = before.map_or(size, |before| before.min(size));
    let last = end.saturating_sub(RECORD_LOOKED_MAX);
    // One more than is shown says that there is more.
    let wanted = RECORD_LISTED_MAX.saturating_add(1);
    let mut places = match filter.sought() {
        None => Vec::new(),
        Some(sought) => record::find(conn, site, last..end, &sought, wanted)?,
    };
    let more = places.len() > RECORD_LISTED_MAX;
    places.truncate(RECORD_LISTED_MAX);
    let older = if more { places.last().copied() } else { (last > 0).then_some(last) };
    let rows = record::entries_at(conn, site, &places)?;
    let entries = rows.into_iter().map(|(n, bytes)| Readable::of(n, bytes)).collect();
    Ok(Found { entries, older })
}

/// One entry.
///
/// # Errors
/// [`DbError`].
pub fn one(conn: &mut Connection, site: &SiteId, n: u64) -> Result<Option<Readable>, DbError> {
    let rows = record::entries(conn, site, n..n.saturating_add(1))?;
    Ok(rows.into_iter().next().map(|bytes| Readable::of(n, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_back_to_its_kind() {
        assert!(Which::ALL.iter().all(|which| Which::of(which.word()) == *which));
        assert_eq!(Which::of("other"), Which::All);
    }

    #[test]
    fn what_no_name_can_have_is_not_looked_for() {
        let with =
            |person: &str| Filter { person: Some(person.to_owned()), ..Filter::default() }.sought();
        assert_eq!(with("TANAKA").map(|sought| sought.person).as_deref(), Some("tanaka"));
        assert_eq!(with("a\0b"), None);
        assert_eq!(with(&"x".repeat(PART_BYTES_MAX + 1)), None);
    }
}
