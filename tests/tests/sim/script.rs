//! Scenarios that people read: a script, and what comes of it, side by side in one file.
//!
//! Above the line `---` stands what is set up and done, below it what happened. Lines of the script:
//! `hospital wards W devices D bench B pairs P use H`, `release N [back A]`,
//! `image N sick|falls-back|dies on DEVICE|all`, `hostile`, and after `day D HH:MM`:
//! `approve install|rollback|standing [N]`, `release N [back A]`, `stop WARD|DEVICE|site`, `freeze`,
//! `lift`, `resume`, `recall N`, `withdraw`, `pause`, `go-on`, `offline DEVICE H`, `show`.

use crate::device::{Fate, OwnClock};
use crate::hands::Faults;
use crate::hospital::{DAY, HOUR, Hospital, Layout, MINUTE, Order, begin, firmware};
use crate::server::{Hold, Honesty};
use crate::world::{Next, World};
use patchward_protocol::approval::{Action, NeededTime};
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::gate::{Campaign, Consent};
use patchward_protocol::id::HoldId;
use patchward_protocol::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;

struct Script {
    world: World,
    orders: Vec<String>,
    out: String,
    holds: u64,
}

impl Script {
    fn new() -> Self {
        let world = World::new(7, begin(), Faults::default());
        Self { world, orders: vec![], out: String::new(), holds: 0 }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["#", ..] => {}
            ["day", day, time, ..] => {
                let (h, m) = time.split_once(':').unwrap();
                let (h, m): (i64, i64) = (h.parse().unwrap(), m.parse().unwrap());
                let day: i64 = day.parse().unwrap();
                let at = begin().plus_seconds(day * DAY + h * HOUR + m * MINUTE);
                self.world.plan(at, Next::Planned(self.orders.len()));
                self.orders.push(words[3..].join(" "));
            }
            words => self.order(words),
        }
    }

    fn order(&mut self, words: &[&str]) {
        let now = self.world.now;
        match words {
            ["hospital", "wards", w, "devices", d, "bench", b, "pairs", p, "use", h] => {
                let layout = Layout {
                    wards: w.parse().unwrap(),
                    devices: d.parse().unwrap(),
                    bench: b.parse().unwrap(),
                    pairs: p.parse().unwrap(),
                    time: NeededTime::Attested,
                    clinical_use_h: h.parse().unwrap(),
                };
                let clocks = vec![OwnClock::True(0); layout.devices];
                let hospital = Hospital::new(0, "city", layout);
                self.world.add(hospital, Honesty::Honest, &clocks);
            }
            ["hostile"] => self.world.sites[0].server.honesty = Honesty::Hostile,
            ["release", seq] => self.release(seq.parse().unwrap(), &[]),
            ["release", seq, "back", back] => {
                self.release(seq.parse().unwrap(), &[back.parse().unwrap()]);
            }
            ["image", seq, what, "on", who] => {
                let fate = match *what {
                    "sick" => Fate::Sick,
                    "falls-back" => Fate::DoesNotBoot,
                    "dies" => Fate::Dies,
                    other => panic!("no such fate: {other}"),
                };
                let site = &mut self.world.sites[0];
                for (n, device) in site.devices.iter_mut().enumerate() {
                    if *who == "all" || site.server.hospital.devices[n].id.as_str() == *who {
                        device.body.fates.insert(seq.parse().unwrap(), fate);
                    }
                }
            }
            ["approve", "install", seq] => self.approve(Action::Install, seq.parse().unwrap()),
            ["approve", "rollback", seq] => self.approve(Action::Rollback, seq.parse().unwrap()),
            ["approve", "standing"] => self.approve(Action::Standing, 2),
            ["stop", what] => self.stop(what, HoldBy::Site),
            ["freeze"] => self.stop("site", HoldBy::Freeze),
            ["lift"] => {
                let server = &mut self.world.sites[0].server;
                server.lifts.extend(server.holds.drain(..).map(|hold| hold.id));
            }
            ["resume"] => {
                let server = &mut self.world.sites[0].server;
                (0..server.published.len()).for_each(|at| {
                    server.resume(at, now);
                });
            }
            ["recall", seq] => {
                let image = firmware(seq.parse().unwrap(), &[]).payload.image_sha256;
                self.world.sites[0].server.recalled.push(image);
            }
            ["withdraw"] => {
                let last = self.world.sites[0].server.published.last_mut().unwrap();
                last.consent = Consent::Withdrawn;
            }
            ["pause"] => self.world.sites[0].server.campaign = Campaign::Paused,
            ["go-on"] => self.world.sites[0].server.campaign = Campaign::Running,
            ["offline", who, hours] => {
                let site = &mut self.world.sites[0];
                let ids = site.server.hospital.devices.iter();
                let n = ids.into_iter().position(|device| device.id.as_str() == *who).unwrap();
                let hours: i64 = hours.parse().unwrap();
                site.devices[n].body.offline = Some((now, now.plus_seconds(hours * HOUR)));
            }
            ["show"] => self.show(),
            other => panic!("the script says {other:?}"),
        }
        self.world.sites[0].server.evaluate(now);
    }

    fn release(&mut self, seq: u64, back: &[u64]) {
        let release = Rc::new(firmware(seq, back));
        self.world.sites[0].server.release(&release);
        self.world.tell_release(0);
    }

    fn approve(&mut self, action: Action, seq: u64) {
        let now = self.world.now;
        let site = &mut self.world.sites[0];
        let found = site.server.releases.iter().find(|release| release.seq.0 == seq);
        let to = found.cloned().unwrap_or_else(|| Rc::new(firmware(seq, &[])));
        let running = |n: usize| site.devices[n].body.running;
        let rank = |n: usize| {
            let mut releases = site.server.releases.iter();
            releases.find(|r| r.payload.image_sha256 == running(n)).map_or(1, |r| r.seq.0)
        };
        let wanted = |n: usize| match action {
            Action::Install => rank(n) < seq,
            Action::Rollback => rank(n) > seq,
            Action::Standing => true,
        };
        let order = Order { action, to: &to, wanted: &wanted };
        let hospital = site.server.hospital.clone();
        let serial = site.server.serial + 1;
        let approval = hospital.sign(&order, now, serial).unwrap();
        site.server.serial = serial;
        let sizes: Vec<_> = approval
            .waves
            .iter()
            .map(|wave| approval.devices.iter().filter(|d| d.wave == wave.n).count().to_string())
            .collect();
        self.say(now, &format!("plan-{serial} signed, waves of {}", sizes.join(", ")));
        let at = self.world.sites[0].server.publish(approval);
        self.world.tell(0, at);
    }

    fn stop(&mut self, what: &str, by: HoldBy) {
        self.holds += 1;
        let server = &mut self.world.sites[0].server;
        let wards = &server.hospital.wards;
        let target = match (what, wards.iter().find(|ward| ward.as_str() == what)) {
            ("site", _) => HoldTarget::Site,
            (_, Some(ward)) => HoldTarget::Ward { ward: ward.clone() },
            (device, None) => HoldTarget::Device { device: device.parse().unwrap() },
        };
        let id = HoldId::new(&format!("stop-{}", self.holds)).unwrap();
        server.holds.push(Hold { id, target, by });
    }

    fn show(&mut self) {
        let now = self.world.now;
        let site = &self.world.sites[0];
        let mut lines = vec![];
        let version = |n: usize| {
            let image = site.devices[n].body.running;
            let release = site.server.releases.iter().find(|r| r.payload.image_sha256 == image);
            release.map_or_else(|| "2.1".to_owned(), |r| r.version.to_string())
        };
        let versions: BTreeSet<_> = (0..site.devices.len()).map(version).collect();
        for each in versions {
            let count = (0..site.devices.len()).filter(|n| version(*n) == each).count();
            lines.push(format!("{count} devices run {each}"));
        }
        for rollout in site.server.published.iter().flat_map(|p| &p.rollouts) {
            for w in &rollout.waves {
                let because = w
                    .state
                    .halted_because()
                    .map_or(String::new(), |halt| format!(" ({})", halt.code()));
                lines.push(format!(
                    "{} wave {}: {}{because}, {} devices: {} updated, {} failed, {} silent, {} h used",
                    rollout.firmware.version,
                    w.wave,
                    w.state.code(),
                    w.devices,
                    w.updated,
                    w.failed,
                    w.silent,
                    w.clinical_use_s / 3600
                ));
            }
        }
        let waits: Vec<_> = self.world.monitor.waits.keys().copied().collect();
        lines.push(format!("devices waited: {}", waits.join(", ")));
        for line in lines {
            self.say(now, &line);
        }
    }

    fn say(&mut self, at: Timestamp, what: &str) {
        let s = at.millis_since(begin()) / 1000;
        let (day, hour, minute) = (s / DAY, s % DAY / HOUR, s % HOUR / MINUTE);
        writeln!(self.out, "day {day:02} {hour:02}:{minute:02}  {what}").unwrap();
    }

    fn heard(&mut self) {
        let now = self.world.now;
        let lines = std::mem::take(&mut self.world.sites[0].server.log);
        for line in lines {
            self.say(now, &line);
        }
    }

    fn play(mut self, script: &str) -> String {
        for line in script.lines() {
            self.line(line);
        }
        let end = begin().plus_seconds(90 * DAY);
        while let Some(next) = self.world.next(end) {
            match next {
                Next::Wake(..) | Next::Boot(..) => self.world.device(next),
                Next::Planned(n) => {
                    let order = self.orders[n].clone();
                    if order != "show" {
                        self.say(self.world.now, &format!("> {order}"));
                    }
                    self.order(&order.split_whitespace().collect::<Vec<_>>());
                }
                Next::People(_) => {}
            }
            self.heard();
        }
        assert_eq!(self.world.monitor.unexcused(), [], "{:?}", self.world.monitor.examples);
        self.out
    }
}

fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/scenarios").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let (script, expected) = text.split_once("---\n").unwrap();
    let happened = Script::new().play(script);
    assert!(happened == expected, "{name} went otherwise:\n<<<\n{happened}>>>");
}

macro_rules! scenarios {
    ($($test:ident: $file:literal;)*) => {
        $(#[test]
        fn $test() {
            play($file);
        })*

        #[test]
        fn every_scenario_is_played() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/scenarios");
            let files = std::fs::read_dir(folder).unwrap();
            let found: BTreeSet<String> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            let played: BTreeSet<String> = [$($file),*].map(str::to_owned).into();
            assert_eq!(found, played);
        }
    };
}

scenarios! {
    a_canary_that_fails_halts_the_rollout: "canary-fails.txt";
    a_device_that_never_comes_back_is_missed: "dies.txt";
    a_halted_rollout_goes_on_by_signature_only: "resume.txt";
    a_ward_that_says_stop_is_left_alone_until_it_is_lifted: "ward-stop.txt";
    lost_reports_hold_the_next_wave_back_and_come_later: "lost-reports.txt";
    a_freeze_after_signing_holds_what_was_signed: "freeze.txt";
    a_hostile_server_cannot_open_a_wave_without_proof: "hostile-server.txt";
    of_a_pair_one_goes_and_the_other_waits_for_it: "pair.txt";
    a_wave_waits_for_hours_of_clinical_use: "clinical-use.txt";
    a_release_that_is_taken_back_stops_in_the_middle: "recalled.txt";
    a_rollback_that_the_hospital_orders_goes_through_slots_and_waves: "rollback.txt";
    a_standing_approval_carries_two_releases: "standing.txt";
}
