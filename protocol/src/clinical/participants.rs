//! Who takes part in the clinical interlock, and what they last said: pure.
//!
//! Every required application must hold a live lease; silence, an end, a wrong user and anything
//! that is not a message are in use. A lease counts from the last instant at which it is known not to have been
//! said yet, so that a word that lay in a queue is not taken for a fresh one. Not here: sockets, and
//! settling ([`crate::decision`]). Invariant: [`Word::Free`] means that every required application
//! has a connection, and that each connection of each of them said `IDLE` last (or `READY` after
//! it), with a lease that holds now.

use super::{AppId, CLINICAL_V, DeferMinutes, FromApp, LeaseS, ToApp, Why};
use crate::id::{PersonId, Version};
use crate::limits::{
    CLINICAL_BURST_MAX, CLINICAL_CONNECTIONS_MAX, CLINICAL_CONNECTIONS_PER_APP_MAX,
    CLINICAL_HELLO_MS_MAX, CLINICAL_MESSAGE_MS_MIN, LEASE_S_MAX,
};
use std::collections::{BTreeMap, BTreeSet};

/// A connection, by the number that the agent gave it. Numbers are never used twice.
pub type PeerId = u64;

/// Who must take part: each application, and the user that it runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required(BTreeMap<AppId, u32>);

impl Required {
    /// From applications and their users; none when there is none.
    #[must_use]
    pub fn new(apps: BTreeMap<AppId, u32>) -> Option<Self> {
        (!apps.is_empty()).then_some(Self(apps))
    }

    /// Applications and their users.
    #[must_use]
    pub const fn apps(&self) -> &BTreeMap<AppId, u32> {
        &self.0
    }
}

/// Something that happened on the socket, or that the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A connection of this user.
    Connected {
        /// The connection.
        peer: PeerId,
        /// The user, as the kernel says.
        uid: u32,
    },
    /// Bytes of one message.
    Heard {
        /// The connection.
        peer: PeerId,
        /// The bytes.
        bytes: &'a [u8],
        /// The last instant, on the boot clock in milliseconds, at which the connection's queue was
        /// seen empty.
        not_before_boot_ms: u64,
    },
    /// A connection ended.
    Gone {
        /// The connection.
        peer: PeerId,
    },
    /// Everything else is ready: ask for the lock.
    Prepare {
        /// How soon the answer is needed, in seconds.
        in_s: u32,
        /// How long the device may be out of use, in seconds, at worst.
        est_s: u64,
    },
    /// The write of no return is next. Without the lock this is a release.
    Go,
    /// It does not begin, or it is over.
    Release,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message.
    Send(PeerId, ToApp),
    /// Close a connection; no [`Event::Gone`] follows.
    Close(PeerId, Closed),
    /// A person at the device said: not for so long.
    Defer(DeferMinutes, PersonId),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// This user takes no part.
    #[error("this user takes no part in the interlock")]
    WrongUser,
    /// There are too many connections.
    #[error("too many connections")]
    TooMany,
    /// Too many messages in too short a time.
    #[error("too many messages")]
    Flood,
    /// These bytes are not a message.
    #[error("not a message of the clinical socket")]
    NotAMessage,
    /// Not at this point, or not from this connection.
    #[error("a message that is not allowed here")]
    OutOfTurn,
    /// It speaks another version.
    #[error("another version of the messages")]
    OtherVersion,
    /// It did not say who it is.
    #[error("it did not say in time who it is")]
    NoHello,
}

/// What all participants together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Free.
    Free {
        /// Since when without a break, on the boot clock in milliseconds.
        since_boot_ms: u64,
        /// When the first lease ends.
        until_boot_ms: u64,
        /// Whether the start of therapy is locked.
        lock: Lock,
    },
    /// An application says that it is in use.
    InUse(AppId),
    /// An application is not there, or its lease is over.
    Silent(AppId),
}

/// Whether all participants have locked the start of therapy for the question that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// They have.
    Held,
    /// Not all, or nobody asked.
    Open,
}

/// What one application said, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The application.
    pub app: AppId,
    /// Its version, while it is connected.
    pub version: Option<Version>,
    /// What it said: `idle`, `ready`, `busy`, `refused`, `silent` or `absent`.
    pub said: &'static str,
    /// Its words, where it is in use.
    pub why: Option<Why>,
}

