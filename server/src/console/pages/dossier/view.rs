//! The order of the page of a release: what to do by when, what could happen to patients, your devices,
//! temporary measures, the fix, then the rest.
//!
//! Not here: gathering. Invariant: everything that `protocol::dossier` asks a manufacturer for is shown.

use super::gather::Known;
use super::parts::{self, Bill, Hole, Todo, Yours};
use crate::console::door::AtSite;
use crate::console::frame::Frame;
use crate::console::pages::devices::entry::size;
use crate::console::words::Words;
use crate::notify::said::Names;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::dossier::Dossier;
use patchward_protocol::tuf::custom::{Acceptance, Class, ReleaseState};

/// The page.
#[derive(Template)]
#[template(path = "dossier/release.html")]
pub struct ReleasePage {
    frame: Frame,
    w: Words,
    todo: Todo,
    unread: bool,
    why: Vec<String>,
    said: Said,
    yours: Yours,
    devices: String,
    class: String,
    severity: String,
    exploited: bool,
    therapy: bool,
    holes: Vec<Hole>,
    downtime: Option<String>,
    acceptance: String,
    support: Option<String>,
    technical: Vec<(String, String, &'static str)>,
    bill: Bill,
    sbom: String,
    revisions: Vec<Revision>,
    back: Option<String>,
    back_records: Option<String>,
}

/// What the dossier says, in the visitor's language; empty where it cannot be read.
#[derive(Debug, Clone, Default)]
struct Said {
    applied: String,
    not_applied: String,
    controls: String,
    changes: String,
    settings: String,
    preconditions: String,
    test_what: String,
    test_who: String,
    rollback: String,
    validation: String,
    evidence: String,
    regulatory: String,
    sbom: String,
    contacts: String,
}

#[derive(Debug, Clone)]
struct Revision {
    version: String,
    to: String,
    class: &'static str,
    state: String,
    here: bool,
}

impl Said {
    fn of(w: Words, dossier: Option<&Dossier>) -> Self {
        let said = |path: &str| {
            dossier.map(|it| it.said(path, w.tag()).trim().to_owned()).unwrap_or_default()
        };
        Self {
            applied: said("patients.applied"),
            not_applied: said("patients.not_applied"),
            controls: said("compensating_controls"),
            changes: said("changes"),
            settings: said("settings_kept"),
            preconditions: said("preconditions"),
            test_what: said("post_update_test.what"),
            test_who: said("post_update_test.who"),
            rollback: said("rollback"),
            validation: said("validation"),
            evidence: said("field_evidence"),
            regulatory: said("regulatory"),
            sbom: said("sbom_difference"),
            contacts: said("contacts"),
        }
    }
}

/// Puts the page together.
#[must_use]
pub fn view(frame: Frame, w: Words, at: &AtSite, (known, _): (&Known, Names<'_>)) -> ReleasePage {
    let firmware = &known.firmware;
    let dossier = known.dossier.as_deref();
    let yours = parts::yours(w, at, firmware, &known.members);
    let (family, version) = (&firmware.family, &firmware.version);
    let class = match firmware.class {
        Class::Security => "security",
        Class::SecurityAndFix => "security-fix",
        Class::Feature => "feature",
    };
    let acceptance = match firmware.acceptance {
        Acceptance::None => "none",
        Acceptance::SelfTest => "self-test",
        Acceptance::Human => "human",
    };
    let why = dossier.map(|it| it.why(w.tag()).into_iter().map(str::to_owned).collect());
    ReleasePage {
        todo: parts::todo(w, at, known, &yours),
        unread: dossier.is_none(),
        why: why.unwrap_or_default(),
        said: Said::of(w, dossier),
        yours,
        devices: at.path(&format!("devices?family={family}")),
        class: w.t(&format!("dossier-class-{class}")),
        severity: w.t(&format!("dossier-severity-{}", parts::severity_word(firmware.severity))),
        exploited: firmware.known_exploited,
        therapy: firmware.therapy,
        holes: parts::holes(w, firmware, dossier),
        downtime: dossier.map(|it| downtime(w, it)),
        acceptance: w.t(&format!("dossier-acceptance-{acceptance}")),
        support: dossier.map(|it| support(w, it)),
        technical: technical(w, known),
        bill: parts::bill(w, known),
        sbom: at.path(&format!("releases/{family}/{version}/sbom")),
        revisions: revisions(w, at, known),
        back: (!known.members.is_empty()).then(|| at.path(&format!("rollback?family={family}"))),
        back_records: (known.rolled_back && at.may(SitePower::Records))
            .then(|| at.path("records?kind=rollbacks")),
        frame,
        w,
    }
}

fn downtime(w: Words, dossier: &Dossier) -> String {
    let (typical, most) = dossier.downtime_min();
    w.t2("dossier-downtime-line", "typical", typical, "most", most)
}

fn support(w: Words, dossier: &Dossier) -> String {
    let (status, until) = dossier.support();
    let status = match status {
        "supported" | "limited" | "end-of-support" => w.t(&format!("dossier-support-{status}")),
        _ => w.t("dossier-support-unknown"),
    };
    // The day belongs to no zone.
    let day = until.map(|date| w.day(date.end_utc().plus_seconds(-1), "Etc/UTC"));
    match day {
        Some(day) => w.t2("dossier-support-line", "status", status, "until", day),
        None => status,
    }
}

fn technical(w: Words, known: &Known) -> Vec<(String, String, &'static str)> {
    let firmware = &known.firmware;
    let payload = &firmware.payload;
    let text = |id: &str| w.t(id);
    let hw = firmware.hw.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let back = firmware.rollback_ok.iter().map(|seq| {
        let named = known.all.iter().find(|it| it.seq == *seq);
        named.map_or_else(|| seq.to_string(), |it| it.version.to_string())
    });
    let back = back.collect::<Vec<_>>().join(", ");
    let back = if back.is_empty() { text("dossier-rollback-none") } else { back };
    let deltas = known
        .deltas
        .map(|(least, most)| w.t2("dossier-delta-line", "least", size(least), "most", size(most)));
    let none = || text("dossier-delta-none");
    vec![
        (text("dossier-hardware"), hw, "mono"),
        (text("dossier-image"), payload.image_sha256.to_string(), "mono"),
        (text("dossier-image-size"), size(payload.image_length), ""),
        (text("dossier-file-size"), known.file_bytes.map(size).unwrap_or_default(), ""),
        (text("dossier-delta"), deltas.unwrap_or_else(none), ""),
        (text("dossier-seq"), firmware.seq.to_string(), ""),
        (text("dossier-min-seq"), firmware.min_seq.to_string(), ""),
        (text("dossier-rollback-to"), back, ""),
        (text("dossier-digest"), firmware.docs.dossier.sha256.to_string(), "mono"),
        (text("dossier-sbom-digest"), firmware.docs.sbom.sha256.to_string(), "mono"),
    ]
}

fn revisions(w: Words, at: &AtSite, known: &Known) -> Vec<Revision> {
    let revision = |it: &patchward_protocol::tuf::custom::Firmware| {
        let (class, state) = match it.state {
            ReleaseState::Released => ("good", "released"),
            ReleaseState::Withdrawn => ("bad", "withdrawn"),
        };
        Revision {
            version: it.version.to_string(),
            to: at.path(&format!("releases/{}/{}", it.family, it.version)),
            class,
            state: w.t(&format!("dossier-state-{state}")),
            here: it.seq == known.firmware.seq,
        }
    };
    known.all.iter().map(revision).collect()
}
