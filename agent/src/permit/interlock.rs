//! The clinical interlock: everything that says whether the device is in use. It fails closed.
//!
//! A program, applications on the clinical socket, an idle file, a person: those that are configured
//! are all asked, and all must say free. Nothing configured = no lease, unless the configuration
//! says why none is needed. Not here: the decision. Invariant: a [`Lease`] comes only from answers
//! "free" of every source (or from that stated reason), and ends with the shortest of them.

use super::probe::Probe;
use super::socket::Question;
use super::watch::{Shared, Watch};
use crate::config::{Clinical, InterlockSource, Source};
use crate::edge::Clock;
use crate::local::Present;
use patchward_protocol::clinical::participants::{self, Shown, Word};
use patchward_protocol::clinical::{AppId, DeferMinutes};
use patchward_protocol::decision::Interlock as Heard;
use patchward_protocol::id::{PersonId, Version};
use patchward_protocol::ledger::ClinicalState;
use patchward_protocol::reason::Reason;
use std::time::Duration;

/// How long an answer "free" is good for, in milliseconds on the boot clock.
pub const LEASE_MS: u64 = 15_000;
/// How long applications have to lock the start of therapy, in seconds.
const READY_S: u32 = 10;
/// Time between two looks while their answers are waited for.
const READY_LOOK: Duration = Duration::from_millis(20);

/// Asks the configured interlock and remembers since when it says free.
#[derive(Debug)]
pub struct Interlock<C> {
    source: InterlockSource,
    probe: Option<Probe>,
    watch: Shared,
    settle_s_min: u64,
    clock: C,
    last: Option<(Heard, String)>,
}

/// A short-lived word that the device is free. It cannot be made by hand.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    until_boot_ms: u64,
    lock: Lock,
}

/// Whether the applications have locked the start of therapy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// There is no application that could: no socket is configured.
    NotNeeded,
    /// They have, for the update that is about to begin.
    Held,
    /// They have not.
    Open,
}

/// What the interlock said, to one question.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    heard: Heard,
    lease: Option<Lease>,
    settle_s_min: u64,
    detail: String,
}

/// What the interlock last said, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSaid {
    /// What it said; none before the first question.
    pub heard: Option<Heard>,
    /// In more words.
    pub detail: String,
    /// What each application on the socket says now.
    pub apps: Vec<Shown>,
}

/// What one source said.
#[derive(Debug)]
struct Part {
    heard: Heard,
    until_boot_ms: u64,
    lock: Lock,
    detail: String,
}

impl Lease {
    /// End of the lease on the boot clock, in milliseconds.
    #[must_use]
    pub const fn until_boot_ms(&self) -> u64 {
        self.until_boot_ms
    }

    /// Whether it still holds.
    #[must_use]
    pub const fn holds(&self, boot_ms: u64) -> bool {
        boot_ms < self.until_boot_ms
    }

    /// Whether the start of therapy is locked.
    #[must_use]
    pub const fn lock(&self) -> Lock {
        self.lock
    }
}

impl Answer {
    /// What the decision is told.
    #[must_use]
    pub const fn interlock(&self) -> Heard {
        self.heard
    }

    /// The lease, where the answer gives one.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Least time that the configuration wants the device to be free, in seconds.
    #[must_use]
    pub const fn settle_s_min(&self) -> u64 {
        self.settle_s_min
    }

    /// Technical detail in English, for `why`, ledger and log.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What the ledger says of it.
    #[must_use]
    pub const fn clinical_state(&self) -> ClinicalState {
        clinical_state(self.heard)
    }
}

/// What the ledger says of a word of the interlock.
#[must_use]
pub const fn clinical_state(heard: Heard) -> ClinicalState {
    match heard {
        Heard::Free { .. } => ClinicalState::Idle,
        Heard::InUse => ClinicalState::InUse,
        Heard::Silent | Heard::NobodyHere | Heard::Missing => ClinicalState::Unknown,
        Heard::NotNeeded => ClinicalState::NotNeeded,
    }
}

