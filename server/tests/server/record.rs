//! The record of a site on both databases: it only grows, whoever appends, and its tiles and proofs
//! are those of the tree over its entries.

use crate::place::{Place, block_on, on_both};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::merkle::proof::check_consistency;
use patchward_protocol::merkle::tile::{Holds, Tile, write_entries};
use patchward_protocol::record::entry::{Body, RecordEntry, ServerAct};
use patchward_protocol::record::witness::Seen;
use patchward_protocol::time::Timestamp;
use patchward_server::db::{Connection, Db, DbError, record};
use patchward_server::record::{log, read};
use std::collections::BTreeSet;

fn site(name: &str) -> SiteId {
    SiteId::new(name).unwrap()
}

fn remark(text: &str) -> Body {
    Body::Note(ServerAct::new("test", "note", serde_json::json!({ "text": text })))
}

fn remarks(count: u64, text: &str) -> Vec<Body> {
    (0..count).map(|n| remark(&format!("{text} {n}"))).collect()
}

/// The entries of a site as they are stored, and the tree over them.
fn stored(conn: &mut Connection, site: &SiteId) -> Result<(Vec<Vec<u8>>, Tree), DbError> {
    let size = log::end(conn, site)?.size;
    let lines = record::entries(conn, site, 0..size)?;
    let tree = Tree::of(lines.iter().map(Vec::as_slice));
    Ok((lines, tree))
}

fn whole(db: &Db, name: &str) -> (Vec<Vec<u8>>, Tree, Seen) {
    let site = site(name);
    block_on(db.read(move |conn| {
        let (lines, tree) = stored(conn, &site)?;
        Ok::<_, DbError>((lines, tree, log::end(conn, &site)?))
    }))
    .unwrap()
}

#[test]
fn entries_are_numbered_by_site_and_survive_a_restart() {
    on_both(|place| {
        let at = Timestamp::from_millis(5);
        for round in 0..3_u64 {
            let db = Db::open(&place.url(), 1).unwrap();
            let appended = block_on(db.write(move |conn| {
                let north = log::append(conn, &site("north"), remark("n"), at)?;
                let south = log::append(conn, &site("south"), remark("s"), at)?;
                Ok::<_, DbError>((north, south))
            }));
            assert_eq!(appended.unwrap(), (round, round));
        }
        let db = Db::open(&place.url(), 1).unwrap();
        for name in ["north", "south"] {
            let (lines, tree, end) = whole(&db, name);
            assert_eq!((end.size, end.root), (3, tree.root()));
            for (n, line) in (0..).zip(&lines) {
                let entry = RecordEntry::read(line).unwrap();
                assert_eq!((entry.n, entry.at, entry.site), (n, at, site(name)));
            }
        }
        let (lines, _, end) = whole(&db, "nowhere");
        assert!(lines.is_empty() && end.root == patchward_protocol::merkle::empty_root());
    });
}

#[test]
fn what_is_rolled_back_leaves_no_trace_in_the_record() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        let at = Timestamp::EPOCH;
        block_on(async {
            let kept = db.write(move |conn| log::append(conn, &site("north"), remark("kept"), at));
            assert_eq!(kept.await.unwrap(), 0);
            let lost = db.write(move |conn| {
                log::append_all(conn, &site("north"), remarks(300, "lost"), at)?;
                Err::<(), _>(DbError::Busy)
            });
            assert!(lost.await.is_err());
            let next = db.write(move |conn| log::append(conn, &site("north"), remark("next"), at));
            assert_eq!(next.await.unwrap(), 1);
        });
        let (lines, tree, end) = whole(&db, "north");
        assert_eq!((lines.len(), end.root), (2, tree.root()));
    });
}

#[test]
fn two_servers_append_to_one_record_without_gap_or_fork() {
    const EACH: u64 = 60;
    on_both(|place| {
        let servers = [Db::open(&place.url(), 1).unwrap(), Db::open(&place.url(), 1).unwrap()];
        block_on(async {
            let both = servers.iter().zip(["one", "two"]).map(|(db, who)| {
                let db = db.clone();
                actix_web::rt::spawn(async move {
                    let mut seen: Option<Seen> = None;
                    for n in 0..EACH {
                        let bodies = remarks(n % 3 + 1, who);
                        let end = db
                            .write(move |conn| {
                                log::append_all(conn, &site("north"), bodies, Timestamp::EPOCH)
                            })
                            .await
                            .unwrap();
                        assert!(seen.is_none_or(|seen| seen.size < end.size));
                        seen = Some(end);
                    }
                })
            });
            for writer in both.collect::<Vec<_>>() {
                writer.await.unwrap();
            }
        });
        let (lines, tree, end) = whole(&servers[0], "north");
        assert_eq!(end.size, 2 * (EACH / 3) * 6);
        assert_eq!((end.size as usize, end.root), (lines.len(), tree.root()));
        for (n, line) in (0..).zip(&lines) {
            assert_eq!(RecordEntry::read(line).unwrap().n, n);
        }
    });
}

