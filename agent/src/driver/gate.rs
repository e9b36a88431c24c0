//! The gate: gathers what the device observes and asks for a permit.
//!
//! The decision is `protocol::decision`, inside [`Permit::issue`]; nothing is decided twice.
//! Not here: what is done with a permit. Invariant: no permit without a fresh answer of the interlock.

use super::device::Device;
use crate::edge::Clock as _;
use crate::holds::{Memory, concerns};
use crate::machine::state::Goal;
use crate::permit::{NoPermit, Permit, Proofs, conditions, power};
use crate::trust::offers::{Offered, over, signing};
use patchward_protocol::decision::{Heard, Held, HeldByServer, LedgerRoom, Moment, Staging};
use patchward_protocol::directive::WaveOpen;
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::ClinicalState;
use patchward_protocol::reason::Reason;

/// The gate's word.
#[derive(Debug)]
pub enum Gate {
    /// Go, with this permit.
    Go(Box<Permit>),
    /// Not now: every reason, the first to be shown.
    Wait(Vec<Reason>, ClinicalState),
    /// Not any more.
    Never(Reason),
}

impl Device {
    /// Asks everything afresh and then for a permit.
    pub async fn gate(&mut self, goal: &Goal) -> Gate {
        self.ask_own_clock().await;
        let power = power::ask(&self.config.clinical).await;
        let limit = self.config.clinical.probe_limit;
        self.conditions = conditions::look(&self.config.conditions, power, limit).await;
        self.take_deferrals();
        let present = self.local.present(self.clock.boot_ms());
        let answer = self.interlock.ask(present.as_ref()).await;
        let clinical = answer.clinical_state();
        self.note_use(clinical);
        self.overhear().await;
        let judged = self.judged();
        if self.site.set().is_none() || self.family.set().is_none() {
            // What is held could not be verified again; the next contact brings it.
            return Gate::Wait(vec![Reason::ServerUnreachable], clinical);
        }
        let Some(offered) = self.offers.of(goal).cloned() else {
            return Gate::Never(self.offers.why_gone(goal));
        };
        if let Some(reason) = over(&offered.admitted, judged.utc) {
            return Gate::Never(reason);
        }
        let moment = Moment {
            at: judged.utc,
            quality: judged.quality,
            clock: judged.agreement,
            open: self.heard_open(&offered),
            proof: self.proofs.proven(&offered),
            held_by_server: self.held_by_server(&offered.admitted.image),
            held_here: self.held_here(),
            interlock: answer.interlock(),
            own_worst_s: self.known.journal.longest_ms.saturating_mul(3).div_ceil(2000),
            reserve_s: self.config.timing.reserve.as_secs(),
            mains: power.mains,
            battery_percent: power.battery_percent,
            staging: Staging::Ready,
            ledger: match self.known.room {
                crate::ledger::Room::Enough => LedgerRoom::Enough,
                crate::ledger::Room::Full => LedgerRoom::Full,
            },
            person: present.map(|present| present.by),
        };
        let Some(site) = self.site.set() else { return Gate::Never(Reason::NoApproval) };
        let (own, signing) = (self.own(), signing(site));
        let proofs = Proofs {
            own: &own,
            approval: &offered.approval,
            approval_sha256: offered.approval_sha256,
            signers: &signing.signers,
            weakest_allowed: signing.weakest_allowed,
            image: &offered.image,
            installed: offered.installed.as_ref(),
        };
        match Permit::issue(&proofs, &moment, &answer, self.clock.boot_ms()) {
            Ok(permit) if self.is_early(&permit, &moment) => {
                Gate::Wait(vec![Reason::SlotNotOpen], clinical)
            }
            Ok(permit) => self.with_conditions(permit, clinical),
            Err(NoPermit::Never(reason)) => Gate::Never(reason),
            Err(NoPermit::Installed) => Gate::Never(Reason::NotNewer),
            Err(NoPermit::NotNow(reasons)) => {
                let mut reasons = self.said_better(reasons);
                reasons.extend(self.unmet());
                Gate::Wait(reasons, clinical)
            }
        }
    }

