//! Reference client of the clinical socket, for the maker of an application: docs/guide/en/clinical.md.
//!
//! `clinical-client SOCKET APP VERSION BUSY_FILE LOCK_FILE`: here a file that exists means "in use",
//! and a file that is made means "the start of therapy is locked"; put your application in its place.
//! Needs `rustix` and `serde_json`, no async. Not here: anything of the agent.
//! Invariant: the lock is closed before `READY` is said, and opens by `RELEASE`, with the connection
//! or with the lease; after `GO` it opens by `RELEASE` or when the estimate is over.
#![allow(clippy::print_stdout, reason = "it shows what it says and hears")]

use anyhow::{Context as _, Result, bail};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

const LEASE_S: i64 = 15;
const RENEW_S: i64 = 5;
/// Longest wait for `GO`; after it the lease is not renewed, and the lock ends with it.
const LOCK_S: i64 = 30;
const TICK: Duration = Duration::from_millis(100);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, app, version, busy, lock] = arguments.as_slice() else {
        bail!("clinical-client SOCKET APP VERSION BUSY_FILE LOCK_FILE");
    };
    let mut client = Client {
        hello: json!({"type": "HELLO", "v": 1, "app": app, "version": version}),
        pump: Pump { busy: busy.into(), lock: lock.into() },
        lock: Lock::Open,
        said: None,
    };
    loop {
        // Without an agent therapy goes on.
        if let Err(error) = client.session(path) {
            println!("no connection: {error:#}");
        }
        if !matches!(client.lock, Lock::Gone { .. }) {
            client.open("closed")?;
        }
        client.keep_lock()?;
        sleep(TICK);
    }
}

/// The application, as far as the interlock is concerned.
struct Pump {
    busy: PathBuf,
    lock: PathBuf,
}

/// Whether therapy can be started.
#[derive(Clone, Copy)]
enum Lock {
    Open,
    /// Locked since, for an update of this length.
    Closed {
        since_s: i64,
        est_s: i64,
    },
    /// The update has begun.
    Gone {
        until_s: i64,
    },
}

struct Client {
    hello: Value,
    pump: Pump,
    lock: Lock,
    /// The last word, and when it was said.
    said: Option<(&'static str, i64)>,
}

impl Pump {
    fn in_use(&self) -> bool {
        self.busy.exists()
    }

    /// Locks the start of therapy; then it is looked again whether it has begun before.
    fn lock(&self) -> Result<bool> {
        std::fs::File::create(&self.lock)?;
        Ok(!self.in_use())
    }

    fn unlock(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.lock)?)
    }
}

impl Client {
    fn session(&mut self, path: &str) -> Result<()> {
        let flags = SocketFlags::CLOEXEC;
        let link = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        connect(&link, &SocketAddrUnix::new(path)?).context("connect")?;
        self.said = None;
        say(&link, &self.hello)?;
        loop {
            let mut buffer = [0; 1024];
            match recv(&link, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(()),
                Ok((length, _)) => {
                    self.hear(
                        &link,
                        &serde_json::from_slice(buffer.get(..length).unwrap_or(&[]))?,
                    )?;
                }
                Err(Errno::AGAIN) => sleep(TICK),
                Err(error) => return Err(error.into()),
            }
            self.keep(&link)?;
        }
    }

    fn hear(&mut self, link: &OwnedFd, message: &Value) -> Result<()> {
        println!("heard {message}");
        let n = &message["n"];
        match message["type"].as_str() {
            Some("PREPARE") => {
                let est_s = message["est_s"].as_i64().unwrap_or(0);
                if self.pump.in_use() || !self.close(est_s)? {
                    self.open("refused")?;
                    return say(link, &json!({"type": "REFUSE", "n": n, "why": "in use"}));
                }
                // A fresh lease, and then the word that it is locked.
                self.idle(link)?;
                say(link, &json!({"type": "READY", "n": n}))
            }
            Some("GO") => {
                if let Lock::Closed { est_s, .. } = self.lock {
                    self.lock = Lock::Gone { until_s: now_s() + est_s };
                }
                Ok(())
            }
            Some("RELEASE") => self.open("released"),
            Some(_) | None => Ok(()),
        }
    }

    /// Says again what is the case, before the last word runs out.
    fn keep(&mut self, link: &OwnedFd) -> Result<()> {
        self.keep_lock()?;
        let word = if self.pump.in_use() { "BUSY" } else { "IDLE" };
        let waits_too_long =
            matches!(self.lock, Lock::Closed { since_s, .. } if now_s() > since_s + LOCK_S);
        match self.said {
            Some((said, at_s)) if said == word && (now_s() < at_s + RENEW_S || waits_too_long) => {
                Ok(())
            }
            Some(_) | None if word == "IDLE" => self.idle(link),
            Some(_) | None => {
                self.said = Some(("BUSY", now_s()));
                say(link, &json!({"type": "BUSY", "why": "in use"}))
            }
        }
    }

    fn idle(&mut self, link: &OwnedFd) -> Result<()> {
        self.said = Some(("IDLE", now_s()));
        say(link, &json!({"type": "IDLE", "lease_s": LEASE_S}))
    }

    fn keep_lock(&mut self) -> Result<()> {
        let lease_over = self.said.is_none_or(|(_, at_s)| now_s() > at_s + LEASE_S);
        match self.lock {
            Lock::Gone { until_s } if now_s() > until_s => self.open("the update did not come"),
            Lock::Closed { .. } if lease_over => self.open("lease over"),
            Lock::Open | Lock::Closed { .. } | Lock::Gone { .. } => Ok(()),
        }
    }

    fn close(&mut self, est_s: i64) -> Result<bool> {
        self.lock = Lock::Closed { since_s: now_s(), est_s };
        self.pump.lock()
    }

    fn open(&mut self, why: &str) -> Result<()> {
        if !matches!(self.lock, Lock::Open) {
            self.lock = Lock::Open;
            self.pump.unlock()?;
            println!("unlocked {why}");
        }
        Ok(())
    }
}

fn say(link: &OwnedFd, message: &Value) -> Result<()> {
    send(link, message.to_string().as_bytes(), SendFlags::NOSIGNAL)?;
    println!("said {message}");
    Ok(())
}

/// Never the wall clock: it jumps.
fn now_s() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec
}
