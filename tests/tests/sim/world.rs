//! Time: what happens next, to whom.

use crate::device::{Device, Down, Fate, OwnClock};
use crate::hands::{Faults, Memo, SimHands, own, used};
use crate::hospital::{DAY, HOUR, Hospital, MINUTE};
use crate::monitor::Monitor;
use crate::server::{Honesty, Server};
use patchward_agent::driver::core::{Core, CoreError, Rest};
use patchward_agent::machine::event::Event;
use patchward_agent::machine::state::State;
use patchward_protocol::image::ImageRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use patchward_tests::chance::Chance;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    Wake(usize, usize),
    Boot(usize, usize),
    /// The people of a hospital look at things.
    People(usize),
    /// Something that the campaign or the script planned.
    Planned(usize),
}

pub struct Site {
    pub server: Server,
    pub devices: Vec<Device>,
}

pub struct World {
    pub now: Timestamp,
    pub sites: Vec<Site>,
    pub monitor: Monitor,
    pub chance: Chance,
    pub faults: Faults,
    pub memo: Memo,
    pub events: u64,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Next)>>,
    count: u64,
}

impl World {
    pub fn new(seed: u64, now: Timestamp, faults: Faults) -> Self {
        Self {
            now,
            sites: vec![],
            monitor: Monitor::default(),
            chance: Chance::seeded(seed),
            faults,
            memo: Memo::new(),
            events: 0,
            queue: BinaryHeap::new(),
            count: 0,
        }
    }

    pub fn add(&mut self, hospital: Hospital, honesty: Honesty, clocks: &[OwnClock]) -> usize {
        let site = self.sites.len();
        let hospital = Rc::new(hospital);
        let device = |(n, clock): (usize, &OwnClock)| {
            Device::new(site, n, hospital.devices[n].id.clone(), *clock, self.now)
        };
        let devices = clocks.iter().enumerate().map(device).collect();
        self.sites.push(Site { server: Server::new(hospital, honesty), devices });
        site
    }

    pub fn plan(&mut self, at: Timestamp, next: Next) {
        self.count += 1;
        self.queue.push(Reverse((at, self.count, next)));
    }

    /// The next thing before `until`.
    pub fn next(&mut self, until: Timestamp) -> Option<Next> {
        let Reverse((at, _, _)) = self.queue.peek()?;
        if *at >= until {
            self.now = until;
            return None;
        }
        let Reverse((at, _, next)) = self.queue.pop()?;
        self.now = at;
        self.events += 1;
        Some(next)
    }

    /// Every device that an approval names looks at it within some hours.
    pub fn tell(&mut self, site: usize, published: usize) {
        let places: Vec<usize> =
            self.sites[site].server.published[published].places.keys().copied().collect();
        let mut places = places;
        places.sort_unstable();
        for n in places {
            let at = self.now.plus_seconds(self.chance.below(6 * HOUR as u64) as i64);
            self.wake(site, n, at);
        }
    }

    /// A release that a standing approval permits comes to every device that it names.
    pub fn tell_release(&mut self, site: usize) {
        let published = &self.sites[site].server.published;
        let standing = published.iter().enumerate().filter(|(_, p)| p.approval.standing.is_some());
        let alive = standing.filter(|(_, p)| self.now < p.approval.valid_until);
        for at in alive.map(|(at, _)| at).collect::<Vec<_>>() {
            self.tell(site, at);
        }
    }

    pub fn wake(&mut self, site: usize, n: usize, at: Timestamp) {
        let wake_at = &mut self.sites[site].devices[n].body.wake_at;
        if wake_at.is_none_or(|earlier| at < earlier || earlier <= self.now) {
            *wake_at = Some(at);
            self.plan(at, Next::Wake(site, n));
        }
    }

    pub fn device(&mut self, next: Next) {
        match next {
            Next::Wake(site, n) => {
                let body = &mut self.sites[site].devices[n].body;
                if body.wake_at != Some(self.now) || body.dead || body.down.is_some() {
                    return;
                }
                body.wake_at = None;
                self.live(site, n, Life::Wakes);
            }
            Next::Boot(site, n) => self.boot(site, n),
            Next::People(_) | Next::Planned(_) => {}
        }
    }

