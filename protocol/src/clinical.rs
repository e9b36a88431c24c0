//! The clinical socket: what the agent and the applications of a device say to each other.
//!
//! One message is one JSON object of at most 1 KiB with its name under `type`. An application says
//! that no patient depends on it, for a few seconds at a time; before the write of no return the
//! agent asks it to lock the start of therapy. What the words lead to is in [`participants`]. Not
//! here: sockets (the agent). Invariant: what is not exactly one of these messages is none, and
//! counts as in use.

pub mod participants;

use crate::canonical::{self, Charset};
use crate::id::{PersonId, Version};
use crate::limits::{
    CLINICAL_MESSAGE_BYTES_MAX, CLINICAL_WHY_CHARS_MAX, DEFER_MINUTES_MAX, LEASE_S_MAX,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Version of the messages that this code speaks.
pub const CLINICAL_V: u32 = 1;

/// Bytes that are not exactly one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the clinical socket")]
pub struct NotAMessage;

/// A value of a message that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {rule}")]
pub struct Rule {
    what: &'static str,
    rule: &'static str,
}

/// An application on the device, as its maker and the agent's configuration call it, e.g. `pump-ui`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

/// Why a device is in use, in words: at most 200 characters. Never a patient's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Why(String);

/// Length of a lease, 1 to 15 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct LeaseS(u32);

/// Length of a deferral, 1 minute to 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct DeferMinutes(u32);

/// What an application or an operator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", deny_unknown_fields)]
pub enum FromApp {
    /// The first message of a connection.
    Hello {
        /// [`CLINICAL_V`].
        v: u32,
        /// Who speaks.
        app: AppId,
        /// Its version.
        version: Version,
    },
    /// No patient depends on this application, for so long from now.
    Idle {
        /// For how long, in seconds.
        lease_s: LeaseS,
    },
    /// In use.
    Busy {
        /// Why.
        why: Why,
    },
    /// The start of therapy is locked, until `GO`, `RELEASE` or the end of the lease.
    Ready {
        /// Number of the question that it answers.
        n: u64,
    },
    /// Not now.
    Refuse {
        /// Number of the question that it answers.
        n: u64,
        /// Why.
        why: Why,
    },
    /// A person at the device says: not for so long.
    Defer {
        /// For how long, in minutes.
        minutes: DeferMinutes,
        /// Who.
        by: PersonId,
    },
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", deny_unknown_fields)]
pub enum ToApp {
    /// The application is known; its leases count from now on.
    Welcome {
        /// [`CLINICAL_V`].
        v: u32,
        /// Longest lease that is accepted, in seconds.
        lease_s_max: u32,
    },
    /// An update wants to begin: lock the start of therapy and answer `READY`, or `REFUSE`.
    Prepare {
        /// Number of this question; the answer repeats it.
        n: u64,
        /// How soon the answer is needed, in seconds.
        in_s: u32,
        /// How long the device may be out of use, in seconds, at worst.
        est_s: u64,
    },
    /// It begins now.
    Go {
        /// Number of the question.
        n: u64,
    },
    /// It does not begin, or it is over: the lock may be opened.
    Release {
        /// Number of the question.
        n: u64,
    },
}

impl AppId {
    /// From 1 to 48 characters of a-z, 0-9, '.' and '-'.
    ///
    /// # Errors
    /// [`Rule`].
    pub fn new(text: &str) -> Result<Self, Rule> {
        let fits = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
        };
        if text.is_empty() || text.len() > 48 || !text.bytes().all(fits) {
            let rule = "1 to 48 characters of a-z, 0-9, '.' and '-'";
            return Err(Rule { what: "application", rule });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Why {
    /// From at most 200 characters without control characters.
    ///
    /// # Errors
    /// [`Rule`].
    pub fn new(text: &str) -> Result<Self, Rule> {
        if text.chars().count() > CLINICAL_WHY_CHARS_MAX || text.chars().any(char::is_control) {
            let rule = "at most 200 characters, none of them a control character";
            return Err(Rule { what: "why", rule });
        }
        Ok(Self(text.to_owned()))
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LeaseS {
    /// From 1 to 15 seconds.
    ///
    /// # Errors
    /// [`Rule`].
    pub fn new(seconds: u32) -> Result<Self, Rule> {
        if (1..=LEASE_S_MAX).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(Rule { what: "lease_s", rule: "1 to 15 seconds" })
    }

    /// In milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
        u64::from(self.0).saturating_mul(1000)
    }
}

impl DeferMinutes {
    /// From 1 minute to 24 hours.
    ///
    /// # Errors
    /// [`Rule`].
    pub fn new(minutes: u32) -> Result<Self, Rule> {
        if (1..=DEFER_MINUTES_MAX).contains(&minutes) {
            return Ok(Self(minutes));
        }
        Err(Rule { what: "minutes", rule: "1 minute to 24 hours (1440)" })
    }

    /// The minutes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

macro_rules! through {
    ($($whole:ident, $part:ident, |$given:ident| $new:expr;)*) => {
        $(
            impl TryFrom<$part> for $whole {
                type Error = Rule;

                fn try_from($given: $part) -> Result<Self, Rule> {
                    $new
                }
            }

            impl From<$whole> for $part {
                fn from(whole: $whole) -> Self {
                    whole.0
                }
            }
        )*
    };
}

through! {
    AppId, String, |text| Self::new(&text);
    Why, String, |text| Self::new(&text);
    LeaseS, u32, |seconds| Self::new(seconds);
    DeferMinutes, u32, |minutes| Self::new(minutes);
}

impl FromApp {
    /// Reads one message.
    ///
    /// # Errors
    /// [`NotAMessage`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotAMessage> {
        read(bytes)
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl ToApp {
    /// Reads one message.
    ///
    /// # Errors
    /// [`NotAMessage`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotAMessage> {
        read(bytes)
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A message is an object: a list with the same values in order is none.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotAMessage> {
    if bytes.first() != Some(&b'{') {
        return Err(NotAMessage);
    }
    canonical::read(bytes, CLINICAL_MESSAGE_BYTES_MAX, Charset::Unicode).map_err(|_| NotAMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back_as_it_was_written() {
        let why = Why::new("infusion runs · 注入中").unwrap();
        for (message, text) in [
            (
                FromApp::Hello {
                    v: 1,
                    app: AppId::new("pump-ui").unwrap(),
                    version: Version::new("2.4.0").unwrap(),
                },
                r#"{"type":"HELLO","v":1,"app":"pump-ui","version":"2.4.0"}"#,
            ),
            (
                FromApp::Idle { lease_s: LeaseS::new(15).unwrap() },
                r#"{"type":"IDLE","lease_s":15}"#,
            ),
            (
                FromApp::Busy { why: why.clone() },
                r#"{"type":"BUSY","why":"infusion runs · 注入中"}"#,
            ),
            (FromApp::Ready { n: 7 }, r#"{"type":"READY","n":7}"#),
            (
                FromApp::Refuse { n: 7, why },
                r#"{"type":"REFUSE","n":7,"why":"infusion runs · 注入中"}"#,
            ),
            (
                FromApp::Defer {
                    minutes: DeferMinutes::new(30).unwrap(),
                    by: PersonId::new("tanaka").unwrap(),
                },
                r#"{"type":"DEFER","minutes":30,"by":"tanaka"}"#,
            ),
        ] {
            assert_eq!(String::from_utf8(message.write()).unwrap(), text);
            assert_eq!(FromApp::read(text.as_bytes()).unwrap(), message);
        }
        for (message, text) in [
            (
                ToApp::Welcome { v: 1, lease_s_max: 15 },
                r#"{"type":"WELCOME","v":1,"lease_s_max":15}"#,
            ),
            (
                ToApp::Prepare { n: 7, in_s: 10, est_s: 273 },
                r#"{"type":"PREPARE","n":7,"in_s":10,"est_s":273}"#,
            ),
            (ToApp::Go { n: 7 }, r#"{"type":"GO","n":7}"#),
            (ToApp::Release { n: 7 }, r#"{"type":"RELEASE","n":7}"#),
        ] {
            assert_eq!(String::from_utf8(message.write()).unwrap(), text);
            assert_eq!(ToApp::read(text.as_bytes()).unwrap(), message);
        }
    }

    #[test]
    fn what_is_not_exactly_a_message_is_none() {
        let long = format!(r#"{{"type":"BUSY","why":"{}"}}"#, "x".repeat(201));
        let oversize = format!(r#"{{"type":"IDLE","lease_s":5}}{}"#, " ".repeat(1024));
        for text in [
            "",
            "{}",
            "null",
            "IDLE",
            r#""IDLE""#,
            r#"["IDLE",5]"#,
            r#"{"type":"idle","lease_s":5}"#,
            r#"{"type":"IDLE"}"#,
            r#"{"type":"IDLE","lease_s":0}"#,
            r#"{"type":"IDLE","lease_s":16}"#,
            r#"{"type":"IDLE","lease_s":-1}"#,
            r#"{"type":"IDLE","lease_s":5.0}"#,
            r#"{"type":"IDLE","lease_s":"5"}"#,
            r#"{"type":"IDLE","lease_s":5,"for":"ever"}"#,
            r#"{"type":"IDLE","lease_s":1,"lease_s":15}"#,
            r#"{"type":"IDLE","lease_s":5}{"type":"IDLE","lease_s":5}"#,
            r#"{"type":"IDLE","lease_s":5"#,
            r#"{"type":"READY"}"#,
            r#"{"type":"READY","n":1,"more":1}"#,
            r#"{"type":"BUSY","why":"line\nbreak"}"#,
            r#"{"type":"HELLO","v":1,"app":"Pump","version":"1"}"#,
            r#"{"type":"HELLO","v":1,"app":"","version":"1"}"#,
            r#"{"type":"DEFER","minutes":0,"by":"tanaka"}"#,
            r#"{"type":"DEFER","minutes":1441,"by":"tanaka"}"#,
            r#"{"type":"DEFER","minutes":5,"by":""}"#,
            r#"{"type":"GO","n":1}"#,
            r#"{"type":"FREE"}"#,
            &long,
            &oversize,
        ] {
            assert!(FromApp::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(FromApp::read(b"\xff\xfe{\"type\":\"IDLE\",\"lease_s\":5}").is_err());
    }
}
