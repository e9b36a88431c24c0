//! What a notice is called, on pages and in messages, and what of it may leave this server.
//!
//! Words of people (reasons, questions) never leave; of a restricted family nothing leaves that names
//! it: neither its name nor a version, a CVE or a device. Not here: sending.
//! Invariant: what is not known to be public is discreet.

use super::subject::{NoticeId, Subject};
use crate::console::words::Words;
use crate::db::notice::Notice;
use crate::people::role::Place;
use crate::publish::current::Snapshot;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};
use serde_json::{Value, json};

/// How much of a notice may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discretion {
    /// What it is about may be said.
    Open,
    /// Only that something waits: log in to read.
    Discreet,
}

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// One line.
    pub title: String,
    /// Lines.
    pub body: String,
}

/// Names for people, from the current repositories.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a Snapshot);

impl Names<'_> {
    /// What a family is called; its id where it has no name.
    #[must_use]
    pub fn family(&self, words: Words, family: &FamilyId) -> String {
        self.title(words, &RepositoryId::Family(family.clone()))
            .unwrap_or_else(|| family.to_string())
    }

    /// What a site is called; its id where it has no name.
    #[must_use]
    pub fn site(&self, words: Words, site: &SiteId) -> String {
        self.title(words, &RepositoryId::Site(site.clone())).unwrap_or_else(|| site.to_string())
    }

    /// What a place is called.
    #[must_use]
    pub fn place(&self, words: Words, place: &Place) -> String {
        match place {
            Place::Site(site) => self.site(words, site),
            Place::Maker(maker) => maker.to_string(),
            Place::Server => words.t("notices-place-server"),
        }
    }

    fn title(&self, words: Words, id: &RepositoryId) -> Option<String> {
        let current = self.0.get(id)?;
        let title = words.pick(&current.title_en, &current.title_ja);
        (!title.trim().is_empty()).then(|| title.to_owned())
    }
}

/// How much of it may leave: all of it only where its family may be read by everybody. A notice that
/// speaks of no family says nothing of one.
#[must_use]
pub fn discretion(snapshot: &Snapshot, subject: &Subject) -> Discretion {
    match (subject, subject.family()) {
        // Names of drafts and holds are words of people.
        (Subject::Draft { .. } | Subject::Hold { .. }, None) | (_, None) => Discretion::Open,
        (_, Some(family)) => match snapshot.get(&RepositoryId::Family(family)) {
            Some(current) if current.reading == Reading::Public => Discretion::Open,
            Some(_) | None => Discretion::Discreet,
        },
    }
}

/// One line on what it is about.
#[must_use]
pub fn headline(words: Words, names: &Names<'_>, subject: &Subject) -> String {
    let family = |family: &FamilyId| names.family(words, family);
    let site = |site: &SiteId| names.site(words, site);
    let id = format!("notices-line-{}", subject.kind());
    match subject {
        Subject::Release { family: of, version, .. } => {
            words.t2(&id, "family", family(of), "version", version.to_string())
        }
        Subject::Halt { family: of, wave, .. } => {
            let n = u64::from(*wave).saturating_add(1);
            words.t2(&id, "family", family(of), "wave", n)
        }
        Subject::Device { family: of, device, trouble, .. } => {
            let id = format!("{id}-{}", trouble.code());
            words.t2(&id, "family", family(of), "device", device.to_string())
        }
        Subject::Hold { hold, .. } => words.t1(&id, "hold", hold.to_string()),
        Subject::Draft { .. } => words.t(&id),
        Subject::Metadata { repository, role, .. } => {
            let of = match repository {
                RepositoryId::Family(of) => family(of),
                RepositoryId::Site(of) => site(of),
            };
            words.t1(&format!("{id}-{role}"), "of", of)
        }
        Subject::Support { family: of, .. } | Subject::Answered { family: of, .. } => {
            words.t1(&id, "family", family(of))
        }
        Subject::Delivery { .. } => words.t(&id),
        Subject::Question { site: at, family: of, .. } => {
            words.t2(&id, "site", site(at), "family", family(of))
        }
        Subject::Unacknowledged { site: at, family: of, version, .. }
        | Subject::FieldHalt { site: at, family: of, version, .. } => {
            let what = format!("{} {version}", family(of));
            words.t2(&id, "site", site(at), "what", what)
        }
        Subject::NotReady { site: at } => words.t1(&id, "site", site(at)),
    }
}

