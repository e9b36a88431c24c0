//! What the pages of stopping, waves, calendar and record rest on, on both databases.

use crate::hospital::{approval, devices, goes, north, publish, site};
use crate::http::device::Device;
use crate::place::on_both;
use patchward_protocol::api::consent::SetHoldRequest;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::key::Signer as _;
use patchward_protocol::language::Language;
use patchward_protocol::ledger::{Entry, Fact, Kind, SealedEntry};
use patchward_protocol::record::entry::{Body, ServerAct};
use patchward_protocol::record::export::contents::Contents;
use patchward_protocol::record::export::keys::People;
use patchward_protocol::record::export::{archive, audit, consent};
use patchward_protocol::record::placement::{JOINED, Joined};
use patchward_protocol::time::TimeQuality;
use patchward_server::app::App;
use patchward_server::consent::hold::{self, By};
use patchward_server::console::pages::rollouts::known;
use patchward_server::db::calendar;
use patchward_server::people::who::AccountId;
use patchward_server::record::search::{self, Filter, Said, Which};
use patchward_server::record::sheet::sheet;
use patchward_server::record::{export, log, read};
use patchward_server::rollout::board::Phase;

const DONE: [Kind; 3] = [Kind::Activating, Kind::Trial, Kind::Committed];

/// The record says with which key a device joined, as when it enrols.
async fn joined(app: &App, device: &Device) {
    let (id, key, ledger_id) =
        (device.device.clone(), device.device_key.public(), device.ledger_id);
    let joined = Joined { device: id, device_key: key, ledger_id };
    let act = ServerAct::new("server", JOINED, serde_json::to_value(joined).unwrap());
    let at = app.clock.now();
    let append = move |conn: &mut _| log::append(conn, &north(), Body::Server(act.clone()), at);
    app.db.write(append).await.unwrap();
}

#[test]
fn an_export_of_the_page_passes_the_check_that_anybody_can_make() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        place.with_two(|app, _| async move {
            let mut owner = site(&app).await;
            joined(&app, &devices[0]).await;
            let waves = [(&devices[0], 0), (&devices[1], 1)];
            let approval = approval("first", 1, app.clock.now(), &waves);
            publish(&app, &mut owner, &[&approval]).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            let bytes = export::make(&app, &north(), "Asia/Tokyo", |_, _| ()).await.unwrap();
            let files = archive::read(&bytes).unwrap();
            let contents = Contents::read(&files).unwrap();
            let people = People::of(&north(), &contents.roots).unwrap();
            let audited = audit::audit(&north(), people, &contents.lines, &|_| None).unwrap();
            consent::check(&audited, &contents.approvals).unwrap();
            assert_eq!(contents.files(&audited).unwrap(), files);
            assert_eq!(contents.approvals.len(), 1, "the approval that entries name");
            let end = read::view(&app, &north()).await.unwrap();
            assert_eq!((audited.tree.size(), audited.tree.root()), (end.size, end.root));
        });
    });
}

/// What another device signed, so many times, out of all order.
fn of_another(device: &Device, count: u64) -> Vec<Body> {
    let mut fact = Fact::new(Kind::Held);
    fact.detail = Some("x".repeat(1_000));
    let entry = |seq: u64| Entry {
        v: 1,
        device: device.device.clone(),
        ledger_id: device.ledger_id,
        seq,
        prev_sha256: None,
        at: None,
        time_quality: TimeQuality::Unknown,
        boot_count: 1,
        fact: fact.clone(),
    };
    let signed = |seq| SealedEntry::seal(entry(seq), &device.device_key).unwrap().envelope;
    (0..count).map(|seq| Body::Ledger(signed(seq))).collect()
}

