//! Why a device has not been updated yet: the same one sentence as on the device.
//!
//! The device's own words come first; where it has none to give (nobody approved anything, its wave
//! is halted, it has not been heard of), the server says what it knows better. Instants are said as in
//! the console, in the zone of the site. Not here: the words (`protocol::why`, `protocol::reason`).
//! Invariant: a device of another site is not there.

use super::directive::{Asker, Sight};
use crate::app::App;
use crate::console::words::Words;
use crate::db::device::{self, StoredDevice};
use crate::error::ApiError;
use patchward_protocol::api::consent::WhyView;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;
use patchward_protocol::why::{Waiting, sentence, unheard};

/// After so many poll intervals without a word a device counts as not heard of.
const POLLS_MISSED: i64 = 3;
/// The zone of a site whose inventory says none.
const NO_ZONE: &str = "Etc/UTC";

/// Says it.
///
/// # Errors
/// `not_found`, `path_malformed`, or a failure of ours.
pub async fn why(app: &App, site: &SiteId, device: &str) -> Result<WhyView, ApiError> {
    let device = DeviceId::new(device)
        .map_err(|error| ApiError::because(ErrorCode::PathMalformed, &error))?;
    let (of, id) = (site.clone(), device.clone());
    let stored = app.db.read(move |conn| device::find(conn, &of, &id)).await?;
    let mut stored = stored.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    app.fleet.overlay(std::slice::from_mut(&mut stored));
    // Why it waits is said although nobody knows in which zone hours are read here.
    let inventory = app.inventories.of(app, site).await.ok();
    let tz = inventory.as_ref().map_or(NO_ZONE, |inventory| &inventory.tz);
    Ok(of_device(app, &stored, tz))
}

fn of_device(app: &App, stored: &StoredDevice, tz: &str) -> WhyView {
    let when = |at, language| Words::of(language).instant(at, tz).words().to_owned();
    let (at, said) = (app.clock.now(), &stored.said);
    let better = Better::of(app, stored, at);
    let words = app.fleet.said(&stored.site, &stored.device).map(|(words, _)| words);
    let slot = words.and_then(|words| words.slot);
    let patience_s = i64::from(app.config.poll_s).saturating_mul(POLLS_MISSED);
    let silent_since = said.last_seen.filter(|seen| seen.plus_seconds(patience_s) < at);
    let reason = better.reason.or(said.reason);
    let (en, ja) = match silent_since {
        Some(since) => unheard(since, when),
        None => {
            let state = said.last_seen.and(said.state.as_deref());
            // A device that was never heard of has no other reason.
            let reason = reason.filter(|_| state.is_some());
            sentence(&Waiting { state, reason, slot }, when)
        }
    };
    WhyView {
        device: stored.device.clone(),
        state: said.state.clone(),
        reason,
        en,
        ja,
        last_seen: said.last_seen,
        image: better.image,
        unapproved: better.unapproved,
    }
}

/// What the server knows better than the device.
#[derive(Debug, Default)]
struct Better {
    reason: Option<Reason>,
    image: Option<ImageRef>,
    unapproved: Vec<FamilyId>,
}

impl Better {
    fn of(app: &App, stored: &StoredDevice, at: Timestamp) -> Self {
        let Some(agent) = &stored.agent else { return Self::default() };
        let (snapshot, consent) = (app.snapshot(), app.views.consent());
        let installed = stored.said.installed.as_ref();
        let asker = Asker {
            site: &stored.site,
            device: &stored.device,
            key: &agent.device_key,
            family: &stored.family,
            installed,
        };
        let sight = Sight::new(&snapshot, &consent, asker, at);
        let runs = installed.map(|image| image.image_sha256);
        let ahead = sight.offers().filter(|offer| Some(offer.running.key.image) != runs);
        let offer = ahead.max_by_key(|offer| offer.running.image.seq);
        let approved = offer.as_ref().map(|offer| offer.running.image.seq);
        let newest =
            snapshot.get(&RepositoryId::Family(stored.family.clone())).and_then(|family| {
                let fits = |hw: &[_]| stored.hardware.as_ref().is_none_or(|own| hw.contains(own));
                let images = family.images.values();
                let offered = images.filter(|image| image.state == ReleaseState::Released);
                offered.filter(|image| fits(&image.hw)).map(|image| image.seq).max()
            });
        let held = installed.map(|image| image.seq).max(approved);
        let unapproved = newest.is_some_and(|newest| Some(newest) > held);
        let waits_on_server = matches!(
            stored.said.reason,
            None | Some(Reason::WaveNotOpen | Reason::NoApproval | Reason::WaveUnproven)
        );
        let busy = !matches!(
            stored.said.state.as_deref(),
            None | Some("idle" | "approved" | "fetching" | "staged" | "holding")
        );
        let reason = match &offer {
            Some(offer) => sight.blocked(offer),
            None => unapproved.then_some(Reason::NoApproval),
        };
        Self {
            reason: reason.filter(|_| waits_on_server && !busy),
            image: offer.map(|offer| offer.running.image.clone()),
            unapproved: unapproved.then(|| stored.family.clone()).into_iter().collect(),
        }
    }
}
