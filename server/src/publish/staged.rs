//! Staged files of a family in the console: brought, merged, shown, published when enough have signed.
//!
//! The server keeps the file for the next signer; it signs nothing of it. Merging is the protocol's:
//! the union of valid signatures of one content. Not here: the one transaction that publishes
//! ([`super::commit`]). Invariant: whoever brought a file does not publish it.

use super::commit;
use super::current::Current;
use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::repository::{self, ListedTarget};
use crate::db::staged::{self, StagedFile};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::people::who::{AccountId, Who};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::PublishRequest;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec, repository_of};
use patchward_protocol::tuf::difference::{RootDifference, TargetsDifference};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Root, Targets};
use patchward_protocol::tuf::stage::{Asked, Staged, Status};
use serde_json::json;
use std::sync::Arc;

/// A staged file as people look at it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The file as stored.
    pub file: StagedFile,
    /// The same, read.
    pub staged: Staged,
    /// Who signed and who is missing, under each set of keys.
    pub status: Vec<Status>,
    /// What it changes.
    pub change: Difference,
    /// Whether another version was published since: it can never be published.
    pub stale: bool,
}

/// What a staged file changes.
#[derive(Debug, Clone)]
pub enum Difference {
    /// Of the root.
    Root(Box<RootDifference>),
    /// Of the targets.
    Targets(Box<TargetsDifference>),
}

/// What bringing a file did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// It is new here.
    New,
    /// So many signatures were added.
    Added(usize),
}

impl Looked {
    /// Whether enough have signed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.stale && !self.status.is_empty() && self.status.iter().all(Status::is_met)
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.staged.version()
    }
}

/// Looks at open files of a repository: pure. A file that does not read any more is left out.
#[must_use]
pub fn look(current: &Current, files: &[StagedFile]) -> Vec<Looked> {
    let of_role = |role: &str| files.iter().find(|file| file.role == role);
    let next_root = of_role("root").and_then(|file| read_root(&file.bytes).ok());
    let each = files.iter().filter_map(|file| {
        let staged = Staged::read_any(&file.bytes).ok()?;
        let asked = asked(current, &staged, next_root.as_ref()).ok()?;
        Some(Looked {
            status: staged.status(&asked).ok()?,
            change: difference(current, &staged).ok()?,
            stale: staged.version() <= published_version(current, staged.role()),
            file: file.clone(),
            staged,
        })
    });
    each.collect()
}

/// Takes a file that somebody brought: a new one, or more signatures of the one that is here.
///
/// # Errors
/// `staged_refused` with the reason, `staged_moved` when somebody else was faster, or a failure of
/// ours.
pub async fn bring(
    app: &Arc<App>,
    family: &FamilyId,
    bytes: &[u8],
    who: &Who,
) -> Result<(String, Brought), ApiError> {
    let id = RepositoryId::Family(family.clone());
    let current = app.snapshot().get(&id).map(Arc::clone);
    let current = current.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let sent = Staged::read_any(bytes).map_err(|error| refused(&error))?;
    check_binding(&id, &sent).map_err(|error| refused(&error))?;
    let published = published_version(&current, sent.role());
    if sent.version() != published.saturating_add(1) {
        let next = published.saturating_add(1);
        let rule =
            format!("version {} is staged, {next} follows what is published", sent.version());
        return Err(ApiError::with(ErrorCode::StagedRefused, rule));
    }
    let (at, by, author, name) = (app.clock.now(), who.by(), who.account, who.name.clone());
    app.db
        .write(move |conn| {
            let files = staged::of(conn, &id)?;
            let next_root = files.iter().find(|file| file.role == "root");
            let next_root = next_root.and_then(|file| read_root(&file.bytes).ok());
            let asked = asked(&current, &sent, next_root.as_ref());
            let asked = asked.map_err(|error| refused(&error))?;
            let role = sent.role().to_string();
            let held = files.into_iter().find(|file| file.role == role);
            let (next, brought) = merged(held.as_ref(), &sent, &asked, published)?;
            let from = held.as_ref().map_or(0, |file| file.revision);
            let first = held.filter(|_| matches!(brought, Brought::Added(_)));
            let file = StagedFile {
                repository: id.clone(),
                role: role.clone(),
                revision: from.saturating_add(1),
                bytes: next.to_bytes(),
                author: first.as_ref().map_or(author, |file| file.author),
                name: first.as_ref().map_or(name, |file| file.name.clone()),
                brought: first.as_ref().map_or(at, |file| file.brought),
                changed: at,
                changed_by: by.clone(),
            };
            if !staged::swap(conn, &file, from)? {
                return Err(ApiError::of(ErrorCode::StagedMoved));
            }
            let detail = json!({
                "role": role, "version": next.version(), "message_sha256": next.message_sha256(),
            });
            let act = "bring-staged";
            act::append(conn, &Act { at, scope: id.to_string(), who: by, act, detail })?;
            Ok((role, brought))
        })
        .await
}