/// The participants at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participants {
    required: Required,
    operators: BTreeSet<u32>,
    peers: BTreeMap<PeerId, Peer>,
    round: Round,
}

/// The question that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    None { last: u64 },
    Asked { n: u64 },
    Gone { n: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    uid: u32,
    since_boot_ms: u64,
    app: Option<(AppId, Version)>,
    said: Said,
    asked: Option<u64>,
    heard: Heard,
}

/// How many messages were heard since the queue was last empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Heard {
    not_before_boot_ms: u64,
    count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Nothing,
    Idle(Lease),
    Ready(Lease),
    Busy(Why),
    Refused(Why),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    since_boot_ms: u64,
    until_boot_ms: u64,
}

impl Participants {
    /// Nobody is connected yet. `operators` are users that may defer without taking part.
    #[must_use]
    pub const fn new(required: Required, operators: BTreeSet<u32>) -> Self {
        Self { required, operators, peers: BTreeMap::new(), round: Round::None { last: 0 } }
    }

    /// What all participants together say at `boot_ms`.
    #[must_use]
    pub fn word(&self, boot_ms: u64) -> Word {
        let (mut since, mut until, mut lock) = (0, u64::MAX, Lock::Held);
        let mut silent = None;
        for app in self.required.0.keys() {
            let mut peers = self.peers_of(app).peekable();
            if peers.peek().is_none() {
                silent = silent.or(Some(app));
            }
            for peer in peers {
                match &peer.said {
                    Said::Busy(_) | Said::Refused(_) => return Word::InUse(app.clone()),
                    Said::Idle(lease) | Said::Ready(lease) if lease.holds(boot_ms) => {
                        since = since.max(lease.since_boot_ms);
                        until = until.min(lease.until_boot_ms);
                        if !self.is_locked(peer) {
                            lock = Lock::Open;
                        }
                    }
                    Said::Nothing | Said::Idle(_) | Said::Ready(_) => silent = silent.or(Some(app)),
                }
            }
        }
        match silent {
            Some(app) => Word::Silent(app.clone()),
            None => Word::Free { since_boot_ms: since, until_boot_ms: until, lock },
        }
    }

    /// What each required application said, for people.
    #[must_use]
    pub fn shown(&self, boot_ms: u64) -> Vec<Shown> {
        let apps = self.required.0.keys();
        apps.map(|app| {
            let said = self.peers_of(app).map(|peer| (peer.said_at(boot_ms), peer));
            // The worst of its connections is what counts.
            let worst = said.max_by_key(|((rank, _), _)| *rank);
            let version = worst.and_then(|(_, peer)| peer.app.as_ref()).map(|(_, v)| v.clone());
            let why = worst.and_then(|(_, peer)| match &peer.said {
                Said::Busy(why) | Said::Refused(why) => Some(why.clone()),
                Said::Nothing | Said::Idle(_) | Said::Ready(_) => None,
            });
            let said = worst.map_or("absent", |((_, said), _)| said);
            Shown { app: app.clone(), version, said, why }
        })
        .collect()
    }

    /// Takes what happened at `boot_ms`; returns what is to be done, in order.
    pub fn step(&mut self, event: Event<'_>, boot_ms: u64) -> Vec<Action> {
        match event {
            Event::Connected { peer, uid } => self.connected(peer, uid, boot_ms),
            Event::Heard { peer, bytes, not_before_boot_ms } => {
                let not_before_boot_ms = not_before_boot_ms.min(boot_ms);
                match self.heard(peer, bytes, not_before_boot_ms, boot_ms) {
                    Ok(action) => action.into_iter().collect(),
                    Err(closed) => self.close(peer, closed),
                }
            }
            Event::Gone { peer } => {
                self.peers.remove(&peer);
                Vec::new()
            }
            Event::Prepare { in_s, est_s } => self.prepare(in_s, est_s, boot_ms),
            Event::Go => self.go(boot_ms),
            Event::Release => self.release(),
            Event::Tick => self.tick(boot_ms),
        }
    }

    fn peers_of(&self, app: &AppId) -> impl Iterator<Item = &Peer> {
        let of_app = move |peer: &&Peer| peer.app.as_ref().is_some_and(|(name, _)| name == app);
        self.peers.values().filter(of_app)
    }

    fn is_locked(&self, peer: &Peer) -> bool {
        match (&peer.said, self.round) {
            (Said::Ready(_), Round::Asked { n } | Round::Gone { n }) => peer.asked == Some(n),
            (Said::Ready(_), Round::None { .. })
            | (Said::Nothing | Said::Idle(_) | Said::Busy(_) | Said::Refused(_), _) => false,
        }
    }

