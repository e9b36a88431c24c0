//! A real server in a temporary folder, on a free port.
//!
//! Not here: what is asked of it. Invariant: its first administrator is made by the one-time token
//! that `init` printed, as a person would do it.

use crate::bin::Programs;
use crate::forge::Key;
use crate::forged::Online;
use crate::http::Client;
use crate::image::put;
use crate::running::{Running, succeed};
use anyhow::{Context as _, Result};
use patchward_protocol::api::token::{ClaimFirst, MakeToken, MakeTokenRequest, Scope};
use patchward_protocol::id::RepositoryId;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Time for a server to start, on a busy machine.
const START: Duration = Duration::from_secs(60);
/// Time for a server to end.
const END: Duration = Duration::from_secs(30);

/// Timings for tests: everything at once.
pub const QUICK: &str = "poll_s = 1\npoll_jitter_permille = 0\nlast_seen_flush_s = 1\n\
     watch_ms = 100\ngate_check_s = 1\n[delta]\ncheck_s = 1\n";

/// The same without polls that stand: a device that waits asks every second, so that a test can count
/// how often it was told something, or forged something for the next question. No deltas are built:
/// what a device is offered there comes from the test.
pub const AT_ONCE: &str = "poll_s = 1\npoll_jitter_permille = 0\nlast_seen_flush_s = 1\n\
     watch_ms = 100\ngate_check_s = 1\n[limits]\nstanding_polls = 0\n[delta]\nenabled = false\n";

/// A server's folder and, while it runs, its process.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    /// The administrator's token.
    pub token: String,
    running: Option<(Running, String)>,
    mode: Mode,
}

/// What a server lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As delivered.
    #[default]
    Production,
    /// Accounts and keys that everybody knows.
    Demo,
}

