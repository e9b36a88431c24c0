//! The configuration: a TOML file, every key with a default, and flags over it.
//!
//! An unknown key is an error with its line. All timings stand here so that a demonstration can use
//! seconds; the defaults are the design's. Not here: secrets (they are files in `DATA/keys`).
//! Invariant: a value made by [`Config::read`] or [`Config::default`] has passed [`Config::check`].

mod notify;
mod proxy;

pub use notify::{Mail as NotifyMail, MailSecurity, Notify};
pub use proxy::{BadNetwork, Forwarding, Network, Proxy};

use patchward_protocol::limits::{SNAPSHOT_LIFE_S_MAX, TIMESTAMP_LIFE_S_MAX};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that devices and people use, e.g. `https://patchward.example`; stands in
    /// enrolment packs. Absent: the address that is listened on.
    pub public_url: Option<String>,
    /// Allows plain HTTP on an address that is not loopback.
    pub insecure_plain_http: bool,
    /// A PostgreSQL URL in a file of its own (it holds a password). Absent: SQLite in the data folder.
    pub postgres_url_file: Option<PathBuf>,
    /// Threads that read the database.
    pub db_readers: usize,
    /// Threads that serve requests.
    pub workers: usize,
    /// How often devices ask for news, in seconds.
    pub poll_s: u32,
    /// Up to this share of `poll_s` is added at random, in thousandths.
    pub poll_jitter_permille: u32,
    /// Life of the token that a device gets for downloads, in seconds.
    pub device_token_s: u32,
    /// How often last-seen times are written, in seconds.
    pub last_seen_flush_s: u32,
    /// How often another server's changes in the same database are looked for, in milliseconds.
    pub watch_ms: u64,
    /// How often soaks, slots, silent devices and overdue holds are looked at, in seconds.
    pub gate_check_s: u64,
    /// How often the counters of waves are compared with what devices signed, in seconds.
    pub recount_s: u64,
    /// TLS; absent: plain HTTP.
    pub tls: Option<Tls>,
    /// Proxies whose word on a visitor's address counts.
    pub proxy: Proxy,
    /// The log.
    pub log: Log,
    /// Storage that repositories may use.
    pub quota: Quota,
    /// When online roles are signed again.
    pub refresh: Refresh,
    /// What a client may take.
    pub limits: Limits,
    /// Whether and how deltas are built.
    pub delta: Delta,
    /// Whether and how notices leave this server.
    pub notify: Notify,
}

/// Where the server's certificate is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM with the certificate chain, the server's own first.
    pub certificate_file: PathBuf,
    /// PEM with the private key.
    pub key_file: PathBuf,
    /// PEM of the private authority that signed it, to stand in enrolment packs.
    pub authority_file: Option<PathBuf>,
}

/// The log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
}

/// For whom the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Storage that repositories may use, in bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// For a family, unless set when it is opened.
    pub family_bytes: u64,
    /// For a site.
    pub site_bytes: u64,
    /// Longest single upload.
    pub upload_bytes: u64,
    /// Kept free on the disk: an upload that would go below is refused.
    pub reserve_bytes: u64,
}

/// When online roles are signed again, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refresh {
    /// How often it is looked whether something is due.
    pub check_s: u64,
    /// Up to this is added to each look at random, so that replicas do not meet.
    pub jitter_s: u64,
    /// The timestamp is signed again when it is this old.
    pub timestamp_every_s: i64,
    /// Life of a timestamp.
    pub timestamp_life_s: i64,
    /// The snapshot is signed again when less than this is left.
    pub snapshot_left_s: i64,
    /// Life of a snapshot.
    pub snapshot_life_s: i64,
}

