//! A look at a stored entry without reading all of it: whose it is.
//!
//! For leaving out what a sheet cannot need. Not here: whether an entry reads. Invariant: what cannot be
//! glanced at says nothing, so that nobody leaves it out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchward_protocol::id::DeviceId;
use serde::Deserialize;

#[derive(Deserialize)]
struct Stored<'a> {
    kind: &'a str,
    #[serde(borrow)]
    body: Signed<'a>,
}

#[derive(Deserialize)]
struct Signed<'a> {
    // What nobody signed has none.
    payload: Option<&'a str>,
}

#[derive(Deserialize)]
struct Said {
    device: DeviceId,
}

/// The device that signed an entry; none of any other entry.
pub(super) fn device(bytes: &[u8]) -> Option<DeviceId> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).ok()?;
    if stored.kind != "ledger" {
        return None;
    }
    let payload = STANDARD.decode(stored.body.payload?).ok()?;
    serde_json::from_slice::<Said>(&payload).ok().map(|said| said.device)
}
