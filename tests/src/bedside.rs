//! What stands beside the agent on a device: applications on the clinical socket, and its conditions.
//!
//! The reference clients are run as they are delivered; [`Voice`] says what a test wants, at the
//! moment that it wants. Not here: what follows. Invariant: the applications are of this user, and
//! the configuration says so, unless a test wants another.

use crate::bin::{Programs, setting, workspace};
use crate::clock::until;
use crate::device::{Device, PATIENCE};
use crate::image::put;
use crate::running::Running;
use anyhow::{Context as _, Result, bail};
use patchward_protocol::clinical::{AppId, FromApp, LeaseS, ToApp, Why};
use patchward_protocol::id::Version;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that the reference clients say: that of the update.
const VERSION: &str = "2.0.0";
/// The version that a [`Voice`] says: another.
const OTHER_VERSION: &str = "2.4.0";

/// In which language a reference client is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `agent/examples/clinical-client.rs`.
    Rust,
    /// `docs/guide/clinical_client.py`.
    Python,
}

/// A reference client that runs.
#[derive(Debug)]
pub struct Client {
    /// Its process.
    pub running: Running,
    busy: PathBuf,
    lock: PathBuf,
}

/// A connection that says what a test wants.
#[derive(Debug)]
pub struct Voice {
    fd: OwnedFd,
}

/// The user of this test.
#[must_use]
pub fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Where the clinical socket of a device is.
#[must_use]
pub fn socket_path(device: &Device) -> PathBuf {
    device.folder.join("run/clinical.sock")
}

/// Asks applications of a user instead of the probe.
///
/// # Errors
/// When the configuration is not the expected one.
pub fn with_socket(device: &Device, apps: &[&str], uid: u32) -> Result<()> {
    without_probe(device, "")?;
    let path = socket_path(device);
    let apps: String = apps.iter().map(|app| format!("{app} = {uid}\n")).collect();
    let table = format!(
        "[clinical.socket]\npath = \"{}\"\n\n[clinical.socket.participants]\n{apps}\n[install]\n",
        path.display()
    );
    device.reconfigure("[install]\n", &table)
}

/// These applications must say the new version after an update.
///
/// # Errors
/// When the configuration is not the expected one.
pub fn with_same_version(device: &Device, apps: &[&str]) -> Result<()> {
    let table = "[clinical.socket]\n";
    device.reconfigure(table, &format!("{table}same_version = {apps:?}\n"))?;
    device.reconfigure("ready_within_s = 0", "ready_within_s = 2")
}

/// Puts a line of `[clinical]` in place of the probe.
///
/// # Errors
/// When the configuration is not the expected one.
pub fn without_probe(device: &Device, line: &str) -> Result<()> {
    let probe = format!("probe = [\"{}/in-use.sh\"]\n", device.folder.display());
    device.reconfigure(&probe, &format!("{line}\n"))
}

impl Client {
    /// Starts a reference client as an application of the device.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(device: &Device, app: &str, written: Written) -> Result<Self> {
        let (busy, lock) =
            (device.folder.join(format!("{app}.busy")), device.folder.join(format!("{app}.lock")));
        let mut command = match written {
            Written::Rust => Command::new(rust_client()?),
            Written::Python => {
                // Only the standard library is needed: any Python will do.
                let python = setting("PATCHWARD_PYTHON").unwrap_or_else(|| "python3".to_owned());
                let mut command = Command::new(python);
                command.arg(workspace()?.join("docs/guide/clinical_client.py"));
                command
            }
        };
        command.arg(socket_path(device)).args([app, VERSION]).arg(&busy).arg(&lock);
        let log = device.folder.join(format!("{app}.log"));
        let running = Running::start(app, &mut command, &log)?;
        Ok(Self { running, busy, lock })
    }

    /// The application is in use from now on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_therapy(&self) -> Result<()> {
        put(&self.busy, b"")
    }

    /// The application is free again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end_therapy(&self) -> Result<()> {
        std::fs::remove_file(&self.busy).context("end the therapy")
    }

    /// Whether the start of therapy is locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock.exists()
    }

    /// Waits until the client has printed a line with this word.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn prints(&mut self, word: &str) -> Result<()> {
        let found = |line: &str| line.contains(word).then_some(());
        self.running.printed(word, PATIENCE, found)
    }
}

