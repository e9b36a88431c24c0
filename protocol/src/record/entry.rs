//! One entry of a site's record: one leaf of its tree.
//!
//! What a device or a person signed stands in it as they signed it; the server adds position and its
//! own clock. An act that nobody signed names who was authenticated. Not here: checking those
//! signatures, which needs the keys of the time.
//! Invariant: an entry has one spelling, so that its bytes can be made again from what it says.

use crate::canonical::{self, Charset, ReadJson};
use crate::envelope::Envelope;
use crate::id::SiteId;
use crate::limits::RECORD_ENTRY_BYTES_MAX;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEntry {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Whose record it is.
    pub site: SiteId,
    /// Its position, from 0: the index of the leaf.
    pub n: u64,
    /// When the server stored it, by the server's clock.
    pub at: Timestamp,
    /// Kind and content.
    #[serde(flatten)]
    pub body: Body,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
pub enum Body {
    /// An entry of a device's ledger, signed by the device key.
    Ledger(Envelope),
    /// What a person did, signed by the person's key.
    Act(Envelope),
    /// What the server did, or did for a person whom it authenticated; signed by nobody.
    Server(ServerAct),
    /// A remark on the record itself, e.g. that a device's ledger forked.
    Note(ServerAct),
}

/// An act without a signature of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAct {
    who: String,
    act: String,
    detail: Value,
}

/// Why bytes are no entry.
#[derive(Debug, thiserror::Error)]
pub enum BadEntry {
    /// Not strict JSON of this shape within the limit.
    #[error("the entry cannot be read")]
    Read(#[source] ReadJson),
    /// Another version of the form.
    #[error("the entry has version {0}, this software knows 1")]
    Version(u32),
    /// The bytes are not the one spelling of what they say.
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

/// Why an entry cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteEntry {
    /// It has no canonical form.
    #[error("the entry has no canonical form")]
    Json(#[source] serde_json::Error),
    /// It is over the limit.
    #[error("the entry has {0} bytes, the limit is {RECORD_ENTRY_BYTES_MAX}")]
    TooLong(usize),
}

impl RecordEntry {
    /// Its bytes: the leaf.
    ///
    /// # Errors
    /// [`WriteEntry`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteEntry> {
        let bytes = canonical::write(self).map_err(WriteEntry::Json)?;
        if bytes.len() > RECORD_ENTRY_BYTES_MAX {
            return Err(WriteEntry::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads a leaf; nothing in it is trusted yet.
    ///
    /// # Errors
    /// [`BadEntry`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadEntry> {
        let entry: Self = canonical::read(bytes, RECORD_ENTRY_BYTES_MAX, Charset::Unicode)
            .map_err(BadEntry::Read)?;
        if entry.v != 1 {
            return Err(BadEntry::Version(entry.v));
        }
        let again = canonical::write(&entry).map_err(|_| BadEntry::NotCanonical)?;
        if again == bytes { Ok(entry) } else { Err(BadEntry::NotCanonical) }
    }
}

impl Body {
    /// The word for its kind as it stands in the entry.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ledger(_) => "ledger",
            Self::Act(_) => "act",
            Self::Server(_) => "server",
            Self::Note(_) => "note",
        }
    }
}

impl ServerAct {
    /// An act: who (an API token's name, `server`, or the authenticated name of a person), what (one
    /// word, e.g. `hold`) and the particulars.
    ///
    /// Control characters become spaces and fractions become text, because signed JSON has neither.
    #[must_use]
    pub fn new(who: &str, act: &str, detail: Value) -> Self {
        Self { who: plain(who), act: plain(act), detail: plain_value(detail) }
    }

    /// Who.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.who
    }

    /// What.
    #[must_use]
    pub fn act(&self) -> &str {
        &self.act
    }

    /// The particulars.
    #[must_use]
    pub const fn detail(&self) -> &Value {
        &self.detail
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn plain_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(plain(&text)),
        Value::Number(number) if number.is_f64() => Value::String(number.to_string()),
        Value::Array(values) => Value::Array(values.into_iter().map(plain_value).collect()),
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(key, value)| (plain(&key), plain_value(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(detail: Value) -> RecordEntry {
        RecordEntry {
            v: 1,
            site: SiteId::new("north").unwrap(),
            n: 7,
            at: "2026-12-05T04:30:00Z".parse().unwrap(),
            body: Body::Server(ServerAct::new("t\u{7}1", "hold", detail)),
        }
    }

    #[test]
    fn an_entry_is_read_back_whatever_a_person_typed() {
        let odd = json!({"why": "a\nb\u{0}\"\\ か\u{3099} <b>", "f": 0.5, "list": [1, null, -3], "k\t": true});
        let entry = entry(odd);
        let bytes = entry.to_bytes().unwrap();
        let read = RecordEntry::read(&bytes).unwrap();
        assert_eq!(read.to_bytes().unwrap(), bytes);
        let Body::Server(act) = &read.body else { panic!("{read:?}") };
        assert_eq!((act.who(), act.detail()["f"].as_str()), ("t 1", Some("0.5")));
        assert!(!bytes.contains(&b'\n'));
    }

    #[test]
    fn another_spelling_of_the_same_entry_is_refused() {
        let bytes = entry(json!({})).to_bytes().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(RecordEntry::read(text.as_bytes()).is_ok());
        for (from, to) in [
            ("\"n\":7", "\"n\": 7"),
            ("\"n\":7", "\"n\":7,\"m\":1"),
            ("\"v\":1", "\"v\":2"),
            ("\"kind\":\"server\"", "\"kind\":\"other\""),
            ("\"who\":\"t 1\"", "\"who\":\"\\u0074 1\""),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            assert!(RecordEntry::read(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }
}
