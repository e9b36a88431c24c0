//! The ways of signing that a site's root allows, and what each costs: in the plain words of docs/THREATS.md.
//!
//! Invariant: a way that the root does not allow is shown as such, with the reason.

use super::way;
use crate::consent::draft::status::{SignerKey, Standing};
use crate::console::words::Words;
use patchward_protocol::id::PersonId;
use patchward_protocol::tuf::schema::Method;

/// A way of signing.
pub(in crate::console::pages) struct Way {
    /// Its name.
    pub(in crate::console::pages) name: String,
    /// What it costs.
    pub(in crate::console::pages) cost: String,
    /// Whether the visitor has a key for it.
    pub(in crate::console::pages) mine: bool,
}

/// The ways, the strongest first.
pub(in crate::console::pages) fn ways(
    words: Words,
    keys: &[SignerKey],
    person: Option<&PersonId>,
) -> Vec<Way> {
    let all = [
        (Method::Offline, "approvals-cost-offline"),
        (Method::Console, "approvals-cost-console"),
        (Method::Custodial, "approvals-cost-custodial"),
    ];
    let mine = |method: Method| {
        keys.iter().any(|key| key.method == method && key.person.as_ref() == person)
    };
    let way = |(method, cost): (Method, &str)| Way {
        name: way(words, method),
        cost: words.t(cost),
        mine: person.is_some() && mine(method),
    };
    all.into_iter().map(way).collect()
}

/// What the root says of the weakest way, in words.
pub(in crate::console::pages) fn weakest(words: Words, weakest: Method) -> String {
    words.t(match weakest {
        Method::Offline => "approvals-weakest-offline",
        Method::Console => "approvals-weakest-console",
        Method::Custodial => "approvals-weakest-custodial",
    })
}

/// The visitor's keys as the script compares them: `public:method`.
pub(in crate::console::pages) fn keys_of(standing: &Standing, person: &PersonId) -> String {
    keys(&standing.keys, person)
}

/// The same from a list of keys.
pub(in crate::console::pages) fn keys(keys: &[SignerKey], person: &PersonId) -> String {
    let of = keys.iter().filter(|key| key.person.as_ref() == Some(person));
    let word = |key: &SignerKey| format!("{}:{}", key.public, method_word(key.method));
    of.map(word).collect::<Vec<_>>().join(" ")
}

const fn method_word(method: Method) -> &'static str {
    match method {
        Method::Offline => "offline",
        Method::Console => "console",
        Method::Custodial => "custodial",
    }
}
