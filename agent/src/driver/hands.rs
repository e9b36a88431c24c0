//! Doing what the machine asks for, on the real device.
//!
//! Each effect ends in one event; what went wrong is a reason, never a panic. Not here: the order of
//! things ([`super::core`]) and decisions ([`super::gate`]).
//! Invariant: the installer's write of no return gets a permit by value that was issued in this run,
//! for this goal, after the way back was made ready.

use super::backoff::millis;
use super::core::{Hands, Outcome};
use super::device::{Again, Device};
use super::gate::Gate;
use crate::edge::{Clock as _, Content, Failure, Restart};
use crate::health;
use crate::installer::Installer as _;
use crate::ledger::refusals::{Refusal, clip};
use crate::machine::effect::Effect;
use crate::machine::event::Event;
use crate::machine::state::{Acceptance, Attempt, Goal, Terms};
use crate::machine::step::Stamp;
use crate::permit::Permit;
use patchward_protocol::approval::Need;
use patchward_protocol::clinical::AppId;
use patchward_protocol::decision::Held;
use patchward_protocol::ledger::ClinicalState;
use patchward_protocol::reason::{Class, Reason};
use patchward_protocol::tuf::custom;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use std::time::Duration;

/// Time between two looks for the applications of a new image.
const HELLO_AGAIN: Duration = Duration::from_millis(250);
/// Longest time before applications are asked again to lock the start of therapy, in milliseconds.
const LOCK_AGAIN_MS_MAX: u64 = 300_000;

impl Hands for Device {
    async fn perform(&mut self, effect: &Effect) -> Outcome {
        tracing::info!(effect = effect.name(), "begins");
        match effect {
            Effect::Stage { goal } => Outcome::Event(self.stage(goal).await),
            Effect::AskAgain { goal } => Outcome::Event(self.ask_again(goal).await),
            Effect::Arm { goal } => Outcome::Event(self.arm(goal).await),
            Effect::Activate { attempt } => Outcome::Event(self.activate(attempt).await),
            Effect::Restart { attempt } => self.restart(attempt).await,
            Effect::CheckHealth { attempt } => Outcome::Event(self.check_health(attempt).await),
            Effect::Keep { attempt } => Outcome::Event(self.keep(attempt).await),
            Effect::GoBack { attempt } => self.go_back(attempt).await,
            Effect::Discard { .. } => {
                if let Err(failure) = self.installer.discard().await {
                    tracing::warn!(failure = failure.chain(), "what was staged is not all removed");
                }
                Outcome::Event(Event::Discarded)
            }
        }
    }

    fn stamp(&mut self) -> Stamp {
        let judged = self.judged();
        Stamp {
            boot_ms: self.clock.boot_ms(),
            utc: judged.utc,
            quality: judged.quality,
            boot_count: self.known.journal.boot.count,
        }
    }
}

impl Device {
    async fn stage(&mut self, goal: &Goal) -> Event {
        let Some(offered) = self.offers.of(goal).cloned() else {
            return Event::Withdrawn { reason: self.offers.why_gone(goal) };
        };
        match self.fetch_and_stage(&offered.image).await {
            Ok((carried, reason)) => Event::Staged { carried: Some(carried), reason },
            Err(failure) => {
                tracing::warn!(
                    failure = failure.chain(),
                    code = failure.reason.code(),
                    "not staged"
                );
                if failure.reason.class() != Class::Hold {
                    self.refusals.push(Refusal {
                        reason: failure.reason,
                        document_sha256: Some(goal.image.image_sha256),
                        detail: failure.chain(),
                    });
                }
                let wait = if failure.reason == Reason::NotStagedYet {
                    0
                } else {
                    self.backoff.next_ms(&mut self.rng)
                };
                self.fetch_due_ms = self.clock.boot_ms().saturating_add(wait);
                Event::StageFailed { reason: failure.reason }
            }
        }
    }

    async fn ask_again(&mut self, goal: &Goal) -> Event {
        let Some(offered) = self.offers.of(goal).cloned() else {
            return Event::Withdrawn { reason: self.offers.why_gone(goal) };
        };
        if let Err(failure) = self.installer.check_staged(&offered.image).await {
            return self.stage_lost(&failure);
        }
        if !offered.admitted.conditions.offline_ok {
            self.make_contact().await;
            self.tell_ahead().await;
            // From here on to the write a stop is heard at once.
            self.stand();
        }
        self.ask_gate(goal).await.0
    }

    async fn arm(&mut self, goal: &Goal) -> Event {
        if let Err(failure) = self.installer.arm().await {
            return self.stage_lost(&failure);
        }
        let (event, permit) = match self.interlock.lock(self.worst_s(goal)).await {
            Ok(()) => {
                self.lock_again = Again::default();
                self.ask_gate(goal).await
            }
            Err(reason) => {
                let first_ms = millis(self.config.clinical.probe_every);
                let boot_ms = self.clock.boot_ms();
                self.lock_again.wait_longer(first_ms, LOCK_AGAIN_MS_MAX, boot_ms);
                self.reasons = vec![reason];
                let in_use = reason == Reason::InUse;
                let clinical_state =
                    if in_use { ClinicalState::InUse } else { ClinicalState::Unknown };
                (Event::Blocked { reason, clinical_state }, None)
            }
        };
        if permit.is_none() {
            self.interlock.release();
        }
        self.permit = permit;
        event
    }

