//! The record of a hospital: every entry in words, the signed checkpoint, and the export.
//!
//! For an auditor this is the whole console. Not here: making an export (`crate::record::export`).
//! Invariant: what is shown says whether it was signed, and by whom.

pub mod export;
pub mod rollback;

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::DbError;
use crate::people::called::Called;
use crate::people::role::SitePower;
use crate::record::read;
use crate::record::search::{self, Filter, Found, Readable, Said, Which};
use askama::Template;
use patchward_protocol::act::{Act, Subject};
use patchward_protocol::api::record::RecordView;
use patchward_protocol::civil::{CivilDate, CivilTime};
use patchward_protocol::ledger::{Entry, Kind};
use patchward_protocol::record::entry::ServerAct;
use patchward_protocol::record::export::words;
use patchward_protocol::window;

/// The page.
#[derive(Template)]
#[template(path = "records/list.html")]
struct RecordsPage {
    frame: Frame,
    w: Words,
    size: u64,
    root: String,
    record_key: String,
    key_fingerprint: String,
    to: String,
    kinds: Vec<KindChoice>,
    device: String,
    person: String,
    from: String,
    until: String,
    lines: Vec<Line>,
    older: Option<String>,
    filtered: bool,
}

/// A kind in the filter.
#[derive(Debug, Clone)]
struct KindChoice {
    word: &'static str,
    text: String,
    here: bool,
}

/// An entry in words.
#[derive(Debug, Clone)]
struct Line {
    n: u64,
    at: When,
    who: String,
    signed: bool,
    what: String,
    more: Vec<String>,
    json: String,
    sheet: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/records", SitePower::Records, list);
    let path = "/console/sites/{site}/records/checkpoint";
    routes.get::<AtSite, _, _>(path, SitePower::Records, checkpoint);
    export::routes(routes);
    rollback::routes(routes);
}

async fn list(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (site, filter) = (visit.entry.site.clone(), filter(&visit));
    let before = visit.asked.query_as("before");
    let record = read::view(&visit.app, &site).await?;
    let looked = filter.clone();
    let read = visit.app.db.read(move |conn| {
        let found = search::back(conn, &site, &looked, before)?;
        let called = Called::read(conn, found.entries.iter().filter_map(by_whom))?;
        Ok::<_, DbError>((found, called))
    });
    let (found, called) = read.await?;
    let frame = visit.frame(Nav::Records, visit.words.t("records-title"));
    let typed = |name| visit.asked.query(name).unwrap_or_default().to_owned();
    let typed = ["device", "person", "from", "until"].map(typed);
    let page =
        view(frame, visit.words, &visit.entry, (&record, found, &called, filter.which, typed));
    Answer::page(&page)
}

async fn checkpoint(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let note = read::checkpoint(&visit.app, &visit.entry.site).await?;
    let name = format!("checkpoint-{}.txt", visit.entry.site);
    Ok(Answer::file(&name, "text/plain; charset=utf-8", note.to_string()))
}

fn filter(visit: &Visit<AtSite>) -> Filter {
    let asked = &visit.asked;
    let text = |name| asked.query(name).map(str::to_owned);
    let (from, until) = (asked.query_as("from"), asked.query_as::<CivilDate>("until"));
    let zone = window::zone(visit.entry.tz()).ok();
    let midnight = CivilTime::new(0, 0).ok();
    let start = |date: CivilDate| {
        zone.as_ref().zip(midnight).map_or(date.end_utc(), |(zone, time)| zone.start(date, time))
    };
    let when = (from.is_some() || until.is_some()).then(|| {
        let first = from.map_or(patchward_protocol::time::Timestamp::EPOCH, start);
        let last = until.map_or(visit.at.plus_seconds(86_400), |date| start(date.plus_days(1)));
        first..last
    });
    let which = asked.query("kind").map(Which::of).unwrap_or_default();
    Filter { which, device: text("device"), person: text("person"), when }
}

/// Who did what the server wrote down.
fn by_whom(entry: &Readable) -> Option<&str> {
    match &entry.said {
        Said::Server(act) => Some(act.who()),
        Said::Device(_) | Said::Person(_) | Said::Unreadable => None,
    }
}

