//! A signed act of a person is filed: checked, carried out, recorded, in one transaction.
//!
//! A resume lets a halted wave go on, a lift ends a hold; the others are kept as evidence. Not here:
//! TUF signatures, which are what devices obey. Invariant: an act is filed once, by the digest of what
//! was signed, and nothing is done for one that is refused.

use super::signer::{self, Office, Signed};
use crate::app::App;
use crate::auth::api_token::Holder;
use crate::db::change::{self, Scope};
use crate::db::hold;
use crate::db::person_act::{self, FiledAct};
use crate::db::{Connection, device, repository};
use crate::error::ApiError;
use crate::limits::{ACT_NAME_CHARS_MAX, ACT_TEXT_CHARS_MAX};
use crate::record::{log, read};
use crate::rollout::resume;
use crate::rollout::settle;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::consent::ActFiled;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::directive::HoldBy;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{HoldId, RepositoryId, SiteId};
use patchward_protocol::limits::ISSUED_AHEAD_S_MAX;
use patchward_protocol::record::entry::Body;
use patchward_protocol::record::witness::{Seen, continues};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::TopLevel;
use patchward_protocol::tuf::stage::Staged;
use std::sync::Arc;

/// Files an act. Filing it again changes nothing and gives the same reply.
///
/// # Errors
/// `act_refused`, `hold_unknown`, `hold_lifted`, `body_malformed`, `not_found`, or a failure of ours.
pub async fn file(
    app: &Arc<App>,
    site: &SiteId,
    envelope: Envelope,
    holder: &Holder,
) -> Result<ActFiled, ApiError> {
    file_as(app, site, envelope, &holder.label).await
}

/// Files an act that somebody named `label` brought.
///
/// # Errors
/// As [`file()`].
pub async fn file_as(
    app: &Arc<App>,
    site: &SiteId,
    envelope: Envelope,
    label: &str,
) -> Result<ActFiled, ApiError> {
    let at = app.clock.now();
    let snapshot = app.snapshot();
    let current = snapshot.get(&RepositoryId::Site(site.clone()));
    let current = current.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let signed = signer::check(current, envelope)?;
    check(&signed, site, at)?;
    let label = label.to_owned();
    let world = Arc::clone(app);
    let filed = app.db.write(move |conn| in_transaction(&world, conn, &signed, &label, at));
    let record_index = filed.await?;
    settle::after_decision(app, &Scope::Site(site.clone())).await?;
    Ok(ActFiled { record_index })
}

fn in_transaction(
    app: &App,
    conn: &mut Connection,
    signed: &Signed,
    label: &str,
    at: Timestamp,
) -> Result<u64, ApiError> {
    let Signed { act, sha256, envelope, .. } = signed;
    if let Some(n) = person_act::record_n(conn, &act.site, sha256)? {
        return Ok(n);
    }
    check_record(conn, act)?;
    match &act.subject {
        Subject::Hold { hold } if act.meaning == Meaning::HoldLifted => {
            lift(conn, hold, signed, label, at)?;
        }
        Subject::Wave { .. } if act.meaning == Meaning::Resumed => {
            resume::resume(conn, &app.views, act, at)?;
        }
        Subject::Device { device, .. } => {
            if device::find(conn, &act.site, device)?.is_none() {
                return Err(refused("subject.device: no device of the site"));
            }
        }
        Subject::Hold { hold } => drop(of_site(conn, hold, &act.site)?),
        Subject::Wave { approval_sha256, .. } => {
            resume::check_known(conn, &act.site, approval_sha256)?;
        }
        Subject::Approval { .. } => check_targets(conn, act)?,
    }
    let body = Body::Act(envelope.clone());
    let record_n = log::append(conn, &act.site, body, at)?;
    let (sha256, act, envelope) = (*sha256, act.clone(), envelope.clone());
    change::mark(conn, &Scope::Site(act.site.clone()))?;
    person_act::insert(conn, &FiledAct { sha256, act, envelope, filed: at, record_n })?;
    Ok(record_n)
}

fn refused(rule: impl Into<String>) -> ApiError {
    ApiError::with(ErrorCode::ActRefused, rule)
}