    /// How long the device may be out of use, in seconds.
    fn worst_s(&self, goal: &Goal) -> u64 {
        let own_s = self.known.journal.longest_ms.saturating_mul(3).div_ceil(2000);
        let signed = self.offers.of(goal);
        signed.map_or(own_s, |offered| offered.admitted.worst_s.max(own_s))
    }

    fn stage_lost(&mut self, failure: &Failure) -> Event {
        tracing::warn!(failure = failure.chain(), "the staged image is not whole");
        if failure.reason.class() == Class::Untrusted {
            self.refusals.push(Refusal {
                reason: failure.reason,
                document_sha256: None,
                detail: failure.chain(),
            });
        }
        Event::StageLost { reason: failure.reason }
    }

    /// The gate's word as an event, with the permit where there is one.
    pub async fn ask_gate(&mut self, goal: &Goal) -> (Event, Option<Permit>) {
        match self.gate(goal).await {
            Gate::Go(permit) => {
                self.reasons.clear();
                let terms = self.terms(permit.image(), goal).await;
                let event = Event::Go {
                    slot: permit.slot(),
                    start_by_boot_ms: permit.start_by_boot_ms(),
                    clinical_state: permit.clinical_state(),
                    terms: Box::new(terms),
                };
                (event, Some(*permit))
            }
            Gate::Wait(reasons, clinical_state) => {
                let reason = reasons.first().copied().unwrap_or(Reason::NotStagedYet);
                self.reasons = reasons;
                (Event::Blocked { reason, clinical_state }, None)
            }
            Gate::Never(reason) => {
                self.reasons = vec![reason];
                (Event::Withdrawn { reason }, None)
            }
        }
    }

    async fn terms(&self, image: &Verified<ImageTarget>, goal: &Goal) -> Terms {
        let asked = self
            .offers
            .of(goal)
            .is_none_or(|offered| offered.admitted.conditions.acceptance == Need::Required);
        let firmware = &image.firmware;
        let acceptance = match firmware.acceptance {
            custom::Acceptance::Human => Acceptance::ByPerson,
            custom::Acceptance::None | custom::Acceptance::SelfTest if asked => {
                Acceptance::ByPerson
            }
            custom::Acceptance::None | custom::Acceptance::SelfTest => Acceptance::ByChecks,
        };
        Terms {
            from: self.known.running.clone(),
            acceptance,
            image_floor: firmware.rollback_ok.iter().copied().min().unwrap_or(firmware.seq),
            settings_before: self.fingerprint().await,
            attended_by: self.local.present(self.clock.boot_ms()).map(|present| present.by),
        }
    }

    async fn fingerprint(&self) -> Option<patchward_protocol::digest::Sha256Digest> {
        health::settings::fingerprint(&self.config.settings).await.unwrap_or_else(|failure| {
            tracing::warn!(failure = failure.chain(), "the settings could not be read");
            None
        })
    }

    async fn activate(&mut self, attempt: &Attempt) -> Event {
        let failed = |reason| Event::ActivationFailed { reason };
        let wanted = &attempt.goal.image.image_sha256;
        let permit = self.permit.take();
        let fits = |permit: &Permit| {
            permit.approval_sha256() == attempt.goal.approval.sha256
                && permit.image().firmware.payload.image_sha256 == *wanted
        };
        let Some(permit) = permit.filter(fits) else { return failed(Reason::PowerLost) };
        self.take_deferrals();
        self.overhear().await;
        let held_here = (self.held_here() == Held::Yes).then_some(Reason::HeldHere);
        if let Some(reason) = held_here.or_else(|| self.stopped_by_server(&attempt.goal)) {
            self.interlock.release();
            return failed(reason);
        }
        if let Err(reason) = self.interlock.go() {
            tracing::warn!(reason = reason.code(), "the lock did not hold until the write");
            return failed(reason);
        }
        self.activated_boot_ms = Some(self.clock.boot_ms());
        match self.installer.activate(permit).await {
            Ok(()) => Event::Activated,
            Err(failure) => {
                tracing::error!(failure = failure.chain(), "not activated");
                self.interlock.release();
                failed(failure.reason)
            }
        }
    }

    async fn restart(&mut self, attempt: &Attempt) -> Outcome {
        if self.activated_boot_ms.is_none()
            && let Err(reason) = self.wait_until_free(attempt).await
        {
            return Outcome::Event(Event::RestartFailed { reason });
        }
        match self.installer.restart().await {
            Ok(Restart::GoingDown) => Outcome::GoingDown,
            Ok(Restart::Done) => {
                let wanted = Content::Image(attempt.goal.image.image_sha256);
                let runs = self.installer.observe().await.map(|observed| observed.running);
                Outcome::Event(match runs {
                    Ok(running) if running == wanted => Event::Restarted,
                    Ok(_) | Err(_) => Event::RestartFailed { reason: Reason::RestartFailed },
                })
            }
            Err(failure) => {
                tracing::error!(failure = failure.chain(), "not restarted");
                Outcome::Event(Event::RestartFailed { reason: failure.reason })
            }
        }
    }