type Looked<'a> = (&'a RecordView, Found, &'a Called, Which, [String; 4]);

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (record, found, called, which, typed): Looked<'_>,
) -> RecordsPage {
    let [device, person, from, until] = typed;
    let kind = |kind: Which| KindChoice {
        word: kind.word(),
        text: w.t(&format!("records-kind-{}", kind.word())),
        here: kind == which,
    };
    let to = at.path("records");
    let older = found.older.map(|before| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("kind", which.word());
        for (name, value) in
            [("device", &device), ("person", &person), ("from", &from), ("until", &until)]
        {
            query.append_pair(name, value);
        }
        query.append_pair("before", &before.to_string());
        format!("{to}?{}", query.finish())
    });
    let typed = [&device, &person, &from, &until];
    let filtered = which != Which::All || typed.iter().any(|text| !text.is_empty());
    RecordsPage {
        frame,
        w,
        size: record.size,
        root: record.root.to_string(),
        record_key: record.record_key.to_string(),
        key_fingerprint: record.record_key.fingerprint(),
        to,
        kinds: Which::ALL.into_iter().map(kind).collect(),
        device,
        person,
        from,
        until,
        lines: found.entries.iter().map(|entry| line(w, at, called, entry)).collect(),
        older,
        filtered,
    }
}

fn line(w: Words, at: &AtSite, called: &Called, entry: &Readable) -> Line {
    let (who, signed, what, more) = match &entry.said {
        Said::Device(said) => {
            (said.device.to_string(), true, device_words(w, said), facts(w, said))
        }
        Said::Person(act) => {
            let who = format!("{} ({})", act.name, act.role);
            (who, true, person_words(w, act), reasons(w, at, act))
        }
        Said::Server(act) => (called.line(act.who()), false, server_words(w, act), told(w, act)),
        Said::Unreadable => (String::new(), false, w.t("records-unreadable"), Vec::new()),
    };
    let rolled_back =
        matches!(&entry.said, Said::Device(said) if said.fact.kind == Kind::RolledBack);
    Line {
        n: entry.n,
        at: w.instant(entry.at, at.tz()),
        who,
        signed,
        what,
        more,
        json: pretty(&entry.said),
        sheet: rolled_back.then(|| at.path(&format!("records/rollback/{}", entry.n))),
    }
}

fn device_words(w: Words, entry: &Entry) -> String {
    let kind = words::kind(entry.fact.kind, w.language());
    match &entry.fact.release {
        Some(image) => w.t2("records-of-image", "what", kind, "image", image.to_string()),
        None => kind.to_owned(),
    }
}

fn facts(w: Words, entry: &Entry) -> Vec<String> {
    let fact = &entry.fact;
    let reason = fact.reason.map(|reason| w.pick(reason.en(), reason.ja()).to_owned());
    let approval = fact.approval.as_ref();
    let approval = approval.map(|approval| w.t1("records-approval", "id", approval.id.as_str()));
    let clinical = fact.clinical_state;
    let clinical = clinical.map(|state| words::clinical(state, w.language()));
    let clinical = clinical.map(|state| w.t1("records-clinical", "state", state));
    [reason, approval, clinical, fact.detail.clone()].into_iter().flatten().collect()
}

fn person_words(w: Words, act: &Act) -> String {
    let (en, ja) = act.meaning.words();
    let about = match &act.subject {
        Subject::Approval { approval, .. } => approval.to_string(),
        Subject::Wave { wave, .. } => w.t1("records-wave", "n", *wave),
        Subject::Hold { hold } => hold.to_string(),
        Subject::Device { device, image } => format!("{device}: {image}"),
    };
    w.t2("records-about", "what", w.pick(en, ja), "about", about)
}

fn reasons(w: Words, at: &AtSite, act: &Act) -> Vec<String> {
    let mut all = vec![
        w.t1("records-reason", "reason", act.reason.as_str()),
        w.t1("records-signed-at", "at", w.instant(act.at, &act.tz)),
    ];
    all.extend(act.compensating.as_ref().map(|control| {
        w.say(
            "records-control",
            &[
                ("control", control.control.as_str().into()),
                ("owner", control.owner.as_str().into()),
                ("due", w.day(control.due, at.tz()).words().into()),
            ],
        )
    }));
    all
}

