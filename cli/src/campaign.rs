//! `campaign show|set|pause|resume`: the manufacturer's outer limit; it only narrows what hospitals
//! approved.
//!
//! Each change is written over the revision that was read. Not here: choosing devices by percent (the
//! server does, by device key). Invariant: a change that somebody else overtook is not written.

use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::said::Said;
use crate::server::{Reach, Server};
use crate::{approve, login, repository};
use patchward_protocol::api::consent::{Campaign, CampaignState, ReadCampaign, WriteCampaign};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId, Version};
use serde_json::json;

/// Which release.
#[derive(Debug, Clone, clap::Args)]
pub struct Of {
    /// The family
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: FamilyId,
    /// The version of the release
    #[arg(long, value_name = "VERSION")]
    pub release: Version,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `campaign set`: what is not named stays.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The sites in their order, separated by commas
    #[arg(long, value_name = "SITE,SITE", value_delimiter = ',')]
    pub sites: Option<Vec<SiteId>>,
    /// How many of the sites may go
    #[arg(long, value_name = "N")]
    pub sites_open: Option<u32>,
    /// Share of devices at each site that may go, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub percent: Option<u8>,
    /// Which release
    #[command(flatten)]
    pub of: Of,
}

/// A campaign and how to write it back.
struct Open {
    server: Server,
    path: [String; 2],
    campaign: Campaign,
}

/// `campaign show`.
///
/// # Errors
/// [`Code::ReleaseUnknown`]; failures of the server.
pub fn show(here: &Here, of: &Of) -> Outcome<Said> {
    let open = open(here, of)?;
    Ok(said(here, &open.campaign))
}

/// `campaign set`.
///
/// # Errors
/// [`Code::CampaignConflict`]; failures of the server.
pub fn set(here: &Here, set: &Set) -> Outcome<Said> {
    let open = open(here, &set.of)?;
    let now = open.campaign.clone();
    let campaign = Campaign {
        sites: set.sites.clone().unwrap_or(now.sites),
        sites_open: set.sites_open.unwrap_or(now.sites_open),
        percent: set.percent.unwrap_or(now.percent),
        ..now
    };
    write(here, &open, &campaign)
}

/// `campaign pause` and `campaign resume`.
///
/// # Errors
/// [`Code::CampaignConflict`]; failures of the server.
pub fn turn(here: &Here, of: &Of, state: CampaignState) -> Outcome<Said> {
    let open = open(here, of)?;
    let campaign = Campaign { state, ..open.campaign.clone() };
    write(here, &open, &campaign)
}

fn open(here: &Here, of: &Of) -> Outcome<Open> {
    let server = login::connect(here, &of.reach)?;
    let set = repository::refresh(here, &server, &RepositoryId::Family(of.family.clone()))?;
    let image = approve::any_release(&set, &of.release)?.firmware.payload.image_sha256;
    let (family, image) = (of.family.to_string(), image.to_string());
    let campaign = server.call::<ReadCampaign>(&[&family, &image], &())?;
    Ok(Open { server, path: [family, image], campaign })
}

fn write(here: &Here, open: &Open, campaign: &Campaign) -> Outcome<Said> {
    let [family, image] = &open.path;
    let written = open.server.call::<WriteCampaign>(&[family, image], campaign);
    let written = written.map_err(|failure| {
        let code = failure.server.as_ref().map(|problem| problem.code);
        match code {
            Some(ErrorCode::CampaignConflict) => {
                Failure { code: Code::CampaignConflict, ..failure }
            }
            _ => failure,
        }
    })?;
    Ok(said(here, &written))
}

fn said(here: &Here, campaign: &Campaign) -> Said {
    let word = |en, ja| here.language.pick(en, ja);
    let state = match campaign.state {
        CampaignState::Running => word("running", "実施中"),
        CampaignState::Paused => {
            word("PAUSED: nothing new starts anywhere", "一時停止中: 新たな適用は始まりません")
        }
    };
    let opened = usize::try_from(campaign.sites_open).unwrap_or(usize::MAX);
    let sites = campaign.sites.iter().enumerate().map(|(n, site)| {
        let may = if n < opened { word("may go", "適用可") } else { word("waits", "待機") };
        format!("  {site}: {may}")
    });
    let others = if campaign.sites.len() <= opened {
        word("every other site: may go", "その他の施設: 適用可")
    } else {
        word("every other site: waits", "その他の施設: 待機")
    };
    let percent = word("devices at each site that may go:", "各施設で適用できる機器の割合:");
    Said::new(json!(campaign))
        .line(format!(
            "{} {} — {state}",
            word("campaign, revision", "展開計画 版"),
            campaign.revision
        ))
        .lines(sites)
        .line(format!("  {others}"))
        .line(format!("  {percent} {} %", campaign.percent))
}