    /// The agent was restarted after the write, and no lock outlives it: who has come to depend on
    /// the device since is not disturbed. It waits for the interlock as long as the slot allows.
    async fn wait_until_free(&mut self, attempt: &Attempt) -> Result<(), Reason> {
        let est_s = self.worst_s(&attempt.goal);
        loop {
            let present = self.local.present(self.clock.boot_ms());
            let free = self.interlock.ask(present.as_ref()).await.lease().is_some();
            if free && self.interlock.lock(est_s).await.is_ok() && self.interlock.go().is_ok() {
                return Ok(());
            }
            if self.clock.boot_ms() > attempt.start_by_boot_ms {
                return Err(Reason::SlotTooShort);
            }
            tracing::warn!("the restart that completes the update waits for the interlock");
            tokio::time::sleep(self.config.clinical.probe_every).await;
        }
    }

    async fn check_health(&mut self, attempt: &Attempt) -> Event {
        let target = attempt.goal.image.image_sha256;
        let unhealthy = |reason, detail: String| Event::Unhealthy { reason, detail: clip(&detail) };
        let observed = match self.installer.observe().await {
            Ok(observed) => observed,
            Err(failure) => return unhealthy(failure.reason, failure.chain()),
        };
        match health::check(&self.config.health, &self.clock, observed, target).await {
            Ok(()) => {
                if let Some(app) = self.silent_app(attempt).await {
                    let detail = format!("{app} did not say hello with the new version");
                    return unhealthy(Reason::HealthSilent, detail);
                }
                let now = self.clock.boot_ms();
                let began = self.activated_boot_ms.take();
                self.measured_ms = began.map(|began| now.saturating_sub(began));
                Event::Healthy { settings_after: self.fingerprint().await }
            }
            Err(bad) => unhealthy(bad.reason, bad.detail),
        }
    }

    /// An application that has not said hello with the new version by `health.ready_within_s`.
    async fn silent_app(&self, attempt: &Attempt) -> Option<AppId> {
        let began_boot_ms = self.clock.boot_ms();
        let within_ms = millis(self.config.health.ready_within);
        loop {
            let silent = self.interlock.without_version(&attempt.goal.image.version);
            let waited_ms = self.clock.boot_ms().saturating_sub(began_boot_ms);
            if silent.is_none() || waited_ms >= within_ms {
                return silent;
            }
            tokio::time::sleep(HELLO_AGAIN).await;
        }
    }

    async fn keep(&mut self, attempt: &Attempt) -> Event {
        // Floors first: a floor that is raised too early keeps an old image out, one that is raised
        // too late lets it in.
        let (floor, serial) = (attempt.terms.image_floor, attempt.goal.serial);
        let raised = self
            .family
            .raise_image_seq(floor)
            .and_then(|()| self.site.change_floors(|floors| floors.raise_approval_serial(serial)));
        if let Err(error) = raised {
            tracing::error!(%error, "the floors could not be raised");
            return Event::KeepFailed { reason: Reason::StorageFailed };
        }
        if let Err(failure) = self.installer.keep().await {
            tracing::error!(failure = failure.chain(), "the new image could not be made to stay");
            return Event::KeepFailed { reason: failure.reason };
        }
        Event::Kept
    }

    async fn go_back(&mut self, attempt: &Attempt) -> Outcome {
        let failed = |failure: &Failure| {
            let detail = clip(&failure.chain());
            Outcome::Event(Event::GoingBackFailed { reason: Reason::RollbackFailed, detail })
        };
        if let Err(failure) = self.installer.go_back().await {
            return failed(&failure);
        }
        for _try in 0..2 {
            match self.installer.observe().await {
                Ok(observed) if is_back(observed.running, attempt) => {
                    return Outcome::Event(Event::WentBack);
                }
                Ok(_) => {}
                Err(failure) => return failed(&failure),
            }
            match self.installer.restart().await {
                Ok(Restart::Done) => {}
                Ok(Restart::GoingDown) => return Outcome::GoingDown,
                Err(failure) => return failed(&failure),
            }
        }
        match self.installer.observe().await {
            Ok(observed) if is_back(observed.running, attempt) => Outcome::Event(Event::WentBack),
            Ok(_) | Err(_) => failed(&Failure::new(
                Reason::RollbackFailed,
                "after going back and restarting, something else runs",
            )),
        }
    }
}

fn is_back(running: Content, attempt: &Attempt) -> bool {
    match (running, &attempt.terms.from) {
        (Content::Image(digest), Some(from)) => digest == from.image_sha256,
        (Content::Image(digest), None) => digest != attempt.goal.image.image_sha256,
        (Content::Unknown, _) => false,
    }
}
