//! What the wave board knows of an approval's rollouts: counters from memory, marks from the
//! database in one statement each, and what devices last said.
//!
//! Not here: words. Invariant: an approval of another site is not there.

use crate::app::App;
use crate::consent::state::Running;
use crate::db::{DbError, mark, rollout};
use crate::error::ApiError;
use crate::rollout::board::{Phase, Placed, Seen};
use crate::rollout::world::published;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::ApprovedDevice;
use patchward_protocol::gate::count::Stage;
use patchward_protocol::id::{DeviceId, SiteId};
use std::collections::{BTreeMap, HashMap};

/// After so many poll intervals without a word a device counts as not seen.
const POLLS_MISSED: i64 = 3;

/// A rollout and its devices.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its terms and counters.
    pub running: Running,
    /// Its devices, in the order of the approval.
    pub devices: Vec<Placed>,
    /// The approval's devices, where the approval is still listed.
    pub approved: Vec<ApprovedDevice>,
}

/// The rollouts of an approval, named by its digest or by its id.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn read(app: &App, site: &SiteId, approval: &str) -> Result<Vec<Known>, ApiError> {
    let consent = app.views.consent();
    let of_site = consent.site(site).ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let named = |running: &&Running| {
        running.terms.id.as_str() == approval || running.key.approval.to_string() == approval
    };
    let mut found: Vec<Running> = of_site.all_rollouts().filter(named).cloned().collect();
    found.sort_by(|a, b| (&a.image.family, a.image.seq).cmp(&(&b.image.family, b.image.seq)));
    if found.is_empty() {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let mut all = Vec::new();
    for running in found {
        all.push(one(app, running).await?);
    }
    Ok(all)
}

async fn one(app: &App, running: Running) -> Result<Known, ApiError> {
    let key = running.key.clone();
    let approval = published(&app.snapshot(), &key);
    let approved = approval.map(|found| found.approval.devices.clone()).unwrap_or_default();
    let listed = !approved.is_empty();
    let (marks, named) = app
        .db
        .read(move |conn| {
            let named =
                if listed { Vec::new() } else { rollout::devices(conn, &key.site, &key.approval)? };
            Ok::<_, DbError>((mark::of_rollout(conn, &key)?, named))
        })
        .await?;
    let stages: HashMap<DeviceId, Stage> =
        marks.into_iter().map(|mark| (mark.device, mark.mark.stage)).collect();
    let from_approval = approved.iter().map(|device| (device.id.clone(), device.wave));
    let from_rows = named.into_iter().map(|named| (named.device, named.wave));
    let at = app.clock.now();
    let patience_s = i64::from(app.config.poll_s).saturating_mul(POLLS_MISSED);
    let place = |(device, wave): (DeviceId, u32)| {
        let said = app.fleet.said(&running.key.site, &device);
        let words = said.as_ref().map(|(words, _)| words);
        let last_seen = said.as_ref().and_then(|(_, seen)| *seen);
        let seen = Seen {
            stage: stages.get(&device).copied().unwrap_or(Stage::None),
            state: words.and_then(|words| words.state.as_deref()),
            installed: words.and_then(|words| words.installed.as_ref()),
            last_seen,
        };
        let phase = Phase::of(seen, &running.image, patience_s, at);
        let reason = words.and_then(|words| words.reason).filter(|_| phase == Phase::Waiting);
        Placed { device, wave, phase, reason, last_seen }
    };
    let devices = from_approval.chain(from_rows).map(place).collect();
    Ok(Known { running, devices, approved })
}

