//! Repositories and keys: for each role its version, when it runs out, who holds its keys, and what to
//! do about it in one line.
//!
//! Not here: signing; offline roles are signed on people's own machines. Invariant: less than half of
//! a document's life left is amber, less than a tenth is red.

use super::{families_of, title, tz};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::role::MakerPower;
use crate::publish::current::{Current, Served};
use askama::Template;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{KeySpec, RoleSpec, RootSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;

/// How much of a document's life is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// More than half.
    Plenty,
    /// Less than half.
    Half,
    /// Less than a tenth, or nothing.
    Tenth,
}

/// A role of a repository.
#[derive(Debug, Clone)]
pub struct RoleLine {
    /// Its name in TUF.
    pub role: &'static str,
    /// Its version.
    pub version: u64,
    /// When it runs out.
    pub expires: When,
    /// How long that is, in words; none when it is over.
    pub left: Option<String>,
    /// How it stands.
    pub light: Left,
    /// How many of how many keys sign, in words.
    pub threshold: String,
    /// Who holds the keys: person and fingerprint.
    pub holders: Vec<(String, String)>,
    /// Whether the server holds the key.
    pub online: bool,
    /// What to do, in one line.
    pub advice: Option<String>,
    /// The command line for it.
    pub command: Option<String>,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its family.
    pub family: FamilyId,
    /// What it is called.
    pub title: String,
    /// The page of the family.
    pub to: String,
    /// Whether only holders of a token may read it.
    pub restricted: bool,
    /// Its roles; empty before the first publish.
    pub roles: Vec<RoleLine>,
}

#[derive(Template)]
#[template(path = "makers/repositories.html")]
struct Page {
    frame: Frame,
    w: Words,
    lines: Vec<Line>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/makers/{maker}/repositories";
    routes.get::<AtMaker, _, _>(path, MakerPower::See, show);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let snapshot = visit.app.snapshot();
    let all = families_of(&snapshot, &visit.entry.maker);
    let lines = all.iter().map(|(family, current)| {
        let to = visit.entry.path(&format!("families/{family}"));
        line(visit.words, family, current, to, visit.at)
    });
    let frame = visit.frame(Nav::Repositories, visit.words.t("repositories-title"));
    Answer::page(&Page { frame, w: visit.words, lines: lines.collect() })
}

/// A repository with its roles.
pub(super) fn line(
    w: Words,
    family: &FamilyId,
    current: &Current,
    to: String,
    at: Timestamp,
) -> Line {
    let documents = current.documents.as_ref();
    let spec = documents.and_then(|documents| root_spec(&documents.root.bytes));
    let roles = documents.zip(spec).map(|(documents, spec)| {
        let none = RoleSpec { keys: Vec::new(), threshold: 1 };
        let mut rows = vec![
            ("root", &documents.root, &spec.root, false),
            ("targets", &documents.targets, &spec.targets, false),
            ("snapshot", &documents.snapshot, &spec.snapshot, true),
            ("timestamp", &documents.timestamp, &spec.timestamp, true),
        ];
        if let Some(deltas) = &documents.deltas {
            rows.push(("deltas", deltas, &none, true));
        }
        let rows = rows.into_iter();
        rows.map(|(role, served, keys, online)| role_line(w, (role, online), served, keys, at))
            .collect()
    });
    Line {
        family: family.clone(),
        title: title(w, current),
        to,
        restricted: current.reading == Reading::Restricted,
        roles: roles.unwrap_or_default(),
    }
}

fn root_spec(bytes: &[u8]) -> Option<RootSpec> {
    let root = Staged::read(Role::Root, bytes).ok()?.typed::<Root>().ok()?;
    RootSpec::of(&root.signed).ok()
}

