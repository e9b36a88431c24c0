//! What a hospital decides through the server: inventory, holds, acts of people, rollouts; and the
//! manufacturer's campaign as the outer limit. Another site's are 404.
//!
//! Nothing here starts anything: approvals are signed files of the site repository. Stopping needs no
//! key; going on again needs a signature.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::digest::Sha256Digest;
use crate::directive::{HoldBy, HoldTarget};
use crate::envelope::Envelope;
use crate::id::{ApprovalId, DeviceId, FamilyId, HoldId, SiteId};
use crate::image::ImageRef;
use crate::inventory::Inventory;
use crate::reason::Reason;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Reads the inventory of a site.
#[derive(Debug)]
pub struct ReadInventory;

impl Endpoint for ReadInventory {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = Inventory;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/inventory";
    const SUMMARY: &'static str = "Wards, devices, rules, windows, freezes and people of a site";
}

/// Replaces the inventory of a site, whole or not at all. `revision` must be the stored one; the
/// reply carries the next.
#[derive(Debug)]
pub struct WriteInventory;

impl Endpoint for WriteInventory {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = Inventory;
    type Reply = Inventory;
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/v1/sites/{site}/inventory";
    const SUMMARY: &'static str = "Replace the inventory, when nobody else did meanwhile";
    const BODY_BYTES_MAX: usize = crate::limits::INVENTORY_BYTES_MAX;
}

/// Sets a hold of the site. It needs no signature and reaches devices with their next poll.
#[derive(Debug)]
pub struct SetHold;

impl Endpoint for SetHold {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = SetHoldRequest;
    type Reply = HoldView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/sites/{site}/holds";
    const SUMMARY: &'static str = "Stop: hold a device, a ward, the site or a release there";
}

/// Body of [`SetHold`] and [`SetMakerHold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetHoldRequest {
    /// What is held.
    pub target: HoldTarget,
    /// Why; 1 to [`crate::limits::HOLD_REASON_CHARS_MAX`] characters, never a patient's name.
    pub reason: String,
    /// Who sees to it: printed name or function, 1 to 100 characters.
    pub owner: String,
    /// When somebody must look at it again; [`crate::limits::HOLD_REVIEW_S`] from now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_at: Option<Timestamp>,
}

/// A hold as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldView {
    /// Its id.
    pub id: HoldId,
    /// What is held.
    pub target: HoldTarget,
    /// Whose hold it is.
    pub by: HoldBy,
    /// Who set it: the authenticated name.
    pub set_by: String,
    /// Why.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
    /// When it was set.
    pub set_at: Timestamp,
    /// When somebody must look at it again.
    pub review_at: Timestamp,
    /// Whether that time has passed.
    pub overdue: bool,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// Devices of the site that it holds now.
    pub devices: u32,
}

/// Lists the holds that reach a site: its own, the manufacturers' and the operator's.
#[derive(Debug)]
pub struct ListHolds;

impl Endpoint for ListHolds {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = Vec<HoldView>;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/holds";
    const SUMMARY: &'static str =
        "Holds of a site, standing first, lifted ones of the last 90 days";
}

/// A manufacturer pauses a release everywhere.
#[derive(Debug)]
pub struct SetMakerHold;

impl Endpoint for SetMakerHold {
    type Caller = caller::Publisher;
    type Path = (String,);
    type Body = SetHoldRequest;
    type Reply = HoldView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/families/{family}/holds";
    const SUMMARY: &'static str = "Stop: the manufacturer holds a release at every site";
}

/// A manufacturer lifts its own hold; the hospitals' holds stay.
#[derive(Debug)]
pub struct LiftMakerHold;

impl Endpoint for LiftMakerHold {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = ();
    type Reply = HoldView;
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/v1/families/{family}/holds/{hold}";
    const SUMMARY: &'static str = "Lift a hold of the manufacturer";
}

/// Whoever runs the server holds everything, everywhere ("disaster").
#[derive(Debug)]
pub struct SetOperatorHold;

impl Endpoint for SetOperatorHold {
    type Caller = caller::Administrator;
    type Path = ();
    type Body = SetOperatorHoldRequest;
    type Reply = HoldView;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/holds";
    const SUMMARY: &'static str = "Stop: hold one site or every site of this server";
}

/// Body of [`SetOperatorHold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetOperatorHoldRequest {
    /// The site; every site when absent.
    pub site: Option<SiteId>,
    /// Why.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
}

/// Whoever runs the server lifts their own hold.
#[derive(Debug)]
pub struct LiftOperatorHold;

impl Endpoint for LiftOperatorHold {
    type Caller = caller::Administrator;
    type Path = (String,);
    type Body = ();
    type Reply = HoldView;
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/v1/holds/{hold}";
    const SUMMARY: &'static str = "Lift a hold of the operator";
}

/// Files a signed act of a person. A resume lets the halted wave go on; a lift ends the hold; all
/// become entries of the site's record.
#[derive(Debug)]
pub struct FileAct;