impl Known {
    /// How many devices of a wave stand where.
    #[must_use]
    pub fn tally(&self, wave: u32) -> BTreeMap<Phase, u32> {
        let mut tally = BTreeMap::new();
        for placed in self.devices.iter().filter(|placed| placed.wave == wave) {
            let count: &mut u32 = tally.entry(placed.phase).or_default();
            *count = count.saturating_add(1);
        }
        tally
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::console::sample::noon;
    use crate::db::rollout::RolloutKey;
    use patchward_protocol::approval::{
        Action, Approval, ApprovalState, ClinicalCondition, Conditions, Gates, Need, NeededTime,
        RollbackTerms, Urgency, Wave,
    };
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::gate::{Halt, WaveCounters, WaveState};
    use patchward_protocol::id::Seq;
    use patchward_protocol::image::ImageRef;
    use patchward_protocol::reason::Reason;
    use std::sync::Arc;

    fn terms() -> Approval {
        let wave = |n: u32, min_updated: u32| Wave {
            n,
            not_before: noon().plus_seconds(i64::from(n) * 86_400 - 172_800),
            soak_s: 86_400,
            min_updated,
            min_clinical_use_h: if n == 0 { 0 } else { 24 },
        };
        Approval {
            v: 1,
            id: "2026-12-05-pump-1".parse().unwrap(),
            site: "city-hospital".parse().unwrap(),
            serial: 7,
            issued: noon().plus_seconds(-259_200),
            valid_until: noon().plus_seconds(864_000),
            action: Action::Install,
            urgency: Urgency::Routine,
            state: ApprovalState::Active,
            release: None,
            standing: None,
            devices: Vec::new(),
            conditions: Conditions {
                clinical_state: ClinicalCondition::Idle,
                settle_s: 60,
                mains: Need::Required,
                battery_min: 0,
                acceptance: Need::Advisory,
                time: NeededTime::Plausible,
                offline_ok: false,
            },
            waves: vec![wave(0, 0), wave(1, 3), wave(2, 10)],
            gates: Gates { halt_permille: vec![0, 0, 20], silent_after_s: 3600 },
            rollback: RollbackTerms { automatic: true, to: vec![Seq(3)] },
            tz: "Asia/Tokyo".to_owned(),
            supersedes: None,
            snapshot: None,
        }
    }

    /// The first passed, the second soaks, the third is planned.
    pub(in crate::console::pages) fn counters() -> Vec<WaveCounters> {
        let wave = |n: u32, devices: u32, updated: u32, state: WaveState| WaveCounters {
            wave: n,
            devices,
            slots_end: noon(),
            activated: updated,
            running: 0,
            updated,
            failed: 0,
            silent: 0,
            clinical_use_s: 3600 * 20,
            opened_at: (n < 2).then(|| noon().plus_seconds(-90_000)),
            last_committed_at: (n < 2).then(|| noon().plus_seconds(-10_800)),
            halts: 0,
            state,
        };
        vec![
            wave(0, 3, 3, WaveState::Passed),
            wave(1, 10, 9, WaveState::Soaking),
            wave(2, 20, 0, WaveState::Planned),
        ]
    }

    fn placed(wave: u32, n: u32, phase: Phase, reason: Option<Reason>) -> Placed {
        let device = format!("pump-{wave}{n:02}").parse().unwrap();
        Placed { device, wave, phase, reason, last_seen: Some(noon()) }
    }

    /// A rollout in the middle of its second wave.
    pub(in crate::console::pages) fn soaking() -> Known {
        let mut devices: Vec<_> = (1..=3).map(|n| placed(0, n, Phase::Done, None)).collect();
        devices.extend((1..=9).map(|n| placed(1, n, Phase::Done, None)));
        devices.push(placed(1, 10, Phase::Waiting, Some(Reason::SlotNotOpen)));
        let order = Phase::ALL.into_iter().cycle();
        devices.extend((1..=20).zip(order).map(|(n, phase)| placed(2, n, phase, None)));
        let key = RolloutKey {
            site: "city-hospital".parse().unwrap(),
            approval: Sha256Digest::of(b"approval"),
            image: Sha256Digest::of(b"image"),
        };
        let image = ImageRef {
            family: "acme.pump-x".parse().unwrap(),
            version: "2.4.1".parse().unwrap(),
            seq: Seq(4),
            image_sha256: key.image,
        };
        let running = Running {
            key,
            image,
            action: Action::Install,
            terms: Arc::new(terms()),
            waves: counters(),
            proofs: BTreeMap::new(),
            due: None,
        };
        Known { running, devices, approved: Vec::new() }
    }

    /// The same, halted because a device failed.
    pub(in crate::console::pages) fn halted() -> Known {
        let mut known = soaking();
        let wave = &mut known.running.waves[1];
        (wave.updated, wave.failed, wave.halts) = (8, 1, 1);
        wave.state = WaveState::Halted(Halt::Failed);
        known.devices[5].phase = Phase::RolledBack;
        known
    }

    /// Many devices.
    pub(in crate::console::pages) fn many() -> Known {
        let mut known = soaking();
        let order = Phase::ALL.into_iter().cycle();
        known.devices.extend((100..700).zip(order).map(|(n, phase)| placed(2, n, phase, None)));
        known.running.waves[2].devices = 620;
        known
    }

    #[test]
    fn a_tally_counts_each_device_of_the_wave_once() {
        let known = soaking();
        assert_eq!(known.tally(0), BTreeMap::from([(Phase::Done, 3)]));
        assert_eq!(known.tally(1).values().sum::<u32>(), 10);
        assert_eq!(known.tally(9), BTreeMap::new());
    }
}
