//! Pages of devices: the list, one device, what was updated by hand, and how one joins.
//!
//! Not here: rules of any of it. Invariant: a device of another hospital is not there.

pub mod by_hand;
pub mod device;
pub mod entry;
pub mod join;
pub mod list;
pub mod listed;
pub mod placed;

use crate::console::route::Routes;
use crate::console::words::Words;
use crate::fleet::condition::Condition;
use crate::fleet::roster::Member;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    list::routes(routes);
    join::routes(routes);
    by_hand::routes(routes);
    listed::routes(routes);
    placed::routes(routes);
    device::routes(routes);
}

/// A state in a word, with the shape that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// Class of the badge.
    pub class: &'static str,
    /// Its word.
    pub text: String,
}

/// The badges of a device: its condition, then what else is to be known.
#[must_use]
pub fn badges(w: Words, member: &Member) -> Vec<Badge> {
    let condition = member.condition;
    let mut badges = vec![Badge { class: class(condition), text: word(w, condition) }];
    let mut also = |holds: bool, class: &'static str, word: &str| {
        if holds {
            badges.push(Badge { class, text: w.t(&format!("devices-also-{word}")) });
        }
    };
    also(member.outline.forked, "bad", "forked");
    also(member.compensated, "", "compensated");
    also(member.unsupported, "warn", "unsupported");
    badges
}

/// A condition in a word.
#[must_use]
pub fn word(w: Words, condition: Condition) -> String {
    w.t(&format!("devices-condition-{}", condition.word()))
}

const fn class(condition: Condition) -> &'static str {
    match condition {
        Condition::Attention | Condition::Silent => "bad",
        Condition::Acceptance | Condition::Unknown | Condition::Behind => "warn",
        Condition::Waiting | Condition::Updating => "info",
        Condition::Current => "good",
    }
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = list::samples(words);
    all.extend(device::samples(words));
    all.extend(by_hand::samples(words));
    all.extend(join::samples(words));
    all.extend(listed::samples(words));
    all
}
