//! A staged file: who signed and who is missing, what it changes, the file for the next signer, and the
//! button that publishes it.
//!
//! Nobody signs here: keys of manufacturers stay on their holders' machines. Not here: the rules
//! (`crate::publish::staged`). Invariant: who brought a file gets no button to publish it.

use super::{family_of, named, title, tz};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::{DbError, staged as rows};
use crate::error::ApiError;
use crate::people::role::MakerPower;
use crate::publish::staged::{self, Brought, Difference, Looked, look};
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::tuf::build::repository_of;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::difference::{RootDifference, TargetsDifference};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{RoleKey, Root, Targets};
use patchward_protocol::tuf::stage::{Staged, Standing};

/// A staged file in a list.
#[derive(Debug, Clone)]
pub struct Line {
    /// Family, role and version.
    pub title: String,
    /// Its page.
    pub to: String,
    /// Where it stands.
    pub state: String,
    /// Class of the badge.
    pub class: &'static str,
    /// How many of how many have signed.
    pub signed: String,
}

/// A set of keys that must sign.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Which.
    pub title: String,
    /// How many of how many.
    pub count: String,
    /// How many signed, and must.
    pub progress: (u64, u64),
    /// Who signed: name and fingerprint.
    pub signed: Vec<(String, String)>,
    /// Who is missing.
    pub missing: Vec<(String, String)>,
}

/// A line of what changes.
#[derive(Debug, Clone)]
pub struct Changed {
    /// What happens.
    pub what: String,
    /// Class of the badge.
    pub class: &'static str,
    /// To what.
    pub subject: String,
}

#[derive(Template)]
#[template(path = "makers/staged.html")]
struct Page {
    frame: Frame,
    w: Words,
    heading: String,
    line: Line,
    author: String,
    brought: When,
    sha256: String,
    fingerprint: String,
    keys: Vec<Keys>,
    changes: Vec<Changed>,
    expires: When,
    missing: Vec<String>,
    stale: bool,
    complete: bool,
    own: bool,
    may_publish: bool,
    may_bring: bool,
    together: bool,
    file: String,
    bring: String,
    drop: String,
    publish: String,
    sign: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let file = "/console/makers/{maker}/staged/{family}/{role}";
    let bytes = "/console/makers/{maker}/staged/{family}/{role}/file";
    let drop = "/console/makers/{maker}/staged/{family}/{role}/drop";
    routes.post::<AtMaker, _, _>("/console/makers/{maker}/staged", MakerPower::Stage, bring);
    routes.get::<AtMaker, _, _>(file, MakerPower::See, show);
    routes.get::<AtMaker, _, _>(bytes, MakerPower::See, download);
    routes.post::<AtMaker, _, _>(drop, MakerPower::Stage, take_away);
    let publish_path = "/console/makers/{maker}/publish/{family}";
    routes.post::<AtMaker, _, _>(publish_path, MakerPower::Publish, publish);
}