impl<C: Clock> Interlock<C> {
    /// The interlock of a configuration; `settle` is the least time without a break.
    pub fn new(clinical: &Clinical, settle: Duration, clock: C) -> Self {
        let probe = match &clinical.interlock {
            InterlockSource::Asked(sources) => sources.iter().find_map(|source| match source {
                Source::Probe(argv) => Some(argv.clone()),
                Source::Socket(_) | Source::IdleFile(_) | Source::Manual => None,
            }),
            InterlockSource::NoneBecause(_) | InterlockSource::Missing => None,
        };
        let (limit, every) = (clinical.probe_limit, clinical.probe_every);
        Self {
            source: clinical.interlock.clone(),
            probe: probe.map(|argv| Probe::new(argv, limit, every)),
            watch: Shared::new(clinical),
            settle_s_min: settle.as_secs(),
            clock,
            last: None,
        }
    }

    /// Asks every source once; `present` is the person at the device. While an update waits, ask
    /// every `clinical.probe_every_s`, or the device never counts as settled.
    pub async fn ask(&mut self, present: Option<&Present>) -> Answer {
        let answer = match self.source.clone() {
            InterlockSource::Missing => {
                let detail = "none is configured".to_owned();
                self.answer(Heard::Missing, None, detail)
            }
            InterlockSource::NoneBecause(reason) => {
                let until_boot_ms = self.clock.boot_ms().saturating_add(LEASE_MS);
                let lease = Lease { until_boot_ms, lock: Lock::NotNeeded };
                self.answer(Heard::NotNeeded, Some(lease), reason)
            }
            InterlockSource::Asked(sources) => {
                let parts = self.parts(&sources, present).await;
                self.together(&parts)
            }
        };
        self.last = Some((answer.heard, answer.detail.clone()));
        answer
    }

    /// Asks the applications on the socket to lock the start of therapy, and waits for them.
    /// `est_s` is how long the device may be out of use. Without a socket there is nothing to lock.
    ///
    /// # Errors
    /// The reason to wait; the applications were told that nothing begins.
    pub async fn lock(&mut self, est_s: u64) -> Result<(), Reason> {
        if self.watch.lock().socket.is_none() {
            return Ok(());
        }
        let asked_boot_ms = self.look(|watch, boot_ms| {
            let socket = watch.socket.as_mut().and_then(|served| served.open().ok());
            if let Some(socket) = socket {
                socket.prepare(Question { in_s: READY_S, est_s }, boot_ms);
            }
            boot_ms
        });
        let until_boot_ms = asked_boot_ms.saturating_add(u64::from(READY_S) * 1000);
        let looks = u64::from(READY_S) * 1000 / 20;
        let mut reason = Reason::InterlockNotReady;
        for _look in 0..looks {
            match self.look(ready) {
                Ok(()) => return Ok(()),
                Err(Reason::InterlockNotReady) => {}
                Err(other) => {
                    reason = other;
                    break;
                }
            }
            if self.clock.boot_ms() >= until_boot_ms {
                break;
            }
            tokio::time::sleep(READY_LOOK).await;
        }
        self.release();
        Err(reason)
    }

    /// The write of no return is next: tells the applications, if every lock still holds.
    ///
    /// # Errors
    /// The reason not to write; the applications were told that nothing begins.
    pub fn go(&mut self) -> Result<(), Reason> {
        let gone = self.look(|watch, boot_ms| {
            let file = watch.idle_file.as_ref();
            if file.is_some_and(|file| file.free(boot_ms).is_none()) {
                return Err(Reason::InterlockSilent);
            }
            ready(watch, boot_ms)?;
            let Some(served) = watch.socket.as_mut() else { return Ok(()) };
            let socket = served.open().map_err(|_why| Reason::InterlockSilent)?;
            match socket.go(boot_ms) {
                participants::Lock::Held => Ok(()),
                participants::Lock::Open => Err(Reason::InterlockNotReady),
            }
        });
        if gone.is_err() {
            self.release();
        }
        gone
    }

    /// It does not begin, or it is over: the applications may open their locks.
    pub fn release(&mut self) {
        self.look(|watch, boot_ms| {
            let socket = watch.socket.as_mut().and_then(|served| served.open().ok());
            if let Some(socket) = socket {
                socket.release(boot_ms);
            }
        });
    }

