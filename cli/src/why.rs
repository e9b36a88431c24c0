//! `why`: why a device has not been updated yet, in the one sentence that device and server share.
//!
//! Not here: making the sentence (the protocol), and looking on the device itself.

use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::login;
use crate::said::Said;
use crate::server::Reach;
use patchward_protocol::api::consent::WhyNot;
use patchward_protocol::draft::approval_text::in_zone;
use patchward_protocol::id::{DeviceId, SiteId};
use serde_json::json;

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// The device
    pub device: DeviceId,
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// Zone in which people read the hours
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `why`.
///
/// # Errors
/// Failures of the server.
pub fn why(here: &Here, why: &Why) -> Outcome<Said> {
    let server = login::connect(here, &why.reach)?;
    let view = server.call::<WhyNot>(&[why.site.as_str(), why.device.as_str()], &())?;
    let word = |en, ja| here.language.pick(en, ja);
    let mut lines = vec![format!("{}: {}", view.device, word(&view.en, &view.ja))];
    if let Some(image) = &view.image {
        let release = word("on its way:", "適用予定:");
        lines.push(format!("  {release} {} {} (seq {})", image.family, image.version, image.seq));
    }
    if let Some(state) = &view.state {
        let code = view.reason.map(|reason| format!(" ({})", reason.code())).unwrap_or_default();
        lines.push(format!("  {} {state}{code}", word("state:", "状態:")));
    }
    lines.push(match (view.last_seen, here.language) {
        (Some(at), Language::En) => format!("  last heard: {}", in_zone(&why.tz, at)),
        (Some(at), Language::Ja) => format!("  最終通信: {}", in_zone(&why.tz, at)),
        (None, Language::En) => "  never heard of".to_owned(),
        (None, Language::Ja) => "  通信の記録がありません".to_owned(),
    });
    for family in &view.unapproved {
        let what = word(
            "a newer release stands that nobody approved for it:",
            "この機器に未承認の新しいリリースがあります:",
        );
        lines.push(format!("  {what} {family}"));
    }
    Ok(Said::new(json!(view)).lines(lines))
}
