//! A hospital's server: approvals, gates, holds, reports and what it says to each device; or a liar in
//! its place, who has every key that is online and none that is not.

use crate::hospital::{DAY, Hospital, key_of, one_in};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::approval::{Action, Approval};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::gate::count::{Mark, Rollout as Which, on_entry, on_silence};
use patchward_protocol::gate::{
    Campaign, Consent, Halt, Move, WaveCounters, World, evaluate, may_go,
};
use patchward_protocol::id::{HoldId, PersonId};
use patchward_protocol::ledger::{Entry, SealedEntry};
use patchward_protocol::proof::{WaveProof, assemble};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_tests::chance::Chance;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Whether the server does what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    Honest,
    Hostile,
}

/// A published approval.
pub struct Published {
    pub approval: Rc<Approval>,
    pub sha256: Sha256Digest,
    pub consent: Consent,
    /// Which device of the hospital stands where in the approval.
    pub places: HashMap<usize, usize>,
    pub rollouts: Vec<Rollout>,
}

/// One approval and one image.
pub struct Rollout {
    pub firmware: Rc<Firmware>,
    pub which: Which,
    pub waves: Vec<WaveCounters>,
    pub marks: Vec<Mark>,
    known: Vec<SealedEntry>,
    made: HashMap<u32, (usize, Option<Rc<Served>>)>,
}

/// A proof as it is served.
pub struct Served {
    pub proof: WaveProof,
    /// Which proof of this server it is; a device would name it by its digest.
    pub name: u64,
}

#[derive(Debug, Clone)]
pub struct Hold {
    pub id: HoldId,
    pub target: HoldTarget,
    pub by: HoldBy,
}

/// What one device hears at a check-in.
#[derive(Clone, Default)]
pub struct Word {
    pub opens: Vec<Open>,
    pub holds: Vec<(HoldId, HoldBy)>,
    pub lifts: Vec<HoldId>,
    pub time: Option<Timestamp>,
    /// Approvals that the site's repository lists, by their place in [`Server::published`].
    pub listed: Vec<usize>,
    pub withdrawn: Vec<usize>,
    /// Releases that the maker took back.
    pub recalled: Vec<Sha256Digest>,
}

#[derive(Clone)]
pub struct Open {
    pub approval_sha256: Sha256Digest,
    pub image_sha256: Sha256Digest,
    pub wave: u32,
    pub served: Option<Rc<Served>>,
}

pub struct Server {
    pub hospital: Rc<Hospital>,
    pub honesty: Honesty,
    pub published: Vec<Published>,
    pub holds: Vec<Hold>,
    pub lifts: Vec<HoldId>,
    pub campaign: Campaign,
    pub releases: Vec<Rc<Firmware>>,
    pub recalled: Vec<Sha256Digest>,
    pub serial: u64,
    pub log: Vec<String>,
    named: u64,
    forged: HashMap<(Sha256Digest, Sha256Digest, u32, u64, usize), Rc<Served>>,
}

impl Server {
    pub fn new(hospital: Rc<Hospital>, honesty: Honesty) -> Self {
        Self {
            hospital,
            honesty,
            published: vec![],
            holds: vec![],
            lifts: vec![],
            campaign: Campaign::Running,
            releases: vec![],
            recalled: vec![],
            serial: 0,
            log: vec![],
            forged: HashMap::new(),
            named: 0,
        }
    }

    pub fn release(&mut self, firmware: &Rc<Firmware>) {
        self.releases.push(firmware.clone());
        for published in &mut self.published {
            if published.approval.standing.as_ref().is_some_and(|policy| policy.permits(firmware)) {
                published.begin(firmware.clone());
            }
        }
    }

    pub fn publish(&mut self, approval: Approval) -> usize {
        let sha256 = Sha256Digest::of(&approval.write().unwrap());
        let place = |n: usize| {
            let id = &self.hospital.devices[n].id;
            Some((n, approval.devices.iter().position(|device| device.id == *id)?))
        };
        let places = (0..self.hospital.devices.len()).filter_map(place).collect();
        let mut published = Published {
            approval: Rc::new(approval),
            sha256,
            consent: Consent::Stands,
            places,
            rollouts: vec![],
        };
        for firmware in &self.releases {
            let approval = &published.approval;
            let named = approval
                .release
                .as_ref()
                .is_some_and(|release| release.image_sha256 == firmware.payload.image_sha256);
            let permitted =
                approval.standing.as_ref().is_some_and(|policy| policy.permits(firmware));
            if named || permitted {
                published.begin(firmware.clone());
            }
        }
        self.published.push(published);
        self.published.len() - 1
    }