impl Endpoint for FileAct {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = Envelope;
    type Reply = ActFiled;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/sites/{site}/acts";
    const SUMMARY: &'static str = "File a signed act: approval, resume, lifted hold, acceptance";
}

/// Reply of [`FileAct`]. Filing the same act again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActFiled {
    /// Its position in the site's record.
    pub record_index: u64,
}

/// How rollouts of a site stand.
#[derive(Debug)]
pub struct ListRollouts;

impl Endpoint for ListRollouts {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = Vec<RolloutView>;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/rollouts";
    const SUMMARY: &'static str = "Waves of every approval in force, with their counters and gates";
}

/// A rollout: an approval and an image on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RolloutView {
    /// The approval.
    pub approval: ApprovalId,
    /// Digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// The image.
    pub image: ImageRef,
    /// The approval's end.
    pub valid_until: Timestamp,
    /// The waves, in order.
    pub waves: Vec<WaveView>,
    /// Devices that failed or are lost: they hold no place, and somebody must look.
    pub look_at: Vec<DeviceId>,
    /// Why it waits, when it waits as a whole.
    pub reason: Option<Reason>,
}

/// How a wave stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaveView {
    /// The wave.
    pub wave: u32,
    /// `planned`, `open`, `soaking`, `passed`, `halted` or `cancelled`.
    pub state: String,
    /// Devices that the approval names for it.
    pub devices: u32,
    /// Devices that were activated.
    pub activated: u32,
    /// Devices whose new image is committed.
    pub updated: u32,
    /// Devices that failed or went back.
    pub failed: u32,
    /// Devices silent for too long after activation.
    pub silent: u32,
    /// Clinical use of the updated devices together, in whole hours.
    pub clinical_use_h: u64,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When its soak ends, at the earliest.
    pub soak_until: Option<Timestamp>,
    /// How often it has halted.
    pub halts: u64,
    /// Why it stands halted.
    pub halted_because: Option<String>,
}

/// Sets a manufacturer's campaign for a release: the outer limit of every site's waves.
#[derive(Debug)]
pub struct WriteCampaign;

impl Endpoint for WriteCampaign {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = Campaign;
    type Reply = Campaign;
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/v1/families/{family}/campaigns/{image_sha256}";
    const SUMMARY: &'static str = "Which sites go first, how many devices, paused or not";
}

/// Reads a manufacturer's campaign.
#[derive(Debug)]
pub struct ReadCampaign;

impl Endpoint for ReadCampaign {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = ();
    type Reply = Campaign;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/families/{family}/campaigns/{image_sha256}";
    const SUMMARY: &'static str = "The campaign of a release; everywhere at once when none was set";
}

/// A campaign. It only narrows what hospitals approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Rises with every change; must be the stored one when writing.
    pub revision: u64,
    /// Nothing new starts anywhere while paused.
    pub state: CampaignState,
    /// Sites in their order; only the first `sites_open` of them, and sites not named only when all
    /// named ones are open.
    pub sites: Vec<SiteId>,
    /// How many of the sites may go.
    pub sites_open: u32,
    /// Share of devices at each site that may go, in percent, 0 to 100; chosen by device key.
    pub percent: u8,
}

/// Whether a campaign runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CampaignState {
    /// It runs.
    Running,
    /// It is paused: a hold of the manufacturer.
    Paused,
}

/// Why a device has not been updated yet: one sentence.
#[derive(Debug)]
pub struct WhyNot;

impl Endpoint for WhyNot {
    type Caller = caller::Site;
    type Path = (String, String);
    type Body = ();
    type Reply = WhyView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/devices/{device}/why";
    const SUMMARY: &'static str = "Why a device has not been updated yet, in one sentence";
}

/// Reply of [`WhyNot`]. The sentences are those of `patchward-agent why` ([`crate::why`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhyView {
    /// The device.
    pub device: DeviceId,
    /// State that it last reported.
    pub state: Option<String>,
    /// The reason that it last reported.
    pub reason: Option<Reason>,
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
    /// When it last asked for news.
    pub last_seen: Option<Timestamp>,
    /// Release on its way, when one is.
    pub image: Option<ImageRef>,
    /// Families that have a newer release which nobody approved for it.
    pub unapproved: Vec<FamilyId>,
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![
        Description::of::<ReadInventory>("ReadInventory"),
        Description::of::<WriteInventory>("WriteInventory"),
        Description::of::<SetHold>("SetHold"),
        Description::of::<ListHolds>("ListHolds"),
        Description::of::<SetMakerHold>("SetMakerHold"),
        Description::of::<LiftMakerHold>("LiftMakerHold"),
        Description::of::<SetOperatorHold>("SetOperatorHold"),
        Description::of::<LiftOperatorHold>("LiftOperatorHold"),
        Description::of::<FileAct>("FileAct"),
        Description::of::<ListRollouts>("ListRollouts"),
        Description::of::<WriteCampaign>("WriteCampaign"),
        Description::of::<ReadCampaign>("ReadCampaign"),
        Description::of::<WhyNot>("WhyNot"),
    ]
}