fn server_words(w: Words, act: &ServerAct) -> String {
    let id = format!("records-act-{}", act.act());
    if w.has(&id) { w.t(&id) } else { act.act().to_owned() }
}

fn told(w: Words, act: &ServerAct) -> Vec<String> {
    let detail = act.detail();
    let text = |name: &str| detail.get(name).and_then(serde_json::Value::as_str);
    let mut all: Vec<String> = ["hold", "device", "approval", "owner", "account", "role", "label"]
        .into_iter()
        .filter_map(text)
        .map(str::to_owned)
        .collect();
    all.extend(text("reason").map(|reason| w.t1("records-reason", "reason", reason)));
    all.extend(text("name").map(str::to_owned));
    all
}

fn pretty(said: &Said) -> String {
    let json = match said {
        Said::Device(entry) => serde_json::to_string_pretty(entry),
        Said::Person(act) => serde_json::to_string_pretty(act),
        Said::Server(act) => serde_json::to_string_pretty(act),
        Said::Unreadable => return String::new(),
    };
    json.unwrap_or_default()
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::key::{SecretKey, Signer as _};
    use patchward_protocol::ledger::Fact;
    use serde_json::json;
    let at = at_site(words);
    let record = RecordView {
        record_key: SecretKey::from_seed(&[7; 32]).public(),
        verifier_key: String::new(),
        size: 4711,
        root: Sha256Digest::of(b"root"),
    };
    let entry = |n: u64, said: Said| Readable { n, at: noon(), said, bytes: Vec::new() };
    let device = Entry {
        v: 1,
        device: "pump-07".parse().unwrap(),
        ledger_id: patchward_protocol::id::LedgerId::from_random([7; 16]),
        seq: 12,
        prev_sha256: None,
        at: Some(noon()),
        time_quality: patchward_protocol::time::TimeQuality::Attested,
        boot_count: 3,
        fact: Fact::new(Kind::RolledBack).because(patchward_protocol::reason::Reason::SlotNotOpen),
    };
    let act = Act {
        v: 1,
        site: at.site.clone(),
        subject: Subject::Hold { hold: "city-hospital-2026-12-05-1".parse().unwrap() },
        person: "tanaka".parse().unwrap(),
        name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        role: words.pick("clinical engineer", "臨床工学技士").to_owned(),
        meaning: patchward_protocol::act::Meaning::HoldLifted,
        reason: words.pick("The pumps were checked", "ポンプを点検した").to_owned(),
        at: noon(),
        tz: "Asia/Tokyo".to_owned(),
        compensating: None,
        log_size: None,
        log_root: None,
    };
    let hold = ServerAct::new(
        "account:tanaka",
        "hold",
        json!({"hold": "city-hospital-2026-12-05-1", "reason": "<b>odd</b>", "owner": "ME"}),
    );
    let page = |entries: Vec<Readable>, older, which, typed: [&str; 4]| {
        let frame = site_frame(words, Nav::Records, "records-title");
        let typed = typed.map(str::to_owned);
        let called = Called::of_logins([("tanaka", words.pick("Tanaka Yuki", "田中 由紀"))]);
        view(frame, words, &at, (&record, Found { entries, older }, &called, which, typed))
    };
    let all = vec![
        entry(4710, Said::Person(Box::new(act))),
        entry(4709, Said::Server(hold)),
        entry(4708, Said::Device(Box::new(device))),
        entry(4707, Said::Unreadable),
    ];
    let none = page(Vec::new(), None, Which::Holds, ["pump-07", "", "2026-12-01", ""]);
    let mut samples = vec![
        Sample::of("records/list.html", "some", &page(all, Some(4707), Which::All, [""; 4])),
        Sample::of("records/list.html", "none", &none),
    ];
    samples.extend(export::samples(words));
    samples.extend(rollback::samples(words));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;

    #[test]
    fn an_entry_names_the_person_and_not_the_account() {
        for (language, name) in [(Language::En, "Tanaka Yuki"), (Language::Ja, "田中 由紀")] {
            let all = samples(Words::of(language));
            let page = all[0].html();
            assert!(page.contains(&format!("<td>{name} (tanaka)<br>")), "{language:?}");
            assert!(!page.contains("<td>account:"), "{language:?}");
        }
    }
}