async fn bring(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let sent = visit.form.file("file");
    let sent =
        sent.ok_or_else(|| ApiError::with(ErrorCode::RequestInvalid, "file: it is empty"))?;
    let family = family_in(&sent.bytes)?;
    named(&visit.app, &visit.entry, &family)?;
    let (role, brought) = staged::bring(&visit.app, &family, &sent.bytes, &visit.entry.who).await?;
    let done = match brought {
        Brought::New => "staged-new-done",
        Brought::Added(0) => "staged-same-done",
        Brought::Added(_) => "staged-added-done",
    };
    Ok(Answer::done(&visit.entry.path(&format!("staged/{family}/{role}")), done))
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let role: String = visit.asked.part("role")?;
    let (of, at) = (current.clone(), role.clone());
    let read = visit.app.db.read(move |conn| {
        let all = look(&of, &rows::of(conn, &of.id)?);
        let looked = all.iter().find(|looked| looked.file.role == at);
        let missing = match looked.map(|looked| &looked.change) {
            Some(Difference::Targets(change)) => staged::not_uploaded(conn, &of.id, change)?,
            Some(Difference::Root(_)) | None => Vec::new(),
        };
        Ok::<_, DbError>((all, missing))
    });
    let (all, missing) = read.await?;
    let looked = all.iter().find(|looked| looked.file.role == role).ok_or_else(not_found)?;
    let ready: Vec<Looked> = all.iter().filter(|looked| looked.is_complete()).cloned().collect();
    let who = &visit.entry.who;
    let together = current.documents.is_none();
    let place = Place {
        family: &family,
        title: title(visit.words, &current),
        own: !staged::may_publish(&ready, who.account) || looked.file.author == who.account,
        complete: looked.is_complete() && (!together || ready.len() == 2),
        together,
    };
    let frame = visit.frame(Nav::Releases, visit.words.t("staged-title"));
    Answer::page(&view(frame, visit.words, &visit.entry, &place, looked, missing))
}

async fn download(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (_, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let role: String = visit.asked.part("role")?;
    let id = current.id.clone();
    let files = visit.app.db.read(move |conn| rows::of(conn, &id)).await?;
    let file = files.into_iter().find(|file| file.role == role).ok_or_else(not_found)?;
    let version = Staged::read_any(&file.bytes).map(|staged| staged.version()).unwrap_or(0);
    Ok(Answer::file(&format!("{role}-v{version}.stage.json"), "application/json", file.bytes))
}

async fn take_away(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, _) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let role: String = visit.asked.part("role")?;
    staged::drop_file(&visit.app, &family, &role, &visit.entry.who).await?;
    Ok(Answer::done(&visit.entry.path("releases"), "staged-dropped-done"))
}

async fn publish(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, _) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    staged::publish(&visit.app, &family, &visit.entry.who).await?;
    Ok(Answer::done(&visit.entry.path(&format!("families/{family}")), "staged-published-done"))
}

/// The family that a staged file is for, as it says itself.
fn family_in(bytes: &[u8]) -> Result<FamilyId, ApiError> {
    let refused =
        |error: &dyn std::error::Error| ApiError::because(ErrorCode::StagedRefused, error);
    let staged = Staged::read_any(bytes).map_err(|error| refused(&error))?;
    let named = if *staged.role() == Role::Root {
        staged.typed::<Root>().and_then(|root| repository_of(&Role::Root, &root.signed))
    } else {
        staged.typed::<Targets>().and_then(|part| repository_of(&Role::Targets, &part.signed))
    };
    match named.map_err(|error| refused(&error))? {
        RepositoryId::Family(family) => Ok(family),
        RepositoryId::Site(_) => {
            Err(ApiError::with(ErrorCode::StagedRefused, "it is a hospital's repository"))
        }
    }
}

/// Where a staged file is looked at.
struct Place<'a> {
    family: &'a FamilyId,
    title: String,
    own: bool,
    complete: bool,
    together: bool,
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtMaker,
    place: &Place<'_>,
    looked: &Looked,
    missing: Vec<String>,
) -> Page {
    let (family, role) = (place.family, &looked.file.role);
    let path = at.path(&format!("staged/{family}/{role}"));
    let sha256 = looked.staged.message_sha256();
    let (changes, expires) = match &looked.change {
        Difference::Root(change) => (root_changes(w, change), change.expires.to),
        Difference::Targets(change) => (targets_changes(w, change), change.expires.to),
    };
    Page {
        heading: staged_title(w, &place.title, looked),
        line: staged_line(w, &place.title, path.clone(), looked),
        author: looked.file.name.clone(),
        brought: w.instant(looked.file.brought, tz(w)),
        fingerprint: sha256.fingerprint(),
        sha256: sha256.to_string(),
        keys: keys(w, looked),
        changes,
        expires: w.instant(expires, tz(w)),
        complete: place.complete && missing.is_empty(),
        missing,
        stale: looked.stale,
        own: place.own,
        may_publish: at.may(MakerPower::Publish),
        may_bring: at.may(MakerPower::Stage),
        together: place.together,
        file: format!("{path}/file"),
        bring: at.path("staged"),
        drop: format!("{path}/drop"),
        publish: at.path(&format!("publish/{family}")),
        sign: format!(
            "patchward stage sign {role}-v{}.stage.json --key NAME.key",
            looked.version()
        ),
        frame,
        w,
    }
}

