//! A repository as the attacker shows it: chosen files in place of the real ones.
//!
//! Timestamps also travel inside check-in replies; they are replaced there too. What is not chosen
//! passes through to the real server. Not here: making the files ([`crate::forge`]).
//! Invariant: an attacker who shows a chain signed by the online keys was given those keys by the test.

use crate::forge::{self, Key};
use crate::hostile::{Answer, Upstream};
use crate::owner::Owner;
use crate::wire::{Reply, Request};
use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchward_protocol::api::repository::RepositoryView;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The two online keys of a repository.
#[derive(Debug, Clone)]
pub struct Online {
    /// Signs snapshots.
    pub snapshot: Key,
    /// Signs timestamps and time answers.
    pub timestamp: Key,
}

/// Chosen files of one repository.
#[derive(Debug, Clone)]
pub struct Forged {
    base: String,
    timestamp_field: &'static str,
    files: BTreeMap<String, Reply>,
}

impl Forged {
    /// Nothing chosen yet.
    #[must_use]
    pub fn of(owner: &Owner) -> Self {
        let (kind, name) = owner.id.parts();
        let timestamp_field = if kind == "site" { "site_timestamp" } else { "family_timestamp" };
        Self { base: format!("/tuf/{kind}/{name}/"), timestamp_field, files: BTreeMap::new() }
    }

    /// Shows these bytes as a file, e.g. `metadata/timestamp.json` or `targets/img/….tar`.
    #[must_use]
    pub fn with(self, path: &str, bytes: &[u8]) -> Self {
        self.with_reply(path, Reply::new(200, bytes))
    }

    /// Answers a path with a reply of any status.
    #[must_use]
    pub fn with_reply(mut self, path: &str, reply: Reply) -> Self {
        self.files.insert(path.to_owned(), reply);
        self
    }

    /// Shows targets with a snapshot and a timestamp that list them, signed by stolen online keys.
    ///
    /// # Errors
    /// When something has no canonical form.
    pub fn chain(owner: &Owner, online: &Online, targets: (u64, &[u8])) -> Result<Self> {
        let id = owner.id.to_string();
        let version = head(&owner.view, "snapshot")?.saturating_add(1);
        let snapshot = forge::snapshot(&id, version, targets);
        Self::of(owner)
            .with(&format!("metadata/{}.targets.json", targets.0), targets.1)
            .under(owner, online, &snapshot)
    }

    /// Shows a snapshot and a timestamp that lists it, signed by stolen online keys.
    ///
    /// # Errors
    /// When something has no canonical form.
    pub fn under(self, owner: &Owner, online: &Online, snapshot: &Value) -> Result<Self> {
        let id = owner.id.to_string();
        let version = snapshot.get("version").and_then(Value::as_u64).context("its version")?;
        let bytes = forge::sign(snapshot, &[&online.snapshot])?;
        let newer = head(&owner.view, "timestamp")?.saturating_add(1);
        let timestamp = forge::timestamp(&id, newer, (version, &bytes));
        let timestamp = forge::sign(&timestamp, &[&online.timestamp])?;
        Ok(self
            .with(&format!("metadata/{version}.snapshot.json"), &bytes)
            .with("metadata/timestamp.json", &timestamp))
    }

    /// What this attacker answers.
    ///
    /// # Errors
    /// When the real server, asked in between, does not answer.
    pub fn answer(&self, request: &Request, upstream: &Upstream) -> Result<Option<Answer>> {
        if let Some(path) = request.path.strip_prefix(&self.base) {
            let chosen = self.files.get(path).cloned();
            let chosen = chosen.map(|reply| match reply.status == 200 {
                true if path.starts_with("targets/") => Reply::part(request, &reply.body),
                _ => reply,
            });
            return Ok(chosen.map(Answer::Reply));
        }
        let timestamp = self.files.get("metadata/timestamp.json");
        match timestamp.filter(|_| request.path == "/v1/check-in") {
            None => Ok(None),
            Some(timestamp) => {
                let reply = upstream.ask(request)?;
                self.in_check_in(reply, &timestamp.body).map(|reply| Some(Answer::Reply(reply)))
            }
        }
    }

    /// Puts this repository's chosen timestamp, where there is one, into a reply to a check-in.
    ///
    /// # Errors
    /// When the reply is no JSON.
    pub fn in_check_in_own(&self, reply: Reply) -> Result<Reply> {
        match self.files.get("metadata/timestamp.json") {
            Some(timestamp) => self.in_check_in(reply, &timestamp.body),
            None => Ok(reply),
        }
    }

    /// Puts a timestamp into a reply to a check-in.
    ///
    /// # Errors
    /// When the reply is no JSON.
    pub fn in_check_in(&self, reply: Reply, timestamp: &[u8]) -> Result<Reply> {
        if reply.status != 200 {
            return Ok(reply);
        }
        let field = self.timestamp_field;
        reply.with_json(|value| forge::set(value, field, json!(STANDARD.encode(timestamp))))
    }
}

/// The repository as it is, under a timestamp of this life, signed by stolen online keys. Seconds from
/// now; what was issued long ago and expires soon is what a recorded timestamp is.
///
/// # Errors
/// When the repository was never published.
pub fn short_lived(
    owner: &Owner,
    online: &Online,
    issued_s: i64,
    expires_s: i64,
) -> Result<Forged> {
    let version = head(&owner.view, "snapshot")?;
    let snapshot = owner.published(&format!("{version}.snapshot.json"))?;
    let newer = head(&owner.view, "timestamp")?.saturating_add(1);
    let mut timestamp = forge::timestamp(&owner.id.to_string(), newer, (version, &snapshot));
    forge::set(&mut timestamp, "x-issued", json!(forge::instant(issued_s)));
    forge::set(&mut timestamp, "expires", json!(forge::instant(expires_s)));
    let timestamp = forge::sign(&timestamp, &[&online.timestamp])?;
    Ok(Forged::of(owner).with("metadata/timestamp.json", &timestamp))
}

/// A time answer to a check-in, signed with any key: it carries the nonce that was asked.
///
/// # Errors
/// When the request is no check-in.
pub fn time_answer(request: &Request, utc: Timestamp, key: &Key) -> Result<Value> {
    let body: Envelope = serde_json::from_slice(&request.body).context("a check-in")?;
    let poll: Value = body.insecure_peek().context("a poll")?;
    let nonce = poll.get("nonce").context("a nonce")?;
    let answer = json!({ "v": 1, "nonce": nonce, "utc": utc });
    let envelope = Envelope::seal(PayloadType::TimeAnswer, &answer, key.secret());
    serde_json::to_value(envelope.context("seal")?).context("write JSON")
}

/// Version of a role's current document.
///
/// # Errors
/// When the repository has none.
pub fn head(view: &RepositoryView, role: &str) -> Result<u64> {
    let head = view.heads.iter().find(|head| head.role == role);
    head.map(|head| head.version).with_context(|| format!("{} has no {role}", view.repository))
}
