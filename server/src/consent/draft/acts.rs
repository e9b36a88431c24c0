//! What a person says beside a signature: printed name, role, meaning, reason, and what stands in for a
//! patch that is taken away.
//!
//! Not here: sealing. Invariant: an act beside an approval names the very targets that are signed.

use super::facts::Facts;
use super::kept::{Draft, Prepared};
use crate::app::App;
use crate::consent::signer::{self, Signed};
use crate::error::ApiError;
use crate::record::log;
use patchward_protocol::act::{Act, CompensatingControl, Meaning, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::canonical;
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::time::Timestamp;
use std::collections::BTreeSet;

/// Who signs and why, as it stands in an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Whose key it is.
    pub person: PersonId,
    /// Printed name.
    pub name: String,
    /// Role in the hospital.
    pub role: String,
    /// Why.
    pub reason: String,
    /// Zone in which the person reads the hours.
    pub tz: String,
    /// What stands in for the patch when holes open again: control, owner, until when.
    pub control: Option<(String, String, Timestamp)>,
}

/// The acts of a person on the new approvals, ready to be signed.
///
/// # Errors
/// `control_missing` where holes open again and nothing stands in for the patch, `act_refused` for words
/// that cannot stand in a record.
pub async fn prepare(
    app: &App,
    draft: &Draft,
    stated: &[Stated],
    words: &Words,
) -> Result<Prepared, ApiError> {
    let (at, site) = (app.clock.now(), draft.site.clone());
    let end = app.db.read(move |conn| log::end(conn, &site)).await?;
    let seen = (end.size > 0).then_some((end.size, end.root));
    let mut payloads = Vec::new();
    for stated in stated {
        let subject = Subject::Approval {
            approval: stated.approval.id.clone(),
            approval_sha256: stated.sha256,
            targets_version: draft.staged.version(),
            targets_sha256: draft.staged.message_sha256(),
        };
        let meaning = Meaning::of_approval(&stated.approval);
        let compensating = compensating(&stated.cves, words, at)?;
        let act = act(&draft.site, subject, meaning, words, at);
        let (log_size, log_root) = seen.unzip();
        let act = Act { compensating, log_size, log_root, ..act };
        crate::consent::act::check_words(&act)?;
        payloads.push(payload(&act)?);
    }
    Ok(Prepared { person: words.person.clone(), payloads })
}

/// An act without what only some have.
#[must_use]
pub fn act(site: &SiteId, subject: Subject, meaning: Meaning, words: &Words, at: Timestamp) -> Act {
    Act {
        v: 1,
        site: site.clone(),
        subject,
        person: words.person.clone(),
        name: words.name.clone(),
        role: words.role.clone(),
        meaning,
        reason: words.reason.clone(),
        at,
        tz: words.tz.clone(),
        compensating: None,
        log_size: None,
        log_root: None,
    }
}

/// The payload of an act: canonical JSON.
///
/// # Errors
/// A failure of ours.
pub fn payload(act: &Act) -> Result<String, ApiError> {
    let bytes = canonical::write(act).map_err(ApiError::failed)?;
    String::from_utf8(bytes).map_err(ApiError::failed)
}

fn compensating(
    cves: &BTreeSet<String>,
    words: &Words,
    at: Timestamp,
) -> Result<Option<CompensatingControl>, ApiError> {
    if cves.is_empty() {
        return Ok(None);
    }
    let named: Vec<_> = cves.iter().cloned().collect();
    let control = words.control.as_ref().filter(|(_, _, due)| *due > at);
    let Some((control, owner, due)) = control else {
        return Err(ApiError::with(ErrorCode::ControlMissing, named.join(", ")));
    };
    let (control, owner, due) = (control.clone(), owner.clone(), *due);
    Ok(Some(CompensatingControl { cves: named, control, owner, due }))
}

/// The acts among these that stand on the new approvals of a draft, each signed by a key of the site's
/// root and of the person whom it names.
///
/// # Errors
/// `act_refused` for one that stands on something else, or whose signature does not count.
pub fn checked(
    facts: &Facts,
    draft: &Draft,
    stated: &[Stated],
    acts: &[Envelope],
    at: Timestamp,
) -> Result<Vec<Signed>, ApiError> {
    let signed_sha256 = draft.staged.message_sha256();
    let check = |envelope: &Envelope| {
        let signed = signer::check(&facts.current, envelope.clone())?;
        crate::consent::act::check(&signed, &draft.site, at)?;
        let Subject::Approval { approval, approval_sha256, targets_sha256, .. } =
            &signed.act.subject
        else {
            return Err(refused("subject: an approval of this draft"));
        };
        if *targets_sha256 != signed_sha256 {
            return Err(refused("subject.targets_sha256: other targets than those of the draft"));
        }
        let of =
            |stated: &&Stated| stated.approval.id == *approval && stated.sha256 == *approval_sha256;
        let stated = stated.iter().find(of);
        let stated = stated.ok_or_else(|| refused("subject.approval: not in this draft"))?;
        if !stated.cves.is_empty() && signed.act.compensating.is_none() {
            let cves: Vec<_> = stated.cves.iter().cloned().collect();
            return Err(ApiError::with(ErrorCode::ControlMissing, cves.join(", ")));
        }
        Ok(signed)
    };
    acts.iter().map(check).collect()
}

/// Whether a person has said something on every new approval.
#[must_use]
pub fn is_said_by(person: &PersonId, stated: &[Stated], acts: &[Signed]) -> bool {
    stated.iter().all(|stated| {
        acts.iter().any(|signed| {
            let on = matches!(
                &signed.act.subject,
                Subject::Approval { approval_sha256, .. } if *approval_sha256 == stated.sha256
            );
            on && signed.act.person == *person
        })
    })
}

fn refused(rule: &str) -> ApiError {
    ApiError::with(ErrorCode::ActRefused, rule)
}