/// Takes an open file away; what was published stays.
///
/// # Errors
/// `not_found` when there is none, or a failure of ours.
pub async fn drop_file(
    app: &Arc<App>,
    family: &FamilyId,
    role: &str,
    who: &Who,
) -> Result<(), ApiError> {
    let (id, role) = (RepositoryId::Family(family.clone()), role.to_owned());
    let (at, who) = (app.clock.now(), who.by());
    app.db
        .write(move |conn| {
            if !staged::remove(conn, &id, &role)? {
                return Err(ApiError::of(ErrorCode::NotFound));
            }
            let (scope, act, detail) = (id.to_string(), "drop-staged", json!({ "role": role }));
            Ok(act::append(conn, &Act { at, scope, who, act, detail })?)
        })
        .await
}

/// Publishes the open files of a family for which enough have signed; a first root goes together with
/// the first targets.
///
/// # Errors
/// `staged_incomplete` when none is complete, `staged_own` for somebody who brought one of them, what
/// [`commit::publish`] refuses, or a failure of ours.
pub async fn publish(app: &Arc<App>, family: &FamilyId, who: &Who) -> Result<(), ApiError> {
    let id = RepositoryId::Family(family.clone());
    let current = app.snapshot().get(&id).map(Arc::clone);
    let current = current.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let of = id.clone();
    let files = app.db.read(move |conn| staged::of(conn, &of)).await?;
    let ready: Vec<Looked> =
        look(&current, &files).into_iter().filter(Looked::is_complete).collect();
    if ready.is_empty() {
        return Err(ApiError::of(ErrorCode::StagedIncomplete));
    }
    if !may_publish(&ready, who.account) {
        return Err(ApiError::of(ErrorCode::StagedOwn));
    }
    let of_role = |role: Role| {
        let found = ready.iter().find(|looked| *looked.staged.role() == role);
        found.map(|looked| STANDARD.encode(looked.staged.to_bytes()))
    };
    let request = PublishRequest { root: of_role(Role::Root), targets: of_role(Role::Targets) };
    commit::publish(app, id.clone(), request, who.by()).await?;
    app.db
        .write(move |conn| {
            for looked in &ready {
                // A file that somebody brought meanwhile stays.
                staged::remove_this(conn, &looked.file)?;
            }
            Ok::<_, DbError>(())
        })
        .await?;
    Ok(())
}

/// Whether somebody may publish these files: nobody publishes what they brought themselves.
#[must_use]
pub fn may_publish(ready: &[Looked], account: AccountId) -> bool {
    ready.iter().all(|looked| looked.file.author != account)
}

