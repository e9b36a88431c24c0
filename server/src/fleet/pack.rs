//! Enrolment packs: what a hospital carries to a device.
//!
//! The pack pins the site's root and the record key, so that the device trusts nothing that it first
//! hears over the network. Not here: carrying it. Invariant: a pack's token is one-time, ends, and
//! names the families, and the device where one is named.

use crate::app::App;
use crate::auth::api_token::TokenSecret;
use crate::clock::random;
use crate::config::Config;
use crate::db::act::{self, Act};
use crate::db::token::{self, EnrolmentToken};
use crate::error::ApiError;
use crate::limits::{ENROLMENT_LIFE_S_MAX, PACK_FAMILIES_MAX, TOKEN_LIFE_S_MIN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::MakePackRequest;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, SiteId};
use patchward_protocol::key::Signer as _;
use patchward_protocol::pack::EnrolmentPack;
use serde_json::json;

/// Where devices find this server, and how they know that it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// E.g. `https://patchward.example:8443`.
    pub url: String,
    /// SHA-256 of the certificate's public key (SPKI), when packs pin it.
    pub tls_spki_sha256: Option<Sha256Digest>,
    /// PEM of the private authority that signed the certificate.
    pub tls_ca_pem: Option<String>,
}

impl Address {
    /// As the configuration says it, for a server that does not listen yet.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let url = config.public_url.clone();
        Self {
            url: url.unwrap_or_else(|| format!("{scheme}://{}", config.listen)),
            tls_spki_sha256: None,
            tls_ca_pem: None,
        }
    }
}

/// Makes a pack; `who` is the name of the caller's token.
///
/// # Errors
/// `not_found` for a site that is not open, `repository_empty` before its first publish,
/// `request_invalid`, `family_unknown`, or a failure of ours.
pub async fn make(
    app: &App,
    site: &SiteId,
    request: MakePackRequest,
    who: String,
) -> Result<EnrolmentPack, ApiError> {
    let MakePackRequest { families, device, life_s } = request;
    let snapshot = app.snapshot();
    let held = snapshot.get(&RepositoryId::Site(site.clone()));
    let held = held.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let documents =
        held.documents.as_ref().ok_or_else(|| ApiError::of(ErrorCode::RepositoryEmpty))?;
    if families.is_empty() || families.len() > PACK_FAMILIES_MAX {
        return Err(ApiError::with(ErrorCode::RequestInvalid, "families: 1 to 64"));
    }
    if !(TOKEN_LIFE_S_MIN..=ENROLMENT_LIFE_S_MAX).contains(&life_s) {
        let rule = format!("life_s: {TOKEN_LIFE_S_MIN} to {ENROLMENT_LIFE_S_MAX} seconds");
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let is_open = |family| snapshot.get(&RepositoryId::Family(family)).is_some();
    if let Some(family) = families.iter().find(|family| !is_open((*family).clone())) {
        return Err(ApiError::with(ErrorCode::FamilyUnknown, family.to_string()));
    }
    let at = app.clock.now();
    let secret = TokenSecret::from_random(random(app.rng.as_ref())?);
    let expires = at.plus_seconds(i64::from(life_s)).whole_second();
    let token = EnrolmentToken { site: site.clone(), families, device, expires, used_by: None };
    let (stored, digest) = (token.clone(), secret.digest());
    app.db
        .write(move |conn| {
            token::insert_enrolment(conn, &stored, digest, at)?;
            let scope = RepositoryId::Site(stored.site).to_string();
            let EnrolmentToken { families, device, expires, .. } = stored;
            let detail = json!({ "families": families, "device": device, "expires": expires });
            act::append(conn, &Act { at, scope, who, act: "make-pack", detail })
        })
        .await?;
    let address = app.address.get().cloned().unwrap_or_else(|| Address::of(&app.config));
    Ok(EnrolmentPack {
        v: 1,
        url: address.url,
        tls_spki_sha256: address.tls_spki_sha256,
        tls_ca_pem: address.tls_ca_pem,
        site: token.site,
        site_root: STANDARD.encode(&documents.root.bytes),
        record_key: app.keys.record().public(),
        token: secret.reveal(),
        expires,
        families: token.families,
        device: token.device,
    })
}
