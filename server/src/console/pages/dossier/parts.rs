//! Parts of the page of a release: what to do, the hospital's own devices, holes, the bill.
//!
//! Not here: the order of the page ([`super::view`]). Invariant: a severity is a word and a shape,
//! never a colour alone.

use super::gather::Known;
use crate::console::door::AtSite;
use crate::console::pages::holds::ward_name;
use crate::console::when::When;
use crate::console::words::Words;
use crate::fleet::roster::Member;
use crate::notify::answer::Answer;
use crate::notify::said;
use crate::notify::survey::urgency;
use crate::people::role::SitePower;
use patchward_protocol::advice::sbom::Component;
use patchward_protocol::advice::score::{self, Score};
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{HardwareId, WardId};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState, Severity};
use std::collections::BTreeMap;

/// Most lines of a list of components.
const COMPONENTS_MAX: usize = 200;

/// What to do, by when.
#[derive(Debug, Clone)]
pub struct Todo {
    /// Class of the note.
    pub class: &'static str,
    /// What.
    pub text: String,
    /// By when.
    pub due: Option<When>,
    /// Where it is approved.
    pub approve: Option<String>,
    /// What the button says.
    pub approve_text: String,
    /// Where it is answered: put off, declined, asked about.
    pub answer: Option<String>,
    /// The newer release that replaces it: where, and what the button says.
    pub newer: Option<(String, String)>,
    /// Approvals in force.
    pub approvals: Option<String>,
    /// What the hospital answered.
    pub answers: Vec<String>,
}

/// The hospital's devices.
#[derive(Debug, Clone, Default)]
pub struct Yours {
    /// Devices that should get it.
    pub affected: usize,
    /// Devices that have it, or a newer one.
    pub have: usize,
    /// Devices that it does not fit.
    pub unfit: usize,
    /// By ward: name, affected, all.
    pub wards: Vec<(String, usize, usize)>,
}

/// A hole that it closes.
#[derive(Debug, Clone)]
pub struct Hole {
    /// Its id.
    pub id: String,
    /// Class of the badge.
    pub class: &'static str,
    /// Score and word.
    pub score: String,
    /// The vector, and what was stated otherwise.
    pub vector: String,
    /// It is exploited.
    pub exploited: bool,
}

/// The bill of materials and what changed.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// Form and number of components, or why it cannot be read.
    pub about: String,
    /// Since which release; none when there is nothing to compare with.
    pub since: Option<String>,
    /// New components: name and version.
    pub added: Vec<String>,
    /// How many new components there are.
    pub added_n: usize,
    /// Components that are gone.
    pub removed: Vec<String>,
    /// How many components are gone.
    pub removed_n: usize,
    /// Changed components: name, before, after.
    pub changed: Vec<(String, String, String)>,
    /// How many are not listed for want of room.
    pub more: usize,
}

/// What to do, and by when.
#[must_use]
pub fn todo(w: Words, at: &AtSite, known: &Known, yours: &Yours) -> Todo {
    let firmware = &known.firmware;
    let (_, days) = urgency(firmware);
    let newest = known.all.iter().find(|it| it.state == ReleaseState::Released);
    let superseded = newest.filter(|it| it.seq > firmware.seq);
    let (class, text) = if firmware.state == ReleaseState::Withdrawn {
        ("bad", w.t("dossier-do-withdrawn"))
    } else if let Some(newest) = superseded {
        ("warn", w.t1("dossier-do-superseded", "version", newest.version.as_str()))
    } else if yours.affected == 0 {
        ("good", w.t("dossier-do-nothing"))
    } else if !known.approvals.is_empty() {
        ("good", w.t1("dossier-do-approved", "n", yours.affected))
    } else if firmware.known_exploited {
        ("bad", w.t1("dossier-do-exploited", "n", yours.affected))
    } else {
        match days {
            Some(days) => ("warn", w.t2("dossier-do-soon", "n", yours.affected, "days", days)),
            None => ("", w.t1("dossier-do-when", "n", yours.affected)),
        }
    };
    let open = firmware.state == ReleaseState::Released && yours.affected > 0;
    let may = open && at.may(SitePower::Plan);
    let (family, version) = (&firmware.family, &firmware.version);
    let newer = superseded.map(|newer| {
        let to = at.path(&format!("releases/{family}/{}", newer.version));
        (to, w.t1("dossier-superseded-look", "version", newer.version.as_str()))
    });
    let approvals = (!known.approvals.is_empty()).then(|| at.path("approvals"));
    Todo {
        class,
        text,
        due: known.notice.as_ref().and_then(|it| it.due).map(|due| w.instant(due, at.tz())),
        approve: may.then(|| at.path(&format!("approvals/new?family={family}&version={version}"))),
        approve_text: w.t1("dossier-approve", "n", yours.affected),
        answer: known.notice.as_ref().map(said::path),
        newer,
        approvals,
        answers: known.answers.iter().map(|given| answer(w, at, given)).collect(),
    }
}