    /// Deferrals that people said on the socket since this was last asked.
    pub fn take_deferred(&mut self) -> Vec<(DeferMinutes, PersonId)> {
        self.look(|watch, _| {
            let socket = watch.socket.as_mut().and_then(|served| served.open().ok());
            socket.map(|socket| socket.take_deferred()).unwrap_or_default()
        })
    }

    /// What it last said, and what the applications say now, for people.
    pub fn last_said(&self) -> LastSaid {
        let apps = self.look(|watch, boot_ms| {
            let socket = watch.socket.as_mut().and_then(|served| served.open().ok());
            socket.map(|socket| socket.shown(boot_ms)).unwrap_or_default()
        });
        let (heard, detail) =
            self.last.as_ref().map_or((None, ""), |(heard, detail)| (Some(*heard), detail));
        LastSaid { heard, detail: detail.to_owned(), apps }
    }

    /// An application that should say this version in its `HELLO` after an update, and does not.
    pub fn without_version(&self, version: &Version) -> Option<AppId> {
        let InterlockSource::Asked(sources) = &self.source else { return None };
        let mut named = sources.iter().flat_map(|source| match source {
            Source::Socket(settings) => settings.same_version.iter().collect(),
            Source::Probe(_) | Source::IdleFile(_) | Source::Manual => Vec::new(),
        });
        let apps = self.last_said().apps;
        let says = |app: &AppId| {
            apps.iter().any(|said| said.app == *app && said.version.as_ref() == Some(version))
        };
        named.find(|app| !says(app)).cloned()
    }

    /// Looks at socket and idle file as they are at this instant.
    fn look<T>(&self, then: impl FnOnce(&mut Watch, u64) -> T) -> T {
        let mut watch = self.watch.lock();
        let boot_ms = self.clock.boot_ms();
        watch.look(boot_ms);
        then(&mut watch, boot_ms)
    }

    async fn parts(&mut self, sources: &[Source], present: Option<&Present>) -> Vec<Part> {
        let mut parts = Vec::new();
        if let Some(probe) = &mut self.probe {
            let asked_boot_ms = self.clock.boot_ms();
            let (heard, detail) = probe.ask(asked_boot_ms).await;
            let until_boot_ms = asked_boot_ms.saturating_add(LEASE_MS);
            let detail = format!("probe: {detail}");
            parts.push(Part { heard, until_boot_ms, lock: Lock::NotNeeded, detail });
        }
        for source in sources {
            match source {
                Source::Probe(_) => {}
                Source::Socket(_) => parts.push(self.look(by_socket)),
                Source::IdleFile(_) => parts.push(self.look(by_idle_file)),
                Source::Manual => parts.push(by_person(present, self.clock.boot_ms())),
            }
        }
        parts
    }

    /// Free only where every part is; the worst word is the one to show.
    fn together(&self, parts: &[Part]) -> Answer {
        let detail = parts.iter().map(|part| part.detail.as_str()).collect::<Vec<_>>().join("; ");
        let heard = parts.iter().map(|part| part.heard).max_by_key(|heard| rank(*heard));
        let free = |part: &Part| match part.heard {
            Heard::Free { for_s } => Some(for_s),
            Heard::InUse
            | Heard::Silent
            | Heard::NobodyHere
            | Heard::Missing
            | Heard::NotNeeded => None,
        };
        let all: Option<Vec<u64>> = parts.iter().map(free).collect();
        let shortest = all.and_then(|all| all.into_iter().min());
        let (Some(for_s), Some(until_boot_ms)) =
            (shortest, parts.iter().map(|part| part.until_boot_ms).min())
        else {
            return self.answer(heard.unwrap_or(Heard::Missing), None, detail);
        };
        let lock = parts.iter().map(|part| part.lock).find(|lock| *lock != Lock::NotNeeded);
        let lease = Lease { until_boot_ms, lock: lock.unwrap_or(Lock::NotNeeded) };
        self.answer(Heard::Free { for_s }, Some(lease), detail)
    }

