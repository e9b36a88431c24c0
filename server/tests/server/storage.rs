//! The database keeps its promises on both engines.

use crate::place::{Place, block_on, on_both};
use diesel::deserialize::QueryableByName;
use diesel::sql_types::Text;
use diesel::{RunQueryDsl as _, sql_query};
use patchward_protocol::api::repository::Reading;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId, Seq, SiteId, Version};
use patchward_protocol::time::Timestamp;
use patchward_server::app::App;
use patchward_server::db::act::{self, Act};
use patchward_server::db::notice::{self, Closed, Notice};
use patchward_server::db::repository::{self, Heads, Repository};
use patchward_server::db::{self, Connection, Db, DbError, MIGRATIONS};
use patchward_server::notify::subject::{NoticeId, Severity, Subject};
use patchward_server::people;
use std::collections::BTreeSet;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Runs SQL without parameters on either engine.
pub(crate) fn run(conn: &mut Connection, sql: &str) -> Result<(), DbError> {
    match conn {
        Connection::Sqlite(conn) => sql_query(sql).execute(&mut **conn)?,
        Connection::Postgres(conn) => sql_query(sql).execute(&mut **conn)?,
    };
    Ok(())
}

/// The same on the database of a server.
pub(crate) async fn sql(app: &App, sql: &'static str) {
    app.db.write(move |conn| run(conn, sql)).await.unwrap();
}

fn some_repository(id: &str) -> Repository {
    Repository {
        id: id.parse().unwrap(),
        title_en: "Test".to_owned(),
        title_ja: "試験".to_owned(),
        reading: Reading::Restricted,
        quota_bytes: 5,
        opened: Timestamp::from_millis(1),
    }
}

#[test]
fn what_is_written_is_read_back_and_what_fails_leaves_no_trace() {
    on_both(|place| {
        let db = Db::open(&place.url(), 2).unwrap();
        block_on(async {
            let (kept, lost) = (some_repository("site:kept"), some_repository("site:lost"));
            let row = kept.clone();
            assert!(db.write(move |conn| repository::open(conn, &row)).await.unwrap());
            let failed = db.write(move |conn| {
                repository::open(conn, &lost)?;
                Err::<(), _>(DbError::Busy)
            });
            assert!(matches!(failed.await, Err(DbError::Busy)));
            let all = db.read(repository::all).await.unwrap();
            assert_eq!(all, vec![(kept, Heads::default())]);
        });
    });
}

#[test]
fn a_reader_cannot_write() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        block_on(async {
            let row = some_repository("site:kept");
            assert!(db.read(move |conn| repository::open(conn, &row)).await.is_err());
            assert!(db.read(repository::all).await.unwrap().is_empty());
        });
    });
}

#[test]
fn writers_of_two_servers_come_one_after_the_other() {
    const EACH: u64 = 40;
    on_both(|place| {
        let servers = [Db::open(&place.url(), 1).unwrap(), Db::open(&place.url(), 1).unwrap()];
        block_on(async {
            let row = some_repository("site:north");
            servers[0].write(move |conn| repository::open(conn, &row)).await.unwrap();
            let id: RepositoryId = "site:north".parse().unwrap();
            // Reads, then writes what it read plus one: any interleaving would lose a step.
            let step = |conn: &mut Connection| {
                let id: RepositoryId = "site:north".parse().unwrap();
                let (_, from) = repository::find(conn, &id)?.unwrap();
                let to = Heads { revision: from.revision + 1, ..from };
                assert!(repository::move_head(conn, &id, &from, &to)?);
                Ok::<_, DbError>(())
            };
            let both = servers.iter().map(|db| {
                let db = db.clone();
                actix_web::rt::spawn(async move {
                    for _ in 0..EACH {
                        db.write(step).await.unwrap();
                    }
                })
            });
            for worker in both.collect::<Vec<_>>() {
                worker.await.unwrap();
            }
            let find = move |conn: &mut Connection| repository::find(conn, &id);
            let (_, heads) = servers[1].read(find).await.unwrap().unwrap();
            assert_eq!(heads.revision, 2 * EACH);
        });
    });
}

