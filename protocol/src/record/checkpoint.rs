//! Checkpoints: the server's signed word on how long a site's record is and which root it has.
//!
//! The form is C2SP tlog-checkpoint, a signed note with an Ed25519 signature, so that public tools
//! read it. Signatures of others on the same note are passed over. Not here: whether a checkpoint
//! continues an earlier one ([`super::witness`]).
//! Invariant: [`Checkpoint::open`] gives a checkpoint only of the site and key that were asked for.

use crate::digest::Sha256Digest;
use crate::id::SiteId;
use crate::key::{PublicKey, SignError, Signature, Signer};
use crate::limits::{CHECKPOINT_BYTES_MAX, SIGNATURES_MAX};
use crate::verified::Verified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose record it is.
    pub site: SiteId,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Sha256Digest,
}

/// Why a checkpoint was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// No signed note with origin, size and root.
    #[error("the text is no checkpoint")]
    Form,
    /// Of another record.
    #[error("the checkpoint is of another record")]
    OtherRecord,
    /// The key that counts did not sign it.
    #[error("the checkpoint is not signed by the record key")]
    NotSigned,
    /// The signature does not verify.
    #[error("the signature of the checkpoint does not verify")]
    Signature,
}

/// The kind of signature in a signed note: Ed25519.
const ED25519: u8 = 1;

/// The name of a site's record: first line of its checkpoints, and name of the key that signs them.
#[must_use]
pub fn origin(site: &SiteId) -> String {
    format!("patchward/site/{site}")
}

/// The record key in the form that tools for signed notes take: name, key id, kind and key.
#[must_use]
pub fn verifier_key(site: &SiteId, key: &PublicKey) -> String {
    let name = origin(site);
    let id = hex::encode(key_id(&name, key));
    format!("{name}+{id}+{}", STANDARD.encode(tagged(key)))
}

impl Checkpoint {
    /// Signs it; returns the note.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, record_key: &dyn Signer) -> Result<String, SignError> {
        let text = self.text();
        let name = origin(&self.site);
        let mut signature = key_id(&name, &record_key.public()).to_vec();
        signature.extend_from_slice(record_key.sign(text.as_bytes())?.as_bytes());
        Ok(format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature)))
    }

    /// Reads a note and checks the record key's signature.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn open(
        note: &str,
        site: &SiteId,
        record_key: &PublicKey,
    ) -> Result<Verified<Self>, BadCheckpoint> {
        let (text, signatures) = split(note)?;
        let (first, checkpoint) = read(text, site)?;
        let name = origin(site);
        if first != name {
            return Err(BadCheckpoint::OtherRecord);
        }
        let id = key_id(&name, record_key);
        let ours = signatures.iter().filter(|(by, bytes)| *by == name && bytes.starts_with(&id));
        let mut outcome = Err(BadCheckpoint::NotSigned);
        for (_, bytes) in ours {
            let signature = bytes.get(id.len()..).and_then(|bytes| bytes.try_into().ok());
            let signature = Signature::from_bytes(signature.ok_or(BadCheckpoint::Signature)?);
            let verified = record_key.verify(text.as_bytes(), &signature);
            outcome = Ok(verified.map_err(|_| BadCheckpoint::Signature)?);
        }
        outcome.map(|()| Verified::new(checkpoint))
    }

    /// The three lines that are signed.
    fn text(&self) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", origin(&self.site), self.size)
    }
}