/// What a client may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Until the head of a request is complete, in seconds.
    pub request_head_s: u64,
    /// An idle connection is kept this long, in seconds.
    pub keep_alive_s: u64,
    /// Without a byte of an upload, in seconds.
    pub upload_idle_s: u64,
    /// Targets that are sent at once; more are told to come back. Each takes up to 1.5 MiB of memory.
    pub downloads: usize,
    /// Polls that stand at once, waiting for news; more are answered at once.
    pub standing_polls: usize,
    /// Connections at once per worker thread.
    pub connections: usize,
    /// Requests under way get this long when the server ends, in seconds.
    pub shutdown_s: u64,
}

/// Whether and how deltas are built.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delta {
    /// Whether this server plans and builds; what is published stays published.
    pub enabled: bool,
    /// Most memory of a build, in bytes; an old image needs 6.5 times its length for the smallest
    /// deltas, 2.5 times for larger ones.
    pub memory_bytes: u64,
    /// Longest step of a build, in seconds.
    pub time_s: u64,
    /// Threads of a build.
    pub threads: u32,
    /// A delta is offered when it is at most this share of the full file, in thousandths.
    pub worth_permille: u32,
    /// How often it is looked for devices with other images, and for pairs of other servers, in seconds.
    pub check_s: u64,
}

const DAY_S: i64 = 24 * 3600;
const GIB: u64 = 1024 * 1024 * 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            public_url: None,
            insecure_plain_http: false,
            postgres_url_file: None,
            db_readers: 4,
            workers: 2,
            poll_s: 900,
            poll_jitter_permille: 100,
            device_token_s: 600,
            last_seen_flush_s: 60,
            watch_ms: 1000,
            gate_check_s: 5,
            recount_s: 24 * 3600,
            tls: None,
            proxy: Proxy::default(),
            log: Log::default(),
            quota: Quota::default(),
            refresh: Refresh::default(),
            limits: Limits::default(),
            delta: Delta::default(),
            notify: Notify::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: LogLevel::Info }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            family_bytes: 256 * GIB,
            site_bytes: GIB,
            upload_bytes: 64 * GIB,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            check_s: 300,
            jitter_s: 60,
            timestamp_every_s: DAY_S,
            timestamp_life_s: 7 * DAY_S,
            snapshot_left_s: 20 * DAY_S,
            snapshot_life_s: 30 * DAY_S,
        }
    }
}

