//! A year of many hospitals, with everything that goes wrong in one, and with servers that lie.
//!
//! `PATCHWARD_SIM_YEAR=1` plays the whole of it (50 hospitals, 5,000 devices), `PATCHWARD_QUICK=1` the
//! least; the same seed gives the same year.

use crate::device::{Fate, OwnClock};
use crate::hands::Faults;
use crate::hospital::{DAY, HOUR, Hospital, Order, begin, family, firmware, one_in, random};
use crate::monitor::{Excuse, Sin};
use crate::server::{Hold, Honesty};
use crate::world::{Next, World};
use patchward_protocol::approval::{Action, NeededTime};
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::gate::{Campaign, Consent, Halt, WaveState};
use patchward_protocol::id::HoldId;
use patchward_protocol::inventory::Usage;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::Firmware;
use patchward_tests::chance::Chance;
use std::rc::Rc;

/// How large, how long, how bad.
#[derive(Debug, Clone, Copy)]
struct Size {
    hospitals: usize,
    devices: usize,
    days: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Nothing goes wrong at all.
    Calm,
    /// Everything goes wrong now and then.
    Rough,
}

fn size() -> Size {
    #[expect(clippy::disallowed_methods, reason = "the size of a campaign is asked for there")]
    let asked = |name: &str| std::env::var(name).is_ok_and(|value| value == "1");
    if asked("PATCHWARD_SIM_YEAR") {
        Size { hospitals: 50, devices: 100, days: 365 }
    } else if asked("PATCHWARD_QUICK") {
        Size { hospitals: 4, devices: 30, days: 120 }
    } else {
        Size { hospitals: 8, devices: 50, days: 170 }
    }
}

/// What the people of one hospital have in mind.
#[derive(Default)]
struct Minds {
    orders: Vec<(Timestamp, Wish)>,
    lifts: Vec<(Timestamp, HoldId)>,
    halted_since: Vec<(usize, Timestamp)>,
    holds: u64,
    /// Devices that hold the present approval's image at its end, of those that should.
    resumed: u64,
    given_up: u64,
    stops: u64,
    halts: u64,
    rollbacks: u64,
    standing: bool,
}

enum Wish {
    Install(u64),
    GoBack(u64, u64),
    Standing,
}

struct Year {
    world: World,
    minds: Vec<Minds>,
    releases: Vec<(Timestamp, Rc<Firmware>, Quality)>,
    weather: Weather,
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    /// Most devices fall ill of it; the maker takes it back after five days.
    Bad,
}

impl Year {
    fn new(seed: u64, size: Size, weather: Weather, honesty: Honesty) -> Self {
        let faults = match weather {
            Weather::Calm => Faults::default(),
            Weather::Rough => Faults { cut_one_in: 300, lost_one_in: 12, probe_silent_one_in: 40 },
        };
        let mut world = World::new(seed, begin(), faults);
        let mut chance = Chance::seeded(seed ^ 0x5eed);
        for n in 0..size.hospitals {
            let mut hospital = random(n, size.devices, &mut chance);
            if weather == Weather::Calm {
                hospital.time = NeededTime::Attested;
            }
            // Where one time source is enough, it is because many devices have no clock of their own.
            let few = hospital.time == NeededTime::Plausible;
            let mut clock = |n: usize| match hospital.devices[n].usage {
                Usage::Bench => OwnClock::True(0),
                Usage::InService | Usage::Spare if few && n.is_multiple_of(2) => OwnClock::Missing,
                Usage::InService | Usage::Spare => clock(&mut chance, size, weather),
            };
            let clocks: Vec<_> = (0..size.devices).map(&mut clock).collect();
            world.add(hospital, honesty, &clocks);
            world.plan(begin().plus_seconds(8 * HOUR), Next::People(n));
        }
        let mut releases = vec![];
        for (seq, day) in (2..).zip((7..size.days - 35).step_by(40)) {
            let quality = if weather == Weather::Rough && seq % 3 == 0 {
                Quality::Bad
            } else {
                Quality::Good
            };
            let older: Vec<u64> = (1..seq).rev().take(3).collect();
            let at = begin().plus_seconds(day * DAY);
            world.plan(at, Next::Planned(releases.len()));
            releases.push((at, Rc::new(firmware(seq, &older)), quality));
        }
        let minds = (0..size.hospitals)
            .map(|_| Minds { standing: one_in(&mut chance, 4), ..Minds::default() })
            .collect();
        let mut year = Self { world, minds, releases, weather, size };
        year.fates(&mut chance);
        year
    }

