//! The judge: it knows the true time, who is really in use, and what really happened, and asks neither
//! planner, gate nor device. Every activation is weighed; what must never be is counted.

use crate::hospital::Hospital;
use patchward_protocol::approval::{Approval, NeededTime};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, DeviceId};
use patchward_protocol::inventory::Usage;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// How far a clock may be off that counts as right, in seconds: what two sources may differ and still
/// agree is twice as much.
pub const CLOCK_OFF_S: i64 = 60;

/// What must never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sin {
    OutsideSlot,
    InUse,
    BelowMinimum,
    WaveTooEarly,
    PartnerOut,
    NotApproved,
    Twice,
    AfterStop,
    AfterHalt,
}

/// Why a device may be excused from the hours, and only from the hours (docs/THREATS.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    None,
    /// The approval accepts one time source, and the server lied.
    Plausible,
    /// Its own clock was wrong, and the server told the same wrong time.
    BothWrong,
}

/// What is true of an activation.
pub struct Truth<'a> {
    pub site: usize,
    pub device: usize,
    pub now: Timestamp,
    pub hospital: &'a Hospital,
    pub approval: &'a Rc<Approval>,
    pub approval_sha256: Sha256Digest,
    pub image_sha256: Sha256Digest,
    pub in_use: bool,
    pub hostile: bool,
    pub clock_is_true: bool,
    /// An honest server, which the device reaches, holds it or has halted.
    pub stopped: bool,
    pub halted: bool,
}

#[derive(Debug, Default)]
pub struct Monitor {
    pub sins: BTreeMap<(Sin, Excuse), u64>,
    pub examples: Vec<String>,
    pub activations: u64,
    pub committed: u64,
    pub went_back: u64,
    pub broken: u64,
    pub power_cuts: u64,
    pub reports_lost: u64,
    /// Activations at the edge of a slot by a clock that is right but for some seconds.
    pub edges: u64,
    pub waits: BTreeMap<&'static str, u64>,
    out: HashMap<(usize, usize), Timestamp>,
    good: HashMap<(usize, Sha256Digest, Sha256Digest), HashMap<DeviceId, Timestamp>>,
    used: HashSet<(usize, usize, ApprovalId, Sha256Digest)>,
}

impl Monitor {
    /// The write of no return was made.
    pub fn activated(&mut self, truth: &Truth<'_>) {
        self.activations += 1;
        let excuse = match (truth.hostile, truth.clock_is_true, truth.hospital.time) {
            (true, _, NeededTime::Plausible) => Excuse::Plausible,
            (true, false, NeededTime::Attested) => Excuse::BothWrong,
            (true, true, NeededTime::Attested) | (false, _, _) => Excuse::None,
        };
        for sin in self.judge(truth) {
            // The hours excuse what follows from the hours, and nothing else.
            let of_hours = matches!(sin, Sin::OutsideSlot | Sin::BelowMinimum | Sin::WaveTooEarly)
                || sin == Sin::PartnerOut;
            let excuse = if of_hours { excuse } else { Excuse::None };
            *self.sins.entry((sin, excuse)).or_default() += 1;
            if excuse == Excuse::None && self.examples.len() < 10 {
                let id = &truth.hospital.devices[truth.device].id;
                let site = &truth.hospital.site;
                self.examples.push(format!("{} {site} {id}: {sin:?}", truth.now));
            }
        }
        self.out.insert((truth.site, truth.device), truth.now);
    }

    /// The device works again, with the new image or the old.
    pub fn back(&mut self, site: usize, device: usize) {
        self.out.remove(&(site, device));
    }

    /// The device broke down: no longer out for an update, and counted apart.
    pub fn broke(&mut self, site: usize, device: usize) {
        self.broken += 1;
        self.out.remove(&(site, device));
    }

    /// The new image stays, after its restart and its checks.
    pub fn committed(
        &mut self,
        site: usize,
        id: &DeviceId,
        approval: Sha256Digest,
        image: Sha256Digest,
        now: Timestamp,
    ) {
        let good = self.good.entry((site, approval, image)).or_default();
        if good.insert(id.clone(), now).is_none() {
            self.committed += 1;
        }
    }

    /// Sins without an excuse.
    pub fn unexcused(&self) -> Vec<(Sin, u64)> {
        let found = self.sins.iter().filter(|((_, excuse), _)| *excuse == Excuse::None);
        found.map(|((sin, _), count)| (*sin, *count)).collect()
    }

    fn judge(&mut self, truth: &Truth<'_>) -> Vec<Sin> {
        let mut sins = vec![];
        let bedside = &truth.hospital.devices[truth.device];
        let now = truth.now;
        let approval = truth.approval;
        let named = approval.devices.iter().find(|d| d.id == bedside.id && d.key == bedside.key);
        let Some(named) = named else { return vec![Sin::NotApproved] };
        let named_image = approval.release.as_ref().map(|release| release.image_sha256);
        if named_image.is_some_and(|image| image != truth.image_sha256) {
            sins.push(Sin::NotApproved);
        }
        let once = (truth.site, truth.device, approval.id.clone(), truth.image_sha256);
        if !self.used.insert(once) {
            sins.push(Sin::Twice);
        }
        let inside = |off_s: i64| {
            let (early, late) = (now.plus_seconds(off_s), now.plus_seconds(-off_s));
            named.slots.iter().any(|slot| slot.start() <= early && late < slot.end())
        };
        if !inside(CLOCK_OFF_S) {
            sins.push(Sin::OutsideSlot);
        } else if !inside(0) {
            self.edges += 1;
        }
        if truth.in_use {
            sins.push(Sin::InUse);
        }
        if truth.stopped {
            sins.push(Sin::AfterStop);
        }
        if truth.halted {
            sins.push(Sin::AfterHalt);
        }
        if bedside.usage != Usage::Bench && self.lacking(truth) {
            sins.push(Sin::BelowMinimum);
        }
        if self.too_early(truth, named.wave) {
            sins.push(Sin::WaveTooEarly);
        }
        if bedside.pair.is_some_and(|pair| self.out.contains_key(&(truth.site, pair))) {
            sins.push(Sin::PartnerOut);
        }
        sins
    }

