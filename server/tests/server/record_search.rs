//! Looking for entries of a record on both databases: by the words beside them, exactly what reading every
//! entry would find.

use crate::place::{Place, block_on, on_both};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{LedgerId, SiteId};
use patchward_protocol::key::SecretKey;
use patchward_protocol::ledger::{Entry, Fact, Kind};
use patchward_protocol::record::entry::{Body, ServerAct};
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_server::db::{self, Connection, Db, DbError, record};
use patchward_server::record::log;
use patchward_server::record::search::{Filter, Readable, Said, Which, back};
use serde_json::json;

fn north() -> SiteId {
    SiteId::new("north").unwrap()
}

fn of_device(device: &str, kind: Kind, person: Option<&str>) -> Body {
    let mut fact = Fact::new(kind);
    fact.person = person.map(|person| person.parse().unwrap());
    let entry = Entry {
        v: 1,
        device: device.parse().unwrap(),
        ledger_id: LedgerId::from_random([7; 16]),
        seq: 1,
        prev_sha256: None,
        at: None,
        time_quality: TimeQuality::Unknown,
        boot_count: 1,
        fact,
    };
    let key = SecretKey::from_seed(&[1; 32]);
    Body::Ledger(Envelope::seal(PayloadType::LedgerEntry, &entry, &key).unwrap())
}

fn of_person(person: &str, name: &str, meaning: Meaning, subject: Subject) -> Body {
    let act = Act {
        v: 1,
        site: north(),
        subject,
        person: person.parse().unwrap(),
        name: name.to_owned(),
        role: "engineer".to_owned(),
        meaning,
        reason: "because".to_owned(),
        at: Timestamp::from_millis(1),
        tz: "Asia/Tokyo".to_owned(),
        compensating: None,
        log_size: None,
        log_root: None,
    };
    let key = SecretKey::from_seed(&[2; 32]);
    Body::Act(Envelope::seal(PayloadType::Act, &act, &key).unwrap())
}

/// Entries of every kind, with names that have letters of patterns in them.
fn bodies() -> Vec<Body> {
    let wave = Subject::Wave { approval_sha256: Sha256Digest::of(b"a"), wave: 1, halts: 0 };
    let hold = Subject::Hold { hold: "h-01".parse().unwrap() };
    let server = |who: &str, act: &str, detail| Body::Server(ServerAct::new(who, act, detail));
    vec![
        of_device("pump-07", Kind::Committed, None),
        of_device("pumpx07", Kind::RolledBack, None),
        of_device("pump-08", Kind::HoldSet, Some("tanaka")),
        of_person("tanaka", "田中 Yuki", Meaning::RollbackAuthorised, wave.clone()),
        of_person("sato", "100% SATO", Meaning::Approved, wave),
        of_person("sato", "Sato\\", Meaning::HoldLifted, hold),
        server("account:tanaka", "hold", json!({"target": {"device": "Pump-07"}, "n": 3})),
        server("server", "add-device", json!({"devices": ["pump-08", {"odd": "pump%07"}]})),
        Body::Note(ServerAct::new("server", "note", json!({"left_out_bytes": 7}))),
    ]
}

/// What reading every entry would find: the words of the search have to agree with it.
fn fits(filter: &Filter, entry: &Readable) -> bool {
    let inside = |part: &Option<String>, texts: &[String]| {
        let part = part.clone().unwrap_or_default().to_lowercase();
        part.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&part))
    };
    let (device, person, of_kind) = match &entry.said {
        Said::Device(said) => {
            let kind = said.fact.kind;
            let of_kind = match filter.which {
                Which::All | Which::Devices => true,
                Which::Holds => matches!(kind, Kind::HoldSet | Kind::HoldLifted),
                Which::Rollbacks => matches!(kind, Kind::RollingBack | Kind::RolledBack),
                Which::People | Which::Server => false,
            };
            let person = said.fact.person.as_ref().map(ToString::to_string);
            (vec![said.device.to_string()], person.into_iter().collect(), of_kind)
        }
        Said::Person(said) => {
            let of_kind = match filter.which {
                Which::All | Which::People => true,
                Which::Holds => matches!(said.subject, Subject::Hold { .. }),
                Which::Rollbacks => said.meaning == Meaning::RollbackAuthorised,
                Which::Devices | Which::Server => false,
            };
            (Vec::new(), vec![said.person.to_string(), said.name.clone()], of_kind)
        }
        Said::Server(said) => {
            let of_kind = match filter.which {
                Which::All | Which::Server => true,
                Which::Holds => said.act() == "hold",
                Which::Devices | Which::People | Which::Rollbacks => false,
            };
            (vec![said.detail().to_string()], vec![said.who().to_owned()], of_kind)
        }
        Said::Unreadable => panic!("{entry:?}"),
    };
    let when = filter.when.as_ref().is_none_or(|when| when.contains(&entry.at));
    of_kind && when && inside(&filter.device, &device) && inside(&filter.person, &person)
}

