//! Refusals: one ledger entry per code, document and day, with a count.
//!
//! A server that offers the same bad document every minute fills no ledger. What was recorded is
//! remembered over a restart. Not here: what is refused.
//! Invariant: the first refusal of a document on a day is always recorded.

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::reason::Reason;
use serde::{Deserialize, Serialize};

/// Most refusals that are remembered; the oldest is forgotten first.
pub const REMEMBERED_MAX: usize = 64;

/// Refusals of the last days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusals {
    seen: Vec<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    reason: Reason,
    document_sha256: Option<Sha256Digest>,
    day: u64,
    /// Since the entry was written.
    unsaid: u64,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The document, where there is one.
    pub document_sha256: Option<Sha256Digest>,
    /// Technical detail in English.
    pub detail: String,
}

impl Refusals {
    /// Notes a refusal on a day (counted anyhow, as long as it changes daily); returns the fact to
    /// record, if this one is to be recorded.
    pub fn note(&mut self, refusal: &Refusal, day: u64) -> Option<Fact> {
        let same = |seen: &&mut Seen| {
            seen.reason == refusal.reason && seen.document_sha256 == refusal.document_sha256
        };
        let count = match self.seen.iter_mut().find(same) {
            Some(seen) if seen.day == day => {
                seen.unsaid = seen.unsaid.saturating_add(1);
                return None;
            }
            Some(seen) => {
                let count = seen.unsaid.saturating_add(1);
                (seen.day, seen.unsaid) = (day, 0);
                count
            }
            None => {
                if self.seen.len() >= REMEMBERED_MAX {
                    self.seen.remove(0);
                }
                self.seen.push(Seen {
                    reason: refusal.reason,
                    document_sha256: refusal.document_sha256,
                    day,
                    unsaid: 0,
                });
                1
            }
        };
        let mut fact = Fact::new(Kind::Refused).because(refusal.reason);
        fact.document_sha256 = refusal.document_sha256;
        fact.count = Some(count);
        fact.detail = Some(clip(&refusal.detail));
        Some(fact)
    }
}

/// The head of a text, within the limit of a ledger entry's detail.
#[must_use]
pub fn clip(text: &str) -> String {
    const BYTES_MAX: usize = 480;
    let mut clipped = String::new();
    for letter in text.chars() {
        if clipped.len() + letter.len_utf8() > BYTES_MAX {
            break;
        }
        clipped.push(letter);
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(document: &[u8]) -> Refusal {
        Refusal {
            reason: Reason::MetadataSignature,
            document_sha256: Some(Sha256Digest::of(document)),
            detail: "bad".to_owned(),
        }
    }

    #[test]
    fn a_document_refused_a_thousand_times_a_day_is_one_entry_a_day_with_a_count() {
        let mut refusals = Refusals::default();
        let first = refusals.note(&refusal(b"a"), 1).unwrap();
        assert_eq!(first.count, Some(1));
        assert!((0..999).all(|_| refusals.note(&refusal(b"a"), 1).is_none()));
        assert_eq!(refusals.note(&refusal(b"a"), 2).unwrap().count, Some(1000));
    }

    #[test]
    fn another_document_is_another_entry_and_the_memory_is_bounded() {
        let mut refusals = Refusals::default();
        for n in 0..1000_u32 {
            assert!(refusals.note(&refusal(&n.to_be_bytes()), 1).is_some());
        }
        assert_eq!(refusals.seen.len(), REMEMBERED_MAX);
    }
}
