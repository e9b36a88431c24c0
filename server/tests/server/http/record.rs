//! The record of a site over HTTP: what devices report and people do is in it; receipts carry the
//! checkpoint; tiles are read by the form of tlog-tiles; a server that tells two stories is caught.

use crate::http::device::Device;
use crate::http::house::{House, wait};
use crate::place::on_both;
use diesel::RunQueryDsl as _;
use patchward_protocol::api::device::ReportReply;
use patchward_protocol::api::operator::ServerView;
use patchward_protocol::api::record::{RecordShown, RecordView};
use patchward_protocol::id::SiteId;
use patchward_protocol::key::{PublicKey, Signer as _};
use patchward_protocol::ledger::{Kind, SealedEntry};
use patchward_protocol::merkle::edge::Edge;
use patchward_protocol::merkle::leaf_hash;
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::merkle::tile::{Holds, Tile};
use patchward_protocol::reason::Reason;
use patchward_protocol::record::checkpoint::{Checkpoint, verifier_key};
use patchward_protocol::record::entry::{Body, RecordEntry};
use patchward_protocol::record::witness::{Seen, witness};
use patchward_protocol::time::Timestamp;
use patchward_server::db::{Connection, DbError, record};
use serde_json::json;
use std::process::Command;

fn north() -> SiteId {
    SiteId::new("north").unwrap()
}

fn record_key(house: &House) -> PublicKey {
    let view: ServerView = house.get("/v1/server", "").read();
    view.record_key
}

/// A device reports and says how much of the record it has seen.
fn report(
    house: &House,
    device: &Device,
    entries: &[SealedEntry],
    seen: Option<u64>,
) -> RecordShown {
    let entries: Vec<_> = entries.iter().map(|sealed| &sealed.envelope).collect();
    let mut body = json!({ "site": device.site, "device": device.device, "entries": entries });
    if let Some(seen) = seen {
        body["log_size_seen"] = json!(seen);
    }
    let reply: ReportReply = house.say("/v1/reports", &body).read();
    reply.record.unwrap()
}

