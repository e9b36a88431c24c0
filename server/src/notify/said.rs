//! What a notice is called, on pages and in messages, and what of it may leave this server.
//!
//! Words of people (reasons, questions) never leave; of a restricted family nothing leaves that names
//! it: neither its name nor a version, a CVE or a device. Not here: sending.
//! Invariant: what is not known to be public is discreet.

use super::subject::{NoticeId, Subject};
use crate::console::words::Words;
use crate::db::notice::Notice;
use crate::people::called::Called;
use crate::people::role::Place;
use crate::people::who::Language;
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
            // Numbered from 0, as on the board, in the statement that was signed, and in the record.
            words.t2(&id, "family", family(of), "wave", *wave)
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
        Subject::Account { account, turn, by, .. } => {
            let id = format!("{id}-{}", turn.code());
            words.t2(&id, "account", account.as_str(), "by", by_whom(words, by))
        }
        Subject::Role { account, role, turn, by, .. } => words.say(
            &format!("{id}-{}", turn.code()),
            &[
                ("account", account.as_str().into()),
                ("role", role_words(words, role).into()),
                ("by", by_whom(words, by).into()),
            ],
        ),
        Subject::Certificate { part, name, .. } => {
            words.t1(&format!("{id}-{}", part.code()), "name", name.as_str())
        }
    }
}

/// Who did it, without the word that records put before an account.
fn by_whom(words: Words, by: &str) -> String {
    match by {
        "operator" => words.t("notices-by-operator"),
        by => Called::default().name(by).to_owned(),
    }
}

/// A role in words; its own word where this version knows none.
fn role_words(words: Words, role: &str) -> String {
    let known = [format!("role-{role}"), format!("role-site-{role}"), format!("role-maker-{role}")];
    known.iter().find(|id| words.has(id)).map_or_else(|| role.to_owned(), |id| words.t(id))
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
        Place::Server => format!("/console/server/inbox/{id}"),
    }
}