    /// Stores an entry of a device and moves the numbers.
    pub fn store(&mut self, n: usize, entry: &Entry, sealed: Option<&SealedEntry>, now: Timestamp) {
        for published in &mut self.published {
            let Some(place) = published.places.get(&n) else { continue };
            let wave = published.approval.devices[*place].wave;
            for rollout in &mut published.rollouts {
                let moved = on_entry(&rollout.which, &rollout.marks[*place], entry, now);
                let Some(moved) = moved else { continue };
                rollout.marks[*place] = moved.mark;
                let counters = &mut rollout.waves[wave as usize];
                let halt = counters.count(&published.approval, &moved.change);
                if let Some(halt) = halt {
                    let id = &published.approval.id;
                    self.log.push(format!("{id} wave {wave} halted: {}", halt.code()));
                }
                let about = entry.fact.approval.as_ref().map(|approval| approval.sha256);
                if let Some(sealed) =
                    sealed.filter(|_| about.is_none_or(|it| it == published.sha256))
                {
                    rollout.known.push(sealed.clone());
                }
            }
        }
        self.evaluate(now);
    }

    /// What follows at this instant, silence included.
    pub fn evaluate(&mut self, now: Timestamp) {
        let Self { published, holds, hospital, campaign, recalled, log, .. } = self;
        for published in published.iter_mut() {
            let (approval, places) = (published.approval.clone(), &published.places);
            if now > approval.valid_until.plus_seconds(5 * DAY) {
                continue;
            }
            for rollout in &mut published.rollouts {
                let gone = recalled.contains(&rollout.which.image_sha256);
                let world = World {
                    held_waves: held_waves(holds, hospital, &approval, places, &rollout.which),
                    campaign: *campaign,
                    consent: if gone { Consent::Withdrawn } else { published.consent },
                };
                rollout.listen(&approval, now, log);
                for what in evaluate(&approval, &rollout.waves, &world, now) {
                    rollout.waves[what.wave() as usize].take(what, now);
                    let version = &rollout.firmware.version;
                    log.push(format!("{} {version} {}", approval.id, said(what)));
                }
            }
        }
    }

    /// What this device hears now.
    pub fn word(&mut self, n: usize, now: Timestamp, chance: &mut Chance) -> Word {
        self.evaluate(now);
        match self.honesty {
            Honesty::Honest => self.truth(n, now),
            Honesty::Hostile => self.lie(n, now, chance),
        }
    }

    fn truth(&mut self, n: usize, now: Timestamp) -> Word {
        let mut opens = vec![];
        let holds = self.holds_of(n);
        for published in &mut self.published {
            let alive = now < published.approval.valid_until;
            let Some(place) = published.places.get(&n).filter(|_| alive) else { continue };
            let wave = published.approval.devices[*place].wave;
            for rollout in &mut published.rollouts {
                if may_go(&rollout.waves, wave).is_err() {
                    continue;
                }
                let served = rollout.proof(&published.approval, wave, &mut self.named);
                opens.push(Open {
                    approval_sha256: published.sha256,
                    image_sha256: rollout.which.image_sha256,
                    wave,
                    served,
                });
            }
        }
        let places = || self.published.iter().enumerate();
        Word {
            opens,
            holds,
            lifts: self.lifts.clone(),
            time: Some(now),
            listed: places()
                .filter(|(_, p)| now < p.approval.valid_until)
                .map(|(n, _)| n)
                .collect(),
            withdrawn: places()
                .filter(|(_, p)| p.consent == Consent::Withdrawn)
                .map(|p| p.0)
                .collect(),
            recalled: self.recalled.clone(),
        }
    }

    fn holds_of(&self, n: usize) -> Vec<(HoldId, HoldBy)> {
        let device = &self.hospital.devices[n];
        let reached = |hold: &&Hold| match &hold.target {
            HoldTarget::Device { device: id } => *id == device.id,
            HoldTarget::Ward { ward } => *ward == self.hospital.wards[device.ward],
            HoldTarget::Site | HoldTarget::Release { .. } => true,
        };
        self.holds.iter().filter(reached).map(|hold| (hold.id.clone(), hold.by)).collect()
    }