fn text(house: &House, path: &str, token: &str) -> String {
    let answer = house.get(path, token);
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

/// All entries, by their bundles.
fn entries(house: &House, token: &str, size: u64) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for tile in Tile::all(size).filter(|tile| tile.holds() == Holds::Entries) {
        let answer = house.get(&format!("/v1/sites/north/record/{tile}"), token);
        assert_eq!(answer.header("content-type").as_deref(), Some("application/octet-stream"));
        assert!(answer.header("cache-control").unwrap().contains("immutable"));
        lines.extend(tile.read_entries(&answer.body).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    lines
}

#[test]
fn everything_about_a_site_is_in_its_record_in_order() {
    on_both(|place| {
        let house = House::on(place);
        house.furnish();
        let mut device = Device::joined(&house, "north", "pump-1", 1);
        (0..3).for_each(|_| drop(device.write(Kind::Held)));
        report(&house, &device, &device.entries, None);
        // Again is a duplicate, not another entry; a fork is a remark, once.
        report(&house, &device, &device.entries, None);
        let clone = device.entry_after(Some(&device.entries[0]), Kind::Refused, "otherwise");
        for _ in 0..2 {
            let answer = device.report(&house, std::slice::from_ref(&clone));
            assert_eq!(answer.code(), "ledger_fork");
        }
        let token = house.site_token("north");
        let view: RecordView = house.get("/v1/sites/north/record", &token).read();
        let lines = entries(&house, &token, view.size);
        let said: Vec<_> = lines
            .iter()
            .map(|line| match RecordEntry::read(line).unwrap().body {
                Body::Ledger(envelope) => {
                    let sealed = SealedEntry::open(envelope, &view_key(&device)).unwrap();
                    format!("ledger {}", sealed.entry.seq)
                }
                Body::Act(_) => "act".to_owned(),
                Body::Server(act) => act.act().to_owned(),
                Body::Note(act) => format!("note {}", act.act()),
            })
            .collect();
        let expected = [
            "open-repository",
            "publish",
            "make-pack",
            "enrol",
            "ledger 1",
            "ledger 2",
            "ledger 3",
            "note ledger-fork",
        ];
        assert_eq!(said, expected);
        assert_eq!(Tree::of(lines.iter().map(Vec::as_slice)).root(), view.root);
        assert_eq!(view.record_key, record_key(&house));
        assert_eq!(view.verifier_key, verifier_key(&north(), &view.record_key));
        // Another site's record is another record, and not to be seen.
        let south: RecordView =
            house.get("/v1/sites/south/record", &house.site_token("south")).read();
        assert_eq!(south.size, 2);
        assert_eq!(house.get("/v1/sites/south/record", &token).code(), "not_found");
    });
}

fn view_key(device: &Device) -> PublicKey {
    device.device_key.public()
}

#[test]
fn a_receipt_carries_the_checkpoint_and_its_proof_from_what_the_device_has_seen() {
    on_both(|place| {
        let house = House::on(place);
        house.furnish();
        let key = record_key(&house);
        let mut device = Device::joined(&house, "north", "pump-1", 1);
        let mut seen: Option<Seen> = None;
        for round in 0..9 {
            for _ in 0..=round {
                device.write(Kind::Held);
            }
            let size = seen.map(|seen| seen.size);
            let shown = report(&house, &device, &device.entries, size);
            let kept =
                witness(&north(), &key, seen.as_ref(), &shown.checkpoint, &shown.consistency);
            let kept = kept.unwrap();
            assert!(seen.is_none_or(|seen| seen.size < kept.size));
            seen = Some(kept);
        }
        // The same report again: nothing new, no proof asked for, the same checkpoint.
        let size = seen.map(|seen| seen.size);
        let shown = report(&house, &device, &device.entries, size);
        assert!(shown.consistency.is_empty());
        let kept = witness(&north(), &key, seen.as_ref(), &shown.checkpoint, &shown.consistency);
        assert_eq!(kept.ok(), seen);
        // What a server without this device's past would say.
        let odd = report(&house, &device, &device.entries, Some(1_000_000));
        assert!(odd.consistency.is_empty());
        let path = "/v1/sites/north/record/checkpoint";
        assert_eq!(text(&house, path, &house.site_token("north")), shown.checkpoint);
    });
}

#[test]
fn a_checkpoint_is_asked_for_anew_and_odd_names_of_tiles_are_not_found() {
    let house = House::furnished();
    let token = house.site_token("north");
    let answer = house.get("/v1/sites/north/record/checkpoint", &token);
    assert!(answer.header("cache-control").unwrap().contains("no-cache"));
    let note = String::from_utf8(answer.body).unwrap();
    let checkpoint = Checkpoint::open(&note, &north(), &record_key(&house)).unwrap();
    assert_eq!(checkpoint.size, 2);
    assert_eq!(house.get("/v1/sites/north/record/tile/0/000.p/2", &token).code(), "ok");
    let odd = [
        "0/000",
        "0/000.p/3",
        "0/0",
        "0/000.p/02",
        "9/000.p/1",
        "entries/000",
        "x",
        "0/x000/000",
        "entries/000.p/2/",
        "../record",
        "%2e%2e/checkpoint",
    ];
    for name in odd {
        let path = format!("/v1/sites/north/record/tile/{name}");
        assert_eq!(house.get(&path, &token).code(), "not_found", "{name}");
    }
}

/// Attack 24 at the level of the server: the database of a server is taken back and goes on otherwise.
#[test]
fn a_server_that_lost_or_changed_entries_cannot_go_on_unnoticed() {
    let house = House::furnished();
    let key = record_key(&house);
    let mut device = Device::joined(&house, "north", "pump-1", 1);
    let mut other = Device::joined(&house, "north", "pump-2", 2);
    device.write(Kind::Held);
    let shown = report(&house, &device, &device.entries, None);
    let seen = witness(&north(), &key, None, &shown.checkpoint, &[]).unwrap();
    // Whoever owns the server takes the last entry out and signs what comes instead.
    let at = house.at;
    wait(house.db.write(move |conn| take_back(conn, at))).unwrap();
    other.write(Kind::Held);
    other.write(Kind::Held);
    let shown = report(&house, &other, &other.entries, Some(seen.size));
    let told = witness(&north(), &key, Some(&seen), &shown.checkpoint, &shown.consistency);
    assert_eq!(told, Err(Reason::RecordRewritten));
}

/// Takes the last entry out of the record of `north`, hashes, words and all.
fn take_back(conn: &mut Connection, at: Timestamp) -> Result<(), DbError> {
    let size = record::edge(conn, &north())?.size() - 1;
    let mut edge = Edge::empty();
    for line in record::entries(conn, &north(), 0..size)? {
        edge.append(leaf_hash(&line));
    }
    let Connection::Sqlite(inner) = conn else { panic!("this house stands on SQLite") };
    for table in ["record_entries", "record_words"] {
        let sql = format!("DELETE FROM {table} WHERE site = 'north' AND n >= {size}");
        diesel::sql_query(sql).execute(&mut **inner)?;
    }
    record::append(conn, &north(), &[], &edge, at)
}

#[test]
fn the_tiles_of_a_server_are_read_by_an_implementation_written_from_the_standards() {
    let python = std::env::var("PATCHWARD_PYTHON").expect(
        "PATCHWARD_PYTHON names no Python with `cryptography`: run `cargo xtask test`, \
         or `python3 -m venv v && v/bin/pip install cryptography` and set it to v/bin/python",
    );
    let house = House::furnished();
    let mut device = Device::joined(&house, "north", "pump-1", 1);
    (0..600).for_each(|_| drop(device.write(Kind::Held)));
    for part in device.entries.chunks(200) {
        assert_eq!(device.report(&house, part).code(), "ok");
    }
    let token = house.site_token("north");
    let view: RecordView = house.get("/v1/sites/north/record", &token).read();
    let folder = tempfile::tempdir().unwrap();
    let names = Tile::all(view.size).map(|tile| tile.to_string());
    for name in names.chain(["checkpoint".to_owned()]) {
        let answer = house.get(&format!("/v1/sites/north/record/{name}"), &token);
        assert_eq!(answer.code(), "ok", "{name}");
        let path = folder.path().join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, answer.body).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/python/record_check.py");
    let mut command = Command::new(python);
    let ran = command.arg(script).arg(folder.path()).arg(&view.verifier_key).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((told["size"].as_u64(), told["tiles"].as_u64()), (Some(view.size), Some(4)));
}
