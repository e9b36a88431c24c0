//! Holds are set without a key, listed, and lifted by whom they belong to.
//!
//! A site's hold is lifted by a signed act ([`super::act`]); a manufacturer's and an operator's by
//! themselves. Not here: telling devices ([`super::directive`]). Invariant: a hold never lifts by
//! itself, and its id is never used twice.

use super::reach::{Reached, target_reaches};
use crate::app::App;
use crate::auth::api_token::Holder;
use crate::db::act::{self, Act};
use crate::db::change::{self, Scope};
use crate::db::hold::{self, Hold};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::limits::{HOLD_LISTED_S, HOLD_OWNER_CHARS_MAX, HOLD_REVIEW_S_MAX};
use crate::people::who::Who;
use crate::rollout::settle;
use patchward_protocol::api::consent::{HoldView, SetHoldRequest, SetOperatorHoldRequest};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::id::{FamilyId, HoldId, RepositoryId, SiteId};
use patchward_protocol::limits::{HOLD_REASON_CHARS_MAX, HOLD_REVIEW_S};
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// Most characters of a site's name in a hold's id.
const NAME_CHARS_MAX: usize = 40;

/// Sets a hold of the site.
///
/// # Errors
/// `request_invalid`, or a failure of ours.
pub async fn set_at_site(
    app: &Arc<App>,
    site: &SiteId,
    request: SetHoldRequest,
    by: impl Into<By>,
) -> Result<HoldView, ApiError> {
    check_target(app, site, &request.target).await?;
    let whose = Whose { by: HoldBy::Site, site: Some(site.clone()), family: None };
    set(app, whose, request, by.into()).await
}

