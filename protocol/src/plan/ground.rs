//! What a plan stands on: devices, limits and hours by index, and who gets no slot in any plan.
//!
//! Not here: order and choice. Invariant: hours are whole minutes, rounded so that a slot made of
//! them lies inside the hours and the need fits.

use super::load::{Load, Span};
use super::reason::{Reason, Unplaced};
use super::request::{Availability, Candidate, Management, Request, WardRules, Wish};
use crate::id::{DeviceId, FamilyId, KindId, WardId};
use crate::inventory::{Freeze, Usage};
use crate::slot::Slot;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Minutes of the longest slot.
pub(super) const DAY: u32 = 24 * 60;

/// A request, prepared.
pub(super) struct Ground<'a> {
    pub(super) request: &'a Request,
    origin: Timestamp,
    /// Minutes of the shortest slot, and of one with time to wait.
    pub(super) need: u32,
    pub(super) want: u32,
    pub(super) pair_soak: u32,
    /// First and last minute of the plan.
    pub(super) begin: u32,
    pub(super) end: u32,
    /// By their ids.
    pub(super) devices: Vec<Device<'a>>,
    pub(super) wards: Vec<WardAt<'a>>,
    pub(super) units: Vec<Unit>,
    /// Hours of devices that share ward, kind, family and attendance.
    pub(super) classes: Vec<Vec<Span>>,
    /// Devices that may get slots, by their ids.
    pub(super) eligible: Vec<usize>,
    pub(super) unplaced: Vec<Unplaced>,
    pub(super) base: Loads,
}

/// A device with its places in the lists.
pub(super) struct Device<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) ward: usize,
    pub(super) unit: usize,
    pub(super) class: Option<usize>,
    pub(super) partner: Option<usize>,
    pub(super) attended: bool,
    /// The only device of its kind on which its ward counts.
    pub(super) sole: bool,
    /// Slots of other approvals.
    held: Vec<Span>,
}

impl Device<'_> {
    /// Whether neither a partner nor another approval stands in its way.
    pub(super) fn is_free_of_others(&self) -> bool {
        self.partner.is_none() && self.held.is_empty()
    }
}

/// A ward with its limit.
pub(super) struct WardAt<'a> {
    rules: Option<&'a WardRules>,
    parallel_max: Option<u32>,
}

/// The devices of one kind in one ward.
pub(super) struct Unit {
    serving: u32,
    min: u32,
}

impl Unit {
    /// How many may be out at once; no limit where the ward needs none.
    pub(super) const fn out_max(&self) -> Option<u32> {
        if self.min == 0 { None } else { Some(self.serving.saturating_sub(self.min)) }
    }
}

/// Who is out when, while a plan grows.
#[derive(Clone, Default)]
pub(super) struct Loads {
    site: Load,
    wards: Vec<Load>,
    units: Vec<Load>,
    /// Slots of each device, in order.
    pub(super) slots: Vec<Vec<Span>>,
}

