//! The loop: contact when due, the machine's next event, reports, what people at the device say.
//!
//! Not here: how any of it is done. Invariant: when the machine's core reports an error, the loop
//! recovers as after a crash before it does anything else.

use super::core::{Core, CoreError, Rest};
use super::device::Device;
use super::disk::FileDisk;
use super::standing::UseOf;
use crate::edge::{Clock as _, Failure};
use crate::installer::Installer as _;
use crate::journal::{HeldHere, write_durably};
use crate::ledger::Room;
use crate::ledger::refusals::{Refusal, Refusals};
use crate::local::Local;
use crate::machine::state::Resting;
use crate::outbox::{DeliverError, Outbox, REPORTS_MAX};
use crate::status::Status;
use crate::trust::repository::chain;
use crate::usage::Usage;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::reason::Reason;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time between two looks around.
const TICK: Duration = Duration::from_millis(250);
/// Time between two tries to recover while the disk refuses.
const RECOVER_AGAIN: Duration = Duration::from_secs(1);
/// Longest wait for the machine to go down, in milliseconds.
const GOING_DOWN_MS: u64 = 120_000;
/// Most events in a row before the loop looks around again.
const EVENTS_MAX: u32 = 16;
/// While a poll stands, the server's time is asked for after this time, in milliseconds.
const ASK_TIME_MS: u64 = 3_600_000;
/// The status is written again after this time even when nothing changed, in milliseconds.
const STATUS_MS: u64 = 30_000;

/// How long the agent goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is told to stop.
    Stopped,
    /// Until nothing can be done at this moment.
    Quiet,
}

/// Why the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, or nothing is left to do now.
    Well,
    /// Nothing is left to do now, and the server was not reached.
    Unreached,
    /// The machine is going down for a restart.
    GoingDown,
}

/// Everything at run time.
#[derive(Debug)]
pub struct Driver {
    pub(super) core: Core<FileDisk>,
    pub(super) device: Device,
    outbox: Outbox,
    refusals: Refusals,
    refusals_path: PathBuf,
    status_path: PathBuf,
    boot_id: String,
    pub(super) gate_due_ms: u64,
    deliver_due_ms: u64,
    pub(super) asked_server_ms: u64,
    status: Option<(Status, u64)>,
}

/// Where the driver keeps what.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Refusals of the last days.
    pub refusals: PathBuf,
    /// What `status` and `why` show.
    pub status: PathBuf,
}

