//! What time does to rollouts: soaks end, slots end, devices stay silent, freezes begin; and holds that
//! nobody has looked at in time are called out.
//!
//! Any number of servers may tick on one database: each step looks again inside its transaction.
//! Not here: when (the worker). Invariant: a tick without anything due costs two statements.

use super::settle::{self, Heard, Scene};
use super::world::world;
use crate::app::{App, LoadError};
use crate::consent::state::{Consent, Running};
use crate::db::mark::{self, StoredMark};
use crate::db::rollout::{self, RolloutKey};
use crate::db::{Connection, DbError, hold};
use crate::limits::SILENT_AT_ONCE_MAX;
use crate::publish::current::Snapshot;
use patchward_protocol::gate::count::on_silence;
use patchward_protocol::gate::{self, WaveState};
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;
use std::sync::Arc;

/// Most rollouts that are moved in one transaction.
const AT_ONCE_MAX: usize = 32;

/// Does everything that is due now.
///
/// # Errors
/// [`LoadError`]; the rest is done by the next tick.
pub async fn tick(app: &Arc<App>) -> Result<(), LoadError> {
    silence(app).await?;
    sweep(app, None).await?;
    overdue(app).await
}

/// Moves the rollouts, of one site or of all, that time or a decision may move.
///
/// # Errors
/// [`LoadError`].
pub async fn sweep(app: &Arc<App>, site: Option<&SiteId>) -> Result<(), LoadError> {
    let (snapshot, consent, at) = (app.snapshot(), app.views.consent(), app.clock.now());
    let of_sites = consent.sites().filter(|(of, _)| site.is_none_or(|site| site == *of));
    let keys: Vec<RolloutKey> = of_sites
        .flat_map(|(_, site)| site.all_rollouts())
        .filter(|running| is_due(&snapshot, &consent, running, at))
        .map(|running| running.key.clone())
        .collect();
    for some in keys.chunks(AT_ONCE_MAX) {
        let (some, views) = (some.to_vec(), Arc::clone(&app.views));
        app.db
            .write(move |conn| {
                let (snapshot, consent) = (views.snapshot(), views.consent());
                let scene = Scene { snapshot: &snapshot, consent: &consent, at };
                some.iter().try_for_each(|key| settle::settle(conn, &scene, key, &[]).map(drop))
            })
            .await?;
    }
    if keys.is_empty() { Ok(()) } else { app.follow().await }
}

/// By the views alone, without the database.
fn is_due(snapshot: &Snapshot, consent: &Consent, running: &Running, at: Timestamp) -> bool {
    let lacks_proof = running.waves.iter().any(|counters| {
        counters.wave > 0
            && matches!(counters.state, WaveState::Open | WaveState::Soaking)
            && !running.proofs.contains_key(&counters.wave)
    });
    let ended = |counters: &patchward_protocol::gate::WaveCounters| {
        matches!(counters.state, WaveState::Passed | WaveState::Cancelled)
    };
    if running.waves.iter().all(ended) {
        return false;
    }
    let world = world(snapshot, consent, running.into(), at);
    running.due.is_some_and(|due| due <= at)
        || lacks_proof
        || !gate::evaluate(&running.terms, &running.waves, &world, at).is_empty()
}

/// Counts devices as silent that have owed an outcome for too long.
async fn silence(app: &Arc<App>) -> Result<(), LoadError> {
    let at = app.clock.now();
    loop {
        let due = app.db.read(move |conn| mark::silent(conn, at, SILENT_AT_ONCE_MAX)).await?;
        if due.is_empty() {
            return Ok(());
        }
        let views = Arc::clone(&app.views);
        app.db
            .write(move |conn| {
                let (snapshot, consent) = (views.snapshot(), views.consent());
                let scene = Scene { snapshot: &snapshot, consent: &consent, at };
                due.iter().try_for_each(|(key, mark)| silent(conn, &scene, key, mark))
            })
            .await?;
        app.follow().await?;
    }
}

fn silent(
    conn: &mut Connection,
    scene: &Scene<'_>,
    key: &RolloutKey,
    listed: &StoredMark,
) -> Result<(), DbError> {
    // Looked at again: it may have been heard meanwhile, or another server was first.
    let Some(kept) = mark::find(conn, key, &listed.device)? else { return Ok(()) };
    if kept.silent_at.is_none_or(|due| due > scene.at) {
        return Ok(());
    }
    let Some(stored) = rollout::find(conn, key)? else { return Ok(()) };
    let moved = on_silence(&stored.terms.gates, &kept.mark, scene.at);
    let Some(moved) = moved else {
        // Nothing is owed by the rules: it is not looked at again.
        return mark::put(conn, key, &StoredMark { silent_at: None, ..kept });
    };
    let (device, wave) = (kept.device.clone(), kept.wave);
    mark::put(conn, key, &StoredMark { mark: moved.mark, silent_at: None, ..kept })?;
    tracing::warn!(
        site.id = %key.site, device.id = %device,
        "A device has stayed silent for too long after its activation"
    );
    let heard = [Heard { device, wave, change: moved.change }];
    settle::settle_stored(conn, scene, &stored, &heard).map(drop)
}

/// Holds that somebody should have looked at are called out, once each.
async fn overdue(app: &Arc<App>) -> Result<(), LoadError> {
    let at = app.clock.now();
    let due = app.db.read(move |conn| hold::overdue(conn, at)).await?;
    for hold in due {
        let id = hold.id.clone();
        if app.db.write(move |conn| hold::tell_overdue(conn, &id, at)).await? {
            tracing::warn!(
                hold.id = %hold.id, review_at = %hold.review_at,
                "A hold is overdue: its owner must look at it; it does not lift by itself"
            );
        }
    }
    Ok(())
}