impl<'a> Ground<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let origin = Timestamp::from_millis(request.now.millis() / MINUTE_MS * MINUTE_MS);
        let mut ground = Self {
            request,
            origin,
            need: up(request.shortest_s()).max(1),
            want: up(request.need_s.saturating_add(request.wait_s)).max(1),
            pair_soak: up(request.rules.pair_soak_s(request.urgency)),
            begin: 0,
            end: 0,
            devices: Vec::new(),
            wards: Vec::new(),
            units: Vec::new(),
            classes: Vec::new(),
            eligible: Vec::new(),
            unplaced: Vec::new(),
            base: Loads::default(),
        };
        ground.begin = ground.minute_up(request.now);
        ground.end = ground.minute_down(request.until);
        let strangers = request.strangers.iter().cloned();
        let stranger = |id| Unplaced::new(id, Reason::NotInInventory);
        ground.unplaced.extend(strangers.map(stranger));
        ground.list_devices();
        ground.pick();
        ground.base = ground.base_loads();
        ground
    }

    /// How many devices like this one may be out at once; no limit when there is none.
    pub(super) fn parallel_max(&self, at: usize) -> Option<u32> {
        let device = self.devices.get(at)?;
        let unit = self.units.get(device.unit).and_then(Unit::out_max);
        let unit = unit.filter(|_| device.candidate.serves());
        let ward = self.wards.get(device.ward).and_then(|ward| ward.parallel_max);
        unit.into_iter().chain(ward).min()
    }

    /// A soak as minutes.
    pub(super) fn soak(&self, n: u32) -> u32 {
        up(self.request.rules.soak_s_of(n, self.request.urgency))
    }

    pub(super) fn slot(&self, span: Span) -> Option<Slot> {
        let at = |minute: u32| self.origin.plus_millis(i64::from(minute) * MINUTE_MS);
        Slot::new(at(span.start), at(span.end)).ok()
    }

    fn minute_down(&self, at: Timestamp) -> u32 {
        let minutes = at.millis_since(self.origin).div_euclid(MINUTE_MS);
        u32::try_from(minutes.max(0)).unwrap_or(u32::MAX)
    }

    fn minute_up(&self, at: Timestamp) -> u32 {
        self.minute_down(at.plus_millis(MINUTE_MS - 1))
    }

    fn list_devices(&mut self) {
        let request = self.request;
        // By their ids, so that the order of the request makes no difference.
        let mut sorted: Vec<_> = request.devices.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        let at: BTreeMap<&DeviceId, usize> =
            sorted.iter().enumerate().map(|(at, device)| (&device.id, at)).collect();
        let mut wards: BTreeMap<Option<&WardId>, usize> = BTreeMap::new();
        let mut units: BTreeMap<(usize, &KindId), usize> = BTreeMap::new();
        for candidate in sorted {
            let ward = *wards.entry(candidate.ward.as_ref()).or_insert_with(|| {
                let rules = request.wards.iter().find(|rules| rules.id == candidate.ward);
                let parallel_max = rules.and_then(|rules| rules.max_parallel);
                self.wards.push(WardAt { rules, parallel_max });
                self.wards.len().saturating_sub(1)
            });
            let unit = *units.entry((ward, &candidate.kind)).or_insert_with(|| {
                let rules = self.wards.get(ward).and_then(|ward| ward.rules);
                let min = rules.map_or(0, |rules| rules.min_of(&candidate.kind));
                self.units.push(Unit { serving: 0, min });
                self.units.len().saturating_sub(1)
            });
            if let Some(unit) = self.units.get_mut(unit).filter(|_| candidate.serves()) {
                unit.serving = unit.serving.saturating_add(1);
            }
            let partner = candidate.pair.as_ref().and_then(|id| at.get(id).copied());
            let attended = request.needs_person(candidate);
            let (class, sole, held) = (None, false, Vec::new());
            let device = Device { candidate, ward, unit, class, partner, attended, sole, held };
            self.devices.push(device);
        }
        for device in &mut self.devices {
            let serving = self.units.get(device.unit).map_or(0, |unit| unit.serving);
            let used = device.candidate.usage == Usage::InService;
            device.sole = used && device.candidate.ward.is_some() && serving <= 1;
        }
        for busy in &request.busy {
            let Some(at) = at.get(&busy.device) else { continue };
            let span = Span {
                start: self.minute_down(busy.slot.start()),
                end: self.minute_up(busy.slot.end()),
            };
            if let Some(device) = self.devices.get_mut(*at) {
                device.held.push(span);
            }
        }
    }

    /// Who may get slots, and why the others do not.
    fn pick(&mut self) {
        let mut classes = BTreeMap::new();
        for at in 0..self.devices.len() {
            let Some(device) = self.devices.get(at) else { continue };
            if device.candidate.wish == Wish::Leave {
                continue;
            }
            match self.barred(device).map_or_else(|| self.class_of(device, &mut classes), Err) {
                Ok(Some(spans)) => {
                    self.classes.push(spans);
                    self.eligible.push(at);
                    let class = self.classes.len().saturating_sub(1);
                    if let Some(device) = self.devices.get_mut(at) {
                        device.class = Some(class);
                        classes.insert(key(device), class);
                    }
                }
                Ok(None) => {
                    self.eligible.push(at);
                    if let Some(device) = self.devices.get_mut(at) {
                        device.class = classes.get(&key(device)).copied();
                    }
                }
                Err(unplaced) => self.unplaced.push(unplaced),
            }
        }
    }

    /// A reason that no hours can change.
    fn barred(&self, device: &Device<'_>) -> Option<Unplaced> {
        let candidate = device.candidate;
        let family = candidate.family.as_ref();
        let partner = device.partner.and_then(|at| self.devices.get(at));
        let partner_out =
            partner.is_some_and(|other| other.candidate.availability != Availability::Working);
        let none_to_spare = self.units.get(device.unit).and_then(Unit::out_max) == Some(0);
        let reason = if candidate.management != Management::Agent {
            Reason::NoAgent
        } else if family.is_none_or(|family| !self.request.families.contains(family)) {
            Reason::OtherFamily
        } else if candidate.key.is_none() {
            Reason::NoKey
        } else if candidate.pair.is_some() && partner.is_none() {
            Reason::PartnerUnknown
        } else if partner_out {
            Reason::PartnerOut
        } else if candidate.serves() && none_to_spare {
            Reason::NeedsLoaner
        } else {
            return None;
        };
        Some(Unplaced::new(candidate.id.clone(), reason))
    }

    /// The hours of a class that is new; nothing when it is known.
    fn class_of(
        &self,
        device: &Device<'a>,
        known: &mut BTreeMap<Key<'a>, usize>,
    ) -> Result<Option<Vec<Span>>, Unplaced> {
        if known.contains_key(&key(device)) {
            return Ok(None);
        }
        let candidate = device.candidate;
        let none = |reason| Err(Unplaced::new(candidate.id.clone(), reason));
        let whole = Span { start: self.begin, end: self.end };
        let rules = self.wards.get(device.ward).and_then(|ward| ward.rules);
        let spans = |slots: &[Slot]| joined(slots.iter().map(|slot| self.inward(*slot, whole)));
        let windows = match rules {
            _ if self.request.skips_windows() => vec![whole],
            Some(rules) => spans(&rules.windows),
            None => Vec::new(),
        };
        let longest = |spans: &[Span]| spans.iter().map(|span| span.minutes()).max().unwrap_or(0);
        if longest(&windows) == 0 {
            return none(Reason::NoWindow);
        }
        if longest(&windows) < self.need {
            return none(Reason::WindowTooShort);
        }
        let hours = if device.attended {
            let staff = rules.map(|rules| spans(&rules.staff)).unwrap_or_default();
            both(&windows, &staff)
        } else {
            windows
        };
        if longest(&hours) < self.need {
            return none(Reason::NeedsAttendedSlot);
        }
        let freezes: Vec<&Freeze> = self.request.freezes.iter().collect();
        let against = |freeze: &&&Freeze| self.request.freezes(freeze, candidate);
        let freezes: Vec<_> = freezes.iter().filter(against).copied().collect();
        let closed = freezes.iter().map(|freeze| self.outward(freeze.from, freeze.to));
        let hours = without(hours, closed);
        if longest(&hours) < self.need {
            let last = freezes.iter().filter(|freeze| freeze.from < self.request.until);
            let last = last.max_by_key(|freeze| freeze.to);
            return Err(Unplaced {
                freeze: last.map(|freeze| freeze.id.clone()),
                until: last.map(|freeze| freeze.to),
                ..Unplaced::new(candidate.id.clone(), Reason::Frozen)
            });
        }
        Ok(Some(hours))
    }

    fn inward(&self, slot: Slot, whole: Span) -> Span {
        let span = Span { start: self.minute_up(slot.start()), end: self.minute_down(slot.end()) };
        span.and(whole)
    }

    fn outward(&self, from: Timestamp, to: Timestamp) -> Span {
        Span { start: self.minute_down(from), end: self.minute_up(to) }
    }

    fn base_loads(&self) -> Loads {
        let mut loads = Loads {
            site: Load::default(),
            wards: vec![Load::default(); self.wards.len()],
            units: vec![Load::default(); self.units.len()],
            slots: vec![Vec::new(); self.devices.len()],
        };
        for device in &self.devices {
            for span in &device.held {
                loads.count(self, device, *span);
            }
        }
        loads
    }
}

