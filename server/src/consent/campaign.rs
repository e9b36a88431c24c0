//! A manufacturer's campaign: the outer limit of every site's waves.
//!
//! It only narrows what hospitals approved. Not here: whom it reaches ([`super::reach`]).
//! Invariant: a campaign is replaced whole, by compare-and-swap on its revision.

use crate::app::App;
use crate::consent::hold::By;
use crate::db::act::{self, Act};
use crate::db::campaign;
use crate::db::change::{self, Scope};
use crate::error::ApiError;
use crate::rollout::settle;
use patchward_protocol::api::consent::{Campaign, CampaignState};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most sites that one campaign names.
const SITES_MAX: usize = 1_000;

/// The campaign of a release; everywhere at once when none was set.
///
/// # Errors
/// `not_found` for a family that is not open, `path_malformed`, or a failure of ours.
pub async fn read(app: &App, family: &FamilyId, image: &str) -> Result<Campaign, ApiError> {
    let image = named(app, family, image)?;
    let of = family.clone();
    let all = app.db.read(move |conn| campaign::of_family(conn, &of)).await?;
    let found = all.into_iter().find(|(sha256, ..)| *sha256 == image);
    Ok(found.map_or_else(everywhere, |(_, campaign, _)| campaign))
}

/// Replaces the campaign of a release. Its revision must be the stored one; the reply has the next.
///
/// # Errors
/// `not_found`, `path_malformed`, `request_invalid`, `campaign_conflict`, or a failure of ours.
pub async fn write(
    app: &Arc<App>,
    family: &FamilyId,
    image: &str,
    campaign: Campaign,
    by: impl Into<By>,
) -> Result<Campaign, ApiError> {
    let image = named(app, family, image)?;
    let sites: BTreeSet<_> = campaign.sites.iter().collect();
    let open = usize::try_from(campaign.sites_open).unwrap_or(usize::MAX);
    let rule = if campaign.percent > 100 {
        Some("percent: 0 to 100")
    } else if campaign.sites.len() > SITES_MAX || sites.len() != campaign.sites.len() {
        Some("sites: at most 1000, each once")
    } else if open > campaign.sites.len() {
        Some("sites_open: at most the number of sites")
    } else {
        None
    };
    if let Some(rule) = rule {
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let (at, from) = (app.clock.now(), campaign.revision);
    let next = Campaign { revision: from.saturating_add(1), ..campaign };
    let (stored, of, who) = (next.clone(), family.clone(), by.into().id);
    let swapped = app.db.write(move |conn| {
        if !campaign::swap(conn, &of, &image, &stored, from, at)? {
            return Ok(false);
        }
        let scope = RepositoryId::Family(of.clone()).to_string();
        let detail = json!({ "image_sha256": image, "campaign": stored });
        act::append(conn, &Act { at, scope, who, act: "write-campaign", detail })?;
        change::mark(conn, &Scope::Family(of))?;
        Ok::<_, ApiError>(true)
    });
    if !swapped.await? {
        return Err(ApiError::of(ErrorCode::CampaignConflict));
    }
    settle::after_decision(app, &Scope::Family(family.clone())).await?;
    Ok(next)
}

/// What counts where no campaign was set.
#[must_use]
pub const fn everywhere() -> Campaign {
    Campaign {
        revision: 0,
        state: CampaignState::Running,
        sites: Vec::new(),
        sites_open: 0,
        percent: 100,
    }
}

fn named(app: &App, family: &FamilyId, image: &str) -> Result<Sha256Digest, ApiError> {
    if app.snapshot().get(&RepositoryId::Family(family.clone())).is_none() {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let malformed = |_| ApiError::with(ErrorCode::PathMalformed, "image_sha256: 64 hex digits");
    image.parse().map_err(malformed)
}
