//! The check of a record: every leaf, every chain, every signature, the root; the first thing that is
//! wrong is named.
//!
//! Offline and pure: bytes in, findings out. An entry counts only when the key that was valid for its
//! device or person signed it, and when what its signer had seen of the record is what stands here.
//! Not here: which keys to trust ([`super::keys`]) and the archive.
//! Invariant: entries are checked in their order, so that a finding names the first bad one.

use super::chain;
use super::contents::DeviceKey;
use super::keys::People;
use crate::act::Act;
use crate::digest::Sha256Digest;
use crate::envelope::{Envelope, PayloadType};
use crate::id::{DeviceId, LedgerId, SiteId};
use crate::key::PublicKey;
use crate::ledger::{Chain, Entry, SealedEntry};
use crate::merkle::leaf_hash;
use crate::merkle::memory::Tree;
use crate::record::entry::{Body, RecordEntry, ServerAct};
use crate::record::placement::{JOINED, Joined};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// A record that holds together.
#[derive(Debug)]
pub struct Audited {
    /// Its entries, in order.
    pub entries: Vec<Checked>,
    /// Its tree.
    pub tree: Tree,
    /// The people whose signatures count.
    pub people: People,
    /// The devices' keys, in the order in which they joined.
    pub devices: Vec<DeviceKey>,
}

/// An entry that was checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its position.
    pub n: u64,
    /// When the server stored it.
    pub at: Timestamp,
    /// The hash of its leaf.
    pub leaf: Sha256Digest,
    /// What it says.
    pub said: Word,
}

/// What an entry says.
#[derive(Debug, Clone)]
pub enum Word {
    /// A device, by its signature.
    Ledger(Box<SealedEntry>),
    /// A person, by a signature with this key.
    Act(Box<Act>, PublicKey),
    /// The server, without a signature.
    Server(ServerAct),
    /// A remark on the record, without a signature.
    Note(ServerAct),
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub spot: Spot,
    /// What.
    pub what: String,
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The entry at this position, from 0.
    Entry(u64),
    /// A file of the export.
    File(String),
}

impl Finding {
    /// At an entry.
    pub fn entry(n: u64, what: impl fmt::Display) -> Self {
        Self { spot: Spot::Entry(n), what: what.to_string() }
    }

    /// In a file.
    pub fn file(name: &str, what: impl fmt::Display) -> Self {
        Self { spot: Spot::File(name.to_owned()), what: what.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Spot::Entry(n) => write!(f, "entry {n} (line {}): {}", n.saturating_add(1), self.what),
            Spot::File(name) => write!(f, "{name}: {}", self.what),
        }
    }
}

impl Checked {
    /// Whether a person signed it.
    #[must_use]
    pub const fn is_act(&self) -> bool {
        matches!(self.said, Word::Act(..))
    }

    /// The device's own entry.
    #[must_use]
    pub fn ledger(&self) -> Option<&Entry> {
        match &self.said {
            Word::Ledger(sealed) => Some(&sealed.entry),
            Word::Act(..) | Word::Server(_) | Word::Note(_) => None,
        }
    }

    /// The person's act.
    #[must_use]
    pub fn act(&self) -> Option<&Act> {
        match &self.said {
            Word::Act(act, _) => Some(act),
            Word::Ledger(_) | Word::Server(_) | Word::Note(_) => None,
        }
    }
}

/// Checks every entry of a site's record. `known` gives the leaf hashes that a signed root vouches for,
/// where there are any, so that a changed entry is named although nobody signed it.
///
/// # Errors
/// The first [`Finding`].
pub fn audit(
    site: &SiteId,
    people: People,
    lines: &[Vec<u8>],
    known: &dyn Fn(u64) -> Option<Sha256Digest>,
) -> Result<Audited, Finding> {
    let mut auditor = Auditor::new(site, people);
    for (n, line) in (0_u64..).zip(lines) {
        auditor.take(n, line, known(n))?;
    }
    Ok(auditor.audited)
}

/// An entry that is looked at, or the leaf of one that is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Its bytes.
    Whole(Vec<u8>),
    /// The hash of its leaf: enough for what signers saw of the record.
    Leaf(Sha256Digest),
}

/// The same of a part of a record: entries that somebody left out are not checked and not among the
/// entries. A device's ledger is left out whole or not at all, or it does not hold together.
///
/// # Errors
/// The first [`Finding`] among the others.
pub fn audit_part(
    site: &SiteId,
    people: People,
    lines: impl IntoIterator<Item = Line>,
) -> Result<Audited, Finding> {
    let mut auditor = Auditor::new(site, people);
    for (n, line) in (0_u64..).zip(lines) {
        match line {
            Line::Whole(bytes) => auditor.take(n, &bytes, None)?,
            Line::Leaf(leaf) => auditor.audited.tree.append(leaf),
        }
    }
    Ok(auditor.audited)
}

