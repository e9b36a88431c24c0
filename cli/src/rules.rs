//! The rules of signing: who may be a signer, how many must sign, what may follow what.
//!
//! The rules themselves are the protocol's; here is only which exceptions are asked for: the example
//! keys by their option, a custodial site by the `x-weakest` that its own root states.
//! Invariant: nothing is signed or published that breaks one.

use crate::base::Base;
use crate::draft::{Content, Draft};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::{ExampleKeys, Here};
use patchward_protocol::tuf::build::RootSpec;
use patchward_protocol::tuf::publish::{self, Violation};
use patchward_protocol::tuf::rules::{self, BrokenRule, Exception};
use patchward_protocol::tuf::schema::{Method, Root};
use std::collections::BTreeSet;

/// Checks a draft before anybody signs it: every broken rule at once.
///
/// # Errors
/// [`Code::ExampleKeys`] or [`Code::StageRules`].
pub fn check(here: &Here, draft: &Draft, base: &Base) -> Outcome<()> {
    let broken = match &draft.content {
        Content::Root(spec) => rules::check_root(spec, &exceptions(here, spec)),
        Content::Targets(spec) => match base.root_spec() {
            Some(root) => rules::check_targets(&root, spec, &exceptions(here, &root)),
            None => Vec::new(),
        },
    };
    let Some(first) = broken.first() else { return Ok(()) };
    let example = |rule: &BrokenRule| matches!(rule, BrokenRule::ExampleKey { .. });
    let code = if broken.iter().all(example) { Code::ExampleKeys } else { Code::StageRules };
    let what = format!("{} {}: {}", draft.repository, draft.staged.role(), first.code());
    Err(Failure::with_problems(code, what, broken.iter().map(ToString::to_string).collect()))
}

/// Checks a signed draft before it is sent, as the server will: every violation at once.
///
/// # Errors
/// [`Code::StageRules`].
pub fn check_publishable(
    here: &Here,
    draft: &Draft,
    base: &Base,
    new_root: Option<&Root>,
) -> Outcome<()> {
    let bytes = draft.staged.to_bytes();
    let root = base.root.as_ref();
    let violations = match &draft.content {
        Content::Root(_) => publish::check_root(&draft.repository, root, &bytes, here.at),
        Content::Targets(_) => match new_root.or(root) {
            Some(root) => publish::check_targets(root, base.listed.as_ref(), &bytes, here.at),
            None => return Err(crate::repository::unknown(&draft.repository)),
        },
    };
    let Some(first) = violations.first().map(Violation::code) else { return Ok(()) };
    let what = format!("{}: {first}", draft.path.display());
    let list = violations.iter().map(|violation| chain(violation)).collect();
    Err(Failure::with_problems(Code::StageRules, what, list))
}

fn exceptions(here: &Here, root: &RootSpec) -> BTreeSet<Exception> {
    let mut exceptions = BTreeSet::new();
    if here.example_keys == ExampleKeys::InsecureAllowed {
        exceptions.insert(Exception::InsecureDemoKeys);
    }
    if root.weakest == Some(Method::Custodial) {
        exceptions.insert(Exception::CustodialSite);
    }
    exceptions
}
