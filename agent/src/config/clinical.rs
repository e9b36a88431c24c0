//! The section `[clinical]`: how it is known whether the device is in use.
//!
//! Invariant: a list of sources is never empty, and stands never beside a reason why none is needed.

use super::ConfigError;
use super::raw::Text;
use crate::child::Argv;
use patchward_protocol::clinical::AppId;
use patchward_protocol::clinical::participants::Required;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes of the path of a socket, as the kernel has it.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Longest time for which an idle file may count, in seconds.
const FRESH_S_MAX: u64 = 60;

/// How it is known whether the device is in use, and from what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clinical {
    /// The interlock.
    pub interlock: InterlockSource,
    /// Tells whether the device runs from the mains.
    pub mains: Option<Argv>,
    /// Prints the battery's charge in percent.
    pub battery: Option<Argv>,
    /// Time limit of each of these commands.
    pub probe_limit: Duration,
    /// Time between two questions while the device settles.
    pub probe_every: Duration,
}

/// The clinical interlock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterlockSource {
    /// These are asked, and all of them must say free.
    Asked(Vec<Source>),
    /// None is needed, for this reason, which is recorded.
    NoneBecause(String),
    /// Nothing is configured: disruptive steps are refused.
    Missing,
}

/// Something that says whether the device is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A program: exit 0 = free, 1 = in use, anything else counts as in use.
    Probe(Argv),
    /// Applications that hold leases on the clinical socket.
    Socket(SocketSettings),
    /// A file that an application touches while the device is free.
    IdleFile(IdleFile),
    /// Only a person at the device.
    Manual,
}

/// The clinical socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSettings {
    /// Its path.
    pub path: PathBuf,
    /// Who must take part.
    pub participants: Required,
    /// Users that may defer without taking part.
    pub operators: BTreeSet<u32>,
    /// Applications that say the new version in their `HELLO` after an update, or it goes back.
    pub same_version: BTreeSet<AppId>,
}

/// A file that an application touches while the device is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleFile {
    /// Its path.
    pub path: PathBuf,
    /// For how long a touch counts.
    pub fresh: Duration,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClinical {
    probe: Option<Vec<String>>,
    socket: Option<RawSocket>,
    idle_file: Option<PathBuf>,
    idle_file_fresh_s: Option<u64>,
    #[serde(default)]
    manual: bool,
    none_because: Option<String>,
    mains: Option<Vec<String>>,
    battery: Option<Vec<String>>,
    probe_limit_s: Option<u64>,
    probe_every_s: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSocket {
    path: PathBuf,
    participants: BTreeMap<AppId, u32>,
    #[serde(default)]
    operators: BTreeSet<u32>,
    #[serde(default)]
    same_version: BTreeSet<AppId>,
}

impl Text<'_> {
    pub(super) fn clinical(self, mut raw: RawClinical) -> Result<Clinical, ConfigError> {
        let reason = raw.none_because.take();
        let (mains, battery) = (raw.mains.take(), raw.battery.take());
        let limits = (raw.probe_limit_s, raw.probe_every_s);
        let sources = self.sources(raw)?;
        let interlock = match (sources.is_empty(), reason) {
            (false, Some(_)) => {
                return self.rule("clinical.none_because", "cannot stand beside a source");
            }
            (false, None) => InterlockSource::Asked(sources),
            (true, Some(reason)) if reason.trim().len() < 8 => {
                return self.rule("clinical.none_because", "must give the reason in words");
            }
            (true, Some(reason)) => InterlockSource::NoneBecause(reason),
            (true, None) => InterlockSource::Missing,
        };
        let argv = |key, argv: Option<_>| argv.map(|argv| self.argv(key, argv)).transpose();
        Ok(Clinical {
            interlock,
            mains: argv("clinical.mains", mains)?,
            battery: argv("clinical.battery", battery)?,
            probe_limit: self.at_least_1("clinical.probe_limit_s", limits.0, 5)?,
            probe_every: self.at_least_1("clinical.probe_every_s", limits.1, 5)?,
        })
    }

    fn sources(self, raw: RawClinical) -> Result<Vec<Source>, ConfigError> {
        let mut sources = Vec::new();
        if let Some(probe) = raw.probe {
            sources.push(Source::Probe(self.argv("clinical.probe", probe)?));
        }
        if let Some(socket) = raw.socket {
            sources.push(Source::Socket(self.socket(socket)?));
        }
        if let Some(path) = raw.idle_file {
            let path = self.absolute("clinical.idle_file", path)?;
            let key = "clinical.idle_file_fresh_s";
            let fresh = self.at_least_1(key, raw.idle_file_fresh_s, 10)?;
            if fresh.as_secs() > FRESH_S_MAX {
                return self.rule(key, "is at most 60 seconds");
            }
            sources.push(Source::IdleFile(IdleFile { path, fresh }));
        } else if raw.idle_file_fresh_s.is_some() {
            return self.rule("clinical.idle_file_fresh_s", "needs clinical.idle_file");
        }
        if raw.manual {
            sources.push(Source::Manual);
        }
        Ok(sources)
    }

    fn socket(self, raw: RawSocket) -> Result<SocketSettings, ConfigError> {
        let path = self.absolute("clinical.socket.path", raw.path)?;
        if path.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX {
            return self.rule("clinical.socket.path", "has at most 107 bytes");
        }
        let Some(participants) = Required::new(raw.participants) else {
            return self.rule("clinical.socket.participants", "must name at least one application");
        };
        let same_version = raw.same_version;
        if !same_version.iter().all(|app| participants.apps().contains_key(app)) {
            return self.rule("clinical.socket.same_version", "names participants only");
        }
        Ok(SocketSettings { path, participants, operators: raw.operators, same_version })
    }
}
