//! Rollouts in waves: approvals with more than one, and the proofs that open them, true and forged.
//!
//! Not here: opening a wave; the server does it, or an attacker in its place. Written on plain
//! statements, so that anything can be said.
//! Invariant: a proof is signed only by keys that the test gave.

use crate::clock::now;
use crate::forge::Key;
use crate::hostile::{Answer, Hostile};
use crate::wire::{Reply, Request};
use anyhow::{Context as _, Result};
use patchward_protocol::approval::{Approval, Wave};
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, LedgerId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{ApprovalRef, Entry, Fact, Kind, SigningMethod};
use patchward_protocol::proof::WaveProof;
use patchward_protocol::time::{TimeQuality, Timestamp};
use serde_json::{Value, json};

/// What opens the later waves of a rollout.
#[derive(Debug, Clone, Copy)]
pub struct Opens {
    /// Devices of the wave before that must have been updated.
    pub min_updated: u32,
    /// How long the wave before is watched, in seconds.
    pub soak_s: u64,
}

/// Puts the devices of an approval into waves.
///
/// # Errors
/// When a wave has no device, or the approval breaks a rule then.
pub fn in_waves(approval: &mut Approval, waves: &[&[&DeviceId]], opens: Opens) -> Result<()> {
    let not_before = approval.waves.first().context("an approval has a wave")?.not_before;
    let wave = |n: u32| Wave {
        n,
        not_before,
        soak_s: opens.soak_s,
        min_updated: if n == 0 { 0 } else { opens.min_updated },
        min_clinical_use_h: 0,
    };
    let count = u32::try_from(waves.len()).context("few waves")?;
    approval.waves = (0..count).map(wave).collect();
    for device in &mut approval.devices {
        let named = waves.iter().position(|devices| devices.contains(&&device.id));
        let n = named.with_context(|| format!("{} is in no wave", device.id))?;
        device.wave = u32::try_from(n).context("few waves")?;
    }
    approval.check().context("the approval holds")
}

/// A proof as bytes, with their digest.
///
/// # Errors
/// When it has no canonical form.
pub fn proof(
    approval_sha256: Sha256Digest,
    image_sha256: Sha256Digest,
    wave: u32,
    entries: Vec<Envelope>,
) -> Result<(Sha256Digest, Vec<u8>)> {
    let proof = WaveProof { v: 1, approval_sha256, image_sha256, wave, entries, acts: Vec::new() };
    let bytes = canonical::write(&proof).context("canonical form")?;
    Ok((Sha256Digest::of(&bytes), bytes))
}

/// A ledger entry that says a device's new image stays, signed by any key.
///
/// # Errors
/// When it cannot be sealed.
pub fn committed(
    device: &DeviceId,
    image: &ImageRef,
    approval_sha256: Sha256Digest,
    at: Timestamp,
    key: &Key,
) -> Result<Envelope> {
    let mut fact = Fact::new(Kind::Committed);
    fact.release = Some(image.clone());
    fact.approval = Some(ApprovalRef {
        sha256: approval_sha256,
        id: "forged".parse().context("an approval id")?,
        weakest_method: SigningMethod::Offline,
    });
    let entry = Entry {
        v: 1,
        device: device.clone(),
        ledger_id: LedgerId::from_random([9; 16]),
        seq: 7,
        prev_sha256: Some(Sha256Digest::of(b"the entry before")),
        at: Some(at),
        time_quality: TimeQuality::Attested,
        boot_count: 1,
        fact,
    };
    Envelope::seal(PayloadType::LedgerEntry, &entry, key.secret()).context("seal")
}

/// An instant long enough ago for any soak of a test.
#[must_use]
pub fn long_ago() -> Timestamp {
    now().plus_seconds(-6 * 3600)
}

/// The server tells every device, beside what it says by itself, that a wave is open, with this proof.
pub fn tell_open(
    line: &Hostile,
    approval_sha256: Sha256Digest,
    wave: u32,
    proof: Option<(Sha256Digest, Option<Vec<u8>>)>,
) {
    line.play(move |request, upstream| {
        if let Some((digest, bytes)) = &proof
            && request.path.contains(&format!("/wave-proofs/{digest}"))
        {
            let missing = || Reply::new(404, b"{}".to_vec());
            let reply = bytes.clone().map_or_else(missing, |bytes| Reply::new(200, bytes));
            return Ok(Some(Answer::Reply(reply)));
        }
        if request.path != "/v1/check-in" {
            return Ok(None);
        }
        let reply = upstream.ask(request)?;
        if reply.status != 200 {
            return Ok(Some(Answer::Reply(reply)));
        }
        let mut open = json!({ "approval_sha256": approval_sha256, "wave": wave });
        if let Some((digest, _)) = &proof {
            crate::forge::set(&mut open, "proof", json!(digest));
        }
        let reply = reply.with_json(|value| say_open(value, open))?;
        Ok(Some(Answer::Reply(reply)))
    });
}

/// Adds a word to a directive, in place of what it says of the same wave.
fn say_open(reply: &mut Value, open: Value) {
    let said = reply.get("directive").and_then(|directive| directive.get("open"));
    let mut said = said.and_then(Value::as_array).cloned().unwrap_or_default();
    let about = |word: &Value| (word.get("approval_sha256").cloned(), word.get("wave").cloned());
    said.retain(|other| about(other) != about(&open));
    said.push(open);
    crate::forge::set(reply, "directive.open", Value::Array(said));
}

/// Who asks, in a check-in.
///
/// # Errors
/// When the request is none.
pub fn asking(request: &Request) -> Result<String> {
    let body: Envelope = serde_json::from_slice(&request.body).context("a check-in")?;
    let poll: Value = body.insecure_peek().context("a poll")?;
    let device = poll.get("device").and_then(Value::as_str);
    device.map(str::to_owned).context("a poll names its device")
}
