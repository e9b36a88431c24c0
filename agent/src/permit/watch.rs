//! What has to be looked at again and again: the clinical socket and the idle file.
//!
//! Shared by the interlock, which looks right before it answers, and by a small task that looks a
//! few times a second while the agent does something else. Not here: what follows.

use super::idle_file::IdleWatch;
use super::socket::Socket;
use crate::config::{Clinical, InterlockSource, SocketSettings, Source};
use crate::edge::Clock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Time between two tries to open the socket, in milliseconds.
const OPEN_AGAIN_MS: u64 = 5_000;

/// Socket and idle file.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) socket: Option<Served>,
    pub(super) idle_file: Option<IdleWatch>,
}

/// A socket that is open, or is tried again.
#[derive(Debug)]
pub(super) struct Served {
    settings: SocketSettings,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Box<Socket>),
    NotYet,
    Failed { again_boot_ms: u64, why: String },
}

/// A watch that several look through.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Watch>>);

impl Watch {
    pub(super) fn look(&mut self, boot_ms: u64) {
        if let Some(served) = &mut self.socket {
            served.look(boot_ms);
        }
        if let Some(file) = &mut self.idle_file {
            file.look(boot_ms);
        }
    }
}

impl Served {
    /// The open socket, or why there is none.
    pub(super) fn open(&mut self) -> Result<&mut Socket, &str> {
        match &mut self.state {
            State::Open(socket) => Ok(socket),
            State::NotYet => Err("the socket is not open yet"),
            State::Failed { why, .. } => Err(why),
        }
    }

    fn look(&mut self, boot_ms: u64) {
        let due = match &self.state {
            State::Open(_) => false,
            State::NotYet => true,
            State::Failed { again_boot_ms, .. } => boot_ms >= *again_boot_ms,
        };
        if due {
            self.state = match Socket::open(&self.settings) {
                Ok(socket) => State::Open(Box::new(socket)),
                Err(error) => {
                    let why = crate::trust::repository::chain(&error);
                    tracing::error!(error = why, "the clinical socket cannot be opened");
                    State::Failed { again_boot_ms: boot_ms.saturating_add(OPEN_AGAIN_MS), why }
                }
            };
        }
        if let State::Open(socket) = &mut self.state {
            socket.look(boot_ms);
        }
    }
}

impl Shared {
    /// What a configuration asks to watch.
    pub(super) fn new(clinical: &Clinical) -> Self {
        let mut watch = Watch::default();
        let InterlockSource::Asked(sources) = &clinical.interlock else { return Self::default() };
        for source in sources {
            match source {
                Source::Socket(settings) => {
                    let settings = settings.clone();
                    watch.socket = Some(Served { settings, state: State::NotYet });
                }
                Source::IdleFile(file) => watch.idle_file = Some(IdleWatch::new(file.clone())),
                Source::Probe(_) | Source::Manual => {}
            }
        }
        Self(Arc::new(Mutex::new(watch)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a few times a second, until the last holder of the watch is gone.
    pub(super) fn keep_looking(&self, clock: impl Clock + Send + 'static) {
        let nothing = self.lock().socket.is_none() && self.lock().idle_file.is_none();
        if nothing {
            return;
        }
        let watch: Weak<Mutex<Watch>> = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            while let Some(watch) = watch.upgrade() {
                Self(watch).lock().look(clock.boot_ms());
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }
}
