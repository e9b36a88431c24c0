//! From a request to a proof: one implementation for each caller kind of `protocol::api`.
//!
//! A proof can be made here only, and a handler cannot be mounted without the proof of its
//! endpoint's kind. Not here: what the proven caller may do beyond what the kind says.
//! Invariant: who may not see a thing is told `not_found`, never that it is there.

use super::api_token::{Holder, TokenDigest};
use super::bearer::Bearer;
use super::covers;
use crate::app::App;
use crate::error::ApiError;
use crate::fleet::{check_in, enrol};
use crate::http::mount::Incoming;
use crate::limits::SIGNATURES_IN_PLACE_MAX;
use crate::record::report;
use actix_web::http::header::HeaderMap;
use actix_web::web;
use patchward_protocol::api::consent::{LiftMakerHold, ReadCampaign, SetMakerHold, WriteCampaign};
use patchward_protocol::api::delta::ListDeltas;
use patchward_protocol::api::device::{CheckIn, Enrol, Report};
use patchward_protocol::api::endpoint::{Caller, Endpoint, caller};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{Publish, ShowRepository};
use patchward_protocol::api::token::Scope;
use patchward_protocol::id::{BadId, RepositoryId, SiteId};
use std::future::Future;
use std::sync::Arc;

/// Turns a caller kind into a proof for the endpoint `E`.
pub trait Prove<E: Endpoint>: Caller + Sized {
    /// What the handler receives.
    type Proof;

    /// Proves the caller and reads the body.
    ///
    /// # Errors
    /// Why the caller is not one of this kind, or what is wrong with the body.
    fn prove(
        incoming: Incoming<'_, E>,
        path: &E::Path,
    ) -> impl Future<Output = Result<(Self::Proof, E::Body), ApiError>>;
}

/// A path whose first part names a site.
pub trait NamesSite {
    /// The text of the name.
    fn site(&self) -> &str;
}

impl NamesSite for (String,) {
    fn site(&self) -> &str {
        &self.0
    }
}

impl NamesSite for (String, String) {
    fn site(&self) -> &str {
        &self.0
    }
}

impl NamesSite for (String, String, u64) {
    fn site(&self) -> &str {
        &self.0
    }
}

/// An endpoint for publishers, whose path names a repository.
pub trait NamesRepository: Endpoint {
    /// Kind and name, as they stand in URLs.
    fn repository(path: &Self::Path) -> (&str, &str);
}

macro_rules! names_repository {
    ($($endpoint:ty => |$path:ident| $parts:expr;)*) => {$(
        impl NamesRepository for $endpoint {
            fn repository($path: &Self::Path) -> (&str, &str) {
                $parts
            }
        }
    )*};
}

names_repository! {
    ShowRepository => |path| (&path.0, &path.1);
    Publish => |path| (&path.0, &path.1);
    ListDeltas => |path| (&path.0, &path.1);
    SetMakerHold => |path| ("family", &path.0);
    LiftMakerHold => |path| ("family", &path.0);
    WriteCampaign => |path| ("family", &path.0);
    ReadCampaign => |path| ("family", &path.0);
}

/// Anybody: nothing is proven.
#[derive(Debug, Clone, Copy)]
pub struct Anybody(());

/// A holder of an API token that covers a site.
#[derive(Debug, Clone)]
pub struct SiteHolder {
    site: SiteId,
    holder: Holder,
}

/// A holder of an API token that covers a repository.
#[derive(Debug, Clone)]
pub struct PublisherHolder {
    repository: RepositoryId,
    holder: Holder,
}

/// A holder of an administrator's token.
#[derive(Debug, Clone)]
pub struct AdministratorHolder(Holder);

/// A holder of any API token.
#[derive(Debug, Clone)]
pub struct AnyHolder(Holder);

/// Somebody with a token in the form of the one that `init` printed; the transaction that uses it
/// up decides whether it is that one.
#[derive(Debug, Clone, Copy)]
pub struct Claimant(TokenDigest);

impl SiteHolder {
    /// The site.
    #[must_use]
    pub const fn site(&self) -> &SiteId {
        &self.site
    }

    /// The token.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl PublisherHolder {
    /// The repository.
    #[must_use]
    pub const fn repository(&self) -> &RepositoryId {
        &self.repository
    }

    /// The token.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl AdministratorHolder {
    /// The token.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.0
    }
}

impl AnyHolder {
    /// The token.
    #[must_use]
    pub const fn holder(&self) -> &Holder {
        &self.0
    }
}

impl Claimant {
    /// Digest of what was presented.
    #[must_use]
    pub const fn digest(&self) -> TokenDigest {
        self.0
    }
}

impl<E: Endpoint<Caller = Self>> Prove<E> for caller::Anyone {
    type Proof = Anybody;

    async fn prove(incoming: Incoming<'_, E>, _: &E::Path) -> Result<(Anybody, E::Body), ApiError> {
        Ok((Anybody(()), incoming.read().await?))
    }
}

impl<E: Endpoint<Caller = Self, Path: NamesSite>> Prove<E> for caller::Site {
    type Proof = SiteHolder;

    async fn prove(
        incoming: Incoming<'_, E>,
        path: &E::Path,
    ) -> Result<(SiteHolder, E::Body), ApiError> {
        let holder = holder(incoming.app(), incoming.headers()).await?;
        let site = SiteId::new(path.site()).map_err(|error| malformed(&error))?;
        if !covers::site(&holder.scope, &site) {
            return Err(ApiError::of(ErrorCode::NotFound));
        }
        Ok((SiteHolder { site, holder }, incoming.read().await?))
    }
}

