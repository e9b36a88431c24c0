//! The order in which a transition happens: journal, ledger, effect, next event.
//!
//! The same code drives the device and the simulator. Not here: what follows from an event
//! ([`crate::machine::step`]) and how an effect is done ([`Hands`]).
//! Invariant: an effect begins only after its intent is durable in journal and ledger. When journal
//! or disk fail, nothing further is begun: the caller recovers as after a crash.

use crate::edge::{Failure, Observed};
use crate::journal::{Boot, Journal, PendingEntry};
use crate::machine::effect::Effect;
use crate::machine::event::Event;
use crate::machine::recover::recover;
use crate::machine::step::{Illegal, Stamp, Step, step};
use patchward_protocol::ledger::Fact;
use patchward_protocol::reason::Reason;

/// Where journal and ledger stand.
pub trait Disk {
    /// Replaces the journal, durably.
    ///
    /// # Errors
    /// [`Failure`]; the one before stays.
    fn write_journal(&mut self, journal: &Journal) -> Result<(), Failure>;

    /// Last position of the ledger.
    fn last_seq(&self) -> u64;

    /// Appends an entry at this position, durably.
    ///
    /// # Errors
    /// [`Failure`]; nothing is appended.
    fn append(&mut self, seq: u64, entry: &PendingEntry) -> Result<(), Failure>;
}

/// Who does what the machine asks for.
pub trait Hands {
    /// Does it.
    fn perform(&mut self, effect: &Effect) -> impl Future<Output = Outcome>;

    /// The instant, as well as it is known; the count of boots is filled in by the core.
    fn stamp(&mut self) -> Stamp;
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended, and this came of it.
    Event(Event),
    /// The machine is going down; recovery answers.
    GoingDown,
}

/// Whether there is more to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is left to do at this moment.
    Quiet,
    /// The machine is going down.
    GoingDown,
}

/// Why a transition did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The state does not take the event; nothing changed.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// Journal or ledger could not be written.
    #[error("the transition could not be made durable")]
    Keep(#[source] Failure),
}

/// The machine with its journal and ledger.
#[derive(Debug)]
pub struct Core<D> {
    journal: Journal,
    boot: Boot,
    disk: D,
}

impl<D: Disk> Core<D> {
    /// Begins with what was read from the disk. [`Core::recover`] comes next.
    pub fn new(journal: Journal, disk: D) -> Self {
        Self { boot: journal.boot.clone(), journal, disk }
    }

    /// The journal.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Where journal and ledger stand.
    pub const fn disk(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Goes on after a start: catches up on the ledger, notes the boot, does what recovery says.
    ///
    /// # Errors
    /// [`CoreError`]; nothing further was begun.
    pub async fn recover<H: Hands>(
        &mut self,
        hands: &mut H,
        observed: Observed,
        boot_id: &str,
    ) -> Result<Rest, CoreError> {
        let next = recover(&self.journal, observed, boot_id, hands.stamp().boot_ms);
        if self.journal.boot.id != boot_id {
            // Written together with what recovery says, never before it.
            let count = self.journal.boot.count.saturating_add(1);
            self.boot = Boot { id: boot_id.to_owned(), count };
        }
        let at = self.stamp(hands);
        self.carry_out(hands, next, at).await
    }

    /// Takes an event and everything that follows from it at once.
    ///
    /// # Errors
    /// [`CoreError`]; nothing further was begun.
    pub async fn take<H: Hands>(&mut self, hands: &mut H, event: Event) -> Result<Rest, CoreError> {
        let at = self.stamp(hands);
        let next = step(&self.journal.state, event, &at)?;
        self.carry_out(hands, next, at).await
    }

    /// Records facts that change nothing, together with what the journal remembers of them.
    ///
    /// # Errors
    /// [`CoreError::Keep`]; nothing was recorded, or it will be at the next start.
    pub fn note(
        &mut self,
        facts: Vec<Fact>,
        at: &Stamp,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), CoreError> {
        let at = Stamp { boot_count: self.boot.count, ..*at };
        let step = Step { state: self.journal.state.clone(), facts, effect: None };
        let mut journal = self.journal.after(&step, self.disk.last_seq(), &at);
        change(&mut journal);
        self.boot.clone_from(&journal.boot);
        self.keep(journal)
    }

    /// Brings the ledger level with the journal.
    ///
    /// # Errors
    /// [`CoreError::Keep`].
    pub fn catch_up(&mut self) -> Result<(), CoreError> {
        let missing: Vec<_> = self
            .journal
            .pending
            .missing(self.disk.last_seq())
            .map(|(seq, entry)| (seq, entry.clone()))
            .collect();
        for (seq, entry) in missing {
            self.disk.append(seq, &entry).map_err(CoreError::Keep)?;
        }
        Ok(())
    }

    async fn carry_out<H: Hands>(
        &mut self,
        hands: &mut H,
        first: Step,
        at: Stamp,
    ) -> Result<Rest, CoreError> {
        let (mut next, mut at) = (first, at);
        loop {
            self.make_durable(&next, &at)?;
            let Some(effect) = next.effect else { return Ok(Rest::Quiet) };
            match hands.perform(&effect).await {
                Outcome::Event(event) => {
                    at = self.stamp(hands);
                    next = step(&self.journal.state, event, &at)?;
                }
                Outcome::GoingDown => return Ok(Rest::GoingDown),
            }
        }
    }

    fn stamp<H: Hands>(&self, hands: &mut H) -> Stamp {
        Stamp { boot_count: self.boot.count, ..hands.stamp() }
    }

    fn make_durable(&mut self, next: &Step, at: &Stamp) -> Result<(), CoreError> {
        let mut journal = self.journal.after(next, self.disk.last_seq(), at);
        journal.boot.clone_from(&self.boot);
        self.keep(journal)
    }

    fn keep(&mut self, journal: Journal) -> Result<(), CoreError> {
        if journal != self.journal {
            self.disk.write_journal(&journal).map_err(CoreError::Keep)?;
            self.journal = journal;
        }
        match self.catch_up() {
            // A full ledger must not stop the way back; the journal carries the entries on, and the
            // gate lets no update begin.
            Err(CoreError::Keep(failure)) if failure.reason == Reason::LedgerFull => Ok(()),
            Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
