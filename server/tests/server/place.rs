//! A place for a server: a data folder, a database of its own on either engine, a clock set by hand.

use diesel::{Connection as _, RunQueryDsl as _};
use patchward_protocol::time::Timestamp;
use patchward_server::app::{App, Mode, Parts};
use patchward_server::clock::{Clock as _, SeededRng, SetClock, SystemRng};
use patchward_server::config::Config;
use patchward_server::db::{self, Connection, DatabaseUrl, DbError};
use patchward_server::setup::DataFolder;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the tests' clock begins.
pub(crate) const START: &str = "2026-11-22T05:00:00Z";

/// A data folder with its database.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) clock: Arc<SetClock>,
}

/// Runs a test on SQLite and on PostgreSQL.
pub(crate) fn on_both(test: impl Fn(Place)) {
    test(Place::sqlite());
    test(Place::postgres());
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::new(None)
    }

    pub(crate) fn postgres() -> Self {
        let url = std::env::var("PATCHWARD_TEST_POSTGRES_URL").expect(
            "PATCHWARD_TEST_POSTGRES_URL is not set: `cargo xtask test` starts a PostgreSQL and sets it",
        );
        let schema = fresh_schema(&url);
        let mark = if url.contains('?') { '&' } else { '?' };
        Self::new(Some(format!("{url}{mark}options=-csearch_path%3D{schema}")))
    }

    fn new(postgres: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        if let Some(url) = postgres {
            let file = folder.path().join("postgres.url");
            std::fs::write(&file, url).unwrap();
            config.postgres_url_file = Some(file);
        }
        config.quota.reserve_bytes = 0;
        let clock = Arc::new(SetClock::new(START.parse().unwrap()));
        let place = Self { folder, config, clock };
        place.data().init(&place.config, &*place.clock, &SystemRng).unwrap();
        place
    }

    /// A copy of this place as of now, as a restored backup is: keys, blobs and a SQLite database.
    pub(crate) fn backup(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::new(self.clock.now()));
        let copy = Self { folder, config: self.config.clone(), clock };
        std::fs::create_dir_all(copy.path().join("keys")).unwrap();
        for key in std::fs::read_dir(self.path().join("keys")).unwrap() {
            let key = key.unwrap();
            std::fs::copy(key.path(), copy.path().join("keys").join(key.file_name())).unwrap();
        }
        let file = |place: &Self| place.path().join("patchward.db").to_str().unwrap().to_owned();
        let mut conn = diesel::SqliteConnection::establish(&file(self)).unwrap();
        // A server that has just stopped may still be closing its connections.
        diesel::sql_query("PRAGMA busy_timeout = 10000").execute(&mut conn).unwrap();
        let whole = format!("VACUUM INTO '{}'", file(&copy));
        diesel::sql_query(whole).execute(&mut conn).unwrap();
        copy
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn data(&self) -> DataFolder {
        DataFolder::new(&self.path())
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        self.data().database(&self.config).unwrap()
    }

    /// What a server on this place is made of; each has its own connections.
    pub(crate) fn parts(&self, mode: Mode) -> Parts {
        let rng = Arc::new(SeededRng::new(7));
        self.data().open(self.config.clone(), mode, self.clock.clone(), rng).unwrap()
    }

    /// Runs `test` with two servers on this place.
    pub(crate) fn with_two<F: Future>(
        &self,
        test: impl FnOnce(Arc<App>, Arc<App>) -> F,
    ) -> F::Output {
        let (one, two) = (self.parts(Mode::Production), self.parts(Mode::Production));
        block_on(async {
            let (one, two) = (App::start(one).await.unwrap(), App::start(two).await.unwrap());
            test(one, two).await
        })
    }

    /// Runs `test` with one server on this place.
    pub(crate) fn with_one<F: Future>(&self, test: impl FnOnce(Arc<App>) -> F) -> F::Output {
        let parts = self.parts(Mode::Production);
        block_on(async { test(App::start(parts).await.unwrap()).await })
    }

    pub(crate) fn later(&self, seconds: i64) -> Timestamp {
        let at = self.clock.now().plus_seconds(seconds);
        self.clock.set(at);
        at
    }
}

pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    actix_web::rt::System::new().block_on(test)
}

fn fresh_schema(url: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("t{}_{n}", std::process::id());
    let sql = format!("CREATE SCHEMA {schema}");
    let made = db::once(&DatabaseUrl::Postgres(url.to_owned()), |conn| {
        let Connection::Postgres(conn) = conn else { panic!("a PostgreSQL URL") };
        diesel::sql_query(sql).execute(&mut **conn)?;
        Ok::<_, DbError>(())
    });
    made.unwrap();
    schema
}