impl<E: NamesRepository + Endpoint<Caller = Self>> Prove<E> for caller::Publisher {
    type Proof = PublisherHolder;

    async fn prove(
        incoming: Incoming<'_, E>,
        path: &E::Path,
    ) -> Result<(PublisherHolder, E::Body), ApiError> {
        let (kind, name) = E::repository(path);
        let proof = publisher(incoming.app(), incoming.headers(), kind, name).await?;
        Ok((proof, incoming.read().await?))
    }
}

impl<E: Endpoint<Caller = Self>> Prove<E> for caller::Administrator {
    type Proof = AdministratorHolder;

    async fn prove(
        incoming: Incoming<'_, E>,
        _: &E::Path,
    ) -> Result<(AdministratorHolder, E::Body), ApiError> {
        let holder = holder(incoming.app(), incoming.headers()).await?;
        if holder.scope != Scope::Administrator {
            return Err(ApiError::of(ErrorCode::TokenScope));
        }
        Ok((AdministratorHolder(holder), incoming.read().await?))
    }
}

impl<E: Endpoint<Caller = Self>> Prove<E> for caller::TokenHolder {
    type Proof = AnyHolder;

    async fn prove(
        incoming: Incoming<'_, E>,
        _: &E::Path,
    ) -> Result<(AnyHolder, E::Body), ApiError> {
        let holder = holder(incoming.app(), incoming.headers()).await?;
        Ok((AnyHolder(holder), incoming.read().await?))
    }
}

impl<E: Endpoint<Caller = Self>> Prove<E> for caller::FirstAdministrator {
    type Proof = Claimant;

    async fn prove(
        incoming: Incoming<'_, E>,
        _: &E::Path,
    ) -> Result<(Claimant, E::Body), ApiError> {
        let claimant = match Bearer::read(incoming.headers()) {
            Bearer::None => return Err(ApiError::of(ErrorCode::TokenMissing)),
            Bearer::Api(secret) => Claimant(secret.digest()),
            Bearer::Device(_) | Bearer::Broken => {
                return Err(ApiError::of(ErrorCode::TokenInvalid));
            }
        };
        Ok((claimant, incoming.read().await?))
    }
}

impl Prove<Enrol> for caller::Enrolling {
    type Proof = enrol::Joining;

    async fn prove(
        incoming: Incoming<'_, Enrol>,
        (): &(),
    ) -> Result<(enrol::Joining, <Enrol as Endpoint>::Body), ApiError> {
        let body = incoming.read().await?;
        Ok((enrol::verify(&body)?, body))
    }
}

impl Prove<CheckIn> for caller::Device {
    type Proof = check_in::Asking;

    async fn prove(
        incoming: Incoming<'_, CheckIn>,
        (): &(),
    ) -> Result<(check_in::Asking, <CheckIn as Endpoint>::Body), ApiError> {
        let app = incoming.app();
        let body = incoming.read().await?;
        Ok((check_in::verify(&app.fleet, &body)?, body))
    }
}

impl Prove<Report> for caller::Device {
    type Proof = report::Reporting;

    async fn prove(
        incoming: Incoming<'_, Report>,
        (): &(),
    ) -> Result<(report::Reporting, <Report as Endpoint>::Body), ApiError> {
        let app = incoming.app();
        let mut body = incoming.read().await?;
        let entries = std::mem::take(&mut body.entries);
        if entries.len() <= SIGNATURES_IN_PLACE_MAX {
            return Ok((report::verify(&app.fleet, &body, entries)?, body));
        }
        // Many signatures take milliseconds; polls on this thread do not wait for them.
        let fleet = Arc::clone(&app.fleet);
        let verify = move || report::verify(&fleet, &body, entries).map(|proof| (proof, body));
        web::block(verify).await.map_err(ApiError::failed)?
    }
}

/// Proves a publisher of a repository from a request's head, for uploads too.
///
/// # Errors
/// `token_missing`, `token_invalid`, `path_malformed`, and `not_found` where the token does not cover
/// the repository.
pub async fn publisher(
    app: &App,
    headers: &HeaderMap,
    kind: &str,
    name: &str,
) -> Result<PublisherHolder, ApiError> {
    let holder = holder(app, headers).await?;
    let repository = RepositoryId::from_parts(kind, name).map_err(|error| malformed(&error))?;
    if !covers::repository(&holder.scope, &repository) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    Ok(PublisherHolder { repository, holder })
}

/// The holder of the API token of a request.
///
/// # Errors
/// `token_missing` and `token_invalid`.
pub async fn holder(app: &App, headers: &HeaderMap) -> Result<Holder, ApiError> {
    match Bearer::read(headers) {
        Bearer::None => Err(ApiError::of(ErrorCode::TokenMissing)),
        Bearer::Device(_) | Bearer::Broken => Err(ApiError::of(ErrorCode::TokenInvalid)),
        Bearer::Api(secret) => find(app, secret.digest()).await,
    }
}

async fn find(app: &App, digest: TokenDigest) -> Result<Holder, ApiError> {
    let found = app.db.read(move |conn| crate::db::token::find_api(conn, digest)).await?;
    let at = app.clock.now();
    let good = found.filter(|token| token.revoked.is_none() && at < token.expires);
    let token = good.ok_or_else(|| ApiError::of(ErrorCode::TokenInvalid))?;
    Ok(Holder { id: token.id, label: token.label, scope: token.scope, expires: token.expires })
}

fn malformed(error: &BadId) -> ApiError {
    ApiError::with(ErrorCode::PathMalformed, error.to_string())
}