    fn boot(&mut self, site: usize, n: usize) {
        let now = self.now;
        let device = &mut self.sites[site].devices[n];
        let body = &mut device.body;
        let Some(down) = body.down.take() else { return };
        if let Down::Restarts(_) = down {
            let starts = body.running != body.next;
            let image = self.sites[site].server.releases.iter();
            let next = self.sites[site].devices[n].body.next;
            let image: Option<ImageRef> =
                image.map(|f| f.image()).find(|image| image.image_sha256 == next);
            let body = &mut self.sites[site].devices[n].body;
            let fate = image.map_or(Fate::Good, |image| body.fate(&image));
            match (starts, fate) {
                (true, Fate::Dies) => {
                    body.dead = true;
                    self.monitor.broke(site, n);
                    return;
                }
                (true, Fate::DoesNotBoot) => body.next = body.running,
                _ => body.running = body.next,
            }
            body.boot_n += 1;
            body.booted_at = now;
            body.sources = patchward_agent::clock::Sources::default();
            body.word = None;
        }
        let device = &mut self.sites[site].devices[n];
        let mut core = device.core.take().unwrap();
        let journal = core.disk().journal.clone().unwrap_or_else(|| core.journal().clone());
        let drive = std::mem::take(core.disk());
        device.core = Some(Core::new(journal, drive));
        self.live(site, n, Life::Starts);
    }