#[test]
fn a_sheet_is_made_of_what_concerns_its_rollback_however_long_the_record_is() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        place.with_two(|app, _| async move {
            let mut owner = site(&app).await;
            let approval =
                approval("first", 1, app.clock.now(), &[(&devices[0], 0), (&devices[1], 0)]);
            publish(&app, &mut owner, &[&approval]).await;
            joined(&app, &devices[0]).await;
            // None of this holds together, and nobody reads more of it than whose it is.
            let other = of_another(&devices[1], 40);
            let at = app.clock.now();
            let append = move |conn: &mut _| log::append_all(conn, &north(), other.clone(), at);
            app.db.write(append).await.unwrap();
            let failed = [Kind::Activating, Kind::RollingBack, Kind::RolledBack];
            goes(&app, &mut devices[0], &approval, &failed).await;
            let back = Filter { which: Which::Rollbacks, ..Filter::default() };
            let looked = move |conn: &mut _| search::back(conn, &north(), &back, None);
            let found = app.db.read(looked).await.unwrap();
            let n = found.entries.first().unwrap().n;
            let made = sheet(&app, &north(), n, ("Asia/Tokyo", Language::En)).await.unwrap();
            let rows = made.unwrap().rows;
            let says = |name: &str, value: &str| {
                rows.iter().any(|(of, said)| *of == name && said.contains(value))
            };
            assert!(says("Device", devices[0].device.as_str()), "{rows:?}");
            assert!(says("Receipt", &format!("#{n}")) && says("Started", "UTC"), "{rows:?}");
            for none in [0, n - 1, n + 100] {
                let made = sheet(&app, &north(), none, ("UTC", Language::Ja)).await;
                assert_eq!(made.unwrap(), None, "{none} ends no rollback");
            }
        });
    });
}

#[test]
fn a_board_and_a_record_say_what_devices_signed() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        place.with_two(|app, _| async move {
            let mut owner = site(&app).await;
            let waves = [(&devices[0], 0), (&devices[1], 1)];
            let approval = approval("first", 1, app.clock.now(), &waves);
            publish(&app, &mut owner, &[&approval]).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            let known = known::read(&app, &north(), "first").await.unwrap();
            let phases: Vec<_> = known[0].devices.iter().map(|placed| placed.phase).collect();
            assert_eq!(phases[0], Phase::Done);
            assert_ne!(phases[1], Phase::Done);
            assert!(known::read(&app, &north(), "nothing").await.is_err());
            let of_devices = Filter { which: Which::Devices, ..Filter::default() };
            let looked = move |conn: &mut _| search::back(conn, &north(), &of_devices, None);
            let found = app.db.read(looked).await.unwrap();
            let kinds = found.entries.iter().filter_map(|entry| match &entry.said {
                Said::Device(said) => Some(said.fact.kind),
                Said::Person(_) | Said::Server(_) | Said::Unreadable => None,
            });
            let kinds: Vec<_> = kinds.filter(|kind| DONE.contains(kind)).collect();
            assert_eq!(kinds, [Kind::Committed, Kind::Trial, Kind::Activating], "newest first");
        });
    });
}

#[test]
fn a_person_stops_a_hospital_under_their_account_and_their_name() {
    on_both(|place| {
        place.with_two(|app, _| async move {
            site(&app).await;
            let by = By { id: "account:tanaka".to_owned(), name: "田中 由紀".to_owned() };
            let request = SetHoldRequest {
                target: HoldTarget::Site,
                reason: "stop".to_owned(),
                owner: by.name.clone(),
                review_at: None,
            };
            let set = hold::set_at_site(&app, &north(), request, by).await.unwrap();
            assert_eq!(set.set_by, "田中 由紀");
            let holds = Filter { which: Which::Holds, ..Filter::default() };
            let looked = move |conn: &mut _| search::back(conn, &north(), &holds, None);
            let found = app.db.read(looked).await.unwrap();
            let [entry] = &found.entries[..] else { panic!("{:?}", found.entries) };
            let Said::Server(act) = &entry.said else { panic!("{:?}", entry.said) };
            assert_eq!(act.who(), "account:tanaka");
        });
    });
}

#[test]
fn a_calendar_address_ends_with_the_next_one_and_with_its_person() {
    on_both(|place| {
        place.with_two(|app, _| async move {
            let (person, at) = (AccountId(7), app.clock.now());
            let write = |digest: &'static str| {
                app.db.write(move |conn| calendar::put(conn, person, &north(), digest, at))
            };
            let find = |digest: &'static str| app.db.read(move |conn| calendar::find(conn, digest));
            write("one").await.unwrap();
            assert_eq!(find("one").await.unwrap(), Some((person, north())));
            write("two").await.unwrap();
            assert_eq!(find("one").await.unwrap(), None);
            let end = move |conn: &mut _| calendar::delete(conn, person, &north());
            assert!(app.db.write(end).await.unwrap());
            assert!(!app.db.write(end).await.unwrap());
            assert_eq!(find("two").await.unwrap(), None);
        });
    });
}