    fn connected(&mut self, peer: PeerId, uid: u32, boot_ms: u64) -> Vec<Action> {
        let takes_part = self.required.0.values().any(|user| *user == uid);
        if !takes_part && !self.operators.contains(&uid) {
            return vec![Action::Close(peer, Closed::WrongUser)];
        }
        if self.peers.len() >= CLINICAL_CONNECTIONS_MAX {
            return vec![Action::Close(peer, Closed::TooMany)];
        }
        let heard = Heard { not_before_boot_ms: boot_ms, count: 0 };
        let new = Peer {
            uid,
            since_boot_ms: boot_ms,
            app: None,
            said: Said::Nothing,
            asked: None,
            heard,
        };
        self.peers.insert(peer, new);
        Vec::new()
    }

    fn close(&mut self, peer: PeerId, closed: Closed) -> Vec<Action> {
        match self.peers.remove(&peer) {
            Some(_) => vec![Action::Close(peer, closed)],
            None => Vec::new(),
        }
    }

    fn heard(
        &mut self,
        id: PeerId,
        bytes: &[u8],
        not_before_boot_ms: u64,
        boot_ms: u64,
    ) -> Result<Option<Action>, Closed> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(None) };
        peer.heard.one_more(not_before_boot_ms, boot_ms)?;
        let message = FromApp::read(bytes).map_err(|_| Closed::NotAMessage)?;
        if let FromApp::Hello { v, app, version } = message {
            return self.hello(id, v, app, version).map(Some);
        }
        if let FromApp::Defer { minutes, by } = message {
            let may = peer.app.is_some() || self.operators.contains(&peer.uid);
            return if may { Ok(Some(Action::Defer(minutes, by))) } else { Err(Closed::OutOfTurn) };
        }
        if peer.app.is_none() {
            return Err(Closed::OutOfTurn);
        }
        let round = self.round;
        Ok(match message {
            FromApp::Idle { lease_s } => {
                peer.idle(lease_s, not_before_boot_ms, boot_ms);
                None
            }
            FromApp::Busy { why } => {
                peer.said = Said::Busy(why);
                None
            }
            FromApp::Refuse { why, .. } => {
                peer.said = Said::Refused(why);
                None
            }
            FromApp::Ready { n } => peer.ready(n, round, boot_ms).map(|say| Action::Send(id, say)),
            FromApp::Hello { .. } | FromApp::Defer { .. } => None,
        })
    }

    fn hello(
        &mut self,
        id: PeerId,
        v: u32,
        app: AppId,
        version: Version,
    ) -> Result<Action, Closed> {
        if v != CLINICAL_V {
            return Err(Closed::OtherVersion);
        }
        let user = self.required.0.get(&app).copied();
        let connections = self.peers_of(&app).count();
        let peer = self.peers.get_mut(&id).ok_or(Closed::OutOfTurn)?;
        if peer.app.is_some() {
            return Err(Closed::OutOfTurn);
        }
        if user != Some(peer.uid) {
            return Err(Closed::WrongUser);
        }
        if connections >= CLINICAL_CONNECTIONS_PER_APP_MAX {
            return Err(Closed::TooMany);
        }
        peer.app = Some((app, version));
        Ok(Action::Send(id, ToApp::Welcome { v: CLINICAL_V, lease_s_max: LEASE_S_MAX }))
    }

    fn prepare(&mut self, in_s: u32, est_s: u64, boot_ms: u64) -> Vec<Action> {
        let mut actions = self.release();
        let last = match self.round {
            Round::None { last } | Round::Asked { n: last } | Round::Gone { n: last } => last,
        };
        // Numbers go on after a restart of the agent, because the boot clock does.
        let n = last.saturating_add(1).max(boot_ms);
        self.round = Round::Asked { n };
        for (id, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.app.is_some()) {
            peer.asked = Some(n);
            actions.push(Action::Send(*id, ToApp::Prepare { n, in_s, est_s }));
        }
        actions
    }

    fn go(&mut self, boot_ms: u64) -> Vec<Action> {
        let (Round::Asked { n }, Word::Free { lock: Lock::Held, .. }) =
            (self.round, self.word(boot_ms))
        else {
            return self.release();
        };
        self.round = Round::Gone { n };
        let asked = self.peers.iter().filter(|(_, peer)| peer.asked == Some(n));
        asked.map(|(id, _)| Action::Send(*id, ToApp::Go { n })).collect()
    }

    fn release(&mut self) -> Vec<Action> {
        let (Round::Asked { n } | Round::Gone { n }) = self.round else { return Vec::new() };
        self.round = Round::None { last: n };
        let mut actions = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.asked.take().is_some() {
                actions.push(Action::Send(*id, ToApp::Release { n }));
            }
            if let Said::Ready(lease) = peer.said {
                peer.said = Said::Idle(lease);
            }
        }
        actions
    }

    fn tick(&mut self, boot_ms: u64) -> Vec<Action> {
        let late = |peer: &Peer| {
            let waited = boot_ms.saturating_sub(peer.since_boot_ms);
            peer.app.is_none() && waited > CLINICAL_HELLO_MS_MAX
        };
        let late: Vec<_> =
            self.peers.iter().filter(|(_, peer)| late(peer)).map(|(id, _)| *id).collect();
        late.into_iter().flat_map(|id| self.close(id, Closed::NoHello)).collect()
    }
}

