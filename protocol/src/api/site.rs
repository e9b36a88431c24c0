//! A hospital's own objects: enrolment packs, devices, their ledgers. Another site's are 404.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::envelope::Envelope;
use crate::id::{DeviceId, FamilyId, HardwareId, KindId, LedgerId, WardId};
use crate::image::ImageRef;
use crate::inventory::Usage;
use crate::key::PublicKey;
use crate::pack::EnrolmentPack;
use crate::reason::Reason;
use crate::slot::Slot;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Makes an enrolment pack.
#[derive(Debug)]
pub struct MakePack;

impl Endpoint for MakePack {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = MakePackRequest;
    type Reply = EnrolmentPack;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/sites/{site}/packs";
    const SUMMARY: &'static str = "Make an enrolment pack with a one-time token";
}

/// Body of [`MakePack`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MakePackRequest {
    /// Families that may enrol with it; at least one.
    pub families: Vec<FamilyId>,
    /// The one device it is for; any when absent.
    pub device: Option<DeviceId>,
    /// Life of the token in seconds, 60 to 30 days.
    pub life_s: u32,
}

/// Lists the devices of a site.
#[derive(Debug)]
pub struct ListDevices;

impl Endpoint for ListDevices {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = Vec<DeviceView>;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/devices";
    const SUMMARY: &'static str = "Devices of a site, with and without an agent";
}

/// A device as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceView {
    /// Its id.
    pub device: DeviceId,
    /// How it is looked after.
    pub management: Management,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware, when known.
    pub hardware: Option<HardwareId>,
    /// Its device key; none without an agent.
    pub device_key: Option<PublicKey>,
    /// Twelve digits of that key for people.
    pub fingerprint: Option<String>,
    /// What is installed.
    pub installed: Option<ImageRef>,
    /// State that the device last reported.
    pub state: Option<String>,
    /// Why it waits, verbatim from the device.
    pub reason: Option<Reason>,
    /// When it last asked for news.
    pub last_seen: Option<Timestamp>,
    /// Its ledger.
    pub ledger_id: Option<LedgerId>,
    /// Last stored entry.
    pub ledger_seq: u64,
    /// The ledger continued another history: a cloned or restored device.
    pub forked: bool,
    /// Its ward, as the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward: Option<WardId>,
    /// What wards count it as, as the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindId>,
    /// The partner that must work while this one does not, as the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<DeviceId>,
    /// What it is there for, as the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The next or open slot of the update that waits, as it last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
}

/// How a device is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Management {
    /// By an agent on it.
    Agent,
    /// By hand; updates are recorded by people.
    Manual,
    /// Only observed on the network.
    Observed,
}

/// Adds a device without an agent.
#[derive(Debug)]
pub struct AddDevice;

impl Endpoint for AddDevice {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = AddDeviceRequest;
    type Reply = DeviceView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/sites/{site}/devices";
    const SUMMARY: &'static str = "Add a device without an agent to the inventory";
}

/// Body of [`AddDevice`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddDeviceRequest {
    /// Its id.
    pub device: DeviceId,
    /// `manual` or `observed`.
    pub management: Management,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware, when known.
    pub hardware: Option<HardwareId>,
}

/// Reads a device's ledger as stored.
#[derive(Debug)]
pub struct ReadLedger;

impl Endpoint for ReadLedger {
    type Caller = caller::Site;
    type Path = (String, String, u64);
    type Body = ();
    type Reply = LedgerPage;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/devices/{device}/ledger/{after_seq}";
    const SUMMARY: &'static str = "Stored ledger entries of a device after a position, at most 256";
}

/// Reply of [`ReadLedger`]: the device's own signed envelopes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerPage {
    /// The key that signed them.
    pub device_key: Option<PublicKey>,
    /// Consecutive entries.
    pub entries: Vec<Envelope>,
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![
        Description::of::<MakePack>("MakePack"),
        Description::of::<ListDevices>("ListDevices"),
        Description::of::<AddDevice>("AddDevice"),
        Description::of::<ReadLedger>("ReadLedger"),
    ]
}
