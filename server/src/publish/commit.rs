//! Publishing is one transaction: look at the head again, judge, insert, move the head.
//!
//! Immutable files are in the blob store before; approvals are read before, because that needs the
//! disk and not the head. Not here: the rules ([`super::candidate`]).
//! Invariant: a document that is current lists only blobs that this repository has uploaded.

use super::approvals::{self, ApprovalError, Approvals};
use super::candidate::{Accepted, Held, Judge, Sent, targets_of};
use super::deltas::{self, DeltasKey};
use super::online::OnlineKeys;
use super::open;
use crate::app::{App, read_targets};
use crate::db::act::{self, Act};
use crate::db::repository::{self, Heads, ListedTarget};
use crate::db::{Connection, DbError};
use crate::delta::survey;
use crate::error::{ApiError, Chain};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{PublishRequest, RepositoryView};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::limits::{ROOT_BYTES_MAX, TARGETS_BYTES_MAX};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{RoleKey, Root, TopLevel};
use patchward_protocol::tuf::stage::Staged;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most missing targets that an answer names.
const MISSING_NAMED_MAX: usize = 10;

/// Publishes what was sent; `who` is the name of the caller's token.
///
/// # Errors
/// What [`Judge::judge`] refuses, `not_found`, `target_missing`, or a failure of ours; nothing is
/// published then.
pub async fn publish(
    app: &Arc<App>,
    id: RepositoryId,
    request: PublishRequest,
    who: String,
) -> Result<RepositoryView, ApiError> {
    let sent = Sent {
        root: decode("root", request.root, ROOT_BYTES_MAX)?,
        targets: decode("targets", request.targets, TARGETS_BYTES_MAX)?,
    };
    if sent.root.is_none() && sent.targets.is_none() {
        return Err(ApiError::with(ErrorCode::RequestInvalid, "root or targets, or both"));
    }
    if app.snapshot().get(&id).is_none() {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    if let (RepositoryId::Site(_), Some(targets)) = (&id, sent.targets.clone()) {
        let (app, id) = (Arc::clone(app), id.clone());
        let check = tokio::task::spawn_blocking(move || check_approvals(&app, &id, &targets));
        check.await.map_err(ApiError::failed)??;
    }
    let (shared, of) = (Arc::clone(app), id.clone());
    app.db.write(move |conn| in_transaction(&shared, conn, &of, &sent, who)).await?;
    app.reload().await.map_err(ApiError::failed)?;
    tracing::info!(repository.id = %id, "A repository was published in");
    open::show(app, &id)
}

fn in_transaction(
    app: &App,
    conn: &mut Connection,
    id: &RepositoryId,
    sent: &Sent,
    who: String,
) -> Result<(), ApiError> {
    let found = repository::find(conn, id)?;
    let (_, heads) = found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let held = held(conn, id, &heads)?;
    let keys = OnlineKeys::of(&app.keys, id)?;
    let deltas = DeltasKey::held(&app.keys, id);
    let (lives, mode, at) = (&app.config.refresh, app.mode, app.clock.now());
    let judge = Judge { repository: id, keys: &keys, deltas: deltas.as_ref(), lives, mode, at };
    let Some(accepted) = judge.judge(held.as_ref(), sent)? else { return Ok(()) };
    // What was listed before was found uploaded then; blobs are never removed.
    let new = repository::not_yet_listed(conn, id, targets_of(&accepted.listed.targets))?;
    check_uploaded(conn, id, &new)?;
    let version = accepted.next.targets.version;
    for target in &new {
        repository::list_target(conn, id, target, version)?;
    }
    store(conn, id, &heads, &accepted)?;
    retire_deltas(conn, id, &accepted, at)?;
    let detail = json!({
        "root": accepted.root_is_new.then_some(accepted.next.root.version),
        "targets": accepted.targets_are_new.then_some(version),
        "targets_sha256": accepted.next.targets.sha256,
        "signers": signers(id, &accepted),
    });
    Ok(act::append(conn, &Act { at, scope: id.to_string(), who, act: "publish", detail })?)
}

/// Who signed a site's new targets, each with the way of signing that the root states of the key.
fn signers(id: &RepositoryId, accepted: &Accepted) -> Option<serde_json::Value> {
    if !accepted.targets_are_new || matches!(id, RepositoryId::Family(_)) {
        return None;
    }
    let root = Staged::read(Role::Root, &accepted.next.root.bytes).ok()?.typed::<Root>().ok()?;
    let targets = Staged::read(Role::Targets, &accepted.next.targets.bytes).ok()?;
    let status = targets.status(&targets.asked(Some(&root.signed)).ok()?).ok()?;
    let signer = |key: &RoleKey| {
        let fingerprint = key.public().map(|key| key.fingerprint());
        json!({ "person": key.person, "method": key.method, "fingerprint": fingerprint })
    };
    let signers = status.first()?.signers.keys().iter().map(signer);
    Some(serde_json::Value::Array(signers.collect()))
}

/// Deltas that lead nowhere any more, or made room for others, are told as such.
///
/// # Errors
/// [`DbError`].
pub fn retire_deltas(
    conn: &mut Connection,
    id: &RepositoryId,
    accepted: &Accepted,
    at: Timestamp,
) -> Result<(), DbError> {
    if let RepositoryId::Site(_) = id {
        return Ok(());
    }
    let offered: BTreeSet<_> = accepted.deltas.values().map(|listed| listed.sha256).collect();
    let released: BTreeSet<_> = deltas::released(&accepted.listed).collect();
    survey::retire(conn, id, |sha256| offered.contains(sha256), |it| released.contains(it), at)
}

/// What is published now; none before the first publish.
///
/// # Errors
/// [`DbError`], also when a head names a document that is not there.
pub fn held(
    conn: &mut Connection,
    id: &RepositoryId,
    heads: &Heads,
) -> Result<Option<Held>, DbError> {
    super::current::documents(conn, id, heads)
}

/// Inserts what is new and moves the head.
///
/// # Errors
/// `publish_conflict` when somebody else has moved the head, or a failure of ours.
pub fn store(
    conn: &mut Connection,
    id: &RepositoryId,
    from: &Heads,
    accepted: &Accepted,
) -> Result<(), ApiError> {
    let next = &accepted.next;
    let each = [
        (TopLevel::Root, &next.root, from.root),
        (TopLevel::Targets, &next.targets, from.targets),
        (TopLevel::Snapshot, &next.snapshot, from.snapshot),
        (TopLevel::Timestamp, &next.timestamp, from.timestamp),
    ];
    for (role, document, held) in each {
        if document.version != held {
            repository::add_document(conn, id, role, document)?;
        }
    }
    if let Some(deltas) = next.deltas.as_ref().filter(|deltas| deltas.version != from.deltas) {
        repository::add_deltas(conn, id, deltas)?;
    }
    let to = Heads {
        revision: from.revision.saturating_add(1),
        root: next.root.version,
        targets: next.targets.version,
        snapshot: next.snapshot.version,
        timestamp: next.timestamp.version,
        deltas: next.deltas.as_ref().map_or(0, |deltas| deltas.version),
    };
    match repository::move_head(conn, id, from, &to)? {
        true => Ok(()),
        false => Err(ApiError::of(ErrorCode::PublishConflict)),
    }
}

fn check_uploaded(
    conn: &mut Connection,
    id: &RepositoryId,
    listed: &[ListedTarget],
) -> Result<(), ApiError> {
    let mut missing = Vec::new();
    for target in listed {
        match repository::blob_length(conn, id, &target.sha256)? {
            Some(length) if length == target.length => {}
            Some(length) => missing.push(format!("{} (it has {length} bytes)", target.path)),
            None => missing.push(target.path.clone()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let more = missing.len().saturating_sub(MISSING_NAMED_MAX);
    missing.truncate(MISSING_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(ApiError::with(ErrorCode::TargetMissing, format!("{}{more}", missing.join(", "))))
}

/// Every listed approval is one of this site; serials rise with what is new.
fn check_approvals(app: &App, id: &RepositoryId, targets: &[u8]) -> Result<(), ApiError> {
    let refused =
        |error: &dyn std::error::Error| ApiError::because(ErrorCode::PublishRefused, error);
    let listed = read_targets(targets).map_err(|error| refused(&error))?;
    let snapshot = app.snapshot();
    let none = Approvals::default();
    let earlier = snapshot.get(id).map_or(&none, |current| &current.approvals);
    let read = Approvals::read(id, &approvals::listed(&listed), &app.blobs, earlier);
    let read = read.map_err(|error| match &error {
        ApprovalError::Missing { path } => ApiError::with(ErrorCode::TargetMissing, path.clone()),
        ApprovalError::Read { .. } => ApiError::failed(error),
        ApprovalError::Bad { .. }
        | ApprovalError::Misnamed { .. }
        | ApprovalError::SerialTwice { .. }
        | ApprovalError::SerialFell { .. } => refused(&error),
    })?;
    read.follows(earlier).map_err(|error| refused(&error))
}

fn decode(
    field: &str,
    text: Option<String>,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let bytes = STANDARD.decode(text).map_err(|error| {
        ApiError::with(ErrorCode::BodyMalformed, format!("{field}: {}", Chain(&error)))
    })?;
    match bytes.len() <= bytes_max {
        true => Ok(Some(bytes)),
        false => Err(ApiError::with(
            ErrorCode::BodyTooLong,
            format!("{field}: at most {bytes_max} bytes"),
        )),
    }
}