    /// Which image will do what on which device.
    fn fates(&mut self, chance: &mut Chance) {
        for site in &mut self.world.sites {
            for device in &mut site.devices {
                if self.weather == Weather::Rough {
                    let bench = site.server.hospital.devices[device.body.n].usage == Usage::Bench;
                    device.body.in_use_percent = if bench { 0 } else { 20 };
                }
                for (_, release, quality) in &self.releases {
                    let fate = match (self.weather, quality) {
                        (Weather::Calm, _) => Fate::Good,
                        (Weather::Rough, Quality::Bad) if !one_in(chance, 3) => Fate::Sick,
                        (Weather::Rough, _) => match chance.below(400) {
                            0 => Fate::Sick,
                            1 => Fate::DoesNotBoot,
                            2 if one_in(chance, 4) => Fate::Dies,
                            _ => Fate::Good,
                        },
                    };
                    device.body.fates.insert(release.seq.0, fate);
                }
            }
        }
    }

    fn play(&mut self) {
        let end = begin().plus_seconds(self.size.days * DAY);
        while let Some(next) = self.world.next(end) {
            match next {
                Next::Wake(..) | Next::Boot(..) => self.world.device(next),
                Next::People(site) => {
                    self.people(site);
                    self.world.plan(self.world.now.plus_seconds(DAY), Next::People(site));
                }
                Next::Planned(n) => self.release(n),
            }
            for site in &mut self.world.sites {
                site.server.log.clear();
            }
        }
    }

    fn release(&mut self, n: usize) {
        let now = self.world.now;
        let (_, firmware, quality) = self.releases[n].clone();
        for site in 0..self.world.sites.len() {
            self.world.sites[site].server.release(&firmware);
            self.world.tell_release(site);
            let chance = &mut self.world.chance;
            let minds = &mut self.minds[site];
            if minds.standing {
                minds.orders.push((now.plus_seconds(HOUR), Wish::Standing));
                continue;
            }
            let at = now.plus_seconds(chance.below(4 * DAY as u64) as i64);
            minds.orders.push((at, Wish::Install(firmware.seq.0)));
            if quality == Quality::Bad {
                let at = now.plus_seconds(9 * DAY + chance.below(DAY as u64) as i64);
                minds.orders.push((at, Wish::GoBack(firmware.seq.0, firmware.seq.0 - 1)));
            }
        }
    }

    /// Once a day somebody looks.
    fn people(&mut self, n: usize) {
        let now = self.world.now;
        let day5 = |(at, release, quality): &(Timestamp, Rc<Firmware>, Quality)| {
            (*quality == Quality::Bad && at.plus_seconds(8 * DAY) <= now)
                .then_some(release.payload.image_sha256)
        };
        self.world.sites[n].server.recalled = self.releases.iter().filter_map(day5).collect();
        if self.weather == Weather::Rough {
            self.trouble(n);
        }
        self.lift(n);
        self.halts(n);
        let due = |(at, _): &(Timestamp, Wish)| *at <= now;
        let orders = std::mem::take(&mut self.minds[n].orders);
        let (now_due, later): (Vec<_>, Vec<_>) = orders.into_iter().partition(due);
        self.minds[n].orders = later;
        for (_, wish) in now_due {
            self.order(n, &wish);
        }
        self.world.sites[n].server.evaluate(now);
    }

    fn order(&mut self, n: usize, wish: &Wish) {
        let now = self.world.now;
        let World { sites, .. } = &mut self.world;
        let site = &mut sites[n];
        let running = |at: usize| site.devices[at].body.running;
        let image = |seq: u64| {
            let found = self.releases.iter().find(|(_, release, _)| release.seq.0 == seq);
            found.map(|(_, release, _)| release.clone())
        };
        let (action, to, from) = match *wish {
            Wish::Install(seq) => (Action::Install, image(seq), None),
            Wish::GoBack(from, to) => (Action::Rollback, image(to), image(from)),
            Wish::Standing => (Action::Standing, image(2), None),
        };
        let Some(to) = to else { return };
        if action == Action::Standing {
            let lives = site.server.published.iter().any(|p| {
                p.consent == Consent::Stands && p.approval.valid_until > now.plus_seconds(30 * DAY)
            });
            if lives {
                return;
            }
        }
        let gone = site.server.recalled.contains(&to.payload.image_sha256);
        if gone && action != Action::Standing {
            return;
        }
        let wanted = |at: usize| {
            let alive = !site.devices[at].body.dead;
            alive && from.as_ref().is_none_or(|from| running(at) == from.payload.image_sha256)
        };
        if action == Action::Rollback {
            self.minds[n].rollbacks += 1;
        }
        let hospital: Rc<Hospital> = site.server.hospital.clone();
        let serial = site.server.serial + 1;
        let order = Order { action, to: &to, wanted: &wanted };
        let Some(approval) = hospital.sign(&order, now, serial) else { return };
        site.server.serial = serial;
        // A new plan takes the place of what is still under way.
        for published in &mut site.server.published {
            if now < published.approval.valid_until {
                published.consent = Consent::Withdrawn;
            }
        }
        let published = site.server.publish(approval);
        self.world.tell(n, published);
    }

