//! What happens next to an update: the best offer, the gate's word, a person's word.
//!
//! Not here: taking the event ([`super::core`]), and deciding whether an offer or a moment is right.
//! Invariant: an event names only what verified documents admit at this look.

use super::backoff::millis;
use super::run::Driver;
use crate::edge::Clock as _;
use crate::ledger::refusals::Refusal;
use crate::local::Says;
use crate::machine::event::Event;
use crate::machine::state::{ATTEMPTS_MAX, Goal, Resting};
use crate::trust::offers::{Offered, over};
use patchward_protocol::ledger::ApprovalRef;
use patchward_protocol::reason::Reason;

/// Shortest time between contacts that only ask whether the wave is open, in milliseconds.
const WAVE_POLL_MS: u64 = 60_000;

impl Driver {
    /// What happens next, if anything does now.
    pub(super) async fn next_event(&mut self) -> Option<Event> {
        let state = self.core.journal().state.clone();
        let now_ms = self.device.clock.boot_ms();
        match state.rest() {
            Resting::Idle => {
                self.device.read_offers_if_changed();
                self.offer(None)
            }
            Resting::BeforeFetching(goal) => self
                .changed(goal)
                .or_else(|| (now_ms >= self.device.fetch_due_ms).then_some(Event::FetchDue)),
            Resting::BeforeStart(goal) => {
                if let Some(event) = self.changed(goal) {
                    return Some(event);
                }
                if now_ms < self.gate_due_ms {
                    return None;
                }
                self.gate_due_ms = now_ms.saturating_add(self.gate_every_ms());
                let (event, permit) = self.device.ask_gate(goal).await;
                drop(permit);
                self.ask_for_the_wave(&event);
                Some(event)
            }
            Resting::Acceptance => self.word(&[Says::Accept, Says::Reject]),
            Resting::Service => self.word(&[Says::Serviced]),
            Resting::Nowhere => None,
        }
    }

    fn gate_every_ms(&self) -> u64 {
        let probe = self.device.config.clinical.probe_every;
        millis(self.device.config.timing.gate_every.min(probe))
    }

    /// Everything holds but the server's word that the wave is open: ask, not too often.
    fn ask_for_the_wave(&mut self, event: &Event) {
        let Event::Blocked { reason: Reason::WaveNotOpen, .. } = event else { return };
        let wait = WAVE_POLL_MS.min(millis(self.device.config.timing.poll));
        let due = self.asked_server_ms.saturating_add(wait);
        self.device.contact_due_ms = self.device.contact_due_ms.min(due);
    }

    /// A better offer, or the end of the present one.
    fn changed(&mut self, goal: &Goal) -> Option<Event> {
        if self.device.site.set().is_none() || self.device.family.set().is_none() {
            return None;
        }
        let utc = self.device.judged().utc;
        let Some(present) = self.device.offers.of(goal) else {
            return Some(Event::Withdrawn { reason: self.device.offers.why_gone(goal) });
        };
        if let Some(reason) = over(&present.admitted, utc) {
            return Some(Event::Withdrawn { reason });
        }
        self.offer(Some(goal))
    }

    fn offer(&mut self, present: Option<&Goal>) -> Option<Event> {
        let utc = self.device.judged().utc;
        let past = self.device.offers.past(utc);
        self.device.refusals.extend(past);
        let best = self.device.offers.best(utc)?;
        let better = present.is_none_or(|goal| {
            (best.admitted.serial, best.admitted.image.seq) > (goal.serial, goal.image.seq)
        });
        if !better {
            return None;
        }
        let goal = goal_of(best, self.core.journal().attempts_of(best.admitted.image.image_sha256));
        if goal.attempts_before >= ATTEMPTS_MAX {
            self.device.refusals.push(Refusal {
                reason: Reason::AttemptsSpent,
                document_sha256: Some(goal.approval.sha256),
                detail: Reason::AttemptsSpent.en().to_owned(),
            });
            return None;
        }
        Some(Event::Offered { goal: Box::new(goal) })
    }

    fn word(&mut self, answers: &[Says]) -> Option<Event> {
        let word = self.device.local.word()?;
        if let Err(error) = self.device.local.take_word() {
            tracing::error!(%error, "a person's word could not be taken away");
            return None;
        }
        let person = word.by;
        answers.contains(&word.says).then_some(match word.says {
            Says::Accept => Event::Accepted { person },
            Says::Reject => Event::Rejected { person },
            Says::Serviced => Event::Serviced { person },
        })
    }
}

fn goal_of(offered: &Offered, attempts_before: u32) -> Goal {
    let admitted = &offered.admitted;
    Goal {
        image: admitted.image.clone(),
        path: offered.image.path.clone(),
        approval: ApprovalRef {
            sha256: admitted.approval_sha256,
            id: admitted.approval_id.clone(),
            weakest_method: admitted.weakest_method,
        },
        serial: admitted.serial,
        attempts_before,
        action: admitted.action,
        spent_key: Some(admitted.spent_key),
    }
}
