//! What a device does when its machine asks for it: contact, gate, effects; and what breaks meanwhile.

use crate::device::{Body, Down, Drive, Fate, seal};
use crate::hospital::{family, hardware, one_in, path_of};
use crate::monitor::{Monitor, Truth};
use crate::server::{Honesty, Server, as_listed};
use patchward_agent::clock::{self, Heard as At, Judged};
use patchward_agent::driver::core::{Core, Hands, Outcome};
use patchward_agent::machine::effect::Effect;
use patchward_agent::machine::event::Event;
use patchward_agent::machine::state::{Acceptance, Attempt, Goal, Terms};
use patchward_agent::machine::step::Stamp;
use patchward_protocol::approval::Action;
use patchward_protocol::decision::{
    Admission, Admitted, Decision, Heard, Held, HeldByServer, Interlock, LedgerRoom, Moment, Offer,
    Own, SignedBy, Staging, admit, decide,
};
use patchward_protocol::directive::HoldBy;
use patchward_protocol::gate::count::Rollout as Which;
use patchward_protocol::gate::{Consent, may_go};
use patchward_protocol::id::{DeviceId, PersonId};
use patchward_protocol::ledger::{ApprovalRef, ClinicalState, Kind, SigningMethod};
use patchward_protocol::proof::{Proven, check};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Firmware, Kind as Installer};
use patchward_tests::chance::Chance;
use std::collections::HashMap;
use std::rc::Rc;

/// Proofs that were checked once, by everything that the check depends on.
pub type Memo = HashMap<(usize, u64, Which, u32, Option<DeviceId>), Result<Proven, Reason>>;

/// How often things go wrong: once in so many times, 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub cut_one_in: u64,
    pub lost_one_in: u64,
    pub probe_silent_one_in: u64,
}

/// An offer that the device may act on.
pub struct Candidate {
    pub admitted: Admitted,
    pub firmware: Rc<Firmware>,
}

pub struct SimHands<'a> {
    pub body: &'a mut Body,
    pub server: &'a mut Server,
    pub monitor: &'a mut Monitor,
    pub chance: &'a mut Chance,
    pub memo: &'a mut Memo,
    pub faults: Faults,
    pub now: Timestamp,
    pub own: Own,
}

impl Hands for SimHands<'_> {
    async fn perform(&mut self, effect: &Effect) -> Outcome {
        if self.cut() {
            return Outcome::GoingDown;
        }
        let outcome = self.act(effect);
        if self.body.down.is_none() && !matches!(outcome, Outcome::GoingDown) && self.cut() {
            return Outcome::GoingDown;
        }
        outcome
    }

    fn stamp(&mut self) -> Stamp {
        let judged = self.judged();
        Stamp {
            boot_ms: self.body.boot_ms(self.now),
            utc: judged.utc,
            quality: judged.quality,
            boot_count: 0,
        }
    }
}

