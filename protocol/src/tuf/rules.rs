//! What the tools refuse when keys are given to roles, beyond what a device checks.
//!
//! A device accepts what enough keys signed; these rules keep people from making a repository in
//! which one lost or stolen key is enough. The command line checks them before anybody signs, the
//! server before it publishes. Not here: form ([`super::profile`]).
//! Invariant: every exception is asked for by name.

use super::build::{KeySpec, RoleSpec, RootSpec, TargetsSpec};
use super::role::Role;
use super::schema::{Method, TopLevel};
use crate::example_keys;
use crate::id::RepositoryId;
use crate::key::PublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// A rule that is set aside on purpose; the caller says so in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// A clinic that wants no keys: the server holds its site's, all marked `custodial`.
    CustodialSite,
    /// Keys of `keys-example`, whose secrets everybody knows: demonstrations only.
    InsecureDemoKeys,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the texts say what the fields are")]
pub enum BrokenRule {
    /// One person could sign alone.
    #[error("{role}: a threshold of {threshold} lets one person sign alone; use at least 2")]
    ThresholdBelowTwo { role: Role, threshold: u64 },
    /// Two groups of signers could each sign something else.
    #[error("{role}: {threshold} of {keys} keys is not more than half; raise the threshold")]
    HalfOrLess { role: Role, threshold: u64, keys: u64 },
    /// One lost key would end the repository.
    #[error("{role}: all {keys} keys must sign, so one lost key ends it; add a key")]
    AllKeysNeeded { role: Role, keys: u64 },
    /// A key in two roles: one theft gives both.
    #[error("the key {key} stands in {first} and in {second}; every role has keys of its own")]
    KeyInTwoRoles { key: Box<PublicKey>, first: Role, second: Role },
    /// A public key listed twice in a role.
    #[error("{role}: the public key {key} is listed twice")]
    KeyTwice { role: Role, key: Box<PublicKey> },
    /// A key that the server holds signs for an offline role.
    #[error("{role}: the server holds the key {key}; offline roles have keys of people")]
    OnlineKey { role: Role, key: Box<PublicKey> },
    /// A key that does not say how it signs.
    #[error("{role}: the key {key} has no x-method; a device would count it as custodial")]
    MethodMissing { role: Role, key: Box<PublicKey> },
    /// A key that does not say whose it is.
    #[error("{role}: the key {key} has no x-person")]
    PersonMissing { role: Role, key: Box<PublicKey> },
    /// A time key that the server holds is no second source.
    #[error("the time key {key} is also an online key; it must not be the server's")]
    TimeKeyOnline { key: Box<PublicKey> },
    /// A key whose secret is public.
    #[error("{role}: {key} is one of the public example keys; make keys of your own")]
    ExampleKey { role: Role, key: Box<PublicKey> },
}

impl BrokenRule {
    /// The stable name of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ThresholdBelowTwo { .. } => "rule_threshold_below_two",
            Self::HalfOrLess { .. } => "rule_half_or_less",
            Self::AllKeysNeeded { .. } => "rule_all_keys_needed",
            Self::KeyInTwoRoles { .. } => "rule_key_in_two_roles",
            Self::KeyTwice { .. } => "rule_key_twice",
            Self::OnlineKey { .. } => "rule_online_key",
            Self::MethodMissing { .. } => "rule_method_missing",
            Self::PersonMissing { .. } => "rule_person_missing",
            Self::TimeKeyOnline { .. } => "rule_time_key_online",
            Self::ExampleKey { .. } => "rule_example_key",
        }
    }
}

/// Every rule that a root breaks.
#[must_use]
pub fn check_root(root: &RootSpec, exceptions: &BTreeSet<Exception>) -> Vec<BrokenRule> {
    let mut broken = Vec::new();
    for (top, keys) in root.roles() {
        let role = top.role();
        check_twice(&role, keys, &mut broken);
        if matches!(top, TopLevel::Root | TopLevel::Targets) {
            check_offline(&root.repository, &role, keys, exceptions, &mut broken);
        }
    }
    let roles = root.roles().map(|(top, keys)| (top.role(), keys));
    check_apart(&roles, &mut broken);
    check_example(&roles, exceptions, &mut broken);
    let online = [&root.snapshot, &root.timestamp];
    let online: BTreeSet<_> = online.iter().flat_map(|role| publics(role)).collect();
    for key in root.time_keys.iter().filter(|key| online.contains(key)) {
        broken.push(BrokenRule::TimeKeyOnline { key: Box::new(*key) });
    }
    broken
}

