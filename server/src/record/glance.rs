//! A look at a stored entry without reading it: its kind, and the text that a device signed.
//!
//! For leaving out what a search cannot be looking for. Not here: whether an entry reads. Invariant: what
//! cannot be glanced at says nothing, so that nobody leaves it out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
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

/// The kind of an entry, as it stands in it.
pub(super) fn kind(bytes: &[u8]) -> Option<&str> {
    serde_json::from_slice::<Stored<'_>>(bytes).ok().map(|stored| stored.kind)
}

/// What a device signed, in lower case; none of any other entry.
pub(super) fn said_by_device(bytes: &[u8]) -> Option<String> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).ok()?;
    if stored.kind != "ledger" {
        return None;
    }
    let payload = STANDARD.decode(stored.body.payload?).ok()?;
    String::from_utf8(payload).ok().map(|text| text.to_lowercase())
}