impl SimHands<'_> {
    fn cut(&mut self) -> bool {
        if !one_in(self.chance, self.faults.cut_one_in) {
            return false;
        }
        self.monitor.power_cuts += 1;
        self.body.down = Some(if one_in(self.chance, 3) {
            Down::AgentKilled(10)
        } else {
            Down::Restarts(60 + self.chance.below(600) as i64)
        });
        true
    }

    fn act(&mut self, effect: &Effect) -> Outcome {
        let event = match effect {
            Effect::Stage { goal } if !self.body.is_offline(self.now) => {
                self.body.staged = Some(goal.image.image_sha256);
                Event::Staged { carried: None, reason: None }
            }
            Effect::Stage { .. } => Event::StageFailed { reason: Reason::ServerUnreachable },
            Effect::AskAgain { goal } => {
                self.check_in();
                self.tell_ahead();
                self.gate(goal)
            }
            Effect::Arm { goal } => {
                self.body.way_back = Some(self.body.running);
                self.gate(goal)
            }
            Effect::Activate { attempt } => {
                self.activate(attempt);
                Event::Activated
            }
            Effect::Restart { .. } => return self.restart(90),
            Effect::CheckHealth { attempt } => match self.body.fate(&attempt.goal.image) {
                Fate::Good | Fate::DoesNotBoot | Fate::Dies => {
                    Event::Healthy { settings_after: None }
                }
                Fate::Sick => {
                    Event::Unhealthy { reason: Reason::HealthFailed, detail: "exit 1".into() }
                }
            },
            Effect::Keep { attempt } => {
                self.keep(attempt);
                Event::Kept
            }
            Effect::GoBack { .. } => {
                let back = self.body.way_back.unwrap();
                self.body.next = back;
                if self.body.running != back {
                    return self.restart(90);
                }
                self.monitor.back(self.body.site, self.body.n);
                self.monitor.went_back += 1;
                self.note("has gone back");
                Event::WentBack
            }
            Effect::Discard { .. } => {
                self.body.staged = None;
                Event::Discarded
            }
        };
        Outcome::Event(event)
    }

    fn restart(&mut self, after_s: i64) -> Outcome {
        self.body.down = Some(Down::Restarts(after_s));
        Outcome::GoingDown
    }

    fn activate(&mut self, attempt: &Attempt) {
        let image = attempt.goal.image.image_sha256;
        assert_eq!(self.body.staged, Some(image), "only what is staged is activated");
        self.body.next = image;
        let published = self.server.published.iter();
        let found = published.enumerate().find(|(_, p)| p.sha256 == attempt.goal.approval.sha256);
        let (_, published) = found.unwrap();
        let place = published.places[&self.body.n];
        let wave = published.approval.devices[place].wave;
        let rollout = published.rollouts.iter().find(|r| r.which.image_sha256 == image).unwrap();
        let honest = self.server.honesty == Honesty::Honest;
        let hospital = self.server.hospital.clone();
        let truth = Truth {
            site: self.body.site,
            device: self.body.n,
            now: self.now,
            hospital: &hospital,
            approval: &published.approval,
            approval_sha256: published.sha256,
            image_sha256: image,
            in_use: self.body.in_use(self.now),
            hostile: !honest,
            clock_is_true: self.body.clock.is_true(self.now),
            stopped: honest && {
                let holds = self.server.truth_holds(self.body.n);
                let back = published.approval.action == Action::Rollback;
                holds.iter().any(|by| !back || matches!(by, HoldBy::Site | HoldBy::Freeze))
                    || published.consent == Consent::Withdrawn
                    || self.server.recalled.contains(&image)
            } || !self.body.remembered.is_empty(),
            halted: honest && may_go(&rollout.waves, wave).is_err(),
        };
        self.monitor.activated(&truth);
        self.note(&format!("activates {}", attempt.goal.image.version));
    }

    fn keep(&mut self, attempt: &Attempt) {
        let (body, goal) = (&mut *self.body, &attempt.goal);
        body.image_floor = body.image_floor.max(attempt.terms.image_floor);
        if goal.action == Action::Rollback {
            body.image_floor = attempt.terms.image_floor;
        }
        body.committed_at = Some(self.now);
        body.used_told = 0;
        let id = &self.own.device;
        let (approval, image) = (goal.approval.sha256, goal.image.image_sha256);
        self.monitor.committed(body.site, id, approval, image, self.now);
        self.monitor.back(body.site, body.n);
        self.note(&format!("has committed {}", goal.image.version));
    }

    pub fn note(&mut self, what: &str) {
        self.server.log.push(format!("{} {what}", self.own.device));
    }

    /// Reports what was not receipted, and hears what is new. What is lost on the way is sent again.
    pub fn contact(&mut self) {
        if self.body.is_offline(self.now) {
            return;
        }
        if one_in(self.chance, self.faults.lost_one_in) {
            self.monitor.reports_lost += 1;
            return;
        }
        self.deliver();
        if one_in(self.chance, self.faults.lost_one_in) {
            // Stored, but the receipt is lost: everything comes twice.
            self.monitor.reports_lost += 1;
        } else {
            self.body.delivered = self.body.ledger.borrow().len();
        }
        self.check_in();
    }

    /// Says that it prepares before it changes; whether that arrived is not waited for.
    fn tell_ahead(&mut self) {
        let lost = one_in(self.chance, self.faults.lost_one_in);
        if !lost && !self.body.is_offline(self.now) {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let (site, n) = (self.body.site, self.body.n);
        let entries = self.body.ledger.borrow();
        for entry in entries.get(self.body.delivered..).unwrap_or_default() {
            self.server.store(n, entry, seal(site, n, entry).as_ref(), self.now);
        }
    }

    fn check_in(&mut self) {
        if self.body.is_offline(self.now) {
            return;
        }
        let word = self.server.word(self.body.n, self.now, self.chance);
        let boot_ms = self.body.boot_ms(self.now);
        self.body.sources.server = word.time.map(|utc| At { utc, boot_ms });
        for (id, by) in &word.holds {
            if *by == HoldBy::Site {
                self.body.remembered.insert(id.clone());
            }
        }
        if self.server.honesty == Honesty::Honest {
            // Signed by the site; a liar cannot make them.
            for id in &word.lifts {
                self.body.remembered.remove(id);
            }
        }
        self.body.listed.clone_from(&word.listed);
        for at in &word.withdrawn {
            self.body.withdrawn.insert(self.server.published[*at].approval.id.clone());
        }
        for at in &word.listed {
            self.body.floor = self.body.floor.max(self.server.published[*at].approval.issued);
        }
        for image in &word.recalled {
            if !self.body.recalled.contains(image) {
                self.body.recalled.push(*image);
            }
        }
        self.body.word = Some((word, boot_ms));
        self.own.withdrawn = self.body.withdrawn.iter().cloned().collect();
    }

    pub fn judged(&mut self) -> Judged {
        let boot_ms = self.body.boot_ms(self.now);
        self.body.sources.own = self.body.clock.reading(self.now).map(|utc| At { utc, boot_ms });
        let judged = clock::judge(&self.body.sources, self.body.floor, boot_ms);
        if judged.quality == patchward_protocol::time::TimeQuality::Attested
            && let Some(utc) = judged.utc
        {
            self.body.sources.agreed = Some(At { utc, boot_ms });
        }
        judged
    }

    /// Everything that the verified documents let this device do.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = vec![];
        for at in &self.body.listed {
            let published = &self.server.published[*at];
            if !published.places.contains_key(&self.body.n) {
                continue;
            }
            for rollout in &published.rollouts {
                if let Ok(admitted) = self.admit(*at, &rollout.firmware) {
                    let firmware = rollout.firmware.clone();
                    candidates.push(Candidate { admitted, firmware });
                }
            }
        }
        candidates
    }

    fn admit(&self, at: usize, firmware: &Firmware) -> Result<Admitted, Reason> {
        let published = &self.server.published[at];
        let listed = as_listed(firmware, &self.body.recalled);
        let running = self.own.installed.as_ref().map(|image| image.image_sha256);
        let installed = self
            .server
            .releases
            .iter()
            .find(|release| Some(release.payload.image_sha256) == running);
        let signers = ["tanaka", "suzuki"].map(|name| SignedBy {
            person: PersonId::new(name).unwrap(),
            method: SigningMethod::Offline,
        });
        let offer = Offer {
            approval: &published.approval,
            approval_sha256: published.sha256,
            signers: &signers,
            weakest_allowed: SigningMethod::Offline,
            path: &path_of(firmware),
            firmware: &listed,
            installed: installed.map(AsRef::as_ref),
        };
        match admit(&self.own, &offer) {
            Admission::Admitted(admitted) => Ok(*admitted),
            Admission::Installed => Err(Reason::NotNewer),
            Admission::Refused(reason) => Err(reason),
        }
    }

    /// The highest rank, then the newest approval; a way back comes first.
    pub fn best(&mut self) -> Option<Candidate> {
        let at = self.judged().utc;
        let over = |candidate: &Candidate| over(&candidate.admitted, at).is_some();
        let alive = self.candidates().into_iter().filter(|candidate| !over(candidate));
        alive.max_by_key(|candidate| {
            let admitted = &candidate.admitted;
            (admitted.action == Action::Rollback, admitted.image.seq, admitted.serial)
        })
    }

    pub fn goal(&self, candidate: &Candidate, attempts_before: u32) -> Goal {
        let admitted = &candidate.admitted;
        Goal {
            image: admitted.image.clone(),
            path: path_of(&candidate.firmware),
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

    /// The gate, as the agent asks it.
    pub fn gate(&mut self, goal: &Goal) -> Event {
        let judged = self.judged();
        let listed = self.body.listed.iter().copied();
        let at =
            listed.into_iter().find(|at| self.server.published[*at].sha256 == goal.approval.sha256);
        let Some(at) = at else { return Event::Withdrawn { reason: Reason::NoApproval } };
        let rollouts = &self.server.published[at].rollouts;
        let image = goal.image.image_sha256;
        let rollout = rollouts.iter().find(|r| r.which.image_sha256 == image).unwrap();
        let (firmware, which) = (rollout.firmware.clone(), rollout.which);
        let admitted = match self.admit(at, &firmware) {
            Ok(admitted) => admitted,
            Err(reason) => return Event::Withdrawn { reason },
        };
        if let Some(reason) = over(&admitted, judged.utc) {
            return Event::Withdrawn { reason };
        }
        let moment = self.moment(&judged, &admitted, at, which);
        let clinical_state = match moment.interlock {
            Interlock::Free { .. } => ClinicalState::Idle,
            Interlock::InUse => ClinicalState::InUse,
            Interlock::Silent
            | Interlock::Missing
            | Interlock::NotNeeded
            | Interlock::NobodyHere => ClinicalState::Unknown,
        };
        match decide(&admitted, &moment) {
            Decision::Wait(reasons) => {
                *self.monitor.waits.entry(reasons[0].code()).or_default() += 1;
                Event::Blocked { reason: reasons[0], clinical_state }
            }
            Decision::Go { slot } => {
                let rest_ms = slot.rest_ms(moment.at.unwrap()).unwrap();
                let need_ms = (admitted.worst_s + moment.reserve_s) * 1000;
                Event::Go {
                    slot,
                    start_by_boot_ms: self.body.boot_ms(self.now) + rest_ms - need_ms,
                    clinical_state,
                    terms: Box::new(self.terms(&firmware)),
                }
            }
        }
    }

    fn terms(&self, firmware: &Firmware) -> Terms {
        Terms {
            from: self.own.installed.clone(),
            acceptance: Acceptance::ByChecks,
            image_floor: firmware.rollback_ok.iter().copied().min().unwrap_or(firmware.seq),
            settings_before: None,
            attended_by: None,
        }
    }

    fn moment(&mut self, judged: &Judged, admitted: &Admitted, at: usize, which: Which) -> Moment {
        let boot_ms = self.body.boot_ms(self.now);
        let word = self.body.word.clone();
        let open = word.as_ref().and_then(|(word, asked)| {
            let named = word.opens.iter().find(|open| {
                open.approval_sha256 == admitted.approval_sha256
                    && open.image_sha256 == admitted.image.image_sha256
                    && open.wave == admitted.wave
            })?;
            Some((named.clone(), (boot_ms - asked).div_ceil(1000)))
        });
        let served = open.as_ref().and_then(|(open, _)| open.served.clone());
        let proof = served.and_then(|served| {
            let approval = &self.server.published[at].approval;
            let (partner, wave) = (admitted.partner_first.clone(), admitted.wave);
            let key = (self.body.site, served.name, which, wave, partner);
            let checked = || check(&served.proof, approval, &which, &self.own.device);
            (*self.memo.entry(key).or_insert_with(checked)).ok()
        });
        let told = word.iter().flat_map(|(word, _)| &word.holds).map(|(_, by)| *by);
        let remembered = self.body.remembered.iter().map(|_| HoldBy::Site);
        let interlock = if one_in(self.chance, self.faults.probe_silent_one_in) {
            Interlock::Silent
        } else {
            self.body
                .free_for_s(self.now)
                .map_or(Interlock::InUse, |for_s| Interlock::Free { for_s })
        };
        Moment {
            at: judged.utc,
            quality: judged.quality,
            clock: judged.agreement,
            open: open.map(|(open, age_s)| Heard {
                approval_sha256: open.approval_sha256,
                image_sha256: Some(open.image_sha256),
                wave: open.wave,
                age_s,
            }),
            proof,
            held_by_server: HeldByServer::of(told.chain(remembered)),
            held_here: Held::No,
            interlock,
            own_worst_s: 0,
            reserve_s: Slot::RESERVE_S,
            mains: None,
            battery_percent: None,
            staging: Staging::Ready,
            ledger: LedgerRoom::Enough,
            person: None,
        }
    }
}

/// What a device knows of itself.
pub fn own(server: &Server, body: &Body, core: &Core<Drive>) -> Own {
    let journal = core.journal();
    let bedside = &server.hospital.devices[body.n];
    let running = server.releases.iter().find(|r| r.payload.image_sha256 == body.running);
    let first = crate::hospital::firmware(1, &[]).image();
    let installed = running.map(|r| r.image()).or(Some(first));
    Own {
        site: server.hospital.site.clone(),
        device: bedside.id.clone(),
        key: bedside.key,
        family: family(),
        hardware: hardware(),
        kind: Installer::Slots,
        installed: installed.filter(|image| image.image_sha256 == body.running),
        image_floor: body.image_floor,
        serial_floor: journal.serial_floor,
        withdrawn: body.withdrawn.iter().cloned().collect(),
        spent: journal.spent.clone(),
    }
}

/// Why the time of an approval is over, if it is.
pub fn over(admitted: &Admitted, at: Option<Timestamp>) -> Option<Reason> {
    let at = at?;
    if at >= admitted.valid_until {
        return Some(Reason::ApprovalOver);
    }
    admitted.slots.iter().all(|slot| slot.end() <= at).then_some(Reason::SlotsOver)
}

/// A report of clinical use since the commit.
pub fn used(
    journal: &patchward_agent::journal::Journal,
    use_s: u64,
) -> patchward_protocol::ledger::Fact {
    let mut fact = patchward_protocol::ledger::Fact::new(Kind::Used);
    fact.release.clone_from(&journal.installed);
    fact.clinical_use_s = Some(use_s);
    fact
}