impl Default for Delta {
    fn default() -> Self {
        Self {
            enabled: true,
            memory_bytes: 2 * GIB,
            time_s: 3600,
            threads: 1,
            worth_permille: 600,
            check_s: 60,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head_s: 10,
            keep_alive_s: 75,
            upload_idle_s: 30,
            downloads: 256,
            standing_polls: 10_000,
            connections: 10_000,
            shutdown_s: 30,
        }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Broken TOML, an unknown key or a wrong type; the source says the line.
    #[error("the configuration {} is not right", path.display())]
    Parse {
        /// Its path.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("{key}: {rule}")]
    Value {
        /// Dotted key.
        key: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl Config {
    /// Reads a file and checks it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types cannot say; again after flags have changed something.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        let must = |holds: bool, key, rule| {
            if holds { Ok(()) } else { Err(ConfigError::Value { key, rule }) }
        };
        let refresh = &self.refresh;
        must(
            self.tls.is_some() || self.listen.ip().is_loopback() || self.insecure_plain_http,
            "listen",
            "without [tls] only a loopback address; insecure_plain_http = true allows others",
        )?;
        must(self.public_url.as_deref().is_none_or(is_http), "public_url", "an http or https URL")?;
        must((1..=64).contains(&self.db_readers), "db_readers", "1 to 64")?;
        must((1..=256).contains(&self.workers), "workers", "1 to 256")?;
        must(self.poll_s >= 1, "poll_s", "at least 1")?;
        must(self.poll_jitter_permille <= 1000, "poll_jitter_permille", "at most 1000")?;
        must((1..=86_400).contains(&self.device_token_s), "device_token_s", "1 to 86400")?;
        must(self.last_seen_flush_s >= 1, "last_seen_flush_s", "at least 1")?;
        must(self.watch_ms >= 50, "watch_ms", "at least 50")?;
        must(self.gate_check_s >= 1, "gate_check_s", "at least 1")?;
        must(self.recount_s >= 60, "recount_s", "at least 60")?;
        must(
            refresh.timestamp_life_s <= TIMESTAMP_LIFE_S_MAX,
            "refresh.timestamp_life_s",
            "at most 604800 (7 days)",
        )?;
        must(
            refresh.snapshot_life_s <= SNAPSHOT_LIFE_S_MAX,
            "refresh.snapshot_life_s",
            "at most 2592000 (30 days)",
        )?;
        must(refresh.check_s >= 1, "refresh.check_s", "at least 1")?;
        must(
            refresh.timestamp_every_s >= 1
                && refresh.timestamp_every_s.saturating_mul(2) <= refresh.timestamp_life_s,
            "refresh.timestamp_every_s",
            "at least 1 and at most half of refresh.timestamp_life_s",
        )?;
        must(
            (1..refresh.snapshot_life_s).contains(&refresh.snapshot_left_s),
            "refresh.snapshot_left_s",
            "at least 1 and below refresh.snapshot_life_s",
        )?;
        self.check_delta()?;
        self.notify.check()?;
        self.proxy.check()?;
        must(self.limits.request_head_s >= 1, "limits.request_head_s", "at least 1")?;
        must(self.limits.upload_idle_s >= 1, "limits.upload_idle_s", "at least 1")?;
        must((1..=65_536).contains(&self.limits.downloads), "limits.downloads", "1 to 65536")?;
        let standing = self.limits.standing_polls;
        must(standing <= 1_000_000, "limits.standing_polls", "0 (none stands) to 1000000")?;
        must(self.limits.connections >= 1, "limits.connections", "at least 1")
    }

    fn check_delta(&self) -> Result<(), ConfigError> {
        let must = |holds: bool, key, rule| {
            if holds { Ok(()) } else { Err(ConfigError::Value { key, rule }) }
        };
        let delta = &self.delta;
        must(delta.time_s >= 1, "delta.time_s", "at least 1")?;
        must((1..=64).contains(&delta.threads), "delta.threads", "1 to 64")?;
        must(delta.worth_permille <= 1000, "delta.worth_permille", "at most 1000")?;
        must(delta.check_s >= 1, "delta.check_s", "at least 1")
    }
}

fn is_http(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test file needs not be durable")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::read(file.path()).map_err(|error| match error {
            ConfigError::Parse { source, .. } => source.to_string(),
            other @ (ConfigError::Read { .. } | ConfigError::Value { .. }) => other.to_string(),
        })
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        let told = read("poll_s = 60\n[refresh]\ncheck = 5\n").unwrap_err();
        assert!(told.contains("line 3") && told.contains("unknown field `check`"), "{told}");
    }

    #[test]
    fn plain_http_beyond_loopback_needs_the_insecure_option() {
        assert!(read("listen = \"0.0.0.0:80\"").unwrap_err().contains("insecure_plain_http"));
        assert!(read("listen = \"0.0.0.0:80\"\ninsecure_plain_http = true").is_ok());
        assert!(read("listen = \"127.0.0.1:0\"").is_ok());
    }

    #[test]
    fn an_empty_file_gives_the_defaults_of_the_design() {
        let config = read("").unwrap();
        assert_eq!((config.poll_s, config.device_token_s), (900, 600));
        assert_eq!(config.refresh.timestamp_life_s, 7 * 86_400);
        assert_eq!(config.refresh.snapshot_left_s, 20 * 86_400);
    }

    #[test]
    fn a_timestamp_that_would_expire_before_it_is_signed_again_is_refused() {
        let told = read("[refresh]\ntimestamp_every_s = 10\ntimestamp_life_s = 15").unwrap_err();
        assert!(told.starts_with("refresh.timestamp_every_s"), "{told}");
    }
}