/// The manufacturer holds a release everywhere.
///
/// # Errors
/// `not_found` for a family that is not open, `request_invalid`, or a failure of ours.
pub async fn set_by_maker(
    app: &Arc<App>,
    family: &FamilyId,
    request: SetHoldRequest,
    by: impl Into<By>,
) -> Result<HoldView, ApiError> {
    if app.snapshot().get(&RepositoryId::Family(family.clone())).is_none() {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    if !matches!(&request.target, HoldTarget::Release { family: of, .. } if of == family) {
        let rule = "target: a release of this family";
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let whose = Whose { by: HoldBy::Maker, site: None, family: Some(family.clone()) };
    set(app, whose, request, by.into()).await
}

/// Whoever runs the server holds one site, or every site.
///
/// # Errors
/// `not_found` for a site that is not open, `request_invalid`, or a failure of ours.
pub async fn set_by_operator(
    app: &Arc<App>,
    request: SetOperatorHoldRequest,
    by: impl Into<By>,
) -> Result<HoldView, ApiError> {
    let SetOperatorHoldRequest { site, reason, owner } = request;
    if let Some(site) = &site
        && app.snapshot().get(&RepositoryId::Site(site.clone())).is_none()
    {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let whose = Whose { by: HoldBy::Operator, site, family: None };
    let request = SetHoldRequest { target: HoldTarget::Site, reason, owner, review_at: None };
    set(app, whose, request, by.into()).await
}

/// The holds that reach a site: standing first, then those lifted in the last 90 days.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, site: &SiteId) -> Result<Vec<HoldView>, ApiError> {
    let (at, named) = (app.clock.now(), site.clone());
    let since = at.plus_seconds(-HOLD_LISTED_S);
    let families = app.fleet.families_of(site);
    let all = app.db.read(move |conn| {
        let mut all = hold::of_site(conn, &named, since)?;
        all.extend(hold::of_server(conn, since)?);
        for family in &families {
            all.extend(hold::of_family(conn, family, since)?);
        }
        Ok::<_, DbError>(all)
    });
    let mut views: Vec<HoldView> =
        all.await?.into_iter().map(|hold| view(app, Some(site), hold, at)).collect();
    views.sort_by_key(|view| (view.lifted_at.is_some(), view.set_at, view.id.clone()));
    Ok(views)
}

/// The manufacturer lifts its own hold.
///
/// # Errors
/// `hold_unknown`, `hold_lifted`, or a failure of ours.
pub async fn lift_by_maker(
    app: &Arc<App>,
    family: &FamilyId,
    id: &str,
    by: impl Into<By>,
) -> Result<HoldView, ApiError> {
    let family = family.clone();
    let is_ours =
        move |hold: &Hold| hold.by == HoldBy::Maker && hold.family.as_ref() == Some(&family);
    lift(app, id, is_ours, by.into()).await
}

/// Whoever runs the server lifts their own hold.
///
/// # Errors
/// `hold_unknown`, `hold_lifted`, or a failure of ours.
pub async fn lift_by_operator(
    app: &Arc<App>,
    id: &str,
    by: impl Into<By>,
) -> Result<HoldView, ApiError> {
    lift(app, id, |hold: &Hold| hold.by == HoldBy::Operator, by.into()).await
}

/// Who sets or lifts a hold: a token, or a person on a page.
#[derive(Debug, Clone)]
pub struct By {
    /// The `who` of the act.
    pub id: String,
    /// The name that people read.
    pub name: String,
}

impl From<&Holder> for By {
    fn from(holder: &Holder) -> Self {
        Self { id: holder.id.clone(), name: holder.label.clone() }
    }
}

impl From<&Who> for By {
    fn from(who: &Who) -> Self {
        Self { id: who.by(), name: who.name.clone() }
    }
}

/// Whose a new hold is, and where.
struct Whose {
    by: HoldBy,
    site: Option<SiteId>,
    family: Option<FamilyId>,
}

async fn set(
    app: &Arc<App>,
    whose: Whose,
    request: SetHoldRequest,
    author: By,
) -> Result<HoldView, ApiError> {
    let at = app.clock.now();
    let SetHoldRequest { target, reason, owner, review_at } = request;
    let review_at = review_at.unwrap_or_else(|| at.plus_seconds(HOLD_REVIEW_S));
    check_words(&reason, &owner)?;
    if review_at <= at || review_at > at.plus_seconds(HOLD_REVIEW_S_MAX) {
        let rule = "review_at: later than now, within 90 days";
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let Whose { by, site, family } = whose;
    let scope = scope_of(site.as_ref(), family.as_ref());
    let By { id: who, name: set_by } = author;
    let changed = scope.clone();
    let hold = app.db.write(move |conn| {
        let id = next_id(conn, site.as_ref(), by, at)?;
        let (set_at, lifted_at, lift) = (at, None, None);
        let hold = Hold {
            id,
            by,
            site,
            family,
            target,
            reason,
            owner,
            set_by,
            set_at,
            review_at,
            lifted_at,
            lift,
        };
        hold::insert(conn, &hold)?;
        record(conn, &hold, "hold", who, at)?;
        change::mark(conn, &changed)?;
        Ok::<_, ApiError>(hold)
    });
    let hold = hold.await?;
    tracing::warn!(hold.id = %hold.id, "A hold was set");
    if let Err(error) = settle::after_decision(app, &scope).await {
        // It stands: whoever set it must not be told otherwise. Devices hear of it with the next look.
        let chain = crate::error::Chain(&error).to_string();
        tracing::error!(hold.id = %hold.id, error = %chain, "A hold is stored and not yet followed");
        app.views.ask_to_look();
    }
    let site = hold.site.clone();
    Ok(view(app, site.as_ref(), hold, at))
}

async fn lift(
    app: &Arc<App>,
    id: &str,
    is_ours: impl Fn(&Hold) -> bool + Send + 'static,
    author: By,
) -> Result<HoldView, ApiError> {
    let id = HoldId::new(id).map_err(|_| ApiError::of(ErrorCode::HoldUnknown))?;
    let (at, By { id: who, name: label }) = (app.clock.now(), author);
    let lifted = app.db.write(move |conn| {
        let found = hold::find(conn, &id)?.filter(is_ours);
        let hold = found.ok_or_else(|| ApiError::of(ErrorCode::HoldUnknown))?;
        if !hold::lift(conn, &id, at, &label, None)? {
            return Err(ApiError::of(ErrorCode::HoldLifted));
        }
        record(conn, &hold, "lift-hold", who, at)?;
        change::mark(conn, &scope_of(hold.site.as_ref(), hold.family.as_ref()))?;
        Ok(Hold { lifted_at: Some(at), ..hold })
    });
    let hold = lifted.await?;
    settle::after_decision(app, &scope_of(hold.site.as_ref(), hold.family.as_ref())).await?;
    let site = hold.site.clone();
    Ok(view(app, site.as_ref(), hold, at))
}

/// Where a hold counts.
#[must_use]
pub fn scope_of(site: Option<&SiteId>, family: Option<&FamilyId>) -> Scope {
    match (site, family) {
        (Some(site), _) => Scope::Site(site.clone()),
        (None, Some(family)) => Scope::Family(family.clone()),
        (None, None) => Scope::Server,
    }
}

/// Makes setting or lifting a hold an entry of the records that it concerns.
///
/// # Errors
/// [`DbError`].
fn record(
    conn: &mut Connection,
    hold: &Hold,
    act: &'static str,
    who: String,
    at: Timestamp,
) -> Result<(), DbError> {
    let scope = match scope_of(hold.site.as_ref(), hold.family.as_ref()) {
        Scope::Site(site) | Scope::Devices(site) => RepositoryId::Site(site).to_string(),
        Scope::Family(family) => RepositoryId::Family(family).to_string(),
        Scope::Server => "server".to_owned(),
    };
    let detail = json!({
        "hold": hold.id, "by": hold.by, "target": hold.target, "reason": hold.reason,
        "owner": hold.owner, "name": hold.set_by, "review_at": hold.review_at,
    });
    act::append(conn, &Act { at, scope, who, act, detail })
}

fn next_id(
    conn: &mut Connection,
    site: Option<&SiteId>,
    by: HoldBy,
    at: Timestamp,
) -> Result<HoldId, ApiError> {
    let whose = match (by, site) {
        (HoldBy::Maker, _) => "maker",
        (HoldBy::Operator, _) => "operator",
        (HoldBy::Site | HoldBy::Freeze, None) => "site",
        (HoldBy::Site | HoldBy::Freeze, Some(site)) => site.as_str(),
    };
    let name: String = whose.chars().take(NAME_CHARS_MAX).collect();
    let day: String = at.to_string().chars().take(10).collect();
    let prefix = format!("{name}-{day}-");
    let n = hold::count_prefix(conn, &prefix)?.saturating_add(1);
    HoldId::new(&format!("{prefix}{n}")).map_err(ApiError::failed)
}

fn check_words(reason: &str, owner: &str) -> Result<(), ApiError> {
    let rules = [("reason", reason, HOLD_REASON_CHARS_MAX), ("owner", owner, HOLD_OWNER_CHARS_MAX)];
    for (field, text, chars_max) in rules {
        let fits = (1..=chars_max).contains(&text.trim().chars().count());
        if !fits || text.chars().count() > chars_max || text.chars().any(char::is_control) {
            let rule = format!("{field}: 1 to {chars_max} characters, no control characters");
            return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
        }
    }
    Ok(())
}

/// A hold on something that is not there would hold nothing, and nobody would notice.
async fn check_target(app: &App, site: &SiteId, target: &HoldTarget) -> Result<(), ApiError> {
    let consent = app.views.consent();
    let layout = consent.site(site).map(|consent| &consent.layout);
    let missing = match target {
        HoldTarget::Site => None,
        HoldTarget::Ward { ward } => {
            let known = layout.is_some_and(|layout| layout.has_ward(ward));
            (!known).then_some("target.ward: no ward of the inventory")
        }
        HoldTarget::Release { family, .. } => {
            let known = app.snapshot().get(&RepositoryId::Family(family.clone())).is_some();
            (!known).then_some("target.family: no family of this server")
        }
        HoldTarget::Device { device } => {
            let listed = layout.is_some_and(|layout| layout.place(device).is_some());
            let known = listed || {
                let (site, device) = (site.clone(), device.clone());
                let find =
                    move |conn: &mut Connection| crate::db::device::find(conn, &site, &device);
                app.db.read(find).await?.is_some()
            };
            (!known).then_some("target.device: no device of the site")
        }
    };
    missing.map_or(Ok(()), |rule| Err(ApiError::with(ErrorCode::RequestInvalid, rule)))
}

/// A hold as people see it; `site` is the one that asks.
fn view(app: &App, site: Option<&SiteId>, hold: Hold, at: Timestamp) -> HoldView {
    let consent = app.views.consent();
    let layout = site.and_then(|site| consent.site(site)).map(|consent| &consent.layout);
    let standing = hold.lifted_at.is_none();
    let devices = app.fleet.count_where(site, |device, family| {
        let place = layout.and_then(|layout| layout.place(device));
        standing && target_reaches(&hold.target, Reached { device, family, place })
    });
    HoldView {
        overdue: standing && hold.review_at <= at,
        id: hold.id,
        target: hold.target,
        by: hold.by,
        set_by: hold.set_by,
        reason: hold.reason,
        owner: hold.owner,
        set_at: hold.set_at,
        review_at: hold.review_at,
        lifted_at: hold.lifted_at,
        devices,
    }
}