    fn trouble(&mut self, n: usize) {
        let now = self.world.now;
        let World { sites, chance, .. } = &mut self.world;
        let site = &mut sites[n];
        for device in &mut site.devices {
            if one_in(chance, 60) {
                let hours = 1 + chance.below(60) as i64;
                device.body.offline = Some((now, now.plus_seconds(hours * HOUR)));
            }
        }
        if !one_in(chance, 25) {
            return;
        }
        let minds = &mut self.minds[n];
        minds.holds += 1;
        minds.stops += 1;
        let wards = site.server.hospital.wards.clone();
        let ward = wards[chance.below(wards.len() as u64) as usize].clone();
        let (target, by) = match chance.below(6) {
            0 => (HoldTarget::Site, HoldBy::Site),
            1 => (HoldTarget::Site, HoldBy::Freeze),
            2 => (HoldTarget::Site, HoldBy::Operator),
            3 => {
                let at = chance.below(site.devices.len() as u64) as usize;
                let device = site.server.hospital.devices[at].id.clone();
                (HoldTarget::Device { device }, HoldBy::Site)
            }
            _ => (HoldTarget::Ward { ward }, HoldBy::Site),
        };
        let id = HoldId::new(&format!("stop-{}", minds.holds)).unwrap();
        let until = now.plus_seconds((1 + chance.below(3)) as i64 * DAY);
        minds.lifts.push((until, id.clone()));
        site.server.holds.push(Hold { id, target, by });
        if one_in(chance, 6) {
            site.server.campaign = Campaign::Paused;
        }
    }

    fn lift(&mut self, n: usize) {
        let now = self.world.now;
        let server = &mut self.world.sites[n].server;
        let minds = &mut self.minds[n];
        let due = |(at, _): &(Timestamp, HoldId)| *at <= now;
        let (lifted, later) = std::mem::take(&mut minds.lifts).into_iter().partition(due);
        minds.lifts = later;
        let lifted: Vec<(Timestamp, HoldId)> = lifted;
        for (_, id) in lifted {
            server.holds.retain(|hold| hold.id != id);
            server.lifts.push(id);
            server.campaign = Campaign::Running;
        }
    }

    /// A rollout that halted is looked at for a day, and then goes on or is given up.
    fn halts(&mut self, n: usize) {
        let now = self.world.now;
        let World { sites, chance, .. } = &mut self.world;
        let (server, minds) = (&mut sites[n].server, &mut self.minds[n]);
        for at in 0..server.published.len() {
            let halted = server.published[at]
                .rollouts
                .iter()
                .flat_map(|r| &r.waves)
                .any(|wave| wave.state.halted_because().is_some_and(Halt::needs_act));
            let since =
                minds.halted_since.iter().find(|(which, _)| *which == at).map(|(_, at)| *at);
            match (halted, since) {
                (true, None) => {
                    minds.halts += 1;
                    minds.halted_since.push((at, now));
                }
                (true, Some(since)) if since.plus_seconds(DAY) <= now => {
                    minds.halted_since.retain(|(which, _)| *which != at);
                    if one_in(chance, 3) {
                        server.published[at].consent = Consent::Withdrawn;
                        minds.given_up += 1;
                    } else if server.resume(at, now) {
                        minds.resumed += 1;
                    }
                }
                (true, Some(_)) => {}
                (false, _) => minds.halted_since.retain(|(which, _)| *which != at),
            }
        }
    }

    fn report(&self, title: &str) {
        let m = &self.world.monitor;
        let sum = |of: fn(&Minds) -> u64| self.minds.iter().map(of).sum::<u64>();
        println!("\n{title}: {:?}", self.size);
        println!(
            "  events {}, activations {}, committed {}, went back {}, broken {}",
            self.world.events, m.activations, m.committed, m.went_back, m.broken
        );
        println!(
            "  power cuts {}, lost messages {}, stops {}, halts {} (resumed {}, given up {}), rollbacks ordered {}",
            m.power_cuts,
            m.reports_lost,
            sum(|m| m.stops),
            sum(|m| m.halts),
            sum(|m| m.resumed),
            sum(|m| m.given_up),
            sum(|m| m.rollbacks)
        );
        println!(
            "  proofs checked {}, at the edge of a slot {}, waits {:?}",
            self.world.memo.len(),
            m.edges,
            m.waits
        );
        for ((sin, excuse), count) in &m.sins {
            println!("  {sin:?} ({excuse:?}): {count}");
        }
        for example in &m.examples {
            println!("  ! {example}");
        }
    }