struct Auditor<'a> {
    site: &'a SiteId,
    chains: BTreeMap<(DeviceId, LedgerId), Chain>,
    audited: Audited,
}

impl<'a> Auditor<'a> {
    fn new(site: &'a SiteId, people: People) -> Self {
        let (entries, devices) = (Vec::new(), Vec::new());
        let audited = Audited { entries, tree: Tree::default(), people, devices };
        Self { site, chains: BTreeMap::new(), audited }
    }

    fn take(&mut self, n: u64, line: &[u8], known: Option<Sha256Digest>) -> Result<(), Finding> {
        let checked = self.entry(n, line, known).map_err(|what| Finding::entry(n, what))?;
        self.audited.tree.append(checked.leaf);
        self.audited.entries.push(checked);
        Ok(())
    }

    fn entry(
        &mut self,
        n: u64,
        line: &[u8],
        known: Option<Sha256Digest>,
    ) -> Result<Checked, String> {
        let entry = RecordEntry::read(line).map_err(|error| chain(&error))?;
        if entry.n != n {
            return Err(format!("entry {} stands here", entry.n));
        }
        if entry.site != *self.site {
            return Err(format!("it is of site {}", entry.site));
        }
        let said = match entry.body {
            Body::Ledger(envelope) => self.ledger(envelope)?,
            Body::Act(envelope) => self.act(n, &envelope)?,
            Body::Server(act) => {
                self.join(n, &act)?;
                Word::Server(act)
            }
            Body::Note(act) => Word::Note(act),
        };
        let leaf = leaf_hash(line);
        if known.is_some_and(|known| known != leaf) {
            return Err("its hash is not the one in the signed tree".to_owned());
        }
        Ok(Checked { n, at: entry.at, leaf, said })
    }

    /// A device's entry: signed by the key with which that ledger joined, next in its chain.
    fn ledger(&mut self, envelope: Envelope) -> Result<Word, String> {
        let peeked: Entry = envelope.insecure_peek().map_err(|error| chain(&error))?;
        let (device, ledger_id) = (peeked.device, peeked.ledger_id);
        let joined = self.audited.devices.iter().rev();
        let key = joined
            .filter(|known| known.device == device && known.ledger_id == ledger_id)
            .map(|known| known.key)
            .next()
            .ok_or_else(|| format!("{device} has not joined with this ledger"))?;
        let sealed = SealedEntry::open(envelope, &key)
            .map_err(|error| format!("ledger of {device}: {}", chain(&error)))?
            .into_inner();
        let start = Chain::begin(ledger_id);
        let before = self.chains.entry((device.clone(), ledger_id)).or_insert(start);
        *before = before
            .accept(&sealed.entry, sealed.sha256)
            .map_err(|error| format!("ledger of {device}: {error}"))?;
        Ok(Word::Ledger(Box::new(sealed)))
    }

    /// A person's act: signed by a key of that person, about this site, after what the signer saw.
    fn act(&self, n: u64, envelope: &Envelope) -> Result<Word, String> {
        let peeked: Act = envelope.insecure_peek().map_err(|error| chain(&error))?;
        let keys = self.audited.people.keys_of(&peeked.person);
        let verified = envelope.verify_any(PayloadType::Act, &keys);
        let (_, key) =
            verified.map_err(|error| format!("act of {}: {}", peeked.person, chain(&error)))?;
        let opened = envelope.open::<Act>(PayloadType::Act, &key);
        let act = opened.map_err(|error| chain(&error))?.into_inner();
        if act.v != 1 || act.site != *self.site {
            return Err("the act is of another site or version".to_owned());
        }
        if !act.meaning.fits(&act.subject) {
            return Err("the meaning of the signature does not fit what it is about".to_owned());
        }
        match (act.log_size, act.log_root) {
            (None, None) => {}
            (Some(size), Some(root)) if size <= n => {
                if self.audited.tree.root_at(size) != Some(root) {
                    let what = "saw another record with that many entries";
                    return Err(format!("{}, who signed it, {what}: {size}", act.person));
                }
            }
            (Some(size), Some(_)) => {
                return Err(format!("its signer saw {size} entries, and only {n} stand before it"));
            }
            (None, Some(_)) | (Some(_), None) => {
                return Err("it names half of what its signer saw".to_owned());
            }
        }
        Ok(Word::Act(Box::new(act), key))
    }

    fn join(&mut self, n: u64, act: &ServerAct) -> Result<(), String> {
        if act.act() != JOINED {
            return Ok(());
        }
        let joined: Joined = serde_json::from_value(act.detail().clone())
            .map_err(|error| format!("a device joins, but: {error}"))?;
        self.audited.devices.push(DeviceKey {
            device: joined.device,
            key: joined.device_key,
            fingerprint: joined.device_key.fingerprint(),
            ledger_id: joined.ledger_id,
            since_n: n,
        });
        Ok(())
    }
}