/// What can be said of an act without the database.
///
/// # Errors
/// `act_refused`.
pub fn check(signed: &Signed, site: &SiteId, at: Timestamp) -> Result<(), ApiError> {
    let act = &signed.act;
    check_words(act)?;
    let acts = matches!(act.meaning, Meaning::Resumed | Meaning::HoldLifted);
    let rule = if act.v != 1 {
        "v: this server knows version 1"
    } else if act.site != *site {
        "site: another site's act"
    } else if !act.meaning.fits(&act.subject) {
        "meaning: it cannot be said of this subject"
    } else if acts && signed.office != Office::Targets {
        "signer: a key that signs the site's targets is needed here"
    } else if act.at > at.plus_seconds(ISSUED_AHEAD_S_MAX) {
        "at: in the future; set the clock of the signing machine"
    } else if act.log_size.is_some() != act.log_root.is_some() {
        "log_size, log_root: both or neither"
    } else {
        return Ok(());
    };
    Err(refused(rule))
}

/// Whether the words of an act can stand in a record; asked before anybody signs it.
///
/// # Errors
/// `act_refused`.
pub fn check_words(act: &Act) -> Result<(), ApiError> {
    let names = [&act.name, &act.role, &act.tz];
    let named = names.iter().all(|text| is_text(text, ACT_NAME_CHARS_MAX));
    let control = act.compensating.as_ref().is_none_or(|control| {
        is_text(&control.control, ACT_TEXT_CHARS_MAX) && is_text(&control.owner, ACT_NAME_CHARS_MAX)
    });
    if named && is_text(&act.reason, ACT_TEXT_CHARS_MAX) && control {
        return Ok(());
    }
    Err(refused("name, role, tz, reason, compensating: filled in, no control characters"))
}

/// Whether a text may stand in a record: something is said, on one line, and not too much.
#[must_use]
pub fn is_text(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= chars_max
        && !text.chars().any(char::is_control)
}

/// The record that the signer had seen must be the beginning of this one.
fn check_record(conn: &mut Connection, act: &Act) -> Result<(), ApiError> {
    let (Some(size), Some(root)) = (act.log_size, act.log_root) else { return Ok(()) };
    let end = log::end(conn, &act.site)?;
    let split = "log_size, log_root: the site's record does not continue what the signer had seen";
    if size > end.size {
        return Err(refused(split));
    }
    let proof = read::consistency(conn, &act.site, size, end.size)?;
    continues(&Seen { size, root }, &end, &proof).map_err(|_| refused(split))
}

fn lift(
    conn: &mut Connection,
    id: &HoldId,
    signed: &Signed,
    label: &str,
    at: Timestamp,
) -> Result<(), ApiError> {
    of_site(conn, id, &signed.act.site)?;
    if hold::lift(conn, id, at, label, Some(&signed.envelope))? {
        Ok(())
    } else {
        Err(ApiError::of(ErrorCode::HoldLifted))
    }
}

fn of_site(conn: &mut Connection, id: &HoldId, site: &SiteId) -> Result<hold::Hold, ApiError> {
    let found = hold::find(conn, id)?;
    let ours = found.filter(|hold| hold.by == HoldBy::Site && hold.site.as_ref() == Some(site));
    ours.ok_or_else(|| ApiError::of(ErrorCode::HoldUnknown))
}

/// An act on an approval names the targets that list it; where those are published, they must be the
/// ones that the signer meant. Before that the act waits for them.
fn check_targets(conn: &mut Connection, act: &Act) -> Result<(), ApiError> {
    let Subject::Approval { approval, approval_sha256, targets_version, targets_sha256 } =
        &act.subject
    else {
        return Ok(());
    };
    let id = RepositoryId::Site(act.site.clone());
    let found = repository::document(conn, &id, TopLevel::Targets, *targets_version)?;
    let Some(document) = found else { return Ok(()) };
    let staged = Staged::read(Role::Targets, &document.bytes).map_err(ApiError::failed)?;
    if staged.message_sha256() != *targets_sha256 {
        return Err(refused(
            "subject.targets_sha256: other targets were published as this version",
        ));
    }
    let listed = crate::app::read_targets(&document.bytes).map_err(ApiError::failed)?;
    let lists = crate::publish::approvals::listed(&listed).iter().any(|(path, sha256)| {
        sha256 == approval_sha256 && path.ends_with(&format!("/{approval}.json"))
    });
    if lists { Ok(()) } else { Err(refused("subject.approval: these targets do not list it")) }
}
