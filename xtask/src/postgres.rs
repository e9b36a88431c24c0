//! A real PostgreSQL for the tests: on a free loopback port, in a temporary folder, with a password
//! made for this run.
//!
//! Not for: keeping anything; `fsync` is off and the folder goes when the server goes.
//!
//! Invariant: the server this started, and no other, is stopped by its process id, also when the
//! checks fail or are killed.

use crate::{child, place, stopwatch::Stopwatch};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where Debian keeps one folder for each version.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
/// Who may run the server when the superuser may not.
const PLAIN_USERS: [&str; 2] = ["postgres", "nobody"];
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
const PASSWORD_BYTES: u64 = 16;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    pub(crate) url: String,
}

impl Postgres {
    /// Makes a cluster and starts it; returns when it answers.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs().context("no PostgreSQL; install: apt-get install postgresql")?;
        let owner = Owner::find()?;
        let folder = owner.temporary_folder()?;
        let started = Self::start_in(&programs, &owner, &folder);
        started.inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })
    }

    fn start_in(programs: &Path, owner: &Owner, folder: &Path) -> Result<Self> {
        let password = password()?;
        let password_file = folder.join("password");
        store(&password_file, &password)?;
        let cluster = folder.join("cluster");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.current_dir(folder).args(["--username=patchward", "--auth=scram-sha-256"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        initdb.arg("--pwfile").arg(&password_file).arg("--pgdata").arg(&cluster);
        child::read(&mut initdb)?;
        let port = free_port()?;
        let log = folder.join("postgres.log");
        let output = fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut postgres = owner.command(&programs.join("postgres"));
        postgres.current_dir(folder).arg("-D").arg(&cluster).arg("-p").arg(port.to_string());
        for setting in settings(folder) {
            postgres.arg("-c").arg(setting);
        }
        let server = postgres
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("share the log")?)
            .stderr(output)
            .spawn()
            .context("start postgres")?;
        let url = format!("postgres://patchward:{password}@127.0.0.1:{port}/postgres");
        let mut started = Self { server, folder: folder.to_owned(), url };
        started.wait_until_ready(programs, port, &log)?;
        Ok(started)
    }

    fn wait_until_ready(&mut self, programs: &Path, port: u16, log: &Path) -> Result<()> {
        let waited = Stopwatch::start();
        loop {
            let mut probe = Command::new(programs.join("pg_isready"));
            probe.args(["--quiet", "--host=127.0.0.1", "--port"]).arg(port.to_string());
            if child::read(&mut probe).is_ok() {
                return Ok(());
            }
            let ended = self.server.try_wait().context("ask after postgres")?;
            if ended.is_some() || waited.elapsed() > START_LIMIT {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("postgres did not start:\n{said}");
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: connections are cut, the server ends in order.
        let mut stop = Command::new("sh");
        stop.args(["-c", "kill -INT \"$1\"", "stop"]).arg(self.server.id().to_string());
        if child::read(&mut stop).is_err() {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder with `initdb` and `postgres`: the newest of Debian's, else the one in PATH.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN_FOLDER).ok().into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, folder)| has_server(folder))
        .max();
    let in_path = || place::program("initdb")?.parent().map(Path::to_owned);
    newest.map(|(_, folder)| folder).or_else(in_path).filter(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_isready"].iter().all(|name| folder.join(name).is_file())
}

/// As whom the server runs: itself refuses the superuser.
enum Owner {
    Ourselves,
    Other { user: u32, group: u32 },
}

impl Owner {
    fn find() -> Result<Self> {
        if !place::is_root() {
            return Ok(Self::Ourselves);
        }
        for name in PLAIN_USERS {
            let id = |what: &str| child::read(Command::new("id").args([what, name]));
            if let (Ok(user), Ok(group)) = (id("-u"), id("-g")) {
                let user = user.trim().parse().with_context(|| format!("user id of {name}"))?;
                let group = group.trim().parse().with_context(|| format!("group id of {name}"))?;
                return Ok(Self::Other { user, group });
            }
        }
        bail!("postgres refuses to run as root, and none of {PLAIN_USERS:?} exists")
    }

    /// A fresh folder that this owner can write and others cannot read.
    fn temporary_folder(&self) -> Result<PathBuf> {
        let mut make = self.command(Path::new("mktemp"));
        make.args(["--directory", "--tmpdir=/tmp", "patchward-postgres.XXXXXXXX"]);
        Ok(PathBuf::from(child::read(&mut make)?.trim()))
    }

    /// The command as this owner; it gets SIGINT when the checks die, so that nothing stays behind.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Self::Other { user, group } = self {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program).env_remove("PGDATA").env_remove("PGPORT").current_dir("/");
        command
    }
}

fn settings(folder: &Path) -> [String; 7] {
    [
        "listen_addresses=127.0.0.1".into(),
        format!("unix_socket_directories={}", folder.display()),
        "fsync=off".into(),
        "synchronous_commit=off".into(),
        "full_page_writes=off".into(),
        "max_connections=300".into(),
        "shared_buffers=64MB".into(),
    ]
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

fn password() -> Result<String> {
    let mut bytes = Vec::new();
    let source = fs::File::open("/dev/urandom").context("open /dev/urandom")?;
    source.take(PASSWORD_BYTES).read_to_end(&mut bytes).context("read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[expect(clippy::disallowed_methods, reason = "thrown away with the cluster at the end of the run")]
fn store(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_server_answers_and_leaves_nothing_behind() {
        let server = Postgres::start().unwrap();
        let folder = server.folder.clone();
        let answer = child::read(
            Command::new(programs().unwrap().join("psql"))
                .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command=select 6 * 7"])
                .arg(format!("--dbname={}", server.url)),
        );
        drop(server);
        assert_eq!(answer.unwrap().trim(), "42");
        assert!(!folder.exists());
    }

    #[test]
    fn every_run_has_its_own_password() {
        assert_ne!(password().unwrap(), password().unwrap());
    }
}