fn staged_title(w: Words, title: &str, looked: &Looked) -> String {
    let role = w.t(if looked.file.role == "root" { "staged-root" } else { "staged-targets" });
    let words: [(&str, fluent_bundle::FluentValue<'_>); 3] = [
        ("family", title.to_owned().into()),
        ("role", role.into()),
        ("version", looked.version().to_string().into()),
    ];
    w.say("staged-of", &words)
}

/// A staged file in a list.
pub(super) fn staged_line(w: Words, title: &str, to: String, looked: &Looked) -> Line {
    let (state, class) = if looked.stale {
        ("staged-stale", "bad")
    } else if looked.is_complete() {
        ("staged-complete", "good")
    } else {
        ("staged-collecting", "warn")
    };
    let signed = looked.status.iter().map(|status| {
        w.t2("staged-signed-of", "n", status.signers.count(), "threshold", status.threshold)
    });
    Line {
        title: staged_title(w, title, looked),
        to,
        state: w.t(state),
        class,
        signed: signed.collect::<Vec<_>>().join(" · "),
    }
}

fn keys(w: Words, looked: &Looked) -> Vec<Keys> {
    let each = looked.status.iter().map(|status| Keys {
        title: w.t(match status.standing {
            Standing::Published => "staged-keys-published",
            Standing::Own => "staged-keys-own",
        }),
        count: w.t2("staged-signed-of", "n", status.signers.count(), "threshold", status.threshold),
        progress: (status.signers.count().min(status.threshold), status.threshold),
        signed: status.signers.keys().iter().map(|key| holder(w, key)).collect(),
        missing: status.missing.iter().map(|key| holder(w, key)).collect(),
    });
    each.collect()
}

fn holder(w: Words, key: &RoleKey) -> (String, String) {
    let person = key.person.as_ref().map(ToString::to_string);
    let fingerprint = key.public().map(|public| public.fingerprint()).unwrap_or_default();
    (person.unwrap_or_else(|| w.t("repositories-nobody")), fingerprint)
}

fn root_changes(w: Words, change: &RootDifference) -> Vec<Changed> {
    let mut all = Vec::new();
    for role in &change.roles {
        let name = format!("{:?}", role.role).to_lowercase();
        let keys = [
            ("staged-key-added", "good", &role.added),
            ("staged-key-removed", "warn", &role.removed),
        ];
        for (what, class, keys) in keys {
            for key in keys {
                let (person, fingerprint) = super::repositories::holder(w, key);
                let subject = format!("{name}: {person} {fingerprint}");
                all.push(Changed { what: w.t(what), class, subject });
            }
        }
        if role.threshold.from != Some(role.threshold.to) {
            let subject = format!("{name}: {}", role.threshold.to);
            all.push(Changed { what: w.t("staged-threshold"), class: "info", subject });
        }
    }
    all
}

fn targets_changes(w: Words, change: &TargetsDifference) -> Vec<Changed> {
    let of = |id: &str, class, subject: String| Changed { what: w.t(id), class, subject };
    let mut all = Vec::new();
    for (path, spec) in &change.added {
        let firmware = spec.custom.get("fw").and_then(|fw| Firmware::from_custom(fw).ok());
        all.push(match firmware {
            Some(firmware) => {
                of("staged-release-added", "good", format!("{} ({path})", firmware.version))
            }
            None => of("staged-file-added", "", path.to_string()),
        });
    }
    for path in change.changed.keys() {
        if change.withdrawn.contains(path) {
            all.push(of("staged-release-withdrawn", "bad", path.to_string()));
        } else {
            all.push(of("staged-file-changed", "warn", path.to_string()));
        }
    }
    all.extend(
        change.removed.keys().map(|path| of("staged-file-removed", "warn", path.to_string())),
    );
    let roles = change.delegations_changed.iter();
    all.extend(roles.map(|role| of("staged-delegation-changed", "info", role.clone())));
    let roles = change.delegations_removed.iter();
    all.extend(roles.map(|role| of("staged-delegation-removed", "warn", role.clone())));
    all
}

#[cfg(test)]
pub(super) fn sample_lines(w: Words) -> Vec<Line> {
    let line = |state: &str, class, n: u64| Line {
        title: format!(
            "{} · {} 43",
            w.pick("Infusion pump A", "輸液ポンプA"),
            w.t("staged-targets")
        ),
        to: "/console".to_owned(),
        state: w.t(state),
        class,
        signed: w.t2("staged-signed-of", "n", n, "threshold", 2),
    };
    vec![
        line("staged-complete", "good", 2),
        line("staged-collecting", "warn", 1),
        line("staged-stale", "bad", 0),
    ]
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    let key = |name: &str| (name.to_owned(), "4821 0937 6650".to_owned());
    let keys = |title: &str, signed: &[&str], missing: &[&str]| Keys {
        title: w.t(title),
        count: w.t2("staged-signed-of", "n", signed.len(), "threshold", 2),
        progress: (u64::try_from(signed.len()).unwrap(), 2),
        signed: signed.iter().map(|name| key(name)).collect(),
        missing: missing.iter().map(|name| key(name)).collect(),
    };
    let changed = |what: &str, class, subject: &str| Changed {
        what: w.t(what),
        class,
        subject: subject.to_owned(),
    };
    let page = |keys: Vec<Keys>, complete: bool, own: bool, missing: Vec<String>, together| Page {
        frame: maker_frame(w, Nav::Releases, "staged-title"),
        w,
        heading: sample_lines(w)[0].title.clone(),
        line: sample_lines(w)[usize::from(!complete)].clone(),
        author: w.pick("Kato Ren", "加藤 蓮").to_owned(),
        brought: w.instant(noon(), tz(w)),
        sha256: "8f".repeat(32),
        fingerprint: "4821 0937 6650".to_owned(),
        keys,
        changes: vec![
            changed("staged-release-added", "good", "2.4.1 (img/infusion-a-2.4.1.pwd)"),
            changed("staged-file-added", "", "doc/dossier-2.4.1.toml"),
            changed("staged-release-withdrawn", "bad", "img/infusion-a-2.3.0.pwd"),
        ],
        expires: w.instant(noon().plus_seconds(86_400 * 365), tz(w)),
        missing,
        stale: false,
        complete,
        own,
        may_publish: true,
        may_bring: true,
        together,
        file: "/console".to_owned(),
        bring: "/console".to_owned(),
        drop: "/console".to_owned(),
        publish: "/console".to_owned(),
        sign: "patchward stage sign targets-v43.stage.json --key NAME.key".to_owned(),
    };
    let one = vec![keys("staged-keys-published", &["kato"], &["ito", "abe"])];
    let two = vec![
        keys("staged-keys-published", &["kato", "ito"], &["abe"]),
        keys("staged-keys-own", &["kato", "ito"], &[]),
    ];
    let image = vec!["img/infusion-a-2.4.1.pwd".to_owned()];
    let template = "makers/staged.html";
    vec![
        Sample::of(template, "collecting", &page(one, false, true, image, false)),
        Sample::of(template, "complete", &page(two.clone(), true, false, Vec::new(), false)),
        Sample::of(template, "own", &page(two, true, true, Vec::new(), true)),
    ]
}