    /// With this device out, the ward would have fewer than it needs, were all others well.
    fn lacking(&self, truth: &Truth<'_>) -> bool {
        let devices = || truth.hospital.devices.iter().enumerate();
        let ward = truth.hospital.devices[truth.device].ward;
        let serving = devices().filter(|(_, d)| d.ward == ward && d.usage != Usage::Bench);
        let here = serving
            .filter(|(n, _)| *n != truth.device && !self.out.contains_key(&(truth.site, *n)));
        (here.count() as u32) < truth.hospital.min_in_service[ward]
    }

    /// Fewer devices of the wave before had truly committed and soaked than the approval asks for.
    fn too_early(&self, truth: &Truth<'_>, wave: u32) -> bool {
        let Some(before) = wave.checked_sub(1) else { return false };
        let terms = |n: u32| truth.approval.waves.iter().find(|terms| terms.n == n).unwrap();
        let soak_s = terms(before).soak_s as i64;
        let about = (truth.site, truth.approval_sha256, truth.image_sha256);
        let soaked = |id: &DeviceId| {
            let at = self.good.get(&about).and_then(|good| good.get(id));
            // A device signs by its own clock, which may be off by what still counts as agreeing.
            at.is_some_and(|at| at.plus_seconds(soak_s - 2 * CLOCK_OFF_S) <= truth.now)
        };
        let devices = truth.approval.devices.iter().filter(|d| d.wave == before);
        let count = devices.filter(|d| soaked(&d.id)).count();
        count < terms(wave).min_updated as usize
    }
}

#[test]
fn the_monitor_sees_every_sin_that_is_planted() {
    use crate::hospital::{HOUR, Layout, Order, begin, firmware};
    let layout = Layout {
        wards: 1,
        devices: 9,
        bench: 1,
        pairs: 1,
        time: NeededTime::Plausible,
        clinical_use_h: 0,
    };
    let hospital = Hospital::new(0, "city", layout);
    let to = firmware(2, &[1]);
    let order =
        Order { action: patchward_protocol::approval::Action::Install, to: &to, wanted: &|_| true };
    let approval = Rc::new(hospital.sign(&order, begin(), 1).unwrap());
    let slot_of = |n: usize| {
        let id = &hospital.devices[n].id;
        approval.devices.iter().find(|device| device.id == *id).unwrap().slots[0]
    };
    let truth = |device: usize| Truth {
        site: 0,
        device,
        now: slot_of(device).start().plus_seconds(60),
        hospital: &hospital,
        approval: &approval,
        approval_sha256: Sha256Digest::of(b"approval"),
        image_sha256: to.payload.image_sha256,
        in_use: false,
        hostile: false,
        clock_is_true: true,
        stopped: false,
        halted: false,
    };
    let bench = 8;
    let sins = |truth: Truth<'_>| Monitor::default().judge(&truth);
    assert_eq!(sins(truth(bench)), []);
    let outside = truth(bench).now.plus_seconds(12 * HOUR);
    assert_eq!(sins(Truth { now: outside, ..truth(bench) }), [Sin::OutsideSlot]);
    assert_eq!(sins(Truth { in_use: true, ..truth(bench) }), [Sin::InUse]);
    assert_eq!(sins(Truth { stopped: true, ..truth(bench) }), [Sin::AfterStop]);
    assert_eq!(sins(Truth { halted: true, ..truth(bench) }), [Sin::AfterHalt]);
    let other = Sha256Digest::of(b"another image");
    assert_eq!(sins(Truth { image_sha256: other, ..truth(bench) }), [Sin::NotApproved]);
    assert_eq!(sins(truth(2)), [Sin::WaveTooEarly], "nobody has committed yet");
    let mut monitor = Monitor::default();
    (3..7).for_each(|n| monitor.activated(&truth(n)));
    assert_eq!(monitor.judge(&truth(2)), [Sin::BelowMinimum, Sin::WaveTooEarly]);
    assert_eq!(monitor.judge(&truth(2)), [Sin::Twice, Sin::BelowMinimum, Sin::WaveTooEarly]);
    monitor.activated(&truth(0));
    assert!(monitor.judge(&truth(1)).contains(&Sin::PartnerOut));
    // A lie about the hour excuses the hour where one source is enough, and nothing else.
    let mut lied = Monitor::default();
    lied.activated(&Truth { now: outside, in_use: true, hostile: true, ..truth(bench) });
    assert_eq!(lied.unexcused(), [(Sin::InUse, 1)]);
    assert_eq!(lied.sins[&(Sin::OutsideSlot, Excuse::Plausible)], 1);
}
