//! TUF metadata made by hand: what an owner signs, and what a thief of keys signs.
//!
//! Written without the publisher's code, on plain JSON values, so that anything can be said: honest
//! documents, wrong ones, and ones that no publisher would write. Not here: which keys a test gives
//! to its attacker.
//! Invariant: what is signed is the canonical form of exactly the value that is shown.

use crate::clock::now;
use anyhow::{Context as _, Result};
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::time::Timestamp;
use serde_json::{Map, Value, json};

/// Seconds in a day.
pub const DAY_S: i64 = 24 * 3600;

/// A secret key and how metadata lists it.
#[derive(Debug)]
pub struct Key {
    secret: SecretKey,
    extra: Map<String, Value>,
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self { secret: SecretKey::from_seed(&self.secret.seed()), extra: self.extra.clone() }
    }
}

impl Key {
    /// A key that comes from its name: the same in every run, and nobody's real key.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let seed = Sha256Digest::of(format!("patchward test key {name}").as_bytes());
        Self { secret: SecretKey::from_seed(seed.as_bytes()), extra: Map::new() }
    }

    /// A key from its seed, e.g. a stolen one.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { secret: SecretKey::from_seed(seed), extra: Map::new() }
    }

    /// The same key with a person and a method beside it (site keys).
    #[must_use]
    pub fn of_person(self, person: &str, method: &str) -> Self {
        self.with("x-person", json!(person)).with("x-method", json!(method))
    }

    /// The same key with one more field beside it, which gives it another key id.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    /// The person beside the key, where one was given.
    #[must_use]
    pub fn person(&self) -> Option<&str> {
        self.extra.get("x-person").and_then(Value::as_str)
    }

    /// The secret half.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.secret.public()
    }

    /// The object as metadata lists it.
    #[must_use]
    pub fn object(&self) -> Value {
        listed(self.public(), &self.extra)
    }

    /// Its key id.
    #[must_use]
    pub fn id(&self) -> String {
        id_of(&self.object())
    }
}

/// A public key as metadata lists it.
#[must_use]
pub fn listed(public: PublicKey, extra: &Map<String, Value>) -> Value {
    let mut object = extra.clone();
    object.insert("keytype".to_owned(), json!("ed25519"));
    object.insert("scheme".to_owned(), json!("ed25519"));
    object.insert("keyval".to_owned(), json!({ "public": public.to_string() }));
    Value::Object(object)
}

/// The key id of a key object.
#[must_use]
pub fn id_of(object: &Value) -> String {
    Sha256Digest::of(&canonical::write(object).unwrap_or_default()).to_string()
}

/// Signs a value with these keys and writes the file.
///
/// # Errors
/// When the value has no canonical form.
pub fn sign(signed: &Value, keys: &[&Key]) -> Result<Vec<u8>> {
    let message = canonical::write(signed).context("canonical form")?;
    let signatures: Result<Vec<Value>> = keys
        .iter()
        .map(|key| {
            let sig = key.secret.sign(&message).context("sign")?;
            Ok(json!({ "keyid": key.id(), "sig": sig.to_string() }))
        })
        .collect();
    write(&json!({ "signed": signed, "signatures": signatures? }))
}

/// Signs bytes that are no canonical form of anything: a file of text with a signature over `message`.
///
/// # Errors
/// When a key cannot sign.
pub fn sign_text(signed_text: &str, message: &[u8], keys: &[&Key]) -> Result<Vec<u8>> {
    let signatures: Result<Vec<String>> = keys
        .iter()
        .map(|key| {
            let sig = key.secret.sign(message).context("sign")?;
            Ok(format!(r#"{{"keyid":"{}","sig":"{sig}"}}"#, key.id()))
        })
        .collect();
    Ok(format!(r#"{{"signatures":[{}],"signed":{signed_text}}}"#, signatures?.join(","))
        .into_bytes())
}

/// Writes JSON.
///
/// # Errors
/// When the value cannot be written.
pub fn write(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).context("write JSON")
}

/// The parts that all four documents begin with.
#[must_use]
pub fn head(kind: &str, repository: &str, version: u64, life_s: i64) -> Value {
    json!({
        "_type": kind,
        "spec_version": "1.0.31",
        "version": version,
        "expires": instant(life_s),
        "x-issued": instant(0),
        "x-repository": repository,
    })
}

/// An instant in whole seconds from now on.
#[must_use]
pub fn instant(seconds: i64) -> Timestamp {
    now().whole_second().plus_seconds(seconds)
}

/// Keys and threshold of a role.
#[must_use]
pub fn role(ids: &[String], threshold: u64) -> Value {
    json!({ "keyids": ids, "threshold": threshold })
}

/// What a listing says of a metadata file.
#[must_use]
pub fn file_entry(version: u64, bytes: &[u8]) -> Value {
    json!({
        "version": version, "length": bytes.len(),
        "hashes": { "sha256": Sha256Digest::of(bytes).to_string() },
    })
}

/// What targets say of a file.
#[must_use]
pub fn target_entry(bytes: &[u8], custom: Option<Value>) -> Value {
    let mut entry = json!({
        "length": bytes.len(), "hashes": { "sha256": Sha256Digest::of(bytes).to_string() },
    });
    if let (Some(custom), Some(object)) = (custom, entry.as_object_mut()) {
        object.insert("custom".to_owned(), custom);
    }
    entry
}

/// Sets a field, deep inside: `set(&mut root, "roles.root.threshold", 1)`.
pub fn set(value: &mut Value, path: &str, to: impl Into<Value>) {
    let mut place = value;
    for part in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return };
        place = object.entry(part.to_owned()).or_insert(Value::Null);
    }
    *place = to.into();
}

/// A snapshot that lists targets.
#[must_use]
pub fn snapshot(repository: &str, version: u64, targets: (u64, &[u8])) -> Value {
    let mut snapshot = head("snapshot", repository, version, 29 * DAY_S);
    set(&mut snapshot, "meta", json!({ "targets.json": file_entry(targets.0, targets.1) }));
    snapshot
}

/// A timestamp that lists a snapshot.
#[must_use]
pub fn timestamp(repository: &str, version: u64, snapshot: (u64, &[u8])) -> Value {
    let mut timestamp = head("timestamp", repository, version, 6 * DAY_S);
    set(&mut timestamp, "meta", json!({ "snapshot.json": file_entry(snapshot.0, snapshot.1) }));
    timestamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_public_key_with_another_field_has_another_id() {
        let (plain, odd) = (Key::named("a"), Key::named("a").with("note", json!("again")));
        assert_eq!(plain.public(), odd.public());
        assert_ne!(plain.id(), odd.id());
        assert_eq!(plain.id(), plain.public().key_id().to_string());
    }

    #[test]
    fn a_field_is_set_deep_inside() {
        let mut value = json!({ "a": { "b": 1 } });
        set(&mut value, "a.b", 2);
        set(&mut value, "a.c.d", "x");
        assert_eq!(value, json!({ "a": { "b": 2, "c": { "d": "x" } } }));
    }
}