impl Loads {
    /// Gives a device a slot.
    pub(super) fn give(&mut self, ground: &Ground<'_>, at: usize, span: Span) {
        let Some(device) = ground.devices.get(at) else { return };
        self.count(ground, device, span);
        if let Some(slots) = self.slots.get_mut(at) {
            slots.push(span);
            slots.sort_unstable();
        }
    }

    fn count(&mut self, ground: &Ground<'_>, device: &Device<'_>, span: Span) {
        if ground.request.rules.max_parallel.is_some() {
            self.site.add(span);
        }
        let limited = ground.wards.get(device.ward).is_some_and(|w| w.parallel_max.is_some());
        if let Some(load) = self.wards.get_mut(device.ward).filter(|_| limited) {
            load.add(span);
        }
        let limited = ground.units.get(device.unit).is_some_and(|u| u.out_max().is_some());
        if let Some(load) =
            self.units.get_mut(device.unit).filter(|_| limited && device.candidate.serves())
        {
            load.add(span);
        }
    }

    /// The first span of the least length that a device may have between two minutes.
    pub(super) fn first_free(
        &self,
        ground: &Ground<'_>,
        at: usize,
        class: usize,
        between: Span,
    ) -> Option<Span> {
        let hours = ground.classes.get(class)?;
        let first = hours.partition_point(|span| span.end <= between.start);
        let rest = hours.get(first..).unwrap_or_default().iter();
        for hours in rest.take_while(|span| span.start < between.end) {
            let hours = hours.and(between);
            let mut start = hours.start;
            while start.saturating_add(ground.need) <= hours.end {
                let span = Span { start, end: start.saturating_add(ground.need) };
                match self.conflict(ground, at, span) {
                    None => return Some(span),
                    Some(next) => start = next.max(start.saturating_add(1)),
                }
            }
        }
        None
    }