impl Voice {
    /// Connects as soon as the agent listens.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn connect(device: &Device) -> Result<Self> {
        let path = socket_path(device);
        until("the clinical socket", PATIENCE, || {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
            let address = SocketAddrUnix::new(&path).context("the socket's path")?;
            Ok(connect(&fd, &address).is_ok().then_some(Self { fd }))
        })
        .with_context(|| device.story())
    }

    /// Connects and is welcomed as an application.
    ///
    /// # Errors
    /// When it is not.
    pub fn of(device: &Device, app: &str) -> Result<Self> {
        let voice = Self::connect(device)?;
        let (app, version) = (AppId::new(app)?, Version::new(OTHER_VERSION).context("a version")?);
        voice.say(&FromApp::Hello { v: 1, app, version })?;
        let said = voice.hears()?;
        if matches!(said, ToApp::Welcome { .. }) {
            return Ok(voice);
        }
        bail!("{said:?} instead of a welcome")
    }

    /// Says a message.
    ///
    /// # Errors
    /// When the agent has hung up.
    pub fn say(&self, message: &FromApp) -> Result<()> {
        self.send(&message.write())
    }

    /// Says that no patient depends on it for the longest time.
    ///
    /// # Errors
    /// When the agent has hung up.
    pub fn idle(&self) -> Result<()> {
        self.say(&FromApp::Idle { lease_s: LeaseS::new(15)? })
    }

    /// Says that it is in use.
    ///
    /// # Errors
    /// When the agent has hung up.
    pub fn busy(&self) -> Result<()> {
        self.say(&FromApp::Busy { why: Why::new("infusion runs")? })
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// When the agent has hung up.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        send(&self.fd, bytes, SendFlags::NOSIGNAL).context("send")?;
        Ok(())
    }

    /// Waits for the agent's next message, staying idle meanwhile is the caller's affair.
    ///
    /// # Errors
    /// When none comes, or the agent hangs up.
    pub fn hears(&self) -> Result<ToApp> {
        until("a message of the agent", PATIENCE, || self.heard())
    }

    /// Stays idle until the agent asks for the lock; gives the number of the question.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn asked(&self) -> Result<u64> {
        let mut turn = 0_u32;
        until("the agent to ask for the lock", PATIENCE, || {
            if turn.is_multiple_of(100) {
                self.idle()?;
            }
            turn = turn.wrapping_add(1);
            match self.heard()? {
                Some(ToApp::Prepare { n, .. }) => Ok(Some(n)),
                Some(_) | None => Ok(None),
            }
        })
    }

    /// Whether the agent has hung up, within a while.
    ///
    /// # Errors
    /// When it does not.
    pub fn is_shut_out(&self) -> Result<()> {
        until("the agent to hang up", PATIENCE, || Ok(self.heard().is_err().then_some(())))
    }

    fn heard(&self) -> Result<Option<ToApp>> {
        let mut buffer = [0; 1024];
        match recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => bail!("the agent has hung up"),
            Ok((length, _)) => Ok(Some(ToApp::read(buffer.get(..length).unwrap_or_default())?)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error).context("receive"),
        }
    }
}

/// The client in Rust, found beside the programs or built.
fn rust_client() -> Result<PathBuf> {
    let agent = Programs::for_tests()?.agent();
    let folder = agent.parent().unwrap_or(Path::new("."));
    let client = folder.join("examples/clinical-client");
    let cargo = setting("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let mut build = Command::new(cargo);
    build.current_dir(workspace()?).args(["build", "--locked", "--profile", "ci"]);
    build.args(["-p", "patchward-agent", "--example", "clinical-client"]);
    if setting("PATCHWARD_BIN_DIR").is_none() || !client.is_file() {
        let status = build.status().context("start cargo")?;
        if !status.success() {
            bail!("{build:?}: {status}");
        }
        let target = setting("CARGO_TARGET_DIR").map_or(workspace()?.join("target"), PathBuf::from);
        return Ok(target.join("ci/examples/clinical-client"));
    }
    Ok(client)
}