fn every_filter() -> Vec<Filter> {
    let at = Timestamp::from_millis;
    let parts =
        ["", "PUMP-07", "pump_0", "%", "\\", "tanaka", "田中", "sato", "08", "nobody", "a\0"];
    let parts = || parts.iter().map(|part| (!part.is_empty()).then(|| (*part).to_owned()));
    let times = [None, Some(at(0)..at(5_000)), Some(at(5_000)..at(5_001))];
    let mut all = Vec::new();
    for which in Which::ALL {
        for device in parts() {
            for person in parts() {
                for when in times.clone() {
                    all.push(Filter {
                        which,
                        device: device.clone(),
                        person: person.clone(),
                        when,
                    });
                }
            }
        }
    }
    all
}

fn append(db: &Db, bodies: Vec<Body>, millis: i64) {
    let write = move |conn: &mut Connection| {
        log::append_all(conn, &north(), bodies, Timestamp::from_millis(millis))
    };
    block_on(db.write(write)).unwrap();
}

/// Looks with every filter; gives how many places were found in all.
fn look(db: &Db) -> usize {
    let read = |conn: &mut Connection| {
        let size = log::end(conn, &north())?.size;
        let stored = record::entries(conn, &north(), 0..size)?;
        let stored: Vec<_> = (0..).zip(stored).map(|(n, bytes)| Readable::of(n, bytes)).collect();
        let mut found = 0;
        for filter in every_filter() {
            let seen = back(conn, &north(), &filter, None)?;
            let seen: Vec<_> = seen.entries.iter().map(|entry| entry.n).collect();
            let fit = stored.iter().rev().filter(|entry| fits(&filter, entry));
            assert_eq!(seen, fit.map(|entry| entry.n).collect::<Vec<_>>(), "{filter:?}");
            found += seen.len();
        }
        Ok::<_, DbError>(found)
    };
    block_on(db.read(read)).unwrap()
}

#[test]
fn a_search_finds_exactly_what_reading_every_entry_would() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        append(&db, bodies(), 4_000);
        append(&db, bodies(), 5_000);
        assert!(look(&db) > 200, "a search that finds little proves little");
    });
}

#[test]
fn a_record_that_was_there_before_is_searched_like_one_that_begins() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        // More than one statement reads.
        let many = (0..300).map(|n| of_device(&format!("ecg-{n}"), Kind::Committed, None));
        append(&db, many.collect(), 4_000);
        append(&db, bodies(), 4_000);
        let nine = |place: &Place| {
            let read = |conn: &mut Connection| {
                let of = Filter { device: Some("ecg-9".to_owned()), ..Filter::default() };
                Ok::<_, DbError>(back(conn, &north(), &of, None)?.entries.len())
            };
            block_on(Db::open(&place.url(), 1).unwrap().read(read)).unwrap()
        };
        assert_eq!(nine(&place), 11, "9 and 90 to 99");
        let forget = |sql: &'static str| {
            db::once(&place.url(), |conn| crate::storage::run(conn, sql)).unwrap();
        };
        forget("DROP TABLE record_words");
        forget("DELETE FROM schema_migrations WHERE name = '0013_record_words'");
        assert_eq!(db::migrate(&place.url()).unwrap(), ["0013_record_words"]);
        assert_eq!(nine(&place), 11);
        assert_eq!(db::migrate(&place.url()).unwrap(), [""; 0]);
    });
}

#[test]
fn a_page_of_a_search_says_where_the_next_begins() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        let many = (0..240).map(|n| of_device(&format!("ecg-{}", n % 2), Kind::Committed, None));
        append(&db, many.collect(), 4_000);
        let read = |conn: &mut Connection| {
            let of = Filter { device: Some("ecg-1".to_owned()), ..Filter::default() };
            let (mut before, mut seen) = (None, Vec::new());
            loop {
                let found = back(conn, &north(), &of, before)?;
                seen.extend(found.entries.iter().map(|entry| entry.n));
                before = found.older;
                if before.is_none() {
                    return Ok::<_, DbError>(seen);
                }
            }
        };
        let seen = block_on(db.read(read)).unwrap();
        assert_eq!(seen, (0..240).rev().filter(|n| n % 2 == 1).collect::<Vec<_>>());
    });
}