    /// What the hospital asks for holds; what this device asks for must hold as well.
    fn with_conditions(&self, permit: Permit, clinical: ClinicalState) -> Gate {
        let mut unmet: Vec<Reason> = self.unmet().collect();
        if self.clock.boot_ms() < self.lock_again.boot_ms {
            // Applications that did not lock are not asked again at once.
            unmet.push(Reason::InterlockNotReady);
        }
        if unmet.is_empty() { Gate::Go(Box::new(permit)) } else { Gate::Wait(unmet, clinical) }
    }

    fn unmet(&self) -> impl Iterator<Item = Reason> {
        self.conditions.iter().filter_map(conditions::Found::blocks)
    }

    /// Whether somebody at the device said not now.
    pub fn held_here(&self) -> Held {
        let boot_ms = self.clock.boot_ms();
        let unkept = boot_ms < self.deferred_until_boot_ms;
        if unkept || self.local.stopped(boot_ms).is_some() { Held::Yes } else { Held::No }
    }

    /// A deferral that was said on the clinical socket stands in the same file as any other.
    pub fn take_deferrals(&mut self) {
        let Some((minutes, by)) = self.interlock.take_deferred().pop() else { return };
        let boot_ms = self.clock.boot_ms();
        if let Err(error) = self.local.defer(&by, minutes.get(), boot_ms) {
            tracing::error!(%error, "a deferral could not be kept; it counts until the agent ends");
            let ms = u64::from(minutes.get()).saturating_mul(60_000);
            self.deferred_until_boot_ms = boot_ms.saturating_add(ms);
        }
    }

    /// Neighbours do not start together: a random part of the slot's beginning is left out, where
    /// the rest is long enough.
    fn is_early(&self, permit: &Permit, moment: &Moment) -> bool {
        let Some(at) = moment.at else { return true };
        let into_ms = u64::try_from(at.millis_since(permit.slot().start())).unwrap_or(0);
        let wait_ms = self.spread_ms.saturating_sub(into_ms);
        let latest = permit.start_by_boot_ms();
        wait_ms > 0 && self.clock.boot_ms().saturating_add(wait_ms) < latest
    }

    /// That the server cannot be reached says more than that its word is missing.
    fn said_better(&self, mut reasons: Vec<Reason>) -> Vec<Reason> {
        if let (Some(first), Some(failed)) = (reasons.first_mut(), self.contact_failed)
            && *first == Reason::WaveNotOpen
        {
            *first = failed;
        }
        reasons
    }

    fn heard_open(&self, offered: &Offered) -> Option<Heard> {
        let word = self.word.as_ref()?;
        let admitted = &offered.admitted;
        let image = admitted.image.image_sha256;
        let named = |open: &&WaveOpen| {
            open.approval_sha256 == admitted.approval_sha256
                && open.wave == admitted.wave
                && open.image_sha256.is_none_or(|said| said == image)
        };
        let open = word.directive.open.iter().find(named)?;
        let age_ms = self.clock.boot_ms().saturating_sub(word.asked_boot_ms);
        Some(Heard {
            approval_sha256: open.approval_sha256,
            image_sha256: open.image_sha256,
            wave: open.wave,
            age_s: age_ms.div_ceil(1000),
        })
    }

    fn held_by_server(&self, wanted: &ImageRef) -> HeldByServer {
        if self.holds.memory() == Memory::Unreadable {
            return HeldByServer::BySite;
        }
        let own = &self.membership.device;
        let concerning = self.holds.standing().filter(|hold| concerns(hold, own, Some(wanted)));
        HeldByServer::of(concerning.map(|hold| hold.by))
    }

    /// Whether what was heard since the gate was asked stops an update that is about to be written.
    pub fn stopped_by_server(&self, goal: &Goal) -> Option<Reason> {
        let Some(offered) = self.offers.of(goal) else { return Some(Reason::NoApproval) };
        let admitted = &offered.admitted;
        if self.held_by_server(&admitted.image).blocks(admitted.action) {
            return Some(Reason::HeldByServer);
        }
        let waived = admitted.conditions.offline_ok && admitted.wave == 0;
        (!waived && self.heard_open(offered).is_none()).then_some(Reason::WaveNotOpen)
    }
}
