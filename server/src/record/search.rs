//! Entries of a record for people: read backwards from an end, those that a filter lets through.
//!
//! Signatures were checked when the entries were stored, and are checked again by whoever exports. Not
//! here: words. Invariant: one look reads a bounded number of entries and says where it stopped.

use super::{glance, log};
use crate::db::{Connection, DbError, record};
use crate::limits::{RECORD_LISTED_MAX, RECORD_LOOKED_MAX};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::id::SiteId;
use patchward_protocol::ledger::{Entry, Kind};
use patchward_protocol::record::entry::{Body, RecordEntry, ServerAct};
use patchward_protocol::time::Timestamp;
use std::ops::Range;

/// Entries that are read in one statement.
const STEP: u64 = 256;

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

    fn takes(self, said: &Said) -> bool {
        match self {
            Self::All => true,
            Self::Devices => matches!(said, Said::Device(_)),
            Self::People => matches!(said, Said::Person(_)),
            Self::Server => matches!(said, Said::Server(_)),
            Self::Holds => match said {
                Said::Device(entry) => {
                    matches!(entry.fact.kind, Kind::HoldSet | Kind::HoldLifted)
                }
                Said::Person(act) => matches!(act.subject, Subject::Hold { .. }),
                Said::Server(act) => matches!(act.act(), "hold" | "lift-hold"),
                Said::Unreadable => false,
            },
            Self::Rollbacks => match said {
                Said::Device(entry) => {
                    matches!(entry.fact.kind, Kind::RollingBack | Kind::RolledBack)
                }
                Said::Person(act) => act.meaning == Meaning::RollbackAuthorised,
                Said::Server(_) | Said::Unreadable => false,
            },
        }
    }
}

impl Filter {
    /// Whether it lets an entry through.
    #[must_use]
    pub fn takes(&self, entry: &Readable) -> bool {
        let inside = |part: &Option<String>, texts: &[&str]| {
            part.as_ref().is_none_or(|part| {
                let part = part.to_lowercase();
                texts.iter().any(|text| text.to_lowercase().contains(&part))
            })
        };
        let mut about = String::new();
        let (device, person): (&str, Vec<&str>) = match &entry.said {
            Said::Device(entry) => {
                let person = entry.fact.person.as_ref();
                (entry.device.as_str(), person.iter().map(|person| person.as_str()).collect())
            }
            Said::Person(act) => {
                if let Subject::Device { device, .. } = &act.subject {
                    about.push_str(device.as_str());
                }
                (&about, vec![act.person.as_str(), &act.name])
            }
            Said::Server(act) => {
                about.push_str(&act.detail().to_string());
                (&about, vec![act.who()])
            }
            Said::Unreadable => ("", Vec::new()),
        };
        self.which.takes(&entry.said)
            && self.when.as_ref().is_none_or(|when| when.contains(&entry.at))
            && inside(&self.device, &[device])
            && inside(&self.person, &person)
    }
}

impl Filter {
    /// Whether it may let an entry through; whether it does is known when the entry was read, which takes
    /// ten times as long. What is looked for in a device's entry stands in the signed text, word for word.
    fn may_take(&self, bytes: &[u8]) -> bool {
        let kinds: &[&str] = match self.which {
            Which::People | Which::Server => return glance::kind(bytes) != Some("ledger"),
            Which::Holds => &["hold-set", "hold-lifted"],
            Which::Rollbacks => &["rolling-back", "rolled-back"],
            Which::All | Which::Devices => &[],
        };
        let parts = [&self.device, &self.person].map(|part| {
            let part = part.as_ref().map(|part| part.to_lowercase());
            part.filter(|part| !part.is_empty())
        });
        if kinds.is_empty() && parts.iter().all(Option::is_none) {
            return true;
        }
        let Some(text) = glance::said_by_device(bytes) else { return true };
        let of_kind = kinds.is_empty() || kinds.iter().any(|kind| text.contains(kind));
        of_kind && parts.iter().flatten().all(|part| text.contains(part.as_str()))
    }
}