    const fn answer(&self, heard: Heard, lease: Option<Lease>, detail: String) -> Answer {
        Answer { heard, lease, settle_s_min: self.settle_s_min, detail }
    }
}

impl<C: Clock + Clone + Send + 'static> Interlock<C> {
    /// Keeps looking at socket and idle file from now on, whatever else the agent does.
    pub fn begin(&self) {
        self.watch.keep_looking(self.clock.clone());
    }
}

/// Whether the socket, where there is one, is locked.
fn ready(watch: &mut Watch, boot_ms: u64) -> Result<(), Reason> {
    let Some(served) = watch.socket.as_mut() else { return Ok(()) };
    let Ok(socket) = served.open() else { return Err(Reason::InterlockSilent) };
    match socket.word(boot_ms) {
        Word::Free { lock: participants::Lock::Held, .. } => Ok(()),
        Word::Free { lock: participants::Lock::Open, .. } => Err(Reason::InterlockNotReady),
        Word::InUse(_) => Err(Reason::InUse),
        Word::Silent(_) => Err(Reason::InterlockSilent),
    }
}

fn by_socket(watch: &mut Watch, boot_ms: u64) -> Part {
    let part = |heard, detail| Part { heard, until_boot_ms: boot_ms, lock: Lock::Open, detail };
    let Some(served) = watch.socket.as_mut() else {
        return part(Heard::Silent, "socket: none".to_owned());
    };
    let socket = match served.open() {
        Ok(socket) => socket,
        Err(why) => return part(Heard::Silent, format!("socket: {why}")),
    };
    match socket.word(boot_ms) {
        Word::InUse(app) => part(Heard::InUse, format!("socket: {app} is in use")),
        Word::Silent(app) => part(Heard::Silent, format!("socket: {app} holds no lease")),
        Word::Free { since_boot_ms, until_boot_ms, lock } => Part {
            heard: Heard::Free { for_s: boot_ms.saturating_sub(since_boot_ms) / 1000 },
            until_boot_ms,
            lock: match lock {
                participants::Lock::Held => Lock::Held,
                participants::Lock::Open => Lock::Open,
            },
            detail: "socket: free".to_owned(),
        },
    }
}

fn by_idle_file(watch: &mut Watch, boot_ms: u64) -> Part {
    let free = watch.idle_file.as_ref().and_then(|file| file.free(boot_ms));
    let lock = Lock::NotNeeded;
    match free {
        Some(free) => Part {
            heard: Heard::Free { for_s: boot_ms.saturating_sub(free.since_boot_ms) / 1000 },
            until_boot_ms: free.until_boot_ms,
            lock,
            detail: "idle file: fresh".to_owned(),
        },
        None => {
            let detail = "idle file: stale or not there".to_owned();
            Part { heard: Heard::Silent, until_boot_ms: boot_ms, lock, detail }
        }
    }
}

fn by_person(present: Option<&Present>, boot_ms: u64) -> Part {
    let lock = Lock::NotNeeded;
    match present.filter(|present| boot_ms < present.until_boot_ms) {
        Some(present) => Part {
            heard: Heard::Free { for_s: boot_ms.saturating_sub(present.since_boot_ms) / 1000 },
            until_boot_ms: present.until_boot_ms.min(boot_ms.saturating_add(LEASE_MS)),
            lock,
            detail: "a person is at the device".to_owned(),
        },
        None => {
            let detail = "nobody is at the device".to_owned();
            Part { heard: Heard::NobodyHere, until_boot_ms: boot_ms, lock, detail }
        }
    }
}

