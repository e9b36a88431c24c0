//! What a staged document changes against the published one, as a value that people read.
//!
//! Shown before signing and before publishing. Not here: whether the change is allowed
//! ([`super::publish`]), and what this signer saw earlier ([`super::memory`]).
//! Invariant: a difference without any entry means equal content but for version and times.

use super::build::{KeySpec, RootSpec, TargetSpec, TargetsSpec};
use super::schema::{Method, TopLevel};
use crate::id::TargetPath;
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// What is published; none where nothing is.
    pub from: Option<T>,
    /// What is staged.
    pub to: T,
}

/// What staged targets change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsDifference {
    /// The version.
    pub version: Change<u64>,
    /// The expiry.
    pub expires: Change<Timestamp>,
    /// Files that were not listed.
    pub added: BTreeMap<TargetPath, TargetSpec>,
    /// Files that are not listed any more.
    pub removed: BTreeMap<TargetPath, TargetSpec>,
    /// Files of which something else is said.
    pub changed: BTreeMap<TargetPath, Change<TargetSpec>>,
    /// Images among the changed ones that are taken back.
    pub withdrawn: BTreeSet<TargetPath>,
    /// Delegated roles that are new or not the same.
    pub delegations_changed: BTreeSet<String>,
    /// Delegated roles that are gone.
    pub delegations_removed: BTreeSet<String>,
}

/// What a staged root changes in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDifference {
    /// The role.
    pub role: TopLevel,
    /// The threshold.
    pub threshold: Change<u64>,
    /// Keys that were not listed, or not with this person or method.
    pub added: Vec<KeySpec>,
    /// Keys that are not listed any more, or not with this person or method.
    pub removed: Vec<KeySpec>,
}

/// What a staged root changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDifference {
    /// The version.
    pub version: Change<u64>,
    /// The expiry.
    pub expires: Change<Timestamp>,
    /// The four roles.
    pub roles: Vec<RoleDifference>,
    /// The weakest method that approvals may be signed with.
    pub weakest: Change<Method>,
    /// Time keys that are new.
    pub time_keys_added: BTreeSet<PublicKey>,
    /// Time keys that are gone.
    pub time_keys_removed: BTreeSet<PublicKey>,
}

impl TargetsDifference {
    /// Compares staged targets with the published ones, if there are any.
    #[must_use]
    pub fn between(published: Option<&TargetsSpec>, staged: &TargetsSpec) -> Self {
        let (none, no_roles) = (BTreeMap::new(), Vec::new());
        let old = published.map_or(&none, |spec| &spec.targets);
        let new = &staged.targets;
        let only = |here: &BTreeMap<TargetPath, TargetSpec>, there: &BTreeMap<_, _>| {
            let absent = here.iter().filter(|(path, _)| !there.contains_key(*path));
            absent.map(|(path, spec)| (path.clone(), spec.clone())).collect()
        };
        let changed: BTreeMap<_, _> = new
            .iter()
            .filter_map(|(path, to)| {
                let from = old.get(path).filter(|from| *from != to)?;
                Some((path.clone(), Change { from: Some(from.clone()), to: to.clone() }))
            })
            .collect();
        let taken_back = |change: &Change<TargetSpec>| {
            is_withdrawn(&change.to) && !change.from.as_ref().is_some_and(is_withdrawn)
        };
        let withdrawn = changed.iter().filter(|(_, change)| taken_back(change));
        let old_roles = published.map_or(&no_roles, |spec| &spec.delegations);
        let (roles, names) =
            (&staged.delegations, |role: &super::build::DelegationSpec| role.name.clone());
        Self {
            version: Change { from: published.map(|spec| spec.version), to: staged.version },
            expires: Change { from: published.map(|spec| spec.expires), to: staged.expires },
            added: only(new, old),
            removed: only(old, new),
            withdrawn: withdrawn.map(|(path, _)| path.clone()).collect(),
            changed,
            delegations_changed: roles
                .iter()
                .filter(|role| !old_roles.contains(role))
                .map(names)
                .collect(),
            delegations_removed: old_roles
                .iter()
                .filter(|old| !roles.iter().any(|role| role.name == old.name))
                .map(names)
                .collect(),
        }
    }
}

impl RootDifference {
    /// Compares a staged root with the published one, if there is one.
    #[must_use]
    pub fn between(published: Option<&RootSpec>, staged: &RootSpec) -> Self {
        let old_times: BTreeSet<_> =
            published.into_iter().flat_map(|spec| spec.time_keys.iter().copied()).collect();
        let times: BTreeSet<_> = staged.time_keys.iter().copied().collect();
        let roles = staged.roles().into_iter().map(|(role, new)| {
            let old = published.and_then(|spec| {
                spec.roles().into_iter().find(|(name, _)| *name == role).map(|(_, old)| old)
            });
            let before = old.map_or(&[][..], |old| &old.keys);
            let not_in = |keys: &[KeySpec], others: &[KeySpec]| {
                keys.iter().filter(|key| !others.contains(key)).cloned().collect()
            };
            let threshold = Change { from: old.map(|old| old.threshold), to: new.threshold };
            let added = not_in(&new.keys, before);
            RoleDifference { role, threshold, added, removed: not_in(before, &new.keys) }
        });
        let weakest = |spec: &RootSpec| spec.weakest.unwrap_or(Method::Offline);
        Self {
            version: Change { from: published.map(|spec| spec.version), to: staged.version },
            expires: Change { from: published.map(|spec| spec.expires), to: staged.expires },
            roles: roles.collect(),
            weakest: Change { from: published.map(weakest), to: weakest(staged) },
            time_keys_added: times.difference(&old_times).copied().collect(),
            time_keys_removed: old_times.difference(&times).copied().collect(),
        }
    }
}

fn is_withdrawn(target: &TargetSpec) -> bool {
    let state = target.custom.get("fw").and_then(|fw| fw.get("state"));
    state.and_then(Value::as_str) == Some("withdrawn")
}
