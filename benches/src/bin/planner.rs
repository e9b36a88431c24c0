//! How long a plan for a large hospital takes, and the check of it.
//!
//! `cargo run --release -p patchward-benches --bin planner`: 5,000 devices in 200 wards, one in ten of a
//! redundant pair, 30 nights. Prints the least and the median of many runs (other work on the machine only
//! adds) and fails when the plan takes 50 ms or more at its best.
#![allow(clippy::print_stdout, reason = "a measurement is read")]

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::approval::Urgency;
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::id::{DeviceId, FamilyId, KindId, WardId};
use patchward_protocol::inventory::{Attendance, MinInService, SiteRules, Usage};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::plan::{
    ALTERNATIVES, Availability, Candidate, Hours, Management, Request, WAIT_S, WardRules, Wish,
    plan, plan_parts, plan_standing,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use patchward_tests::clock::Stopwatch;
use std::time::Duration;

const WARDS: u32 = 200;
const DEVICES_PER_WARD: u32 = 25;
const NIGHTS: i64 = 30;
const RUNS: usize = 41;
/// The goal for a plan.
const PLAN_MS_MAX: f64 = 50.0;

fn main() -> Result<()> {
    let request = hospital()?;
    let found = plan(&request);
    let violations = check(&request, WaveOrder::InTime, &found.waves, &found.devices);
    ensure!(violations.is_empty(), "the plan breaks rules: {violations:?}");
    let slots: usize = found.devices.iter().map(|device| device.slots.len()).sum();
    println!("devices                  {} in {WARDS} wards", request.devices.len());
    println!("placed                   {} with {slots} slots", found.devices.len());
    println!("not placed               {}", found.unplaced.len());
    println!("waves                    {}", found.waves.len());
    let took = timed(|| drop(plan(&request)));
    println!("plan                     {took} (goal: below {PLAN_MS_MAX} ms)");
    println!("plan in approvals        {}", timed(|| drop(plan_parts(&request))));
    let judge = || drop(check(&request, WaveOrder::InTime, &found.waves, &found.devices));
    println!("check                    {}", timed(judge));
    let mut crowded = request.clone();
    crowded.rules.max_parallel = Some(2);
    let left = plan(&crowded).unplaced.len();
    println!("plan, two at a time      {}, {left} not placed", timed(|| drop(plan(&crowded))));
    let standing = Request { alternatives: 32, ..request };
    println!("standing, 32 lanes each  {}", timed(|| drop(plan_standing(&standing))));
    ensure!(took.least_ms < PLAN_MS_MAX, "the plan took too long");
    Ok(())
}

/// Wards with a window of two hours each night, each at another hour.
fn hospital() -> Result<Request> {
    let now: Timestamp = "2026-11-30T00:00:00Z".parse().context("a time")?;
    let family = FamilyId::new("acme.infusion-a").context("a family")?;
    let kind = KindId::new("infusion-pump").context("a kind")?;
    let (mut wards, mut devices) = (Vec::new(), Vec::new());
    for n in 0..WARDS {
        let id = WardId::new(&format!("ward-{n}")).context("a ward")?;
        let first = now.plus_seconds(i64::from(n * 7 % 24) * 1800);
        let nights = (0..NIGHTS).map(|night| {
            let start = first.plus_seconds(night * 86_400);
            Slot::new(start, start.plus_seconds(7200))
        });
        wards.push(WardRules {
            id: Some(id.clone()),
            min_in_service: vec![MinInService { kind: kind.clone(), count: 20 }],
            max_parallel: Some(4),
            windows: nights.collect::<Result<_, _>>().context("a window")?,
            staff: Vec::new(),
        });
        for m in 0..DEVICES_PER_WARD {
            let name = |m: u32| DeviceId::new(&format!("pump-{n}-{m}")).context("a device");
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&(n * DEVICES_PER_WARD + m).to_le_bytes());
            devices.push(Candidate {
                id: name(m)?,
                key: Some(SecretKey::from_seed(&seed).public()),
                ward: Some(id.clone()),
                kind: kind.clone(),
                pair: if m < 2 { Some(name(1 - m)?) } else { None },
                usage: if m == 24 && n % 4 == 0 { Usage::Spare } else { Usage::InService },
                attended: Attendance::Unattended,
                management: Management::Agent,
                family: Some(family.clone()),
                availability: Availability::Working,
                wish: Wish::Update,
            });
        }
    }
    Ok(Request {
        families: vec![family],
        need_s: 1200,
        wait_s: WAIT_S,
        attended: Attendance::Unattended,
        urgency: Urgency::Routine,
        hours: Hours::Usual,
        alternatives: ALTERNATIVES,
        now,
        until: now.plus_seconds(NIGHTS * 86_400),
        devices,
        strangers: Vec::new(),
        wards,
        rules: SiteRules { max_parallel: Some(400), ..SiteRules::default() },
        freezes: Vec::new(),
        busy: Vec::new(),
    })
}

/// Many runs of one thing.
struct Timed {
    least_ms: f64,
    median_ms: f64,
}

impl std::fmt::Display for Timed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ms, median {:.1} ms", self.least_ms, self.median_ms)
    }
}

fn timed(mut run: impl FnMut()) -> Timed {
    let runs = (0..RUNS).map(|_| {
        let watch = Stopwatch::start();
        run();
        watch.elapsed()
    });
    let mut times: Vec<Duration> = runs.collect();
    times.sort_unstable();
    let ms = |at: usize| times.get(at).copied().unwrap_or_default().as_secs_f64() * 1000.0;
    Timed { least_ms: ms(0), median_ms: ms(RUNS / 2) }
}