/// Every rule that the delegations of targets break, under the root that they belong to.
#[must_use]
pub fn check_targets(
    root: &RootSpec,
    targets: &TargetsSpec,
    exceptions: &BTreeSet<Exception>,
) -> Vec<BrokenRule> {
    let mut broken = Vec::new();
    let named = |name: &str| Role::Delegated(name.to_owned());
    let delegated: Vec<_> =
        targets.delegations.iter().map(|role| (named(&role.name), &role.keys)).collect();
    for (role, keys) in &delegated {
        check_twice(role, keys, &mut broken);
    }
    check_example(&delegated, exceptions, &mut broken);
    let mut all = delegated;
    all.extend(root.roles().map(|(top, keys)| (top.role(), keys)));
    check_apart(&all, &mut broken);
    broken.retain(|rule| !is_of_root_alone(rule));
    broken
}

fn is_of_root_alone(rule: &BrokenRule) -> bool {
    let top = |role: &Role| !matches!(role, Role::Delegated(_));
    matches!(rule, BrokenRule::KeyInTwoRoles { first, second, .. } if top(first) && top(second))
}

fn check_offline(
    repository: &RepositoryId,
    role: &Role,
    spec: &RoleSpec,
    exceptions: &BTreeSet<Exception>,
    broken: &mut Vec<BrokenRule>,
) {
    let is_site = matches!(repository, RepositoryId::Site(_));
    let by_server = |key: &KeySpec| key.method == Some(Method::Custodial);
    let may_be_held = is_site && exceptions.contains(&Exception::CustodialSite);
    for key in &spec.keys {
        let (role, public) = (role.clone(), Box::new(key.public));
        if by_server(key) {
            if !may_be_held {
                broken.push(BrokenRule::OnlineKey { role, key: public });
            }
            continue;
        }
        if is_site && role == Role::Targets {
            if key.method.is_none() {
                broken.push(BrokenRule::MethodMissing { role: role.clone(), key: public.clone() });
            }
            if key.person.is_none() {
                broken.push(BrokenRule::PersonMissing { role, key: public });
            }
        }
    }
    if may_be_held && spec.keys.iter().all(by_server) {
        return;
    }
    let (threshold, role) = (spec.threshold, role.clone());
    let keys = u64::try_from(publics(spec).len()).unwrap_or(u64::MAX);
    if threshold < 2 {
        broken.push(BrokenRule::ThresholdBelowTwo { role: role.clone(), threshold });
    }
    if threshold.saturating_mul(2) <= keys {
        broken.push(BrokenRule::HalfOrLess { role: role.clone(), threshold, keys });
    }
    if threshold >= keys {
        broken.push(BrokenRule::AllKeysNeeded { role, keys });
    }
}

fn check_twice(role: &Role, spec: &RoleSpec, broken: &mut Vec<BrokenRule>) {
    let mut seen = BTreeSet::new();
    for key in spec.keys.iter().filter(|key| !seen.insert(key.public)) {
        broken.push(BrokenRule::KeyTwice { role: role.clone(), key: Box::new(key.public) });
    }
}

fn check_apart(roles: &[(Role, &RoleSpec)], broken: &mut Vec<BrokenRule>) {
    let mut seen: BTreeMap<PublicKey, &Role> = BTreeMap::new();
    for (role, spec) in roles {
        for key in publics(spec) {
            if let Some(first) = seen.insert(key, role) {
                let (first, second) = (first.clone(), role.clone());
                broken.push(BrokenRule::KeyInTwoRoles { key: Box::new(key), first, second });
            }
        }
    }
}

fn check_example(
    roles: &[(Role, &RoleSpec)],
    exceptions: &BTreeSet<Exception>,
    broken: &mut Vec<BrokenRule>,
) {
    if exceptions.contains(&Exception::InsecureDemoKeys) {
        return;
    }
    for (role, spec) in roles {
        for key in publics(spec).into_iter().filter(example_keys::is_example) {
            broken.push(BrokenRule::ExampleKey { role: role.clone(), key: Box::new(key) });
        }
    }
}

fn publics(spec: &RoleSpec) -> BTreeSet<PublicKey> {
    spec.keys.iter().map(|key| key.public).collect()
}