/// The page on which a drill's code is typed.
#[must_use]
pub fn drill_path(place: &Place) -> String {
    match place {
        Place::Site(site) => format!("/console/sites/{site}/readiness"),
        Place::Maker(maker) => format!("/console/makers/{maker}/settings/notifications"),
        Place::Server => "/console/server/settings/notifications".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::repository::Heads;
    use crate::notify::subject::{Severity, Trouble};
    use crate::publish::approvals::Approvals;
    use crate::publish::current::Current;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::{DeviceId, HoldId, Seq};
    use patchward_protocol::time::Timestamp;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    /// Names that no text of ours holds by chance.
    #[derive(Debug, Clone)]
    struct Secrets {
        family: String,
        version: String,
        device: String,
        title: String,
        cve: String,
    }

    prop_compose! {
        fn secrets()(
            name in "zq[a-z0-9]{4,20}", version in "9[0-9]\\.[0-9]{2,4}\\.[0-9]{2,4}",
            device in "xj[a-z0-9]{4,20}", title in "Q[a-z]{3,8}ZQ [A-Z][a-z]{2,8}",
            cve in "CVE-20[0-9]{2}-[0-9]{5}",
        ) -> Secrets {
            Secrets { family: format!("maker.{name}"), version, device, title, cve }
        }
    }

    fn snapshot(secrets: &Secrets, reading: Reading) -> Snapshot {
        let current = Current {
            id: RepositoryId::Family(secrets.family.parse().unwrap()),
            reading,
            title_en: secrets.title.clone(),
            title_ja: secrets.title.clone(),
            heads: Heads::default(),
            documents: None,
            approvals: Approvals::default(),
            images: HashMap::new(),
            releases: Vec::new(),
            delegated: false,
        };
        Snapshot::default().with(&[Arc::new(current)])
    }

    fn subjects(secrets: &Secrets) -> Vec<Subject> {
        let family: FamilyId = secrets.family.parse().unwrap();
        let image = Sha256Digest::of(secrets.cve.as_bytes());
        let version = secrets.version.parse().unwrap();
        let site = SiteId::new("north").unwrap();
        let device = DeviceId::new(&secrets.device).unwrap();
        let at = Timestamp::from_millis(1_800_000_000_000);
        let (question, because) = (NoticeId::digest("q").to_string(), "failed".to_owned());
        vec![
            Subject::Release {
                family: family.clone(),
                image_sha256: image,
                version,
                seq: Seq(1),
                put_off: None,
            },
            Subject::Halt {
                family: family.clone(),
                approval_sha256: image,
                image_sha256: image,
                wave: 1,
                halts: 1,
                because,
            },
            Subject::Device {
                family: family.clone(),
                device,
                trouble: Trouble::Silent,
                mark: image,
            },
            Subject::Hold {
                hold: HoldId::new("north-1").unwrap(),
                family: Some(family.clone()),
                review_at: at,
            },
            Subject::Draft { draft: secrets.family.clone(), family: Some(family.clone()) },
            Subject::Metadata {
                repository: RepositoryId::Family(family.clone()),
                role: "root".to_owned(),
                expires: at,
            },
            Subject::Support { family: family.clone(), ends: at },
            Subject::Answered { question: question.clone(), family: family.clone(), n: 1 },
            Subject::Question { question, site: site.clone(), family: family.clone(), n: 0 },
            Subject::Unacknowledged {
                site: site.clone(),
                family: family.clone(),
                image_sha256: image,
                version: secrets.version.parse().unwrap(),
            },
            Subject::FieldHalt {
                site,
                family,
                image_sha256: image,
                version: secrets.version.parse().unwrap(),
                wave: 0,
                halts: 1,
            },
        ]
    }

    fn notice(subject: Subject) -> Notice {
        let place = Place::Site(SiteId::new("north").unwrap());
        let at = Timestamp::from_millis(1_790_000_000_000);
        Notice {
            id: NoticeId::of(&place, &subject),
            place,
            subject,
            severity: Severity::Urgent,
            created: at,
            due: Some(at),
            step: 1,
            step_due: None,
            acknowledged: None,
            closed: None,
        }
    }

    fn all_that_leaves(snapshot: &Snapshot, subject: Subject) -> String {
        let notice = notice(subject);
        let mut all = String::new();
        for language in Language::ALL {
            let said =
                mail(Words::of(language), snapshot, &notice, "Asia/Tokyo", "https://x.example");
            all = format!("{all}\n{}\n{}", said.title, said.body);
        }
        let id = NoticeId::digest("m");
        format!("{all}\n{}", webhook(snapshot, &notice, &id, "https://x.example"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_that_leaves_names_a_restricted_or_an_unknown_family(secrets in secrets()) {
            let name = secrets.family.split_once('.').unwrap().1.to_owned();
            let image = Sha256Digest::of(secrets.cve.as_bytes()).to_string();
            for snapshot in [snapshot(&secrets, Reading::Restricted), Snapshot::default()] {
                for subject in subjects(&secrets) {
                    let all = all_that_leaves(&snapshot, subject);
                    prop_assert!(!all.contains('⟦'), "{all}");
                    for secret in [&name, &secrets.version, &secrets.device, &secrets.title, &secrets.cve, &image] {
                        prop_assert!(!all.contains(secret.as_str()), "{secret} in {all}");
                    }
                }
            }
        }
    }

    #[test]
    fn of_a_public_family_the_message_says_what_it_is_about() {
        let secrets = Secrets {
            family: "maker.pump".into(),
            version: "91.11.11".into(),
            device: "xj-07".into(),
            title: "Pump X".into(),
            cve: "CVE-2026-12345".into(),
        };
        let snapshot = snapshot(&secrets, Reading::Public);
        let all = subjects(&secrets).into_iter().map(|it| all_that_leaves(&snapshot, it));
        let all: Vec<String> = all.collect();
        assert!(all.iter().all(|text| !text.contains('⟦')), "{all:?}");
        assert!(all[0].contains("Pump X") && all[0].contains("91.11.11"), "{}", all[0]);
        assert!(all[2].contains("xj-07"), "{}", all[2]);
    }
}
