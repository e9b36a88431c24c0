//! Rollouts as people see them.
//!
//! Numbers come from the stored counters, never from a scan. Not here: one device's reason
//! ([`crate::consent::why`]). Invariant: every look-up is by the site of the caller's proof.

use crate::app::App;
use crate::db::rollout::{self, StoredRollout, StoredWave};
use crate::db::{DbError, mark};
use crate::error::ApiError;
use patchward_protocol::api::consent::{RolloutView, WaveView};
use patchward_protocol::gate::count::Stage;
use patchward_protocol::gate::{self, Halt, WaveCounters, WaveState};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::reason::Reason;

/// The rollouts of every approval in force at the site, oldest first.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, site: &SiteId) -> Result<Vec<RolloutView>, ApiError> {
    let (site, at) = (site.clone(), app.clock.now());
    let views = app.db.read(move |conn| {
        let mut views = Vec::new();
        for stored in rollout::of_site(conn, &site, at)? {
            let waves = rollout::waves(conn, &stored.key)?;
            let marks = mark::of_rollout(conn, &stored.key)?.into_iter();
            let lost =
                marks.filter(|mark| matches!(mark.mark.stage, Stage::Failed | Stage::Silent));
            views.push(view(stored, &waves, lost.map(|mark| mark.device).collect()));
        }
        Ok::<_, DbError>(views)
    });
    Ok(views.await?)
}

fn view(stored: StoredRollout, waves: &[StoredWave], look_at: Vec<DeviceId>) -> RolloutView {
    let counters: Vec<WaveCounters> = waves.iter().map(|wave| wave.counters.clone()).collect();
    RolloutView {
        approval: stored.terms.id.clone(),
        approval_sha256: stored.key.approval,
        image: stored.image.clone(),
        valid_until: stored.terms.valid_until,
        waves: counters.iter().map(|counters| wave_view(&stored, counters)).collect(),
        look_at,
        reason: waits(&counters),
    }
}

fn wave_view(stored: &StoredRollout, counters: &WaveCounters) -> WaveView {
    let soaks = matches!(counters.state, WaveState::Open | WaveState::Soaking);
    WaveView {
        wave: counters.wave,
        state: counters.state.code().to_owned(),
        devices: counters.devices,
        activated: counters.activated,
        updated: counters.updated,
        failed: counters.failed,
        silent: counters.silent,
        clinical_use_h: counters.clinical_use_s / 3600,
        opened_at: counters.opened_at,
        soak_until: counters.soak_until(&stored.terms).filter(|_| soaks),
        halts: counters.halts,
        halted_because: counters.state.halted_because().map(|halt| Halt::code(halt).to_owned()),
    }
}

/// Why the first wave that has not passed does not go.
fn waits(waves: &[WaveCounters]) -> Option<Reason> {
    let first = waves.iter().find(|counters| counters.state != WaveState::Passed)?;
    gate::may_go(waves, first.wave).err()
}