    /// Everything that a server with its online keys can say and should not, to each device something
    /// else: every wave open, with what passes for a proof; no hold, no withdrawal, no halt; any time.
    fn lie(&mut self, n: usize, now: Timestamp, chance: &mut Chance) -> Word {
        let mut word = self.truth(n, now);
        word.opens.clear();
        word.holds.clear();
        word.lifts = self.holds.iter().map(|hold| hold.id.clone()).collect();
        word.withdrawn.clear();
        word.recalled.clear();
        let mut shift_s = match chance.below(12) {
            0 => -3600,
            1 => chance.below(40 * DAY as u64) as i64 - 20 * DAY,
            2 => 13 * 365 * DAY,
            3 => -50 * 365 * DAY,
            _ => 0,
        };
        for at in 0..self.published.len() {
            let published = &self.published[at];
            let Some(place) = published.places.get(&n).copied() else { continue };
            let device = &published.approval.devices[place];
            let wave = device.wave;
            if n.is_multiple_of(2) && one_in(chance, 2) {
                // Into one of its slots, whatever the hour is.
                let slot = device.slots[chance.below(device.slots.len() as u64) as usize];
                shift_s = slot.start().plus_seconds(600).millis_since(now) / 1000;
            }
            for r in 0..self.published[at].rollouts.len() {
                // Some are shown the truth as soon as there is one, so that the lie about the hour counts.
                let kind = if n.is_multiple_of(3) { 1 } else { chance.below(5) };
                let served = self.forge(at, r, wave, kind);
                let rollout = &self.published[at].rollouts[r];
                word.opens.push(Open {
                    approval_sha256: self.published[at].sha256,
                    image_sha256: rollout.which.image_sha256,
                    wave,
                    served,
                });
            }
        }
        word.time = Some(now.plus_seconds(shift_s));
        word
    }

    fn forge(&mut self, at: usize, r: usize, wave: u32, kind: u64) -> Option<Rc<Served>> {
        if kind == 1 {
            // All that there truly is, whatever else it hides.
            let published = &mut self.published[at];
            return published.rollouts[r].proof(&published.approval, wave, &mut self.named);
        }
        self.named += 1;
        let published = &self.published[at];
        let rollout = &published.rollouts[r];
        let heard = self.published.iter().flat_map(|p| &p.rollouts).map(|r| r.known.len()).sum();
        let cached = (published.sha256, rollout.which.image_sha256, wave, kind, heard);
        if let Some(served) = self.forged.get(&cached) {
            return Some(served.clone());
        }
        let real = rollout.known.first().map(|sealed| sealed.envelope.clone());
        let name = self.named;
        let served = |entries| {
            let proof = WaveProof {
                v: 1,
                approval_sha256: published.sha256,
                image_sha256: rollout.which.image_sha256,
                wave,
                entries,
                acts: vec![],
            };
            Some(Rc::new(Served { proof, name }))
        };
        let served = match kind {
            0 => None,
            // One entry, ever again.
            2 => served(real.map_or(vec![], |one| vec![one; 20])),
            // What devices said under other approvals.
            3 => {
                let others = self.published.iter().filter(|other| other.sha256 != published.sha256);
                let known = others.flat_map(|other| &other.rollouts).flat_map(|r| &r.known);
                served(known.take(40).map(|sealed| sealed.envelope.clone()).collect())
            }
            // In the devices' names, with keys of its own.
            _ => {
                let before = wave.saturating_sub(1);
                let names = published.approval.devices.iter().filter(|d| d.wave == before).take(6);
                let mut envelopes = vec![];
                for (i, device) in names.enumerate() {
                    let entry = crate::device::committed_entry(
                        device.id.clone(),
                        published.sha256,
                        &published.approval.id,
                        rollout.firmware.image(),
                        published.approval.issued,
                    );
                    let sealed = SealedEntry::seal(entry, &key_of(9999, i)).unwrap();
                    envelopes.push(sealed.envelope);
                }
                served(envelopes)
            }
        }?;
        self.forged.insert(cached, served.clone());
        Some(served)
    }

    /// A person of the site looks and signs that the wave may go on. Whether one did.
    pub fn resume(&mut self, at: usize, now: Timestamp) -> bool {
        let published = &mut self.published[at];
        let mut any = false;
        for rollout in &mut published.rollouts {
            for counters in &mut rollout.waves {
                if !counters.state.halted_because().is_some_and(Halt::needs_act) {
                    continue;
                }
                let act = resume(&published.approval, published.sha256, counters, now);
                counters.resume(published.sha256, &act).unwrap();
                self.log.push(format!("{} wave {} resumed", published.approval.id, counters.wave));
                any = true;
            }
        }
        self.evaluate(now);
        any
    }
}