fn answer(w: Words, at: &AtSite, given: &crate::notify::answer::Given) -> String {
    let when = w.instant(given.at, at.tz());
    let (by, reason) = (given.by.name.as_str(), given.reason.as_str());
    match &given.answer {
        Answer::Deferred { until, control } => {
            let until = w.day(*until, at.tz());
            w.say(
                "dossier-answer-deferred",
                &[
                    ("by", by.into()),
                    ("at", when.words().into()),
                    ("until", until.words().into()),
                    ("control", control.as_str().into()),
                    ("reason", reason.into()),
                ],
            )
        }
        Answer::Acknowledged | Answer::Declined => {
            let id = format!("dossier-answer-{}", given.answer.code());
            let values =
                [("by", by.into()), ("at", when.words().into()), ("reason", reason.into())];
            w.say(&id, &values)
        }
    }
}

/// The hospital's devices of the family.
#[must_use]
pub fn yours(w: Words, at: &AtSite, firmware: &Firmware, members: &[Member]) -> Yours {
    let mut yours = Yours::default();
    let mut wards: BTreeMap<Option<WardId>, (usize, usize)> = BTreeMap::new();
    for member in members {
        let outline = &member.outline;
        let fits = |own: &HardwareId| firmware.hw.contains(own);
        if !outline.hardware.as_ref().is_none_or(fits) {
            yours.unfit = yours.unfit.saturating_add(1);
            continue;
        }
        let has = outline.installed.as_ref().is_some_and(|it| it.seq >= firmware.seq);
        let ward = member.listed.as_ref().and_then(|it| it.ward.clone());
        let (affected, all) = wards.entry(ward).or_default();
        *all = all.saturating_add(1);
        if has {
            yours.have = yours.have.saturating_add(1);
        } else {
            yours.affected = yours.affected.saturating_add(1);
            *affected = affected.saturating_add(1);
        }
    }
    let name = |ward: Option<WardId>| {
        ward.map_or_else(|| w.t("today-no-ward"), |ward| ward_name(w, &at.inventory, &ward))
    };
    yours.wards = wards.into_iter().map(|(ward, (n, all))| (name(ward), n, all)).collect();
    yours
}

/// The holes that it closes; from what was signed of the release where the dossier cannot be read.
#[must_use]
pub fn holes(w: Words, firmware: &Firmware, dossier: Option<&Dossier>) -> Vec<Hole> {
    let Some(dossier) = dossier else {
        let bare = |id: &String| Hole {
            id: id.clone(),
            class: "",
            score: w.t("dossier-score-unknown"),
            vector: String::new(),
            exploited: firmware.known_exploited,
        };
        return firmware.cves.iter().map(bare).collect();
    };
    let hole = |cve: patchward_protocol::dossier::Cve<'_>| {
        let read = score::read(cve.cvss);
        let (class, score) = match &read {
            Some(Score { value, severity, .. }) => {
                let word = w.t(&format!("dossier-severity-{}", severity_word(*severity)));
                (severity_class(*severity), format!("{value} {word}"))
            }
            None => ("", w.t("dossier-score-unknown")),
        };
        let stated = read.as_ref().and_then(|score| score.stated.as_deref());
        let vector = match stated {
            Some(stated) => w.t2("dossier-score-stated", "text", cve.cvss, "stated", stated),
            None => cve.cvss.to_owned(),
        };
        Hole { id: cve.id.to_owned(), class, score, vector, exploited: cve.known_exploited }
    };
    dossier.cves().into_iter().map(hole).collect()
}

/// The word of a severity in ids of texts.
#[must_use]
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "none",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

const fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::None => "",
        Severity::Low => "info",
        Severity::Medium => "warn",
        Severity::High | Severity::Critical => "bad",
    }
}

/// The bill of materials and what changed.
#[must_use]
pub fn bill(w: Words, known: &Known) -> Bill {
    let about = match known.bill.as_deref() {
        None => w.t("dossier-sbom-missing"),
        Some(Err(_)) => w.t("dossier-sbom-unread"),
        Some(Ok(bill)) => {
            let form = format!("{} {}", bill.form.name(), bill.form_version);
            w.t2("dossier-sbom-about", "form", form, "n", bill.components.len())
        }
    };
    let Some((since, difference)) = &known.since else {
        return Bill { about, ..Bill::default() };
    };
    let line = |it: &Component| {
        let version = it.version.as_deref().unwrap_or_default();
        format!("{} {version} {}", it.name, it.licences.join(", ")).trim().to_owned()
    };
    let join = |of: &std::collections::BTreeSet<String>| {
        of.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let changed = difference.changed.iter().map(|it| {
        let with =
            |versions: String, licences: String| format!("{versions} {licences}").trim().to_owned();
        let before = with(join(&it.from), join(&it.licences_from));
        (it.name.clone(), before, with(join(&it.to), join(&it.licences_to)))
    });
    let lengths = [difference.added.len(), difference.removed.len(), difference.changed.len()];
    let more = lengths.iter().map(|n| n.saturating_sub(COMPONENTS_MAX)).sum();
    Bill {
        about,
        since: Some(since.to_string()),
        added_n: difference.added.len(),
        removed_n: difference.removed.len(),
        added: difference.added.iter().take(COMPONENTS_MAX).map(line).collect(),
        removed: difference.removed.iter().take(COMPONENTS_MAX).map(line).collect(),
        changed: changed.take(COMPONENTS_MAX).collect(),
        more,
    }
}