#[test]
fn a_head_moves_from_the_revision_that_was_read_only() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        block_on(async {
            let moved = db.write(|conn| {
                let row = some_repository("site:north");
                repository::open(conn, &row)?;
                let from = Heads::default();
                let to = Heads { revision: 1, root: 1, ..from };
                let first = repository::move_head(conn, &row.id, &from, &to)?;
                let second = repository::move_head(conn, &row.id, &from, &to)?;
                Ok::<_, DbError>((first, second))
            });
            assert_eq!(moved.await.unwrap(), (true, false));
        });
    });
}

#[test]
fn acts_are_numbered_without_gaps() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        block_on(async {
            for name in ["one", "two"] {
                let act = Act {
                    at: Timestamp::EPOCH,
                    scope: "server".to_owned(),
                    who: name.to_owned(),
                    act: "test",
                    detail: serde_json::json!({}),
                };
                db.write(move |conn| act::append(conn, &act)).await.unwrap();
            }
            let told = db.read(|conn| act::about(conn, "server")).await.unwrap();
            let who: Vec<_> = told.iter().map(|(who, _, _)| who.as_str()).collect();
            assert_eq!(who, ["operator", "one", "two"], "after the invitation that `init` made");
        });
    });
}

#[test]
fn a_panicking_writer_does_not_stop_the_next() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        block_on(async {
            let panics = db.write(|_| -> Result<(), DbError> { panic!("a fault of ours") });
            assert!(matches!(panics.await, Err(DbError::Stopped)));
            let row = some_repository("site:north");
            assert!(db.write(move |conn| repository::open(conn, &row)).await.unwrap());
        });
    });
}

#[test]
fn a_database_of_another_program_version_is_refused() {
    on_both(|place| {
        let url = place.url();
        let add = "INSERT INTO schema_migrations (name, sha256) VALUES ('9999_later', 'x')";
        db::once(&url, |conn| run(conn, add)).unwrap();
        assert!(matches!(db::check(&url), Err(DbError::MigrationUnknown { .. })));
        assert!(matches!(db::migrate(&url), Err(DbError::MigrationUnknown { .. })));
        let change = "UPDATE schema_migrations SET name = '0001_begin', sha256 = 'x' \
                      WHERE name = '9999_later'";
        db::once(&url, |conn| {
            run(conn, "DELETE FROM schema_migrations WHERE name = '0001_begin'")?;
            run(conn, change)
        })
        .unwrap();
        assert!(matches!(Db::open(&url, 1), Err(DbError::MigrationChanged { .. })));
    });
}

/// Every column of every table: name, kind of type, whether it may be null.
fn columns(place: &Place) -> BTreeSet<String> {
    let sqlite = "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" AS line \
                  FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
    let postgres = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || \
                    CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END AS line \
                    FROM information_schema.columns WHERE table_schema = current_schema()";
    let lines = db::once(&place.url(), |conn| {
        let lines: Vec<Line> = match conn {
            Connection::Sqlite(conn) => sql_query(sqlite).load(&mut **conn)?,
            Connection::Postgres(conn) => sql_query(postgres).load(&mut **conn)?,
        };
        Ok::<_, DbError>(lines)
    });
    let plain = |line: Line| line.line.to_uppercase().replace(" BYTEA ", " BLOB ");
    lines.unwrap().into_iter().map(plain).collect()
}

#[test]
fn both_engines_have_the_same_columns() {
    let (sqlite, postgres) = (columns(&Place::sqlite()), columns(&Place::postgres()));
    assert!(sqlite.len() > 60, "{sqlite:?}");
    assert_eq!(sqlite, postgres);
}