impl Published {
    fn begin(&mut self, firmware: Rc<Firmware>) {
        self.rollouts.push(Rollout {
            which: Which {
                approval_sha256: self.sha256,
                image_sha256: firmware.payload.image_sha256,
            },
            firmware,
            waves: WaveCounters::of(&self.approval),
            marks: vec![Mark::BEGIN; self.approval.devices.len()],
            known: vec![],
            made: HashMap::new(),
        });
    }
}

impl Rollout {
    fn proof(&mut self, approval: &Approval, wave: u32, named: &mut u64) -> Option<Rc<Served>> {
        if let Some((known, served)) = self.made.get(&wave)
            && *known == self.known.len()
        {
            return served.clone();
        }
        *named += 1;
        let name = *named;
        let served = assemble(approval, &self.which, wave, &self.known);
        let served = served.map(|proof| Rc::new(Served { proof, name }));
        self.made.insert(wave, (self.known.len(), served.clone()));
        served
    }

    fn listen(&mut self, approval: &Approval, now: Timestamp, log: &mut Vec<String>) {
        for place in 0..self.marks.len() {
            let moved = on_silence(&approval.gates, &self.marks[place], now);
            let Some(moved) = moved else { continue };
            self.marks[place] = moved.mark;
            let device = &approval.devices[place];
            log.push(format!("{} is silent", device.id));
            let halt = self.waves[device.wave as usize].count(approval, &moved.change);
            if let Some(halt) = halt {
                log.push(format!("{} wave {} halted: {}", approval.id, device.wave, halt.code()));
            }
        }
    }
}

fn held_waves(
    holds: &[Hold],
    hospital: &Hospital,
    approval: &Approval,
    places: &HashMap<usize, usize>,
    which: &Which,
) -> Vec<u32> {
    let mut waves = BTreeMap::new();
    for hold in holds {
        let others = matches!(hold.by, HoldBy::Maker | HoldBy::Operator);
        if others && approval.action == Action::Rollback {
            continue;
        }
        for (n, place) in places {
            let reached = match &hold.target {
                HoldTarget::Device { .. } => false,
                HoldTarget::Ward { ward } => *ward == hospital.wards[hospital.devices[*n].ward],
                HoldTarget::Site => true,
                HoldTarget::Release { image_sha256, .. } => *image_sha256 == which.image_sha256,
            };
            if reached {
                waves.insert(approval.devices[*place].wave, ());
            }
        }
    }
    waves.into_keys().collect()
}

fn said(what: Move) -> String {
    match what {
        Move::Open(wave) => format!("wave {wave} opens"),
        Move::Soak(wave) => format!("wave {wave} soaks"),
        Move::Pass(wave) => format!("wave {wave} passes"),
        Move::Halt(wave, halt) => format!("wave {wave} halted: {}", halt.code()),
        Move::Release(wave) => format!("wave {wave} is held no more"),
        Move::Close(wave) => format!("wave {wave} closes again"),
        Move::Cancel(wave) => format!("wave {wave} is cancelled"),
    }
}

fn resume(
    approval: &Approval,
    sha256: Sha256Digest,
    counters: &WaveCounters,
    at: Timestamp,
) -> Act {
    Act {
        v: 1,
        site: approval.site.clone(),
        subject: Subject::Wave {
            approval_sha256: sha256,
            wave: counters.wave,
            halts: counters.halts,
        },
        person: PersonId::new("tanaka").unwrap(),
        name: "Tanaka".into(),
        role: "clinical engineer".into(),
        meaning: Meaning::Resumed,
        reason: "looked at it".into(),
        at,
        tz: "Asia/Tokyo".into(),
        compensating: None,
        log_size: None,
        log_root: None,
    }
}

/// Whether a release is taken back, as its maker's metadata says it.
pub fn as_listed(firmware: &Firmware, recalled: &[Sha256Digest]) -> Firmware {
    let mut listed = firmware.clone();
    if recalled.contains(&firmware.payload.image_sha256) {
        listed.state = ReleaseState::Withdrawn;
    }
    listed
}

impl Server {
    /// Whose holds truly stand for a device.
    pub fn truth_holds(&self, n: usize) -> Vec<HoldBy> {
        self.holds_of(n).into_iter().map(|(_, by)| by).collect()
    }
}
