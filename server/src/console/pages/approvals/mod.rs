//! Approving: choose, plan, review, sign, done; standing approvals, rollbacks, withdrawals.
//!
//! Not here: what an approval may say and who must sign (`consent::draft`, the protocol).
//! Invariant: what a person signs is shown by the protocol's own text, and its button says what follows.

mod done;
mod draft;
mod key;
mod list;
mod new;
mod plan;
pub(in crate::console) mod reasons;
mod refused;
mod sheet;
mod sign;
mod standing;
pub(super) mod ways;
mod withdraw;

pub(super) use sign::{made_elsewhere, open_custodial};

use crate::console::door::{AtSite, Visit};
use crate::console::route::Routes;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::publish::current::Snapshot;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::{Action, Approval, ApprovalState, Urgency};
use patchward_protocol::id::{FamilyId, PersonId, RepositoryId};
use patchward_protocol::tuf::schema::Method;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    list::routes(routes);
    new::routes(routes);
    standing::routes(routes);
    withdraw::routes(routes);
    draft::routes(routes);
    sign::routes(routes);
    done::routes(routes);
    sheet::routes(routes);
    key::routes(routes);
}

/// How a family is called.
pub(super) fn family_name(snapshot: &Snapshot, words: Words, family: &FamilyId) -> String {
    let found = snapshot.get(&RepositoryId::Family(family.clone()));
    let title = found.map(|at| words.pick(&at.title_en, &at.title_ja).to_owned());
    title.filter(|title| !title.is_empty()).unwrap_or_else(|| family.to_string())
}

/// What an approval is about, in a few words.
pub(super) fn subject(snapshot: &Snapshot, words: Words, approval: &Approval) -> String {
    match &approval.release {
        Some(release) => {
            let family = family_name(snapshot, words, &release.family);
            words.t2("approvals-of-release", "family", family, "version", release.version.as_str())
        }
        None => {
            let families = approval.families();
            let names = families.iter().map(|family| family_name(snapshot, words, family));
            let names = names.collect::<Vec<_>>().join(words.pick(", ", "、"));
            words.t1("approvals-of-policy", "families", names)
        }
    }
}

/// The kind of an approval in words.
pub(super) fn kind(words: Words, approval: &Approval) -> String {
    words.t(match (approval.state, approval.action, approval.urgency) {
        (ApprovalState::Withdrawn, _, _) => "approvals-kind-withdrawn",
        (_, Action::Rollback, _) => "approvals-kind-rollback",
        (_, Action::Standing, _) => "approvals-kind-standing",
        (_, Action::Install, Urgency::Emergency) => "approvals-kind-emergency",
        (_, Action::Install, Urgency::Routine) => "approvals-kind-routine",
    })
}

/// A way of signing in words.
pub(super) fn way(words: Words, method: Method) -> String {
    words.t(match method {
        Method::Offline => "approvals-way-offline",
        Method::Console => "approvals-way-console",
        Method::Custodial => "approvals-way-custodial",
    })
}

/// Which person of the site's root the visitor is.
///
/// # Errors
/// `signer_refused` when nobody.
pub(super) fn person(visit: &Visit<AtSite>) -> Result<PersonId, ApiError> {
    let found = visit.entry.who.person_at(&visit.entry.site).cloned();
    let why = "your account is no person of this site's root";
    found.ok_or_else(|| ApiError::with(ErrorCode::SignerRefused, why))
}

/// The steps on the way, with the one that is current.
pub(super) fn steps(words: Words, here: usize) -> Vec<(String, &'static str)> {
    let ids = ["approvals-step-1", "approvals-step-2", "approvals-step-3", "approvals-step-4"];
    let mark = |n: usize| match n.cmp(&here) {
        std::cmp::Ordering::Less => "past",
        std::cmp::Ordering::Equal => "here",
        std::cmp::Ordering::Greater => "",
    };
    ids.iter().enumerate().map(|(n, id)| (words.t(id), mark(n))).collect()
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = Vec::new();
    all.extend(list::samples(words));
    all.extend(new::samples(words));
    all.extend(refused::samples(words));
    all.extend(standing::samples(words));
    all.extend(withdraw::samples(words));
    all.extend(draft::samples(words));
    all.extend(sign::samples(words));
    all.extend(done::samples(words));
    all.extend(sheet::samples(words));
    all.extend(key::samples(words));
    all
}