    /// The next minute worth trying when the device may not have this span; nothing when it may.
    pub(super) fn conflict(&self, ground: &Ground<'_>, at: usize, span: Span) -> Option<u32> {
        self.limit(ground, at, span).or_else(|| self.own(ground, at, span))
    }

    /// A limit of site, ward or kind that is reached: then no device like it may have the span.
    pub(super) fn limit(&self, ground: &Ground<'_>, at: usize, span: Span) -> Option<u32> {
        let device = ground.devices.get(at)?;
        let full = |load: Option<&Load>, count_max: Option<u32>| {
            count_max.and_then(|count_max| load?.full_until(span, count_max))
        };
        let unit = ground.units.get(device.unit).and_then(Unit::out_max);
        let unit = unit.filter(|_| device.candidate.serves());
        full(self.units.get(device.unit), unit)
            .or_else(|| {
                let ward = ground.wards.get(device.ward).and_then(|ward| ward.parallel_max);
                full(self.wards.get(device.ward), ward)
            })
            .or_else(|| full(Some(&self.site), ground.request.rules.max_parallel))
    }

    /// Its own other slots, and those of its partner with the soak between.
    fn own(&self, ground: &Ground<'_>, at: usize, span: Span) -> Option<u32> {
        let device = ground.devices.get(at)?;
        let slots = |at: usize| {
            let held = ground.devices.get(at).into_iter().flat_map(|device| &device.held);
            held.chain(self.slots.get(at).into_iter().flatten())
        };
        if let Some(other) = slots(at).find(|other| other.overlaps(span)) {
            return Some(other.end);
        }
        let soak = ground.pair_soak;
        let near = |other: &&Span| {
            span.start < other.end.saturating_add(soak)
                && other.start < span.end.saturating_add(soak)
        };
        let partner = device.partner?;
        slots(partner).find(near).map(|other| other.end.saturating_add(soak))
    }
}

type Key<'a> = (usize, usize, Option<&'a FamilyId>, bool);

const fn key<'a>(device: &Device<'a>) -> Key<'a> {
    (device.ward, device.unit, device.candidate.family.as_ref(), device.attended)
}

const MINUTE_MS: i64 = 60_000;

fn up(seconds: u64) -> u32 {
    u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX)
}

/// In order, empty ones left out, touching ones joined.
fn joined(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.filter(|span| span.minutes() > 0).collect();
    spans.sort_unstable();
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            Some(_) | None => out.push(span),
        }
    }
    out
}

fn both(some: &[Span], others: &[Span]) -> Vec<Span> {
    let pairs = some.iter().flat_map(|span| others.iter().map(move |other| span.and(*other)));
    joined(pairs)
}

fn without(spans: Vec<Span>, closed: impl Iterator<Item = Span>) -> Vec<Span> {
    closed.fold(spans, |spans, closed| {
        let parts = spans.into_iter().flat_map(|span| {
            let before = Span { start: span.start, end: span.end.min(closed.start) };
            let after = Span { start: span.start.max(closed.end), end: span.end };
            [before, after]
        });
        parts.filter(|span| span.minutes() > 0).collect()
    })
}