impl Heard {
    fn one_more(&mut self, not_before_boot_ms: u64, boot_ms: u64) -> Result<(), Closed> {
        if not_before_boot_ms != self.not_before_boot_ms {
            *self = Self { not_before_boot_ms, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        let in_queue_ms = boot_ms.saturating_sub(not_before_boot_ms);
        let many = CLINICAL_BURST_MAX.saturating_add(in_queue_ms / CLINICAL_MESSAGE_MS_MIN);
        if self.count > many { Err(Closed::Flood) } else { Ok(()) }
    }
}

impl Lease {
    const fn holds(&self, boot_ms: u64) -> bool {
        boot_ms < self.until_boot_ms
    }
}

impl Peer {
    /// Begins a lease, or continues one that still holds.
    fn idle(&mut self, lease_s: LeaseS, not_before_boot_ms: u64, boot_ms: u64) {
        let until_boot_ms = not_before_boot_ms.saturating_add(lease_s.ms());
        self.said = match &self.said {
            Said::Idle(before) if before.holds(boot_ms) => {
                Said::Idle(Lease { until_boot_ms, ..*before })
            }
            Said::Ready(before) if before.holds(boot_ms) => {
                Said::Ready(Lease { until_boot_ms, ..*before })
            }
            Said::Nothing | Said::Idle(_) | Said::Ready(_) | Said::Busy(_) | Said::Refused(_) => {
                Said::Idle(Lease { since_boot_ms: boot_ms, until_boot_ms })
            }
        };
    }

    /// An answer to another question, or without a lease, locks nothing: the application is told.
    fn ready(&mut self, n: u64, round: Round, boot_ms: u64) -> Option<ToApp> {
        let asked_now = self.asked == Some(n);
        match (&self.said, round) {
            (Said::Idle(lease), Round::Asked { n: open })
                if asked_now && open == n && lease.holds(boot_ms) =>
            {
                self.said = Said::Ready(*lease);
                None
            }
            (Said::Ready(lease), Round::Asked { n: open })
                if asked_now && open == n && lease.holds(boot_ms) =>
            {
                None
            }
            // Said twice while it begins: nothing may open the lock now.
            (
                Said::Nothing | Said::Idle(_) | Said::Ready(_) | Said::Busy(_) | Said::Refused(_),
                Round::Gone { n: open },
            ) if asked_now && open == n => None,
            (
                Said::Nothing | Said::Idle(_) | Said::Ready(_) | Said::Busy(_) | Said::Refused(_),
                Round::None { .. } | Round::Asked { .. } | Round::Gone { .. },
            ) => Some(ToApp::Release { n }),
        }
    }

    /// What it said, with a rank: the higher, the worse.
    const fn said_at(&self, boot_ms: u64) -> (u8, &'static str) {
        match &self.said {
            Said::Ready(lease) if lease.holds(boot_ms) => (0, "ready"),
            Said::Idle(lease) if lease.holds(boot_ms) => (1, "idle"),
            Said::Nothing | Said::Idle(_) | Said::Ready(_) => (2, "silent"),
            Said::Refused(_) => (3, "refused"),
            Said::Busy(_) => (4, "busy"),
        }
    }
}

#[cfg(test)]
mod tests;