impl Driver {
    /// A driver that has done nothing yet.
    #[must_use]
    pub fn new(
        core: Core<FileDisk>,
        device: Device,
        outbox: Outbox,
        paths: Paths,
        boot_id: String,
    ) -> Self {
        let kept = std::fs::read(&paths.refusals).ok();
        let refusals = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            core,
            device,
            outbox,
            refusals: refusals.unwrap_or_default(),
            refusals_path: paths.refusals,
            status_path: paths.status,
            boot_id,
            gate_due_ms: 0,
            deliver_due_ms: 0,
            asked_server_ms: 0,
            status: None,
        }
    }

    /// Runs until told to stop, or until nothing can be done now.
    ///
    /// # Errors
    /// [`Failure`] when the installer cannot even say what runs.
    pub async fn run(
        &mut self,
        until: Until,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Ended, Failure> {
        self.device.interlock.begin();
        self.device.standing.allow(match until {
            Until::Stopped => UseOf::WhileWaiting,
            Until::Quiet => UseOf::Never,
        });
        let mut rest = self.recover().await?;
        loop {
            if rest == Rest::GoingDown {
                self.wait_for_the_end(&mut stop).await;
                return Ok(Ended::GoingDown);
            }
            if self.core.journal().state.rest() == Resting::Nowhere {
                // A step could not be made durable. Once the disk lets it, recovery finishes it.
                tokio::time::sleep(RECOVER_AGAIN).await;
                rest = self.recover().await?;
                if stop() {
                    return Ok(Ended::Well);
                }
                if rest == Rest::GoingDown {
                    continue;
                }
            }
            if self.core.journal().state.rest() != Resting::Nowhere {
                // Whatever began has come to an end, and no application needs to stay locked.
                self.device.interlock.release();
            }
            self.look_around();
            self.keep_contact().await;
            self.look_at_use().await;
            self.record_refusals();
            let (now_rest, busy) = self.advance().await?;
            rest = now_rest;
            self.record_refusals();
            self.deliver().await;
            self.show().await;
            let quiet = until == Until::Quiet && !busy;
            if rest == Rest::Quiet && (quiet || stop()) {
                let unreached = quiet && self.device.contact_failed.is_some();
                return Ok(if unreached { Ended::Unreached } else { Ended::Well });
            }
            if !busy {
                tokio::time::sleep(TICK).await;
            }
        }
    }

    /// The machine goes down: an agent that ended now might be started again before it does, and
    /// ask for a second restart.
    async fn wait_for_the_end(&self, stop: &mut impl FnMut() -> bool) {
        let until_ms = self.device.clock.boot_ms().saturating_add(GOING_DOWN_MS);
        while !stop() && self.device.clock.boot_ms() < until_ms {
            tokio::time::sleep(TICK).await;
        }
    }

    /// Goes on after a start, or after an error of the core.
    async fn recover(&mut self) -> Result<Rest, Failure> {
        let observed = self.device.installer.observe().await?;
        self.learn().await;
        let cut = self.core.disk().ledger.cut_bytes();
        let boot_id = self.boot_id.clone();
        let done = self.core.recover(&mut self.device, observed, &boot_id).await;
        let rest = self.ended(done);
        if cut > 0 {
            self.note_cut(cut);
        }
        self.learn().await;
        self.device.read_offers();
        Ok(rest)
    }

    fn ended(&self, done: Result<Rest, CoreError>) -> Rest {
        match done {
            Ok(rest) => rest,
            Err(error) => {
                tracing::error!(error = chain(&error), "a step could not be taken");
                Rest::Quiet
            }
        }
    }

    fn note_cut(&mut self, cut: u64) {
        let mut fact = Fact::new(Kind::Recovered).because(Reason::PowerLost);
        fact.detail = Some(format!("cut {cut} bytes of a torn entry off the end of the ledger"));
        self.note(vec![fact], |_journal| {});
        self.core.disk().ledger.forget_cut();
    }

    fn note(&mut self, facts: Vec<Fact>, change: impl FnOnce(&mut crate::journal::Journal)) {
        let at = super::core::Hands::stamp(&mut self.device);
        if let Err(error) = self.core.note(facts, &at, change) {
            tracing::error!(error = chain(&error), "an entry could not be recorded");
        }
    }

    /// What people at the device say.
    fn look_around(&mut self) {
        self.device.take_deferrals();
        let hold = self.device.local.stopped(self.device.clock.boot_ms());
        let recorded = self.core.journal().held_here;
        let (kind, now) = match (&hold, recorded) {
            (Some(_), HeldHere::No) => (Kind::HoldSet, HeldHere::Yes),
            (None, HeldHere::Yes) => (Kind::HoldLifted, HeldHere::No),
            (Some(_), HeldHere::Yes) | (None, HeldHere::No) => return,
        };
        let mut fact = Fact::new(kind).because(Reason::HeldHere);
        if let Some(hold) = hold {
            fact.person = hold.by;
            fact.detail = hold.why.map(|why| crate::ledger::refusals::clip(&why));
        }
        self.note(vec![fact], |journal| journal.held_here = now);
        self.gate_due_ms = 0;
    }

    /// While an update waits for its moment a question stands at the server; otherwise the server is
    /// asked as often as it says.
    async fn keep_contact(&mut self) {
        if self.device.take_standing().await {
            self.contacted();
        }
        let now_ms = self.device.clock.boot_ms();
        if matches!(self.core.journal().state.rest(), Resting::BeforeStart(_)) {
            self.learn().await;
            self.device.stand();
            // An answer that was long in coming says little of the time: now and then one at once.
            let asked_ms = now_ms.saturating_sub(self.asked_server_ms);
            let ask_the_time = asked_ms >= ASK_TIME_MS && self.device.wants_time(ASK_TIME_MS);
            match (self.device.standing.is_out(), ask_the_time) {
                (true, false) => return,
                (true, true) => self.device.contact_due_ms = now_ms,
                (false, _) => {}
            }
        }
        if now_ms >= self.device.contact_due_ms {
            self.learn().await;
            self.asked_server_ms = now_ms;
            self.device.make_contact().await;
            self.contacted();
        }
    }

    fn contacted(&mut self) {
        if std::mem::take(&mut self.device.replayed) {
            self.note(vec![], |journal| {
                journal.boot.count = journal.boot.count.saturating_add(1);
            });
        }
        self.gate_due_ms = 0;
    }

    async fn learn(&mut self) {
        match self.device.installer.observe().await {
            Ok(observed) => {
                let ledger = &self.core.disk().ledger;
                let (room, seq) = (ledger.room(), ledger.chain().seq);
                self.device.learn(self.core.journal(), observed, room, seq);
            }
            Err(failure) => tracing::error!(failure = failure.chain(), "what runs is not known"),
        }
        if let Some(stored) = self.device.ledger_stored_seq.take() {
            self.outbox.server_has(stored);
        }
    }

    /// Takes events until there is nothing more to do now. The second says whether there was any.
    async fn advance(&mut self) -> Result<(Rest, bool), Failure> {
        let mut busy = false;
        for _event in 0..EVENTS_MAX {
            self.learn().await;
            let Some(event) = self.next_event().await else { return Ok((Rest::Quiet, busy)) };
            let before = self.core.journal().state.clone();
            match self.core.take(&mut self.device, event).await {
                Ok(Rest::Quiet) => {}
                Ok(Rest::GoingDown) => return Ok((Rest::GoingDown, true)),
                Err(error) => {
                    tracing::error!(error = chain(&error), "a step could not be taken");
                    tokio::time::sleep(TICK).await;
                    return Ok((self.recover().await?, false));
                }
            }
            self.remember_duration();
            let after = &self.core.journal().state;
            if *after == before {
                return Ok((Rest::Quiet, busy));
            }
            tracing::info!(
                state = after.name(),
                reason = after.reason().map(Reason::code),
                "the update goes on"
            );
            busy = true;
            self.record_refusals();
        }
        Ok((Rest::Quiet, busy))
    }

    /// Looks at the interlock now and then, as long as hours of clinical use are still asked for.
    async fn look_at_use(&mut self) {
        let Some(usage) = self.core.journal().usage.clone().filter(Usage::is_watched) else {
            return;
        };
        if !self.device.runs(&usage.image) || !self.device.tells_use() {
            return;
        }
        self.device.look_at_use().await;
        let now_ms = self.device.clock.boot_ms();
        if let Some(more_ms) = self.device.watch.to_save(&usage, now_ms) {
            let (usage, fact) = usage.after(more_ms);
            self.note(fact.into_iter().collect(), |journal| journal.usage = Some(usage));
            self.device.watch.saved(now_ms);
        }
    }

    fn remember_duration(&mut self) {
        if let Some(ms) = self.device.measured_ms.take() {
            self.note(vec![], |journal| journal.longest_ms = journal.longest_ms.max(ms));
        }
    }

    fn record_refusals(&mut self) {
        self.device.refusals.extend(self.outbox.take_refusals());
        let refusals = std::mem::take(&mut self.device.refusals);
        if refusals.is_empty() || self.core.disk().ledger.room() == Room::Full {
            return;
        }
        let day = self.day();
        let facts: Vec<_> =
            refusals.iter().filter_map(|refusal| self.refusals.note(refusal, day)).collect();
        if facts.is_empty() {
            return;
        }
        for fact in facts {
            tracing::warn!(reason = fact.reason.map(Reason::code), detail = fact.detail, "refused");
            self.note(vec![fact], |_journal| {});
        }
        let kept = serde_json::to_vec(&self.refusals).map_err(std::io::Error::other);
        if let Err(error) = kept.and_then(|bytes| write_durably(&self.refusals_path, &bytes)) {
            tracing::warn!(%error, "refusals could not be remembered");
        }
    }

    /// A number that changes daily, by the time if it is known, else by the boot clock.
    fn day(&mut self) -> u64 {
        let seconds = self.device.judged().utc.map_or_else(
            || self.device.clock.boot_ms() / 1000,
            |utc| u64::try_from(utc.seconds()).unwrap_or(0),
        );
        seconds / (24 * 3600)
    }

    async fn deliver(&mut self) {
        let now_ms = self.device.clock.boot_ms();
        let due = now_ms >= self.deliver_due_ms && self.device.contact_failed.is_none();
        if !due || self.device.word.is_none() || !self.outbox.is_behind(&self.core.disk().ledger) {
            return;
        }
        for _report in 0..REPORTS_MAX {
            let ledger = &mut self.core.disk().ledger;
            match self.outbox.deliver(&mut self.device.client, ledger).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.not_delivered(&error),
            }
        }
    }

    fn not_delivered(&mut self, error: &DeliverError) {
        tracing::warn!(error = chain(error), "reports were not delivered");
        if let DeliverError::Receipt(why) = error {
            self.device.refusals.push(Refusal {
                reason: Reason::ReceiptWrong,
                document_sha256: Some(Sha256Digest::of(why.as_bytes())),
                detail: why.clone(),
            });
        }
        let asked = match error {
            DeliverError::Refused { retry_after_s, .. } => *retry_after_s,
            DeliverError::Ledger(_)
            | DeliverError::Write(_)
            | DeliverError::Link(_)
            | DeliverError::Receipt(_) => None,
        };
        let wait = self.device.backoff.next_ms(&mut self.device.rng);
        let wait = asked.map_or(wait, |s| s.saturating_mul(1000).max(wait));
        self.deliver_due_ms = self.device.clock.boot_ms().saturating_add(wait);
    }

    async fn show(&mut self) {
        self.learn().await;
        let status = Status::of(&mut self.device, &self.boot_id, &self.outbox);
        let now_ms = self.device.clock.boot_ms();
        let fresh = self.status.as_ref().is_some_and(|(shown, at_ms)| {
            shown.says_the_same(&status) && now_ms.saturating_sub(*at_ms) < STATUS_MS
        });
        if fresh {
            return;
        }
        if let Err(error) = status.write(&self.status_path) {
            tracing::warn!(%error, "the status could not be written");
        }
        self.status = Some((status, now_ms));
    }

    /// The files through which people at the device speak.
    #[must_use]
    pub const fn local(&self) -> &Local {
        &self.device.local
    }
}
