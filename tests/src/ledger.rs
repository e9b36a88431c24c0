//! The device's ledger as it lies on its disk, read and checked without the agent's code.
//!
//! A record is length and its complement (4 bytes each, little endian), a check of 8 bytes, and the
//! envelope as JSON. A torn last record is what a power cut may leave; anything else wrong is an error.
//! Invariant: entries come out in order, each continuing the chain, each signed where the key is known.

use crate::device::Device;
use anyhow::{Context as _, Result, bail};
use patchward_protocol::envelope::Envelope;
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{Carried, Chain, Entry, Kind};
use std::{
    fs,
    path::{Path, PathBuf},
};

const HEAD_BYTES: usize = 16;

/// The last entry that says that an image was staged, and how it came.
///
/// # Errors
/// When none was, or the entry does not say how.
pub fn staged(device: &Device) -> Result<(Entry, Carried)> {
    let staged = device.ledger()?.into_iter().rev().find(|entry| entry.fact.kind == Kind::Staged);
    let staged = staged.with_context(|| device.story())?;
    let carried = staged.fact.carried.clone();
    let unsaid = || format!("it does not say how the image came\n{}", device.story());
    Ok((staged, carried.with_context(unsaid)?))
}

/// Every entry below a device's state folder.
///
/// # Errors
/// When a record is damaged, a signature is wrong or the chain is broken.
pub fn read(state: &Path, key: Option<&PublicKey>) -> Result<Vec<Entry>> {
    Ok(read_signed(state, key)?.into_iter().map(|(entry, _)| entry).collect())
}

/// The same with the signed form of each entry.
///
/// # Errors
/// When a record is damaged, a signature is wrong or the chain is broken.
pub fn read_signed(state: &Path, key: Option<&PublicKey>) -> Result<Vec<(Entry, Envelope)>> {
    let (mut entries, mut chain) = (Vec::new(), None);
    for path in segments(&state.join("ledger"))? {
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        for envelope in envelopes(&bytes).with_context(|| format!("in {}", path.display()))? {
            if let Some(key) = key {
                let wanted = patchward_protocol::envelope::PayloadType::LedgerEntry;
                envelope.verify(wanted, key).context("the signature of a ledger entry")?;
            }
            let entry: Entry = envelope.insecure_peek().context("a ledger entry")?;
            let sha256 = envelope.payload_sha256().context("its digest")?;
            let before = chain.unwrap_or(Chain {
                ledger_id: entry.ledger_id,
                seq: entry.seq.saturating_sub(1),
                head_sha256: entry.prev_sha256,
            });
            chain = Some(before.accept(&entry, sha256).context("the chain of the ledger")?);
            entries.push((entry, envelope));
        }
    }
    Ok(entries)
}

/// The segment files, oldest first.
fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    Ok(paths)
}

/// The whole records of a segment; a torn end is left out.
fn envelopes(mut bytes: &[u8]) -> Result<Vec<Envelope>> {
    let mut envelopes = Vec::new();
    while let (Some(head), Some(rest)) = (bytes.get(..HEAD_BYTES), bytes.get(HEAD_BYTES..)) {
        let number = |range: std::ops::Range<usize>| {
            let four = head.get(range).and_then(|part| <[u8; 4]>::try_from(part).ok());
            four.map_or(0, u32::from_le_bytes)
        };
        let (length, complement) = (number(0..4), number(4..8));
        if length == 0 && head.iter().all(|byte| *byte == 0) {
            break;
        }
        if length != !complement {
            bail!("a length that was changed");
        }
        let length = usize::try_from(length).context("a length")?;
        let Some(envelope) = rest.get(..length) else { break };
        envelopes.push(Envelope::read(envelope).context("an envelope")?);
        bytes = rest.get(length..).unwrap_or_default();
    }
    Ok(envelopes)
}