/// What to do about it, in one sentence.
#[must_use]
pub fn advice(words: Words, subject: &Subject) -> String {
    words.t(&format!("notices-do-{}", subject.kind()))
}

/// The page of a notice, below the address of the server.
#[must_use]
pub fn path(notice: &Notice) -> String {
    let id = &notice.id;
    match &notice.place {
        Place::Site(site) => format!("/console/sites/{site}/inbox/{id}"),
        Place::Maker(maker) => format!("/console/makers/{maker}/inbox/{id}"),
        Place::Server => "/console".to_owned(),
    }
}

/// The page on which a drill's code is typed.
#[must_use]
pub fn drill_path(place: &Place) -> String {
    match place {
        Place::Site(site) => format!("/console/sites/{site}/readiness"),
        Place::Maker(maker) => format!("/console/makers/{maker}/settings/notifications"),
        Place::Server => "/console".to_owned(),
    }
}

/// The mail about a notice.
#[must_use]
pub fn mail(words: Words, snapshot: &Snapshot, notice: &Notice, tz: &str, address: &str) -> Said {
    let names = Names(snapshot);
    let severity = words.t(&format!("notices-severity-{}", notice.severity.word()));
    let link = format!("{address}{}", path(notice));
    let mut lines = Vec::new();
    let title = match discretion(snapshot, &notice.subject) {
        Discretion::Open => {
            let headline = headline(words, &names, &notice.subject);
            lines.push(headline.clone());
            lines.push(advice(words, &notice.subject));
            if let Some(due) = notice.due {
                lines.push(words.t1("notices-mail-due", "due", words.instant(due, tz).words()));
            }
            words.t2("notices-mail-title", "severity", severity, "line", headline)
        }
        Discretion::Discreet => {
            lines.push(words.t("notices-mail-discreet"));
            words.t1("notices-mail-title-discreet", "severity", severity)
        }
    };
    if notice.step > 0 {
        let since = words.instant(notice.created, tz);
        lines.push(words.t1("notices-mail-passed-on", "since", since.words()));
    }
    lines.push(String::new());
    lines.push(words.t1("notices-mail-read", "link", link));
    lines.push(String::new());
    lines.push(words.t1("notices-mail-foot", "place", names.place(words, &notice.place)));
    Said { title, body: lines.join("\n") }
}

/// The mail of a drill.
#[must_use]
pub fn drill_mail(
    words: Words,
    snapshot: &Snapshot,
    place: &Place,
    code: &str,
    address: &str,
) -> Said {
    let link = format!("{address}{}", drill_path(place));
    let name = Names(snapshot).place(words, place);
    let lines = [
        words.t1("notices-drill-mail", "place", name.as_str()),
        String::new(),
        words.t1("notices-drill-mail-code", "code", code),
        words.t1("notices-mail-read", "link", link),
        String::new(),
        words.t1("notices-mail-foot", "place", name.as_str()),
    ];
    Said { title: words.t("notices-drill-mail-title"), body: lines.join("\n") }
}

/// The body of a webhook about a notice, in the format that the guide tells.
#[must_use]
pub fn webhook(snapshot: &Snapshot, notice: &Notice, message: &NoticeId, address: &str) -> Value {
    let mut body = json!({
        "v": 1, "id": message.as_str(), "type": "notice", "place": notice.place.to_string(),
        "notice": notice.id.as_str(), "severity": notice.severity.word(), "step": notice.step,
        "created": notice.created, "url": format!("{address}{}", path(notice)),
    });
    let discretion = discretion(snapshot, &notice.subject);
    let more = match discretion {
        Discretion::Discreet => json!({"discreet": true}),
        Discretion::Open => {
            let line = |language| headline(Words::of(language), &Names(snapshot), &notice.subject);
            use crate::people::who::Language;
            json!({
                "discreet": false, "kind": notice.subject.kind(), "due": notice.due,
                "family": notice.subject.family(), "site": notice.subject.site(),
                "text": {"en": line(Language::En), "ja": line(Language::Ja)},
            })
        }
    };
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// The body of a webhook of a drill.
#[must_use]
pub fn drill_webhook(place: &Place, code: &str, message: &NoticeId, address: &str) -> Value {
    json!({
        "v": 1, "id": message.as_str(), "type": "drill", "place": place.to_string(),
        "code": code, "url": format!("{address}{}", drill_path(place)),
    })
}
