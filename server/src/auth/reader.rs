//! Who may read a repository: a public family anybody; anything else those whom it concerns.
//!
//! A restricted family concerns its maker, its devices, and sites that have such devices. A site
//! concerns itself and its devices. Everybody else is told `not_found`, as for one that is not there.
//! Not here: sending files. Invariant: a reader without right cannot tell a repository that is hidden
//! from one that does not exist.

use super::bearer::Bearer;
use super::caller::holder;
use super::covers;
use super::device_token::DeviceBearer;
use crate::app::App;
use crate::error::ApiError;
use crate::publish::current::Current;
use actix_web::http::header::HeaderMap;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::api::token::Scope;
use patchward_protocol::id::RepositoryId;
use std::sync::Arc;

/// The repository, for those who may read it.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn readable(
    app: &App,
    headers: &HeaderMap,
    kind: &str,
    name: &str,
) -> Result<Arc<Current>, ApiError> {
    let hidden = || ApiError::of(ErrorCode::NotFound);
    let repository = RepositoryId::from_parts(kind, name).map_err(|_| hidden())?;
    let current = app.snapshot().get(&repository).cloned().ok_or_else(hidden)?;
    let is_public = match (&repository, current.reading) {
        (RepositoryId::Family(_), Reading::Public) => true,
        (RepositoryId::Family(_), Reading::Restricted) | (RepositoryId::Site(_), _) => false,
    };
    if is_public || is_concerned(app, headers, &repository).await? {
        Ok(current)
    } else {
        Err(hidden())
    }
}

async fn is_concerned(
    app: &App,
    headers: &HeaderMap,
    repository: &RepositoryId,
) -> Result<bool, ApiError> {
    match Bearer::read(headers) {
        Bearer::None | Bearer::Broken => Ok(false),
        Bearer::Device(token) => {
            let bearer = app.device_tokens.check(&token, app.clock.now());
            Ok(bearer.is_some_and(|bearer| concerns_device(&bearer, repository)))
        }
        Bearer::Api(_) => match holder(app, headers).await {
            Ok(holder) => Ok(concerns_holder(app, &holder.scope, repository)),
            Err(ApiError::Refused { code: ErrorCode::TokenInvalid, .. }) => Ok(false),
            Err(error) => Err(error),
        },
    }
}

fn concerns_device(bearer: &DeviceBearer, repository: &RepositoryId) -> bool {
    match repository {
        RepositoryId::Family(family) => bearer.family == *family,
        RepositoryId::Site(site) => bearer.site == *site,
    }
}

fn concerns_holder(app: &App, scope: &Scope, repository: &RepositoryId) -> bool {
    let has_such_devices = match (scope, repository) {
        (Scope::Site { site }, RepositoryId::Family(family)) => {
            app.fleet.site_has_family(site, family)
        }
        (Scope::Site { .. } | Scope::Maker { .. } | Scope::Administrator, _) => false,
    };
    has_such_devices || covers::repository(scope, repository)
}
