//! A signed act lets a halted wave go on, once for each halt.
//!
//! Not here: the signature ([`crate::consent::signer`]). Invariant: an act that was signed before the
//! last halt resumes nothing.

use super::settle::{Scene, finish};
use crate::db::rollout::{self, RolloutKey};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::views::Views;
use patchward_protocol::act::{Act, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::{NotResumed, WaveCounters};
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;

/// Lets every rollout of the approval go on whose wave stands at the halt that the person saw.
///
/// # Errors
/// `act_refused` when none does, or a failure of ours.
pub fn resume(
    conn: &mut Connection,
    views: &Views,
    act: &Act,
    at: Timestamp,
) -> Result<(), ApiError> {
    let Subject::Wave { approval_sha256, wave, .. } = &act.subject else {
        return Err(ApiError::with(ErrorCode::ActRefused, "subject: a wave"));
    };
    let (snapshot, consent) = (views.snapshot(), views.consent());
    let scene = Scene { snapshot: &snapshot, consent: &consent, at };
    let mut why_not = NotResumed::NotHalted;
    let mut resumed = 0_usize;
    for key in of_approval(conn, &act.site, approval_sha256)? {
        let Some(stored) = rollout::find(conn, &key)? else { continue };
        let mut before = rollout::waves(conn, &key)?;
        let mut now: Vec<WaveCounters> = before.iter().map(|wave| wave.counters.clone()).collect();
        let counters = now.iter_mut().find(|counters| counters.wave == *wave);
        let Some(counters) = counters else { continue };
        match counters.resume(*approval_sha256, act) {
            Ok(()) => {
                finish(conn, &scene, &stored, &mut before, now, Vec::new(), &[])?;
                resumed = resumed.saturating_add(1);
            }
            // The rollout that halted says more than one that did not.
            Err(error @ NotResumed::OtherHalt { .. }) => why_not = error,
            Err(NotResumed::NotHalted | NotResumed::OtherSubject) => {}
        }
    }
    if resumed > 0 { Ok(()) } else { Err(ApiError::because(ErrorCode::ActRefused, &why_not)) }
}

/// Whether the site has a rollout of the approval.
///
/// # Errors
/// `act_refused` when it has none, or a failure of ours.
pub fn check_known(
    conn: &mut Connection,
    site: &SiteId,
    approval: &Sha256Digest,
) -> Result<(), ApiError> {
    if of_approval(conn, site, approval)?.is_empty() {
        return Err(ApiError::with(ErrorCode::ActRefused, "subject: no rollout of this approval"));
    }
    Ok(())
}

fn of_approval(
    conn: &mut Connection,
    site: &SiteId,
    approval: &Sha256Digest,
) -> Result<Vec<RolloutKey>, DbError> {
    let known = rollout::known(conn, site)?.into_iter();
    let ours = known.filter(|(of, _)| of == approval);
    let key = |(approval, image)| RolloutKey { site: site.clone(), approval, image };
    Ok(ours.map(key).collect())
}
