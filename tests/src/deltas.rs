//! The role `deltas`, true and forged: what it lists, who signs it, and a chain that leads to it.
//!
//! For whoever has stolen the key, and for tests without a builder. On plain values, so that anything
//! can be said. Not here: the files ([`crate::container`]).
//! Invariant: [`Listed::between`] says the truth of the container that it is given.

use crate::container::Container;
use crate::forge::{self, Key};
use crate::forged::{Forged, Online, head};
use crate::image::Release;
use crate::owner::{Owner, version_of};
use anyhow::{Context as _, Result};
use patchward_protocol::digest::Sha256Digest;
use serde_json::{Value, json};

/// Name of the role.
pub const ROLE: &str = "deltas";
/// Life of an honest document of the role, in seconds.
pub const LIFE_S: i64 = 29 * forge::DAY_S;
/// Memory that an honest delta with small windows claims, in bytes.
const MEMORY_BYTES: u64 = 1024 * 1024;

/// A delta that the role lists.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its target path.
    pub path: String,
    /// The file.
    pub file: Vec<u8>,
    /// What the role says of it: `custom.delta`.
    pub facts: Value,
}

impl Listed {
    /// A delta between two releases, described truly.
    #[must_use]
    pub fn between(from: &Release, to: &Release, container: &Container) -> Self {
        let side = |release: &Release| {
            let (firmware, payload) = (&release.firmware, &release.firmware.payload);
            json!({
                "image_sha256": payload.image_sha256, "length": payload.image_length,
                "seq": firmware.seq,
            })
        };
        let mut facts = json!({
            "v": 1, "from": side(from), "to": side(to), "format": "pwd1",
            "mem_bytes": MEMORY_BYTES, "table_sha256": container.table_sha256(),
        });
        forge::set(&mut facts, "to.path", to.path.as_str());
        let file = container.write();
        let name = &Sha256Digest::of(&file).to_string()[..12];
        let (from, to) = (from.firmware.seq, to.firmware.seq);
        Self { path: format!("delta/{from}-{to}-{name}.pwd"), file, facts }
    }

    /// The same with another fact, e.g. `from.seq`.
    #[must_use]
    pub fn saying(mut self, field: &str, value: impl Into<Value>) -> Self {
        forge::set(&mut self.facts, field, value);
        self
    }

    /// Where its bytes are fetched, below the repository.
    #[must_use]
    pub fn place(&self) -> String {
        let (dir, name) = self.path.split_once('/').unwrap_or(("", &self.path));
        format!("targets/{dir}/{}.{name}", Sha256Digest::of(&self.file))
    }
}

/// A document of the role, signed by these keys.
///
/// # Errors
/// When it has no canonical form.
pub fn document(
    owner: &Owner,
    (version, life_s): (u64, i64),
    listed: &[Listed],
    signers: &[&Key],
) -> Result<Vec<u8>> {
    let mut document = forge::head("targets", &owner.id.to_string(), version, life_s);
    forge::set(&mut document, "targets", json!({}));
    let targets = document.get_mut("targets").and_then(Value::as_object_mut);
    let targets = targets.context("targets")?;
    for delta in listed {
        let custom = json!({ "delta": delta.facts });
        targets.insert(delta.path.clone(), forge::target_entry(&delta.file, Some(custom)));
    }
    forge::sign(&document, signers)
}

/// The owner's targets as they are, with this document of the role, signed by stolen online keys.
///
/// Without a document the snapshot lists none.
///
/// # Errors
/// When the repository was never published.
pub fn chain(
    owner: &Owner,
    online: &Online,
    role: Option<(u64, &[u8])>,
    files: &[Listed],
) -> Result<Forged> {
    let version = version_of(&owner.targets)?;
    let targets = owner.published(&format!("{version}.targets.json"))?;
    let newer = head(&owner.view, "snapshot")?.saturating_add(1);
    let mut snapshot = forge::snapshot(&owner.id.to_string(), newer, (version, &targets));
    let mut shown = Forged::of(owner);
    if let Some((version, bytes)) = role {
        let meta = snapshot.get_mut("meta").and_then(Value::as_object_mut).context("meta")?;
        meta.insert(format!("{ROLE}.json"), forge::file_entry(version, bytes));
        shown = shown.with(&format!("metadata/{version}.{ROLE}.json"), bytes);
    }
    for delta in files {
        shown = shown.with(&delta.place(), &delta.file);
    }
    shown.under(owner, online, &snapshot)
}

/// Lets the role list files in `delta/`, signed by this key alone; not yet published.
pub fn delegate(owner: &mut Owner, key: &Key) {
    let role = json!({
        "name": ROLE, "keyids": [key.id()], "threshold": 1, "terminating": true,
        "paths": ["delta/*"],
    });
    let mut keys = serde_json::Map::new();
    keys.insert(key.id(), key.object());
    forge::set(&mut owner.targets, "delegations", json!({ "keys": keys, "roles": [role] }));
}
