//! One entry of a device's ledger in words.
//!
//! Not here: whether it verifies; that was checked when it was stored. Invariant: every kind of entry
//! has a text in both languages.

use crate::console::when::When;
use crate::console::words::Words;
use patchward_protocol::ledger::{Carried, Entry, Fact, Kind};
use patchward_protocol::reason::Class;

/// An entry as a page shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Class of its mark.
    pub class: &'static str,
    /// Its position.
    pub n: String,
    /// When, as the device knew it.
    pub at: Option<When>,
    /// What happened.
    pub what: String,
    /// Why, for holds, refusals and failures.
    pub why: Option<String>,
    /// What else it says.
    pub more: Vec<String>,
}

/// An entry in words.
#[must_use]
pub fn line(w: Words, entry: &Entry, tz: &str) -> Line {
    let fact = &entry.fact;
    let release = match &fact.release {
        Some(release) => release.version.to_string(),
        None => w.t("devices-some-release"),
    };
    Line {
        class: class(fact),
        n: w.t1("devices-entry-n", "n", entry.seq),
        at: entry.at.map(|at| w.instant(at, tz)),
        what: w.t1(&id(fact.kind), "release", release),
        why: fact.reason.map(|reason| w.pick(reason.en(), reason.ja()).to_owned()),
        more: more(w, fact, tz),
    }
}

fn more(w: Words, fact: &Fact, tz: &str) -> Vec<String> {
    let mut more = Vec::new();
    if let Some(from) = &fact.from {
        more.push(w.t1("devices-entry-from", "version", from.version.as_str()));
    }
    if let Some(slot) = fact.slot {
        let (from, to) = (w.instant(slot.start(), tz), w.instant(slot.end(), tz));
        more.push(format!("{} – {}", from.words(), to.words()));
    }
    if let (Some(before), Some(after)) = (fact.settings_before, fact.settings_after) {
        let same = if before == after { "same" } else { "other" };
        more.push(w.t(&format!("devices-entry-settings-{same}")));
    }
    if let Some(used_s) = fact.clinical_use_s {
        let span = w.span(i64::try_from(used_s).unwrap_or(i64::MAX));
        more.push(w.t1("devices-entry-used-for", "span", span));
    }
    if let Some(Carried { fetched_bytes, full_bytes, .. }) = &fact.carried {
        let (fetched, full) = (size(*fetched_bytes), size(*full_bytes));
        more.push(w.t2("devices-entry-carried", "fetched", fetched, "full", full));
    }
    if let Some(person) = &fact.person {
        more.push(w.t1("devices-entry-person", "person", person.as_str()));
    }
    if let Some(n) = fact.count {
        more.push(w.t1("devices-entry-count", "n", n));
    }
    more
}

/// Bytes in the unit that people read.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, of) in UNITS {
        if bytes >= of {
            let tenths = bytes.saturating_mul(10) / of;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

const fn class(fact: &Fact) -> &'static str {
    match fact.kind {
        Kind::Committed | Kind::HoldLifted | Kind::Enrolled => "good",
        Kind::RollingBack | Kind::RolledBack | Kind::NeedsService | Kind::Abandoned => "bad",
        Kind::Refused => match &fact.reason {
            Some(reason) if matches!(reason.class(), Class::Hold) => "",
            Some(_) | None => "bad",
        },
        Kind::Approved
        | Kind::Staged
        | Kind::Held
        | Kind::Preparing
        | Kind::Armed
        | Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::AwaitingAcceptance
        | Kind::Used
        | Kind::HoldSet
        | Kind::Recovered => "",
    }
}

fn id(kind: Kind) -> String {
    let word = match kind {
        Kind::Enrolled => "enrolled",
        Kind::Approved => "approved",
        Kind::Staged => "staged",
        Kind::Held => "held",
        Kind::Preparing => "preparing",
        Kind::Armed => "armed",
        Kind::Activating => "activating",
        Kind::Restarting => "restarting",
        Kind::Trial => "trial",
        Kind::AwaitingAcceptance => "awaiting-acceptance",
        Kind::Committed => "committed",
        Kind::Used => "used",
        Kind::Abandoned => "abandoned",
        Kind::RollingBack => "rolling-back",
        Kind::RolledBack => "rolled-back",
        Kind::NeedsService => "needs-service",
        Kind::Refused => "refused",
        Kind::HoldSet => "hold-set",
        Kind::HoldLifted => "hold-lifted",
        Kind::Recovered => "recovered",
    };
    format!("devices-entry-{word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
