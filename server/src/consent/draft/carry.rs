//! A draft leaves as one file and comes back signed.
//!
//! Not here: signing on the other machine (the command line). Invariant: what is handed out holds the
//! text that the console shows, so that the other machine can compare it with the bytes.

use super::facts::Facts;
use super::kept::{Draft, File};
use super::sign::{self, After};
use super::{make, status};
use crate::app::App;
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::draft::carried::{CarriedDraft, Told, encode};
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::id::SiteId;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use std::sync::Arc;

/// The open draft as a file.
///
/// # Errors
/// `draft_unknown`, or a failure of ours.
pub async fn give(app: &Arc<App>, site: &SiteId) -> Result<CarriedDraft, ApiError> {
    let draft = make::open(app, site).await?;
    let facts = Facts::of(app, site).await?;
    carried(&draft, &facts)
}

/// A draft as a file.
///
/// # Errors
/// A failure of ours.
pub fn carried(draft: &Draft, facts: &Facts) -> Result<CarriedDraft, ApiError> {
    let stated = status::stated(draft, facts)?;
    let shown = draft.shown(Some(&facts.published), &stated)?;
    let base = facts.current.documents.as_ref().map(|at| encode(&at.targets.bytes));
    let told = |stated: &Stated| {
        let told = Told { release: stated.release.clone(), cves: stated.cves.clone() };
        (stated.approval.id.clone(), told)
    };
    let file = |file: &File| (file.path.clone(), encode(file.text.as_bytes()));
    Ok(CarriedDraft {
        v: 1,
        stage: encode(&draft.staged.to_bytes()),
        approvals: draft.approvals.iter().map(file).collect(),
        base,
        inventory: facts.known.inventory.clone(),
        devices: draft.devices.clone(),
        told: stated.iter().map(told).collect(),
        shown,
        acts: draft.acts.clone(),
    })
}

/// The name of the file.
#[must_use]
pub fn file_name(draft: &Draft) -> String {
    let suffix = patchward_protocol::draft::carried::SUFFIX;
    format!("{}-v{}{suffix}", draft.site, draft.staged.version())
}

/// Takes a file that was signed elsewhere.
///
/// # Errors
/// `body_malformed`, and as [`sign::take_copy`].
pub async fn take(app: &Arc<App>, site: &SiteId, carried: CarriedDraft) -> Result<After, ApiError> {
    let malformed =
        |error: &dyn std::error::Error| ApiError::because(ErrorCode::BodyMalformed, error);
    let bytes = carried.stage_bytes().map_err(|error| malformed(&error))?;
    let copy = Staged::read(Role::Targets, &bytes).map_err(|error| malformed(&error))?;
    sign::take_copy(app, site, &copy, carried.acts).await
}
