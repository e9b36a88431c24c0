//! A statement about a family's life is made, and read again.
//!
//! Not here: the rules ([`super::dates`]). Invariant: what counts is the newest statement, and none
//! is ever removed.

use super::dates::{Broken, Lifecycle};
use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::{Connection, DbError, lifecycle};
use crate::error::ApiError;
use crate::people::who::Who;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A statement, with who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Rises with each statement about the family, from 1.
    pub revision: u64,
    /// What is said.
    pub lifecycle: Lifecycle,
    /// When it was said.
    pub at: Timestamp,
    /// By whom, as acts name them.
    pub by: String,
    /// Printed name of the person.
    pub name: String,
}

/// What counts now, by family; families of which nothing was said are not in it.
///
/// # Errors
/// [`DbError`].
pub fn current(conn: &mut Connection) -> Result<BTreeMap<FamilyId, Said>, DbError> {
    // Rows come oldest first: the last one of a family stays.
    Ok(lifecycle::all(conn)?.into_iter().collect())
}

/// Everything that was said of one family, the newest first.
///
/// # Errors
/// [`DbError`].
pub fn history(conn: &mut Connection, family: &FamilyId) -> Result<Vec<Said>, DbError> {
    lifecycle::of_family(conn, family)
}

/// Says how long a family is supported. `revision` is that of the newest statement which the person
/// has seen; 0 when there was none.
///
/// # Errors
/// `lifecycle_refused` with the reason, `lifecycle_moved` when somebody else has said something
/// meanwhile, or a failure of ours.
pub async fn say(
    app: &Arc<App>,
    family: &FamilyId,
    lifecycle: Lifecycle,
    revision: u64,
    who: &Who,
) -> Result<Said, ApiError> {
    let at = app.clock.now();
    let (family, by, name) = (family.clone(), who.by(), who.name.clone());
    app.db
        .write(move |conn| {
            let before = history(conn, &family)?.into_iter().next();
            let held = before.as_ref().map_or(0, |said| said.revision);
            if held != revision {
                return Err(ApiError::of(ErrorCode::LifecycleMoved));
            }
            lifecycle.check(before.as_ref().map(|said| &said.lifecycle), at).map_err(refused)?;
            let revision = held.saturating_add(1);
            let said = Said { revision, lifecycle, at, by, name };
            if !lifecycle::insert(conn, &family, &said)? {
                return Err(ApiError::of(ErrorCode::LifecycleMoved));
            }
            let scope = RepositoryId::Family(family).to_string();
            let detail = json!({ "revision": revision, "lifecycle": said.lifecycle });
            let (who, act) = (said.by.clone(), "say-lifecycle");
            act::append(conn, &Act { at, scope, who, act, detail })?;
            Ok(said)
        })
        .await
}

/// A refusal with its reason.
#[must_use]
pub fn refused(broken: Broken) -> ApiError {
    ApiError::because(ErrorCode::LifecycleRefused, &broken)
}
