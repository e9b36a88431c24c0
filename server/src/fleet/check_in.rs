//! A device asks for news; one answer from memory, without the database.
//!
//! The answer is a function of the views, the device's row and what the device says. Nothing in it
//! starts an update: it says which waves are open, and the device holds the signed approvals.
//! Not here: what it is told ([`crate::consent::directive`]), waiting (`standing`), writing down what
//! was said (`flush`). Invariant: a poll is answered once.

use super::enrol::refuse_open;
use super::standing::{self, Stood};
use super::table::{FleetTable, Known, Words};
use crate::app::App;
use crate::auth::device_token::DeviceBearer;
use crate::clock::jitter;
use crate::consent::directive::{Asker, Sight};
use crate::error::ApiError;
use crate::keys::OnlineRole;
use crate::limits::{AGENT_VERSION_CHARS_MAX, STATE_CHARS_MAX};
use crate::publish::current::{Current, Snapshot};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::device::{CheckInReply, Poll};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::directive::Directive;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, RepositoryId, SiteId};
use patchward_protocol::receipt::TimeAnswer;
use patchward_protocol::time::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

/// A device that proved to hold its link key, and what it asks.
#[derive(Debug, Clone)]
pub struct Asking {
    known: Known,
    poll: Poll,
}

/// Who a poll says it is from, before anything is checked.
#[derive(Deserialize)]
struct Claimed {
    site: SiteId,
    device: DeviceId,
}

/// Checks a poll with the link key of the device that it names.
///
/// # Errors
/// `body_malformed`, `device_unknown`, `signature_invalid`, `request_invalid`.
pub fn verify(fleet: &FleetTable, envelope: &Envelope) -> Result<Asking, ApiError> {
    let claimed: Claimed = envelope.insecure_peek().map_err(|error| refuse_open(&error))?;
    let known = fleet.known(&claimed.site, &claimed.device);
    let known = known.ok_or_else(|| ApiError::of(ErrorCode::DeviceUnknown))?;
    let poll = envelope.open::<Poll>(PayloadType::Poll, &known.link_key);
    let poll = poll.map_err(|error| refuse_open(&error))?.into_inner();
    let stated = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let rule = if poll.v != 1 {
        Some("v: this server knows version 1")
    } else if i64::try_from(poll.boot_count).is_err() || i64::try_from(poll.n).is_err() {
        Some("boot_count, n: at most 2^63 - 1")
    } else if poll.state.len() > STATE_CHARS_MAX || !poll.state.chars().all(stated) {
        Some("state: at most 32 characters of a-z, 0-9 and '-'")
    } else if poll.agent_version.chars().count() > AGENT_VERSION_CHARS_MAX {
        Some("agent_version: at most 64 characters")
    } else {
        None
    };
    match rule {
        Some(rule) => Err(ApiError::with(ErrorCode::RequestInvalid, rule)),
        None => Ok(Asking { known, poll }),
    }
}

/// Answers a poll; one that may stand is answered when what the device is told changes, when its time
/// is over or when the server ends.
///
/// # Errors
/// `poll_replayed`, or a failure of ours.
pub async fn check_in(app: &App, asking: Asking) -> Result<CheckInReply, ApiError> {
    let Asking { known, poll } = asking;
    // Before anything is looked at: a change in between rings.
    let bell = app.views.listen();
    let at = app.clock.now();
    let site = RepositoryId::Site(poll.site.clone());
    // Signed before the poll counts: a failure of ours must not burn the device's number.
    let time = time_answer(app, &site, &poll, at)?;
    let ledger_stored_seq = accept(app, &known, &poll, at)?;
    let stood = standing::stand(app, bell, &known, &poll).await;
    let (at, time, ledger_stored_seq) = match stood {
        Stood::Not => (at, time, ledger_stored_seq),
        // An old answer would tell an old time, and nothing of what was reported meanwhile.
        Stood::Until(at) => {
            let stored = app.fleet.ledger_seq(known.row).unwrap_or(ledger_stored_seq);
            (at, time_answer(app, &site, &poll, at)?, stored)
        }
    };
    let (snapshot, directive) = told(app, &known, &poll, at);
    let family = snapshot.get(&RepositoryId::Family(known.family.clone()));
    let site = snapshot.get(&site);
    let bearer =
        DeviceBearer { site: poll.site.clone(), device: poll.device.clone(), family: known.family };
    Ok(CheckInReply {
        directive,
        family_timestamp: family.and_then(|held| other_timestamp(held, poll.family_timestamp)),
        site_timestamp: site.and_then(|held| other_timestamp(held, poll.site_timestamp)),
        time,
        token: app.device_tokens.issue(&bearer, at, app.config.device_token_s),
        token_s: app.config.device_token_s,
        poll_after_s: poll_after_s(app),
        ledger_stored_seq,
    })
}

fn accept(app: &App, known: &Known, poll: &Poll, at: Timestamp) -> Result<u64, ApiError> {
    let words = Words {
        agent_version: Some(poll.agent_version.clone()),
        installed: poll.installed.clone(),
        state: Some(poll.state.clone()),
        reason: poll.reason,
        slot: poll.slot,
    };
    app.fleet.accept(known.row, (poll.boot_count, poll.n), words, at).map_err(|last| {
        let last = format!("the last answered poll is boot {}, n {}", last.boot_count, last.n);
        ApiError::with(ErrorCode::PollReplayed, last)
    })
}

/// What the device is told at `at`, with the repositories that it was told from.
pub(super) fn told(
    app: &App,
    known: &Known,
    poll: &Poll,
    at: Timestamp,
) -> (Arc<Snapshot>, Directive) {
    let (snapshot, consent) = (app.snapshot(), app.views.consent());
    let asker = Asker {
        site: &poll.site,
        device: &poll.device,
        key: &known.device_key,
        family: &known.family,
        installed: poll.installed.as_ref(),
    };
    let mut directive = Sight::new(&snapshot, &consent, asker, at).directive();
    if app.views.is_blind(at) {
        // Somebody may have stopped it, and this server would not know.
        directive.open.clear();
    }
    (snapshot, directive)
}

/// Another one than the device holds: also an older one, so that a device that was fast-forwarded by
/// a stolen key, or a server that was restored from a backup, is noticed and not silently ignored.
pub(super) fn other_timestamp(repository: &Current, held: u64) -> Option<String> {
    let timestamp = &repository.documents.as_ref()?.timestamp;
    (timestamp.version != held).then(|| STANDARD.encode(&timestamp.bytes))
}

fn time_answer(
    app: &App,
    site: &RepositoryId,
    poll: &Poll,
    at: Timestamp,
) -> Result<Envelope, ApiError> {
    let key = app.keys.online(site, OnlineRole::Timestamp)?;
    let answer = TimeAnswer { v: 1, nonce: poll.nonce, utc: at };
    Envelope::seal(PayloadType::TimeAnswer, &answer, &*key).map_err(ApiError::failed)
}

fn poll_after_s(app: &App) -> u32 {
    let poll_s = u64::from(app.config.poll_s);
    let most = poll_s.saturating_mul(u64::from(app.config.poll_jitter_permille)) / 1000;
    u32::try_from(poll_s.saturating_add(jitter(app.rng.as_ref(), most))).unwrap_or(u32::MAX)
}