    /// Failures that a wave had when it stopped, beyond those that its gate allows and those that were
    /// under way when the last report came.
    fn waves_ended_within_their_gates(&self) {
        for site in &self.world.sites {
            for published in &site.server.published {
                for wave in published.rollouts.iter().flat_map(|rollout| &rollout.waves) {
                    let passed = wave.state == WaveState::Passed;
                    let allowed = patchward_protocol::gate::failures_allowed(
                        &published.approval,
                        wave.wave,
                        wave.devices,
                    );
                    let lost = wave.failed + wave.silent;
                    let looked_at = u32::try_from(wave.halts).unwrap();
                    assert!(
                        !passed || lost <= allowed + looked_at,
                        "{} wave {wave:?} passed with {lost} lost",
                        published.approval.id
                    );
                }
            }
        }
    }
}

fn clock(chance: &mut Chance, size: Size, weather: Weather) -> OwnClock {
    let off = |chance: &mut Chance| chance.below(60_000) as i64 - 30_000;
    if weather == Weather::Calm {
        return OwnClock::True(off(chance));
    }
    match chance.below(60) {
        0 => OwnClock::Missing,
        1 => OwnClock::Is1970,
        2 => OwnClock::Is2040,
        3 | 4 => {
            // An hour back, in the middle of a night's window.
            let night = chance.below(size.days as u64) as i64 * DAY + 2 * HOUR;
            OwnClock::HourBack(begin().plus_seconds(night + chance.below(3600) as i64))
        }
        _ => OwnClock::True(off(chance)),
    }
}

#[test]
fn a_calm_year_updates_every_device_that_the_plan_placed() {
    let mut year = Year::new(11, size(), Weather::Calm, Honesty::Honest);
    for minds in &mut year.minds {
        minds.standing = false;
    }
    year.play();
    year.report("calm");
    assert_eq!(year.world.monitor.unexcused(), []);
    let newest = year.releases.last().unwrap().1.payload.image_sha256;
    let mut placed = 0;
    for site in &year.world.sites {
        let last = site.server.published.last().unwrap();
        for (n, device) in site.devices.iter().enumerate() {
            if last.places.contains_key(&n) {
                placed += 1;
                assert_eq!(device.body.running, newest, "{}", site.server.hospital.devices[n].id);
            }
        }
        assert!(last.rollouts.iter().flat_map(|r| &r.waves).all(|w| w.state == WaveState::Passed));
    }
    let all = year.size.hospitals * year.size.devices;
    assert!(placed * 10 >= all * 9, "{placed} of {all} were placed");
}

#[test]
fn in_a_rough_year_no_device_is_ever_disturbed_against_its_hospitals_word() {
    let mut year = Year::new(12, size(), Weather::Rough, Honesty::Honest);
    year.play();
    year.report("rough, honest servers");
    assert_eq!(year.world.monitor.sins, std::collections::BTreeMap::new());
    year.waves_ended_within_their_gates();
    let m = &year.world.monitor;
    assert!(m.activations > 25 && m.committed > 20 && m.went_back > 0 && m.power_cuts > 0);
    let halts: u64 = year.minds.iter().map(|minds| minds.halts).sum();
    assert!(halts > 0, "a year in which nothing halts tries no gate");
}

#[test]
fn a_hostile_server_starts_nothing_that_was_not_signed_proven_and_permitted() {
    let mut year = Year::new(13, size(), Weather::Rough, Honesty::Hostile);
    year.play();
    year.report("rough, hostile servers");
    assert_eq!(year.world.monitor.unexcused(), []);
    let excused = |excuse| {
        let of = year.world.monitor.sins.iter().filter(|((_, why), _)| *why == excuse);
        of.map(|((sin, _), count)| (*sin, *count)).collect::<Vec<_>>()
    };
    println!("  excused, one time source accepted: {:?}", excused(Excuse::Plausible));
    println!("  excused, wrong own clock and lying server alike: {:?}", excused(Excuse::BothWrong));
    for (sin, _) in excused(Excuse::Plausible).into_iter().chain(excused(Excuse::BothWrong)) {
        assert_ne!(sin, Sin::InUse);
        assert_ne!(sin, Sin::NotApproved);
    }
    assert!(year.world.monitor.activations > 0, "the liar starts what is due");
    let served = year.world.sites.iter().flat_map(|site| &site.server.hospital.devices);
    assert!(served.filter(|device| device.usage == Usage::Bench).count() > 0);
    assert_eq!(family(), year.releases[0].1.family);
}