fn role_line(
    w: Words,
    (role, online): (&'static str, bool),
    served: &Served,
    keys: &RoleSpec,
    at: Timestamp,
) -> RoleLine {
    let light = left(served.published, served.expires, at);
    let seconds = served.expires.millis_since(at) / 1000;
    let (advice, command) = match (light, online, role) {
        (Left::Plenty, _, _) => (None, None),
        (_, true, _) => (Some(w.t("repositories-do-online")), None),
        (_, false, "root") => {
            (Some(w.t("repositories-do-root")), Some("patchward repo rotate".to_owned()))
        }
        (_, false, _) => {
            (Some(w.t("repositories-do-targets")), Some("patchward release prepare".to_owned()))
        }
    };
    RoleLine {
        role,
        version: served.version,
        expires: w.instant(served.expires, tz(w)),
        left: (seconds > 0).then(|| w.span(seconds)),
        light,
        threshold: w.t2(
            "repositories-threshold",
            "threshold",
            keys.threshold,
            "keys",
            keys.keys.len().max(1),
        ),
        holders: keys.keys.iter().map(|key| holder(w, key)).collect(),
        online,
        advice,
        command,
    }
}

/// Whose a key is, and its fingerprint.
pub(super) fn holder(w: Words, key: &KeySpec) -> (String, String) {
    let person = key.person.as_ref().map(ToString::to_string);
    (person.unwrap_or_else(|| w.t("repositories-nobody")), key.public.fingerprint())
}

/// How much of a document's life is left.
#[must_use]
pub fn left(published: Timestamp, expires: Timestamp, at: Timestamp) -> Left {
    let life = expires.millis_since(published).max(0);
    let rest = expires.millis_since(at);
    if rest <= life / 10 {
        Left::Tenth
    } else if rest <= life / 2 {
        Left::Half
    } else {
        Left::Plenty
    }
}

impl Left {
    /// The class of a badge.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plenty => "good",
            Self::Half => "warn",
            Self::Tenth => "bad",
        }
    }

    /// The end of ids of texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plenty => "plenty",
            Self::Half => "half",
            Self::Tenth => "tenth",
        }
    }
}

#[cfg(test)]
pub(super) fn sample_lines(w: Words) -> Vec<Line> {
    use crate::console::sample::noon;
    let at = noon();
    let family: FamilyId = "acme.infusion-a".parse().unwrap();
    let holders = |names: &[&str]| -> Vec<(String, String)> {
        let each = names.iter().map(|name| ((*name).to_owned(), "4821 0937 6650".to_owned()));
        each.collect()
    };
    let role = |role, days: i64, life: i64, online, names: &[&str]| RoleLine {
        role,
        version: 7,
        expires: w.instant(at.plus_seconds(days * 86_400), tz(w)),
        left: (days > 0).then(|| w.span(days * 86_400)),
        light: left(at.plus_seconds((days - life) * 86_400), at.plus_seconds(days * 86_400), at),
        threshold: w.t2("repositories-threshold", "threshold", 2, "keys", names.len()),
        holders: holders(names),
        online,
        advice: (days < 60 && !online).then(|| w.t("repositories-do-root")),
        command: (days < 60 && !online).then(|| "patchward repo rotate".to_owned()),
    };
    vec![
        Line {
            family: family.clone(),
            title: w.pick("Infusion pump A", "輸液ポンプA").to_owned(),
            to: "/console".to_owned(),
            restricted: true,
            roles: vec![
                role("root", 41, 730, false, &["suzuki", "sato", "mori"]),
                role("targets", 160, 365, false, &["kato", "ito", "abe"]),
                role("snapshot", 26, 30, true, &["server"]),
                role("timestamp", -1, 7, true, &["server"]),
            ],
        },
        Line {
            family,
            title: w.pick("Ventilator Y", "人工呼吸器Y").to_owned(),
            to: "/console".to_owned(),
            restricted: false,
            roles: Vec::new(),
        },
    ]
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame};
    let page = |lines: Vec<Line>| Page {
        frame: maker_frame(w, Nav::Repositories, "repositories-title"),
        w,
        lines,
    };
    let template = "makers/repositories.html";
    vec![
        Sample::of(template, "some", &page(sample_lines(w))),
        Sample::of(template, "empty", &page(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::sample::noon;

    #[test]
    fn less_than_half_of_a_life_is_amber_and_less_than_a_tenth_red() {
        let begun = noon();
        let ends = begun.plus_seconds(1_000);
        let at = |seconds| left(begun, ends, begun.plus_seconds(seconds));
        assert_eq!(at(0), Left::Plenty);
        assert_eq!(at(499), Left::Plenty);
        assert_eq!(at(500), Left::Half);
        assert_eq!(at(899), Left::Half);
        assert_eq!(at(900), Left::Tenth);
        assert_eq!(at(5_000), Left::Tenth);
    }
}
