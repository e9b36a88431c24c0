//! What an entry of a record is found by: who says it, what it is about, its device and its person.
//!
//! Written beside the entry in the transaction that appends it, so that a search reads only what it shows.
//! Not here: the search ([`super::search`]). Invariant: the words follow from the entry alone, so that they
//! can be made again from what is stored, and are when a database is migrated.

use super::search::Said;
use crate::db::{Connection, DbError, record};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::ledger::Kind;
use patchward_protocol::record::entry::{Body, RecordEntry};
use patchward_protocol::time::Timestamp;

/// Entries that are read in one statement when words are made again.
const STEP: u64 = 256;

/// Who says an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A device, signed.
    Device,
    /// A person, signed.
    Person,
    /// The server, for itself or for somebody it had authenticated.
    Server,
    /// It cannot be read.
    Unknown,
}

/// What an entry is about, where people look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A hold, or what lifted it.
    Hold,
    /// A way back.
    Rollback,
    /// Anything else.
    Other,
}

/// The words of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Who says it.
    pub who: Who,
    /// What it is about.
    pub topic: Topic,
    /// Its device, in lower case; of an act of the server every text of its particulars, one on a line.
    pub device: String,
    /// Its person, in lower case: id and name, one on a line.
    pub person: String,
}

impl Who {
    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Person => "person",
            Self::Server => "server",
            Self::Unknown => "",
        }
    }
}

impl Topic {
    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Rollback => "rollback",
            Self::Other => "",
        }
    }

    fn of(said: &Said) -> Self {
        match said {
            Said::Device(entry) => {
                let kind = entry.fact.kind;
                if matches!(kind, Kind::HoldSet | Kind::HoldLifted) {
                    Self::Hold
                } else if matches!(kind, Kind::RollingBack | Kind::RolledBack) {
                    Self::Rollback
                } else {
                    Self::Other
                }
            }
            Said::Person(act) if matches!(act.subject, Subject::Hold { .. }) => Self::Hold,
            Said::Person(act) if act.meaning == Meaning::RollbackAuthorised => Self::Rollback,
            Said::Server(act) if matches!(act.act(), "hold" | "lift-hold") => Self::Hold,
            Said::Person(_) | Said::Server(_) | Said::Unreadable => Self::Other,
        }
    }
}

impl Words {
    /// Of what an entry says.
    #[must_use]
    pub fn of(body: &Body) -> Self {
        Self::said(&Said::of(body))
    }

    fn said(said: &Said) -> Self {
        let topic = Topic::of(said);
        let (who, device, person) = match said {
            Said::Device(entry) => {
                let person = entry.fact.person.as_ref().map(ToString::to_string);
                (Who::Device, vec![entry.device.to_string()], person.into_iter().collect())
            }
            Said::Person(act) => {
                let mut device = Vec::new();
                if let Subject::Device { device: named, .. } = &act.subject {
                    device.push(named.to_string());
                }
                (Who::Person, device, vec![act.person.to_string(), act.name.clone()])
            }
            Said::Server(act) => {
                let mut texts = Vec::new();
                gather(act.detail(), &mut texts);
                (Who::Server, texts, vec![act.who().to_owned()])
            }
            Said::Unreadable => (Who::Unknown, Vec::new(), Vec::new()),
        };
        Self { who, topic, device: line(&device), person: line(&person) }
    }
}

/// Every text of particulars, wherever it stands.
fn gather(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => texts.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| gather(value, texts)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                texts.push(name.clone());
                gather(value, texts);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Lower case, one text on a line; nothing that a database would not keep.
fn line(texts: &[String]) -> String {
    let plain = |text: &String| text.to_lowercase().replace(char::is_control, " ");
    texts.iter().map(plain).collect::<Vec<_>>().join("\n")
}

/// Makes the words of entries that have none, for every record: of what was appended before there were any.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn fill(conn: &mut Connection) -> Result<(), DbError> {
    for (site, size) in record::sizes(conn)? {
        let mut next = record::worded(conn, &site)?;
        while next < size {
            let until = next.saturating_add(STEP).min(size);
            let entries = record::entries(conn, &site, next..until)?;
            let worded = (next..).zip(entries).map(|(n, bytes)| {
                let (at, body) = match RecordEntry::read(&bytes) {
                    Ok(entry) => (entry.at, Said::of(&entry.body)),
                    Err(_) => (Timestamp::EPOCH, Said::Unreadable),
                };
                (n, at, Words::said(&body))
            });
            record::put_words(conn, &site, &worded.collect::<Vec<_>>())?;
            next = until;
        }
    }
    Ok(())
}