impl Readable {
    /// Of stored bytes.
    #[must_use]
    pub fn of(n: u64, bytes: Vec<u8>) -> Self {
        let Ok(entry) = RecordEntry::read(&bytes) else {
            return Self { n, at: Timestamp::EPOCH, said: Said::Unreadable, bytes };
        };
        let said = match entry.body {
            Body::Ledger(envelope) => envelope
                .insecure_peek()
                .map_or(Said::Unreadable, |read| Said::Device(Box::new(read))),
            Body::Act(envelope) => envelope
                .insecure_peek()
                .map_or(Said::Unreadable, |read| Said::Person(Box::new(read))),
            Body::Server(act) | Body::Note(act) => Said::Server(act),
        };
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
    let mut end = before.map_or(size, |before| before.min(size));
    let last = end.saturating_sub(RECORD_LOOKED_MAX);
    let mut found = Vec::new();
    let of = |(n, bytes)| Readable::of(n, bytes);
    while end > last {
        let start = end.saturating_sub(STEP).max(last);
        let rows = record::entries(conn, site, start..end)?;
        let mut read: Vec<_> =
            (start..).zip(rows).filter(|(_, bytes)| filter.may_take(bytes)).map(of).collect();
        read.reverse();
        for entry in read.into_iter().filter(|entry| filter.takes(entry)) {
            if found.len() == RECORD_LISTED_MAX {
                let older = found.last().map(|entry: &Readable| entry.n);
                return Ok(Found { entries: found, older });
            }
            found.push(entry);
        }
        end = start;
    }
    Ok(Found { entries: found, older: (end > 0).then_some(end) })
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
    use serde_json::json;

    fn entry(who: &str, act: &str, detail: serde_json::Value) -> Readable {
        let said = Said::Server(ServerAct::new(who, act, detail));
        Readable { n: 0, at: Timestamp::from_millis(5000), said, bytes: Vec::new() }
    }

    #[test]
    fn a_filter_without_anything_takes_everything() {
        assert!(Filter::default().takes(&entry("server", "hold", json!({}))));
        let broken = Readable::of(3, b"nonsense".to_vec());
        assert!(matches!(broken.said, Said::Unreadable) && Filter::default().takes(&broken));
    }

    #[test]
    fn each_part_of_a_filter_must_fit() {
        let hold = entry("account:tanaka", "hold", json!({"target": {"device": "pump-07"}}));
        let with = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.takes(&hold)
        };
        assert!(with(|filter| filter.which = Which::Holds));
        assert!(!with(|filter| filter.which = Which::Devices));
        assert!(with(|filter| filter.person = Some("TANAKA".to_owned())));
        assert!(!with(|filter| filter.person = Some("suzuki".to_owned())));
        assert!(with(|filter| filter.device = Some("pump-0".to_owned())));
        assert!(!with(|filter| filter.device = Some("pump-08".to_owned())));
        let at = Timestamp::from_millis;
        assert!(Filter { when: Some(at(5000)..at(5001)), ..Filter::default() }.takes(&hold));
        assert!(!Filter { when: Some(at(0)..at(5000)), ..Filter::default() }.takes(&hold));
    }

    #[test]
    fn a_glance_never_leaves_out_what_a_filter_takes() {
        let (mut taken, mut left_out) = (0, 0);
        let some = |text: &str| Some(text.to_owned());
        let parts = [None, some(""), some("PUMP-07"), some("pump-08"), some("tanaka")];
        for bytes in stored() {
            let read = Readable::of(0, bytes.clone());
            for which in Which::ALL {
                for device in &parts {
                    for person in &parts {
                        let (device, person) = (device.clone(), person.clone());
                        let filter = Filter { which, device, person, when: None };
                        let may = filter.may_take(&bytes);
                        assert!(may || !filter.takes(&read), "{filter:?} {read:?}");
                        taken += usize::from(filter.takes(&read));
                        left_out += usize::from(!may);
                    }
                }
            }
        }
        assert!(taken > 20 && left_out > 100, "{taken} {left_out}");
    }

    /// Entries of every kind as they are stored, and bytes that are none.
    fn stored() -> Vec<Vec<u8>> {
        use patchward_protocol::envelope::{Envelope, PayloadType};
        use patchward_protocol::key::SecretKey;
        use patchward_protocol::ledger::Fact;
        let key = SecretKey::from_seed(&[1; 32]);
        let device = |kind: Kind, person: Option<&str>| {
            let mut fact = Fact::new(kind);
            fact.person = person.map(|person| person.parse().unwrap());
            let entry = Entry {
                v: 1,
                device: "pump-07".parse().unwrap(),
                ledger_id: patchward_protocol::id::LedgerId::from_random([7; 16]),
                seq: 1,
                prev_sha256: None,
                at: None,
                time_quality: patchward_protocol::time::TimeQuality::Unknown,
                boot_count: 1,
                fact,
            };
            Body::Ledger(Envelope::seal(PayloadType::LedgerEntry, &entry, &key).unwrap())
        };
        let held = ServerAct::new("account:tanaka", "hold", json!({"device": "pump-07"}));
        let bodies = [
            device(Kind::Committed, None),
            device(Kind::RolledBack, None),
            device(Kind::HoldSet, Some("tanaka")),
            Body::Server(held.clone()),
            Body::Note(held),
        ];
        let entry = |body| {
            let (site, at) = ("north".parse().unwrap(), Timestamp::from_millis(5000));
            RecordEntry { v: 1, site, n: 0, at, body }.to_bytes().unwrap()
        };
        let mut all: Vec<_> = bodies.into_iter().map(entry).collect();
        all.push(b"nonsense".to_vec());
        all
    }

    #[test]
    fn a_word_leads_back_to_its_kind() {
        assert!(Which::ALL.iter().all(|which| Which::of(which.word()) == *which));
        assert_eq!(Which::of("other"), Which::All);
    }
}
