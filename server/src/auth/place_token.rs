//! API tokens of one place, as those who administer it make, list and revoke them in the console.
//!
//! Not here: how a token is drawn ([`super::issue`]). Invariant: nobody makes a token that covers more
//! than their place, and a token of another place is not there.

use super::issue;
use crate::app::App;
use crate::db::token;
use crate::error::ApiError;
use crate::people::role::Place;
use crate::people::who::Who;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::token::{MakeTokenRequest, NewToken, Scope, TokenView};
use patchward_protocol::id::{FamilyId, RepositoryId};
use std::collections::HashMap;

/// The tokens of a place, the newest first; those that ended long ago too.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, place: &Place) -> Result<Vec<TokenView>, ApiError> {
    let mut all = issue::list(app).await?;
    all.retain(|token| is_of(&token.scope, place));
    all.reverse();
    Ok(all)
}

/// The login names of those who made tokens in the console, by the tokens' names.
///
/// # Errors
/// A failure of ours.
pub async fn makers(app: &App) -> Result<HashMap<String, String>, ApiError> {
    Ok(app.db.read(token::makers).await?)
}

/// The families that a manufacturer's token may cover; nothing for another place.
#[must_use]
pub fn families(app: &App, place: &Place) -> Option<Vec<FamilyId>> {
    let Place::Maker(maker) = place else { return None };
    let snapshot = app.snapshot();
    let mut own: Vec<_> = snapshot
        .all()
        .filter_map(|current| match &current.id {
            RepositoryId::Family(family) if family.maker() == *maker => Some(family.clone()),
            RepositoryId::Family(_) | RepositoryId::Site(_) => None,
        })
        .collect();
    own.sort();
    Some(own)
}

/// Makes a token of a place: label, families (of a manufacturer; all when none is named), life.
///
/// # Errors
/// `request_invalid`, `not_found` for a family of somebody else, or a failure of ours.
pub async fn make(
    app: &App,
    who: &Who,
    place: &Place,
    (label, wanted, life_s): (String, Vec<FamilyId>, u32),
) -> Result<NewToken, ApiError> {
    let missing = || ApiError::of(ErrorCode::NotFound);
    let scope = match place {
        Place::Site(site) => Scope::Site { site: site.clone() },
        Place::Maker(_) => {
            let own = families(app, place).unwrap_or_default();
            if wanted.iter().any(|family| !own.contains(family)) {
                return Err(missing());
            }
            Scope::Maker { families: if wanted.is_empty() { own } else { wanted } }
        }
        Place::Server => return Err(missing()),
    };
    let maker = (who.by(), Some(who.account));
    issue::make(app, MakeTokenRequest { label, scope, life_s }, maker).await
}

/// Revokes a token of a place.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn revoke(app: &App, who: &Who, place: &Place, id: String) -> Result<(), ApiError> {
    if !list(app, place).await?.iter().any(|token| token.id == id) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    issue::revoke(app, id, (who.by(), Some(who.account))).await
}

/// Where what is done to a token of this scope is written down.
#[must_use]
pub fn place_of(scope: &Scope) -> Place {
    let server = || Place::Server;
    match scope {
        Scope::Administrator => Place::Server,
        Scope::Site { site } => Place::Site(site.clone()),
        Scope::Maker { families } => families.first().map_or_else(server, |first| {
            let place = Place::Maker(first.maker());
            if is_of(scope, &place) { place } else { Place::Server }
        }),
    }
}

/// Whether a token of this scope is one of the place.
#[must_use]
pub fn is_of(scope: &Scope, place: &Place) -> bool {
    match (scope, place) {
        (Scope::Site { site }, Place::Site(at)) => site == at,
        (Scope::Maker { families }, Place::Maker(maker)) => {
            !families.is_empty() && families.iter().all(|family| family.maker() == *maker)
        }
        (Scope::Administrator | Scope::Site { .. } | Scope::Maker { .. }, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::{MakerId, SiteId};

    #[test]
    fn a_token_belongs_to_one_place() {
        let site = |name: &str| SiteId::new(name).unwrap();
        let (city, other) = (Place::Site(site("city")), Place::Site(site("other")));
        let scope = Scope::Site { site: site("city") };
        assert!(is_of(&scope, &city) && !is_of(&scope, &other) && !is_of(&scope, &Place::Server));
        let family = |name: &str| FamilyId::new(name).unwrap();
        let acme = Place::Maker(MakerId::new("acme").unwrap());
        let maker = |families: Vec<FamilyId>| Scope::Maker { families };
        assert!(is_of(&maker(vec![family("acme.a"), family("acme.b")]), &acme));
        assert!(!is_of(&maker(vec![family("acme.a"), family("evil.b")]), &acme));
        assert!(!is_of(&maker(Vec::new()), &acme));
        assert!(!is_of(&Scope::Administrator, &city));
        assert_eq!(place_of(&scope), city);
        assert_eq!(place_of(&maker(vec![family("acme.a"), family("acme.b")])), acme);
        assert_eq!(place_of(&maker(vec![family("acme.a"), family("evil.b")])), Place::Server);
        assert_eq!(place_of(&Scope::Administrator), Place::Server);
    }
}