/// Listed files of staged targets that nobody has uploaded yet.
///
/// # Errors
/// [`DbError`].
pub fn not_uploaded(
    conn: &mut Connection,
    id: &RepositoryId,
    difference: &TargetsDifference,
) -> Result<Vec<String>, DbError> {
    let changed = difference.changed.iter().map(|(path, change)| (path, &change.to));
    let listed = difference.added.iter().chain(changed);
    let listed = listed.map(|(path, spec)| ListedTarget {
        path: path.to_string(),
        sha256: spec.sha256,
        length: spec.length,
    });
    let mut missing = Vec::new();
    for target in repository::not_yet_listed(conn, id, listed.collect())? {
        if repository::blob_length(conn, id, &target.sha256)? != Some(target.length) {
            missing.push(target.path);
        }
    }
    Ok(missing)
}

fn merged(
    held: Option<&StagedFile>,
    sent: &Staged,
    asked: &Asked,
    published: u64,
) -> Result<(Staged, Brought), ApiError> {
    let here = held.and_then(|file| Staged::read(sent.role().clone(), &file.bytes).ok());
    // A file whose version was published meanwhile makes room for the next one.
    if let Some(mut here) = here.filter(|here| here.version() > published) {
        let new = here.merge(sent, asked).map_err(|error| refused(&error))?;
        return Ok((here, Brought::Added(new)));
    }
    // Merged with itself: what does not verify is left out.
    let mut clean = sent.clone();
    clean.merge(sent, asked).map_err(|error| refused(&error))?;
    Ok((clean, Brought::New))
}

fn check_binding(id: &RepositoryId, staged: &Staged) -> Result<(), TufError> {
    let named = match staged.role() {
        Role::Root => repository_of(&Role::Root, &staged.typed::<Root>()?.signed)?,
        Role::Targets => repository_of(&Role::Targets, &staged.typed::<Targets>()?.signed)?,
        role @ (Role::Snapshot | Role::Timestamp | Role::Delegated(_)) => {
            return Err(TufError::UnknownRole { role: role.clone() });
        }
    };
    if named == *id {
        return Ok(());
    }
    let (expected, found) = (id.to_string(), named.to_string());
    Err(TufError::WrongRepository { role: staged.role().clone(), expected, found })
}

/// Who must sign: the published root says so; before there is one, the staged first root.
fn asked(current: &Current, staged: &Staged, next: Option<&Root>) -> Result<Asked, TufError> {
    let published = current.documents.as_ref().map(|documents| read_root(&documents.root.bytes));
    match (published.transpose()?, staged.role()) {
        (Some(root), _) => staged.asked(Some(&root)),
        (None, Role::Targets) => staged.asked(next),
        (None, _) => staged.asked(None),
    }
}

fn difference(current: &Current, staged: &Staged) -> Result<Difference, TufError> {
    let documents = current.documents.as_ref();
    if *staged.role() == Role::Root {
        let published = documents.map(|documents| read_root(&documents.root.bytes)).transpose()?;
        let published = published.as_ref().map(RootSpec::of).transpose()?;
        let next = RootSpec::of(&staged.typed::<Root>()?.signed)?;
        let change = RootDifference::between(published.as_ref(), &next);
        return Ok(Difference::Root(Box::new(change)));
    }
    let published =
        documents.map(|documents| read_targets(&documents.targets.bytes)).transpose()?;
    let next = TargetsSpec::of(&Role::Targets, &staged.typed::<Targets>()?.signed)?;
    let change = TargetsDifference::between(published.as_ref(), &next);
    Ok(Difference::Targets(Box::new(change)))
}

fn read_root(bytes: &[u8]) -> Result<Root, TufError> {
    Ok(Staged::read(Role::Root, bytes)?.typed::<Root>()?.signed)
}

fn read_targets(bytes: &[u8]) -> Result<TargetsSpec, TufError> {
    TargetsSpec::of(&Role::Targets, &Staged::read(Role::Targets, bytes)?.typed::<Targets>()?.signed)
}

fn published_version(current: &Current, role: &Role) -> u64 {
    match role {
        Role::Root => current.heads.root,
        Role::Targets => current.heads.targets,
        Role::Snapshot | Role::Timestamp | Role::Delegated(_) => 0,
    }
}

fn refused(error: &dyn std::error::Error) -> ApiError {
    ApiError::because(ErrorCode::StagedRefused, error)
}
