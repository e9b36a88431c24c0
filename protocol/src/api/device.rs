//! What devices say: enrolment, check-in, reports.
//!
//! Everything a device says is in an envelope it signed; replay is met by `(boot_count, n)`, which
//! rises per device, because a device may have no clock.

use super::endpoint::{Description, Endpoint, Method, caller};
use super::record::RecordShown;
use crate::digest::Sha256Digest;
use crate::directive::Directive;
use crate::envelope::Envelope;
use crate::id::{DeviceId, FamilyId, HardwareId, LedgerId, SiteId};
use crate::image::ImageRef;
use crate::key::PublicKey;
use crate::limits::REPORT_BYTES_MAX;
use crate::proof::WaveProof;
use crate::reason::Reason;
use crate::receipt::Nonce;
use crate::slot::Slot;
use serde::{Deserialize, Serialize};

/// A device joins a site.
#[derive(Debug)]
pub struct Enrol;

impl Endpoint for Enrol {
    type Caller = caller::Enrolling;
    type Path = ();
    type Body = EnrolRequest;
    type Reply = EnrolReply;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/enrol";
    const SUMMARY: &'static str = "A device joins a site with a one-time token";
}

/// Body of [`Enrol`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// [`Enrolment`], signed by the device key in it.
    pub enrolment: Envelope,
    /// [`LinkCertificate`], signed by the same device key.
    pub link_certificate: Envelope,
}

/// What a device says of itself when it joins (payload type `enrolment`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolment {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Token from the enrolment pack.
    pub token: String,
    /// Site from the pack.
    pub site: SiteId,
    /// Its id within the site.
    pub device: DeviceId,
    /// Its device key.
    pub device_key: PublicKey,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware.
    pub hardware: HardwareId,
    /// What is installed; none when the agent cannot tell.
    pub installed: Option<ImageRef>,
    /// Its ledger.
    pub ledger_id: LedgerId,
    /// Version of the agent.
    pub agent_version: String,
}

/// The device key certifies the link key (payload type `link-certificate`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkCertificate {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Site.
    pub site: SiteId,
    /// Device.
    pub device: DeviceId,
    /// The link key.
    pub link_key: PublicKey,
    /// Rises with every new link key of the device.
    pub n: u64,
}

/// Reply of [`Enrol`]. Repeating an enrolment with the same keys gives the same reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrolReply {
    /// Fingerprint of the device key as the server has it; people compare it with the device's own.
    pub fingerprint: String,
    /// The key that signs receipts; must be the one of the pack.
    pub record_key: PublicKey,
}

/// A device asks for news.
#[derive(Debug)]
pub struct CheckIn;

impl Endpoint for CheckIn {
    type Caller = caller::Device;
    type Path = ();
    type Body = Envelope;
    type Reply = CheckInReply;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/check-in";
    const SUMMARY: &'static str = "A device asks for news; one request per poll";
}

/// A poll (payload type `poll`), signed by the link key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Poll {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Site.
    pub site: SiteId,
    /// Device.
    pub device: DeviceId,
    /// How often the machine has booted.
    pub boot_count: u64,
    /// Rises with every poll of this boot. `(boot_count, n)` must rise.
    pub n: u64,
    /// For the time answer.
    pub nonce: Nonce,
    /// What is installed.
    pub installed: Option<ImageRef>,
    /// State of the machine, e.g. `idle`, `staged`, `holding`.
    pub state: String,
    /// Why it waits, if it does.
    pub reason: Option<Reason>,
    /// Last entry of the ledger.
    pub ledger_seq: u64,
    /// Version of the agent.
    pub agent_version: String,
    /// Version of the family's timestamp that it holds; 0 for none.
    pub family_timestamp: u64,
    /// Version of the site's timestamp that it holds; 0 for none.
    pub site_timestamp: u64,
    /// The next or open slot of the update that waits, so that people read the same sentence here
    /// and there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// How long the server may leave this poll standing, in seconds, at most
    /// [`crate::limits::POLL_WAIT_S_MAX`]. It answers at once when anything about `directive`
    /// differs from what the device heard last (`directive_sha256`), or starts to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u32>,
    /// Digest of the canonical bytes of the last directive heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directive_sha256: Option<Sha256Digest>,
}

/// Reply of [`CheckIn`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckInReply {
    /// What the server may say.
    pub directive: Directive,
    /// The family's `timestamp.json`, when another than the device holds; base64.
    pub family_timestamp: Option<String>,
    /// The site's `timestamp.json`, when another than the device holds; base64.
    pub site_timestamp: Option<String>,
    /// [`crate::receipt::TimeAnswer`] for the nonce.
    pub time: Envelope,
    /// Bearer token for files that are not public; good for `token_s` seconds.
    pub token: String,
    /// Life of the token, in seconds.
    pub token_s: u32,
    /// When to ask again, in seconds, jitter included.
    pub poll_after_s: u32,
    /// Last entry of the device's ledger that the server has stored.
    pub ledger_stored_seq: u64,
}

/// A device delivers ledger entries.
#[derive(Debug)]
pub struct Report;

impl Endpoint for Report {
    type Caller = caller::Device;
    type Path = ();
    type Body = ReportRequest;
    type Reply = ReportReply;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/reports";
    const SUMMARY: &'static str = "A device delivers ledger entries; durable before it is answered";
    const BODY_BYTES_MAX: usize = REPORT_BYTES_MAX;
}

/// Body of [`Report`]: consecutive entries, at most [`crate::limits::REPORT_ENTRIES_MAX`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// The device's site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// The entries, each signed by the device key.
    pub entries: Vec<Envelope>,
    /// Size of the site's record in the last checkpoint that the device keeps; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_size_seen: Option<u64>,
}

/// Reply of [`Report`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportReply {
    /// [`crate::receipt::Receipt`], signed by the record key.
    pub receipt: Envelope,
    /// The site's record with the delivered entries in it; for [`crate::record::witness::witness`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordShown>,
}

/// A device fetches the proof that a wave is open; bytes named by their digest, cacheable for ever.
#[derive(Debug)]
pub struct ReadWaveProof;

impl Endpoint for ReadWaveProof {
    type Caller = caller::Reader;
    type Path = (String, String);
    type Body = ();
    type Reply = WaveProof;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/wave-proofs/{sha256}";
    const SUMMARY: &'static str = "What devices of the wave before signed, to prove a wave open";
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![
        Description::of::<Enrol>("Enrol"),
        Description::of::<CheckIn>("CheckIn"),
        Description::of::<Report>("Report"),
        Description::of::<ReadWaveProof>("ReadWaveProof"),
    ]
}