impl Server {
    /// Initialises a server in a new folder and starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn begin(programs: &Programs, folder: &Path, config: &str) -> Result<Self> {
        Self::begin_as(Mode::Production, programs, folder, config)
    }

    /// The same in a given mode.
    ///
    /// # Errors
    /// When it does not start.
    pub fn begin_as(mode: Mode, programs: &Programs, folder: &Path, config: &str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        put(&folder.join("server.toml"), config.as_bytes())?;
        let (program, token) = (programs.server(), String::new());
        let mut server = Self { program, folder: folder.to_owned(), token, running: None, mode };
        let said = succeed(&mut server.command("init"))?;
        let words = said.out.split_whitespace();
        let once = words.filter_map(one_time_token).next_back();
        let once = once.with_context(|| format!("init printed no token:\n{}", said.out))?;
        server.start()?;
        let claimed = server.client()?.with_token(&once).must::<ClaimFirst>(&[], &())?;
        server.token = claimed.token;
        Ok(server)
    }

    /// Takes a copy of another server's folder (a restored backup) without starting it.
    #[must_use]
    pub fn restored(&self, folder: &Path) -> Self {
        let (program, token) = (self.program.clone(), self.token.clone());
        Self { program, folder: folder.to_owned(), token, running: None, mode: self.mode }
    }

    /// Starts one again in a folder that was made before, e.g. by another run; nobody has its
    /// administrator's token.
    ///
    /// # Errors
    /// When it does not start.
    pub fn again(mode: Mode, programs: &Programs, folder: &Path) -> Result<Self> {
        let (program, token, folder) = (programs.server(), String::new(), folder.to_owned());
        let mut server = Self { program, folder, token, running: None, mode };
        server.start()?;
        Ok(server)
    }

    /// Starts it on a free port.
    ///
    /// # Errors
    /// When it does not say where it listens.
    pub fn start(&mut self) -> Result<()> {
        self.start_on("127.0.0.1:0")
    }

    /// Starts it on a given address.
    ///
    /// # Errors
    /// When it does not say where it listens.
    pub fn start_on(&mut self, address: &str) -> Result<()> {
        let mut command = self.command("serve");
        command.args(["--listen", address]);
        if self.mode == Mode::Demo {
            command.arg("--demo");
        }
        let log = self.log_file();
        // After a restart the log still holds the address of before.
        let before = self.log().lines().count();
        let mut running = Running::start("patchward-server", &mut command, &log)?;
        let listening = running.printed("its address", START, |_| {
            self.log().lines().skip(before).find_map(address_in)
        })?;
        self.running = Some((running, listening));
        Ok(())
    }

    /// Where it listens, as `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn address(&self) -> Result<&str> {
        self.running.as_ref().map(|(_, address)| address.as_str()).context("the server is stopped")
    }

    /// Its address as a URL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn url(&self) -> Result<String> {
        Ok(format!("http://{}", self.address()?))
    }

    /// A caller without a token.
    ///
    /// # Errors
    /// When it does not run.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.url()?))
    }

    /// A caller with the administrator's token.
    ///
    /// # Errors
    /// When it does not run.
    pub fn administrator(&self) -> Result<Client> {
        Ok(self.client()?.with_token(&self.token))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn token_for(&self, scope: Scope) -> Result<String> {
        let request = MakeTokenRequest { label: "test".to_owned(), scope, life_s: 3600 };
        Ok(self.administrator()?.must::<MakeToken>(&[], &request)?.token)
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&self) -> Result<u32> {
        self.running.as_ref().map(|(running, _)| running.id()).context("the server is stopped")
    }

    /// Kills it at once, as a power cut would.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |(mut running, _)| running.kill())
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |(mut running, _)| running.stop(END).map(|_| ()))
    }

    /// Its folder with database, files and keys.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("server.toml")
    }

    /// What it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Steals the online keys of a repository: whoever owns the server has them.
    ///
    /// # Errors
    /// When the key files are not where they should be.
    pub fn steal_online(&self, id: &RepositoryId) -> Result<Online> {
        Ok(Online {
            snapshot: self.steal(id, "snapshot")?,
            timestamp: self.steal(id, "timestamp")?,
        })
    }

    /// Steals the key that signs which deltas there are.
    ///
    /// # Errors
    /// When the key file is not where it should be.
    pub fn steal_deltas(&self, id: &RepositoryId) -> Result<Key> {
        self.steal(id, crate::deltas::ROLE)
    }

    /// The key file of an online role.
    #[must_use]
    pub fn key_file(&self, id: &RepositoryId, role: &str) -> PathBuf {
        let (kind, name) = id.parts();
        self.data().join("keys").join(format!("{kind}.{name}.{role}.key"))
    }

    /// Steals the key that signs receipts and checkpoints of records.
    ///
    /// # Errors
    /// When the key file is not where it should be.
    pub fn steal_record(&self) -> Result<Key> {
        steal(&self.data().join("keys/record.key"))
    }

    fn steal(&self, id: &RepositoryId, role: &str) -> Result<Key> {
        steal(&self.key_file(id, role))
    }

    /// A command about the people of the console: `invite`, `insecure-demo`.
    #[must_use]
    pub fn people(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["people", verb]).arg("--data").arg(self.data());
        command.arg("--config").arg(self.config_file());
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).arg("--data").arg(self.data());
        command.arg("--config").arg(self.config_file());
        command
    }
}

fn steal(path: &Path) -> Result<Key> {
    let text = fs::read_to_string(path).with_context(|| format!("steal {}", path.display()))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).context("a seed in hexadecimal digits")?;
    Ok(Key::from_seed(&seed))
}

/// The address in a line that says `listening on http://127.0.0.1:PORT`.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.to_ascii_lowercase().split_once("listening on").map(own)?;
    let rest = rest.split("//").last()?.trim().to_owned();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
    let address = end.map_or(rest.as_str(), |end| rest.get(..end).unwrap_or_default());
    address.contains(':').then(|| address.to_owned())
}

fn own((one, two): (&str, &str)) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

/// A word that is a token, whatever stands around it.
fn one_time_token(word: &str) -> Option<String> {
    let start = word.find("pw_")?;
    let token: String =
        word.get(start..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (token.len() > 20).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_the_log() {
        let lines = ["Listening on http://127.0.0.1:4711", "x listening on 127.0.0.1:4711 now"];
        for line in lines {
            assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:4711"), "{line}");
        }
        assert_eq!(address_in("nothing"), None);
    }
}
