//! The enrolment pack: what a hospital hands to a device so that it knows whom to trust.
//!
//! It is carried by hand or medium. The family root is *not* in it: that comes with the agent from
//! the manufacturer, and no server or hospital can replace it. There is no trust on first use.
//! Invariant: the site root in a pack is used as given, so the way it travels must be trusted.

use crate::canonical::{self, Charset, ReadJson};
use crate::digest::Sha256Digest;
use crate::id::{DeviceId, FamilyId, SiteId};
use crate::key::PublicKey;
use crate::limits::PACK_BYTES_MAX;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An enrolment pack. A JSON file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolmentPack {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// Where the server is, e.g. `https://patchward.example:8443`.
    pub url: String,
    /// SHA-256 of the server certificate's public key (SPKI), when the pack pins it.
    pub tls_spki_sha256: Option<Sha256Digest>,
    /// PEM of the certificate authority that signed the server's certificate, when it is a private one.
    pub tls_ca_pem: Option<String>,
    /// The site.
    pub site: SiteId,
    /// The site's root.json, byte for byte, in base64.
    pub site_root: String,
    /// The key that signs receipts.
    pub record_key: PublicKey,
    /// One-time token.
    pub token: String,
    /// When the token ends.
    pub expires: Timestamp,
    /// Families that it is good for.
    pub families: Vec<FamilyId>,
    /// The one device it is good for; any when absent.
    pub device: Option<DeviceId>,
}

impl EnrolmentPack {
    /// Reads a pack.
    ///
    /// # Errors
    /// [`ReadJson`] when it is too long or not of this shape.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadJson> {
        canonical::read(bytes, PACK_BYTES_MAX, Charset::Unicode)
    }
}