#[test]
fn every_migration_can_be_undone_and_done_again() {
    on_both(|place| {
        let url = place.url();
        let before = columns(&place);
        for migration in MIGRATIONS.iter().rev() {
            let path = format!(
                "{}/../migrations/{}/{}/down.sql",
                env!("CARGO_MANIFEST_DIR"),
                url.engine(),
                migration.name
            );
            let sql = std::fs::read_to_string(path).unwrap();
            for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
                db::once(&url, |conn| run(conn, statement)).unwrap();
            }
        }
        let left = columns(&place);
        assert!(left.iter().all(|line| line.starts_with("SCHEMA_MIGRATIONS.")), "{left:?}");
        db::once(&url, |conn| run(conn, "DELETE FROM schema_migrations")).unwrap();
        db::migrate(&url).unwrap();
        assert_eq!(columns(&place), before);
    });
}

#[test]
fn init_refuses_a_database_that_another_data_folder_uses() {
    let place = Place::postgres();
    let other = patchward_server::setup::DataFolder::new(&place.folder.path().join("other"));
    let rng = patchward_server::clock::SystemRng;
    let refused = other.init(&place.config, &*place.clock, &rng);
    assert!(matches!(refused, Err(patchward_server::setup::SetupError::DatabaseInUse)));
}

#[test]
fn releases_that_wait_for_an_answer_are_found_among_everything_that_is_open() {
    on_both(|place| {
        let db = Db::open(&place.url(), 1).unwrap();
        block_on(async {
            let all = db.write(|conn| {
                let at = Timestamp::from_millis(1_000);
                for (n, (site, family)) in [
                    ("north", "acme.a"),
                    ("south", "acme.a"),
                    ("north", "other.b"),
                    ("west", "acme.a"),
                ]
                .into_iter()
                .enumerate()
                {
                    let release = some_release(family);
                    assert!(notice::insert(conn, &some_notice(&format!("r{n}"), site, release))?);
                }
                let hold = Subject::Draft { draft: "1".to_owned(), family: None };
                assert!(notice::insert(conn, &some_notice("d", "north", hold))?);
                assert!(notice::acknowledge(conn, &NoticeId::digest("r1"), at, "Tanaka")?);
                assert!(notice::close(conn, &NoticeId::digest("r3"), at, Closed::Over)?);
                notice::all_open(conn)
            });
            let acme = FamilyId::new("acme.a").unwrap();
            let waits = |it: &&Notice| {
                let of = matches!(&it.subject, Subject::Release { family, .. } if *family == acme);
                of && it.acknowledged.is_none()
            };
            let all = all.await.unwrap();
            let wanted: Vec<Notice> = all.iter().filter(waits).cloned().collect();
            assert_eq!((all.len(), wanted.len()), (4, 1));
            let (own, other) = (vec![acme.clone()], FamilyId::new("acme.other").unwrap());
            let found = db.read(move |conn| notice::unanswered(conn, &own)).await.unwrap();
            assert_eq!(found, wanted);
            assert!(
                db.read(move |conn| notice::unanswered(conn, &[other])).await.unwrap().is_empty()
            );
            assert!(db.read(|conn| notice::unanswered(conn, &[])).await.unwrap().is_empty());
        });
    });
}

fn some_release(family: &str) -> Subject {
    Subject::Release {
        family: FamilyId::new(family).unwrap(),
        image_sha256: Sha256Digest::of(family.as_bytes()),
        version: Version::new("2.0.0").unwrap(),
        seq: Seq(2),
        put_off: None,
    }
}

fn some_notice(name: &str, site: &str, subject: Subject) -> Notice {
    Notice {
        id: NoticeId::digest(name),
        place: people::role::Place::Site(SiteId::new(site).unwrap()),
        subject,
        severity: Severity::Important,
        created: Timestamp::from_millis(1),
        due: None,
        step: 0,
        step_due: None,
        acknowledged: None,
        closed: None,
    }
}
