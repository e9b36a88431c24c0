//! Repositories: opening one, and publishing what was signed elsewhere.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::digest::Sha256Digest;
use crate::id::RepositoryId;
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Opens a repository: the server makes its online keys and answers their public halves, which
/// the owner then signs into the first root.
#[derive(Debug)]
pub struct OpenRepository;

impl Endpoint for OpenRepository {
    type Caller = caller::Administrator;
    type Path = (String, String);
    type Body = OpenRepositoryRequest;
    type Reply = RepositoryView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/repositories/{kind}/{name}";
    const SUMMARY: &'static str = "Open a family's or site's repository and make its online keys";
}

/// Body of [`OpenRepository`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenRepositoryRequest {
    /// Name for people, in English.
    pub title_en: String,
    /// Name for people, in Japanese.
    pub title_ja: String,
    /// Who may read a family; a site is always restricted.
    pub reading: Reading,
}

/// Who may read a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Anybody.
    Public,
    /// Holders of a device token or API token that covers it; 404 for others.
    Restricted,
}

/// Shows a repository.
#[derive(Debug)]
pub struct ShowRepository;

impl Endpoint for ShowRepository {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = ();
    type Reply = RepositoryView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/repositories/{kind}/{name}";
    const SUMMARY: &'static str = "Online keys and current versions of a repository";
}

/// A repository as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepositoryView {
    /// Its id.
    pub repository: RepositoryId,
    /// Who may read it.
    pub reading: Reading,
    /// Public half of the online snapshot key.
    pub snapshot_key: PublicKey,
    /// Public half of the online timestamp key.
    pub timestamp_key: PublicKey,
    /// Public half of the online key of the role `deltas`; families only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deltas_key: Option<PublicKey>,
    /// Current documents, by role name; empty before the first publish.
    pub heads: Vec<Head>,
}

/// The current document of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Head {
    /// `root`, `targets`, `snapshot`, `timestamp`, and `deltas` where there are any.
    pub role: String,
    /// Its version.
    pub version: u64,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
    /// When it expires.
    pub expires: Timestamp,
}

/// Publishes a signed root or targets document.
#[derive(Debug)]
pub struct Publish;

impl Endpoint for Publish {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = PublishRequest;
    type Reply = RepositoryView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/repositories/{kind}/{name}/publish";
    const SUMMARY: &'static str = "Publish a root or targets document that reached its threshold";
    const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
}

/// Body of [`Publish`]. The first publish of a repository carries root and targets together.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// A new `root.json`, byte for byte, in base64.
    pub root: Option<String>,
    /// A new `targets.json`, byte for byte, in base64.
    pub targets: Option<String>,
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![
        Description::of::<OpenRepository>("OpenRepository"),
        Description::of::<ShowRepository>("ShowRepository"),
        Description::of::<Publish>("Publish"),
    ]
}