/// The higher, the more it stands in the way.
const fn rank(heard: Heard) -> u8 {
    match heard {
        Heard::NotNeeded | Heard::Free { .. } => 0,
        Heard::NobodyHere => 1,
        Heard::Missing => 2,
        Heard::Silent => 3,
        Heard::InUse => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Argv;
    use crate::config::Config;
    use crate::samples::Hand;

    fn interlock(source: InterlockSource) -> (Interlock<Hand>, Hand) {
        with_limit(source, Duration::from_secs(5))
    }

    fn with_limit(source: InterlockSource, limit: Duration) -> (Interlock<Hand>, Hand) {
        let mut clinical = Config::parse(crate::config::EXAMPLE).unwrap().clinical;
        clinical.interlock = source;
        clinical.probe_limit = limit;
        clinical.probe_every = Duration::from_secs(5);
        let hand = Hand::default();
        (Interlock::new(&clinical, Duration::from_secs(60), hand.clone()), hand)
    }

    fn script(text: &str) -> InterlockSource {
        let argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()];
        InterlockSource::Asked(vec![Source::Probe(Argv::new(argv).unwrap())])
    }

    async fn ask(text: &str) -> Answer {
        let (mut lock, _) = with_limit(script(text), crate::child::tests::limit_for(text));
        lock.ask(None).await
    }

    #[tokio::test]
    async fn only_exit_0_is_free_and_only_exit_1_is_said_to_be_in_use() {
        for code in 0..=255 {
            let answer = ask(&format!("exit {code}")).await;
            let (heard, leased) = match code {
                0 => (Heard::Free { for_s: 0 }, true),
                1 => (Heard::InUse, false),
                _ => (Heard::Silent, false),
            };
            assert_eq!((answer.interlock(), answer.lease().is_some()), (heard, leased), "{code}");
        }
    }

    #[tokio::test]
    async fn signals_silence_and_a_missing_program_count_as_in_use() {
        for text in ["kill -9 $$", "kill -15 $$", "kill -11 $$", "sleep 60", "exec /nonexistent"] {
            let answer = ask(text).await;
            assert_eq!((answer.interlock(), answer.lease()), (Heard::Silent, None), "{text}");
            assert_eq!(answer.clinical_state(), ClinicalState::Unknown);
        }
        let missing = Source::Probe(Argv::new(vec!["/nonexistent".into()]).unwrap());
        let missing = InterlockSource::Asked(vec![missing]);
        assert_eq!(interlock(missing).0.ask(None).await.interlock(), Heard::Silent);
    }

    #[tokio::test]
    async fn nothing_configured_gives_no_lease_and_a_stated_reason_gives_one() {
        let answer = interlock(InterlockSource::Missing).0.ask(None).await;
        assert_eq!((answer.interlock(), answer.lease()), (Heard::Missing, None));
        let reason = InterlockSource::NoneBecause("laboratory".into());
        let answer = interlock(reason).0.ask(None).await;
        assert_eq!(answer.interlock(), Heard::NotNeeded);
        assert_eq!((answer.lease().is_some(), answer.detail()), (true, "laboratory"));
    }

    #[tokio::test]
    async fn free_counts_from_the_first_answer_of_an_unbroken_row() {
        let (mut lock, hand) = interlock(script("exit 0"));
        for seconds in [0, 5, 10, 15] {
            assert_eq!(lock.ask(None).await.interlock(), Heard::Free { for_s: seconds });
            hand.forward(5000);
        }
        hand.forward(60_000);
        let after_a_hole = lock.ask(None).await.interlock();
        assert_eq!(after_a_hole, Heard::Free { for_s: 0 }, "nobody watched in between");
    }

    #[tokio::test]
    async fn one_other_answer_begins_the_row_anew() {
        let folder = tempfile::tempdir().unwrap();
        let busy = folder.path().join("busy");
        let (mut lock, hand) = interlock(script(&format!("test ! -e {}", busy.display())));
        lock.ask(None).await;
        hand.forward(5000);
        std::fs::File::create(&busy).unwrap();
        assert_eq!(lock.ask(None).await.interlock(), Heard::InUse);
        std::fs::remove_file(&busy).unwrap();
        hand.forward(5000);
        assert_eq!(lock.ask(None).await.interlock(), Heard::Free { for_s: 0 });
    }

    #[tokio::test]
    async fn a_lease_counts_from_the_question_and_ends() {
        let (mut lock, hand) = interlock(script("exit 0"));
        hand.forward(1000);
        let answer = lock.ask(None).await;
        let lease = answer.lease().unwrap();
        assert!(lease.holds(1000 + LEASE_MS - 1));
        assert!(!lease.holds(1000 + LEASE_MS));
    }
}