/// Text and signatures of a note: (name, key id and signature).
type Parts<'a> = (&'a str, Vec<(&'a str, Vec<u8>)>);

fn split(note: &str) -> Result<Parts<'_>, BadCheckpoint> {
    let bad = || BadCheckpoint::Form;
    let odd = |c: char| c.is_control() && c != '\n';
    if note.len() > CHECKPOINT_BYTES_MAX || note.contains(odd) || !note.ends_with('\n') {
        return Err(bad());
    }
    let end = note.rfind("\n\n").ok_or_else(bad)?;
    let (text, rest) = note.split_at_checked(end.saturating_add(1)).ok_or_else(bad)?;
    let lines = rest.trim_start_matches('\n').lines();
    let mut signatures = Vec::new();
    for line in lines {
        let (name, signature) =
            line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or_else(bad)?;
        let bytes = STANDARD.decode(signature).map_err(|_| bad())?;
        if name.is_empty() || name.contains('+') || bytes.len() < 5 {
            return Err(bad());
        }
        signatures.push((name, bytes));
    }
    let count = signatures.len();
    if count == 0 || count > SIGNATURES_MAX { Err(bad()) } else { Ok((text, signatures)) }
}

fn read<'a>(text: &'a str, site: &SiteId) -> Result<(&'a str, Checkpoint), BadCheckpoint> {
    let bad = || BadCheckpoint::Form;
    let mut lines = text.lines();
    let (Some(first), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(bad());
    };
    let number: u64 = size.parse().map_err(|_| bad())?;
    let hash: [u8; 32] =
        STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
    // Further lines are extensions; an empty one would end the text.
    if number.to_string() != size || lines.any(str::is_empty) || first.is_empty() {
        return Err(bad());
    }
    let root = Sha256Digest::from_bytes(hash);
    Ok((first, Checkpoint { site: site.clone(), size: number, root }))
}

fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update(b"\n");
    hasher.update(tagged(key));
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// The kind of key and its 32 bytes.
fn tagged(key: &PublicKey) -> Vec<u8> {
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(&key.to_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    fn site() -> SiteId {
        SiteId::new("north").unwrap()
    }

    fn signed(size: u64) -> (String, SecretKey) {
        let key = SecretKey::from_seed(&[9; 32]);
        let root = Sha256Digest::of(b"root");
        (Checkpoint { site: site(), size, root }.sign(&key).unwrap(), key)
    }

    #[test]
    fn a_checkpoint_is_read_back_by_its_key_and_site_only() {
        let (note, key) = signed(12);
        assert!(note.starts_with("patchward/site/north\n12\n"));
        let read = Checkpoint::open(&note, &site(), &key.public()).unwrap();
        assert_eq!((read.size, read.root), (12, Sha256Digest::of(b"root")));
        let other = SecretKey::from_seed(&[8; 32]).public();
        assert_eq!(Checkpoint::open(&note, &site(), &other), Err(BadCheckpoint::NotSigned));
        let south = SiteId::new("south").unwrap();
        assert_eq!(Checkpoint::open(&note, &south, &key.public()), Err(BadCheckpoint::OtherRecord));
    }

    #[test]
    fn signatures_of_others_are_passed_over() {
        let (note, key) = signed(3);
        let more = format!("{note}\u{2014} witness.example/w1 {}\n", STANDARD.encode([7; 76]));
        assert!(Checkpoint::open(&more, &site(), &key.public()).is_ok());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let (note, key) = signed(12);
        let chars: Vec<char> = note.chars().collect();
        for at in 0..chars.len() {
            let mut changed = chars.clone();
            changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
            let changed: String = changed.into_iter().collect();
            assert!(Checkpoint::open(&changed, &site(), &key.public()).is_err(), "{changed}");
        }
    }

    #[test]
    fn another_spelling_of_the_size_is_refused() {
        let key = SecretKey::from_seed(&[9; 32]);
        let root = STANDARD.encode([0; 32]);
        for size in ["012", "+12", "", " 12", "-1", "18446744073709551616"] {
            let text = format!("patchward/site/north\n{size}\n{root}\n");
            let mut signature = key_id("patchward/site/north", &key.public()).to_vec();
            signature.extend_from_slice(key.sign(text.as_bytes()).unwrap().as_bytes());
            let note =
                format!("{text}\n\u{2014} patchward/site/north {}\n", STANDARD.encode(signature));
            let refused = Checkpoint::open(&note, &site(), &key.public());
            assert_eq!(refused, Err(BadCheckpoint::Form), "{size}");
        }
    }
}