/// Nodes that were computed and stored with these entries.
fn nodes(db: &Db, range: std::ops::Range<u64>) -> usize {
    let rows: BTreeSet<u64> = range.collect();
    let hashes = block_on(db.read(move |conn| record::hashes_at(conn, &site("north"), &rows)));
    hashes.unwrap().values().map(Vec::len).sum()
}

#[test]
fn ten_thousand_entries_later_an_append_touches_as_few_nodes_as_before() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        let mut earlier = Vec::new();
        for part in 0..20 {
            let end = block_on(db.write(move |conn| {
                let text = format!("part {part}");
                log::append_all(conn, &site("north"), remarks(500, &text), Timestamp::EPOCH)
            }));
            earlier.push(end.unwrap());
        }
        // Below two nodes for an entry on average, and the edge is one row whatever the size.
        for first in [0, 4_000, 9_000] {
            let touched = nodes(&db, first..first + 1_000);
            assert!((1_000..2_020).contains(&touched), "{touched} nodes from {first} on");
        }
        let edge = block_on(db.read(|conn| record::edge(conn, &site("north")))).unwrap();
        assert_eq!(edge.roots().len(), 10_000_u64.count_ones() as usize);
        let (_, tree, end) = whole(&db, "north");
        assert_eq!((end.size, end.root), (10_000, tree.root()));
        for seen in earlier {
            let read = move |conn: &mut Connection| {
                read::consistency(conn, &site("north"), seen.size, 10_000)
            };
            let proof = block_on(db.read(read)).unwrap();
            assert_eq!(proof, tree.consistency(seen.size).unwrap());
            let (old, new) = ((seen.size, &seen.root), (end.size, &end.root));
            assert_eq!(check_consistency(old, new, &proof), Ok(()));
        }
    });
}

#[test]
fn tiles_are_those_of_the_tree_and_nothing_beyond_the_end_is_told() {
    on_both(|place: Place| {
        place.with_one(|app| async move {
            let appended = app.db.write(|conn| {
                log::append_all(conn, &site("north"), remarks(700, "n"), Timestamp::EPOCH)
            });
            let end = appended.await.unwrap();
            let (lines, tree) = app.db.read(|conn| stored(conn, &site("north"))).await.unwrap();
            let hashes: std::collections::BTreeMap<_, _> = tree.hash_tiles().into_iter().collect();
            for tile in Tile::all(end.size) {
                let bytes = read::tile(&app, &site("north"), tile).await.unwrap();
                let expected = match tile.holds() {
                    Holds::Hashes { .. } => hashes[&tile].clone(),
                    Holds::Entries => {
                        let first = tile.first() as usize;
                        let part = &lines[first..first + tile.width() as usize];
                        write_entries(part.iter().map(Vec::as_slice)).unwrap()
                    }
                };
                assert_eq!(bytes, expected, "{tile}");
            }
            for beyond in ["tile/0/002.p/189", "tile/0/003", "tile/1/001", "tile/entries/002"] {
                let tile: Tile = beyond.parse().unwrap();
                assert!(read::tile(&app, &site("north"), tile).await.is_err(), "{beyond}");
                assert!(read::tile(&app, &site("south"), tile).await.is_err(), "{beyond}");
            }
            // A partial tile stays readable when the record has grown over it.
            let partial: Tile = "tile/0/000.p/17".parse().unwrap();
            let bytes = read::tile(&app, &site("north"), partial).await.unwrap();
            assert_eq!(partial.read_hashes(&bytes).unwrap()[16], tree.leaf(16).unwrap());
        });
    });
}

#[test]
fn what_a_person_wrote_at_great_length_is_recorded_by_its_digest() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        let long = "長".repeat(20_000);
        let digest = Sha256Digest::of(serde_json::json!({ "text": long }).to_string().as_bytes());
        let body = remark(&long);
        block_on(db.write(move |conn| log::append(conn, &site("north"), body, Timestamp::EPOCH)))
            .unwrap();
        let (lines, ..) = whole(&db, "north");
        let Body::Note(act) = RecordEntry::read(&lines[0]).unwrap().body else { panic!("a note") };
        assert_eq!(act.detail()["sha256"].as_str(), Some(digest.to_string().as_str()));
    });
}