    fn live(&mut self, site: usize, n: usize, life: Life) {
        let Self { sites, monitor, chance, memo, faults, now, .. } = self;
        let Site { server, devices } = &mut sites[site];
        let Device { core, body } = &mut devices[n];
        let mut core = core.take().unwrap();
        let own = own(server, body, &core);
        let mut hands =
            SimHands { body, server, monitor, chance, memo, faults: *faults, now: *now, own };
        drive(&mut core, &mut hands, life);
        let body = &mut devices[n].body;
        let next = match body.down {
            Some(Down::Restarts(s) | Down::AgentKilled(s)) => Some((Next::Boot(site, n), s)),
            None => None,
        };
        if let Some((next, s)) = next {
            devices[n].core = Some(core);
            self.plan(self.now.plus_seconds(s), next);
            return;
        }
        let at = next_wake(server, body, &mut core, chance, *now);
        devices[n].core = Some(core);
        if let Some(at) = at {
            self.wake(site, n, at);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Wakes,
    Starts,
}

/// What the driver does at a wake-up: contact, and then event by event until nothing more follows.
fn drive(core: &mut Core<crate::device::Drive>, hands: &mut SimHands<'_>, life: Life) {
    if life == Life::Starts {
        let (observed, boot) = (hands.body.observed(), hands.body.boot_id());
        if !went_on(core, hands, |core, hands| now_or_never(core.recover(hands, observed, &boot))) {
            return;
        }
    }
    hands.contact();
    tell_use(core, hands);
    for _ in 0..12 {
        hands.own = own(hands.server, hands.body, core);
        let Some((event, last)) = next_event(core, hands) else { break };
        if !went_on(core, hands, |core, hands| now_or_never(core.take(hands, event))) {
            return;
        }
        if last {
            break;
        }
    }
    hands.contact();
}

fn went_on<'h>(
    core: &mut Core<crate::device::Drive>,
    hands: &mut SimHands<'h>,
    act: impl FnOnce(&mut Core<crate::device::Drive>, &mut SimHands<'h>) -> Result<Rest, CoreError>,
) -> bool {
    let was = matches!(core.journal().state, State::NeedsService { .. });
    let rest = act(core, hands).unwrap();
    if !was && let State::NeedsService { reason, .. } = core.journal().state {
        hands.monitor.broke(hands.body.site, hands.body.n);
        hands.note(&format!("needs service: {}", reason.code()));
    }
    rest == Rest::Quiet
}

/// What the driver would say next, and whether that is all for this time.
fn next_event(
    core: &Core<crate::device::Drive>,
    hands: &mut SimHands<'_>,
) -> Option<(Event, bool)> {
    let journal = core.journal();
    let state = journal.state.clone();
    match &state {
        State::Idle => {
            let best = hands.best()?;
            let attempts = journal.attempts_of(best.admitted.image.image_sha256);
            Some((Event::Offered { goal: hands.goal(&best, attempts).into() }, false))
        }
        State::Approved { goal, .. } | State::Staged { goal } | State::Holding { goal, .. } => {
            let best = hands.best();
            let Some(best) = best else {
                let reason = hands.gone(goal);
                return Some((Event::Withdrawn { reason }, false));
            };
            if best.admitted.approval_sha256 != goal.approval.sha256
                || best.admitted.image != goal.image
            {
                let attempts = journal.attempts_of(best.admitted.image.image_sha256);
                return Some((Event::Offered { goal: hands.goal(&best, attempts).into() }, false));
            }
            if matches!(state, State::Approved { .. }) {
                return Some((Event::FetchDue, hands.body.is_offline(hands.now)));
            }
            Some((hands.gate(goal), true))
        }
        State::AwaitingAcceptance { .. } => {
            Some((Event::Accepted { person: "tanaka".parse().unwrap() }, false))
        }
        State::NeedsService { .. } => None,
        State::Fetching { .. }
        | State::Preparing { .. }
        | State::Armed { .. }
        | State::Activating { .. }
        | State::Restarting { .. }
        | State::Trial { .. }
        | State::Committed { .. }
        | State::Abandoned { .. }
        | State::RollingBack { .. }
        | State::RolledBack { .. } => panic!("the core stopped in {state:?}"),
    }
}

/// Clinical use since the commit, once a day.
fn tell_use(core: &mut Core<crate::device::Drive>, hands: &mut SimHands<'_>) {
    let Some(since) = hands.body.committed_at else { return };
    if hands.server.hospital.rules.min_clinical_use_h.iter().all(|hours| *hours == 0) {
        return;
    }
    let days = hands.now.millis_since(since) / (DAY * 1000);
    if days > i64::from(hands.body.used_told) && hands.body.used_told < 6 {
        hands.body.used_told = u32::try_from(days).unwrap();
        let fact = used(core.journal(), u64::try_from(days * 8 * HOUR).unwrap());
        let at = patchward_agent::driver::core::Hands::stamp(hands);
        core.note(vec![fact], &at, |_| ()).unwrap();
    }
}

fn next_wake(
    server: &Server,
    body: &crate::device::Body,
    core: &mut Core<crate::device::Drive>,
    chance: &mut Chance,
    now: Timestamp,
) -> Option<Timestamp> {
    use patchward_agent::driver::core::Disk as _;
    let mut soonest: Option<Timestamp> = None;
    let mut by = |at: Timestamp| soonest = Some(soonest.map_or(at, |one| one.min(at)));
    if body.delivered < core.disk().last_seq() as usize {
        let again = now.plus_seconds(20 * MINUTE + chance.below(2 * HOUR as u64) as i64);
        by(body.offline.filter(|(_, until)| *until > again).map_or(again, |(_, until)| until));
    }
    let telling = server.hospital.rules.min_clinical_use_h.iter().any(|hours| *hours > 0);
    if let Some(since) = body.committed_at.filter(|_| telling && body.used_told < 6) {
        by(since.plus_seconds(i64::from(body.used_told + 1) * DAY + 60).max(now.plus_seconds(60)));
    }
    if let Some(goal) = core.journal().state.goal().cloned() {
        let published = server.published.iter().find(|p| p.sha256 == goal.approval.sha256);
        let slots = published.and_then(|p| {
            let place = p.places.get(&body.n)?;
            Some(&p.approval.devices[*place].slots)
        });
        let inside = slots.is_some_and(|slots| slots.iter().any(|slot| slot.contains(now)));
        let next = slots.and_then(|slots| slots.iter().find(|slot| slot.start() > now));
        if inside {
            by(now.plus_seconds(5 * MINUTE + chance.below(300) as i64));
        }
        if let Some(slot) = next {
            by(slot.start().plus_seconds(chance.below(240) as i64));
        }
        by(now.plus_seconds(12 * HOUR + chance.below(12 * HOUR as u64) as i64));
    }
    soonest
}

/// Nothing in the simulation ever waits.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a simulated device waited"),
    }
}

impl SimHands<'_> {
    /// Why what was wanted is not to be had any more.
    fn gone(&mut self, goal: &patchward_agent::machine::state::Goal) -> Reason {
        if let Event::Withdrawn { reason } = self.gate(goal) { reason } else { Reason::NoApproval }
    }
}
