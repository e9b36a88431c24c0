//! API tokens for people and machines: made, listed, revoked; shown once.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::id::{FamilyId, SiteId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Turns the one-time token that `patchward-server init` printed into the first administrator's.
#[derive(Debug)]
pub struct ClaimFirst;

impl Endpoint for ClaimFirst {
    type Caller = caller::FirstAdministrator;
    type Path = ();
    type Body = ();
    type Reply = NewToken;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/claim";
    const SUMMARY: &'static str =
        "Exchange the one-time token of init for an administrator's token";
}

/// Makes a token.
#[derive(Debug)]
pub struct MakeToken;

impl Endpoint for MakeToken {
    type Caller = caller::Administrator;
    type Path = ();
    type Body = MakeTokenRequest;
    type Reply = NewToken;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/tokens";
    const SUMMARY: &'static str = "Make an API token";
}

/// Body of [`MakeToken`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MakeTokenRequest {
    /// What it is for, for people.
    pub label: String,
    /// What it covers.
    pub scope: Scope,
    /// Life in seconds, 60 to a year.
    pub life_s: u32,
}

/// What a token covers. A token never replaces the signature threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scope {
    /// Everything an administrator of the server may do; no device can be made to act by it.
    Administrator,
    /// Uploading and publishing for these families of one manufacturer.
    Maker {
        /// The families.
        families: Vec<FamilyId>,
    },
    /// Everything of one site.
    Site {
        /// The site.
        site: SiteId,
    },
}

/// A token, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewToken {
    /// Its name in lists.
    pub id: String,
    /// The secret: `pw_` and 64 hexadecimal digits. The server keeps its SHA-256 only.
    pub token: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// Lists tokens, without secrets.
#[derive(Debug)]
pub struct ListTokens;

impl Endpoint for ListTokens {
    type Caller = caller::Administrator;
    type Path = ();
    type Body = ();
    type Reply = Vec<TokenView>;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/tokens";
    const SUMMARY: &'static str = "API tokens, without their secrets";
}

/// A token without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenView {
    /// Its name.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// What it covers.
    pub scope: Scope,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Revokes a token.
#[derive(Debug)]
pub struct RevokeToken;

impl Endpoint for RevokeToken {
    type Caller = caller::Administrator;
    type Path = (String,);
    type Body = ();
    type Reply = ();
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/v1/tokens/{id}";
    const SUMMARY: &'static str = "Revoke an API token, at once";
}

/// Says whose token this is.
#[derive(Debug)]
pub struct WhoAmI;

impl Endpoint for WhoAmI {
    type Caller = caller::TokenHolder;
    type Path = ();
    type Body = ();
    type Reply = TokenView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/whoami";
    const SUMMARY: &'static str = "The token that asks";
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![
        Description::of::<ClaimFirst>("ClaimFirst"),
        Description::of::<MakeToken>("MakeToken"),
        Description::of::<ListTokens>("ListTokens"),
        Description::of::<RevokeToken>("RevokeToken"),
        Description::of::<WhoAmI>("WhoAmI"),
    ]
}
