//! The first hospital's rollout: planned by its wards' rules, stopped, halted, resumed, taken back.
//!
//! Waves are really waited for: the planner gives slots of whole minutes. Not here: the clinic that
//! approves by hand ([`crate::story`]).
//! Invariant: what a wave did is read from disks and signed ledgers, not from the server alone.

use crate::cast::{BENCH, Cast, DEVICES, Player, Product, STOPPED, WARDS};
use crate::saving;
use crate::story::publish;
use crate::table::Table;
use anyhow::{Context as _, Result, bail};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::until;
use patchward_tests::device::Health;
use patchward_tests::hospital::{Hospital, Wish};
use patchward_tests::image::{Recipe, Release};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A wave begins on a full minute, and the one before has one of its own.
const WAVE_PATIENCE: Duration = Duration::from_secs(300);
/// The approval in which the bench finds a fault.
const FIRST: &str = "pumps-1";
/// The approval of the mended release.
const SECOND: &str = "pumps-2";
/// The approval of the ventilators.
const PAIR: &str = "ventilators-1";

/// Slots are short and follow at once; the agents of the demonstration keep a second free.
const PLANNING: [&str; 6] = ["--wait-s", "0", "--alternatives", "1", "--horizon-days", "1"];
/// Any hour is a window of this hospital.
const ANY_HOUR: [&str; 14] = [
    "windows",
    "add",
    "any-hour",
    "--days",
    "mon,tue,wed,thu,fri,sat,sun",
    "--start",
    "00:00",
    "--minutes",
    "1440",
    "--usual",
    "--name-en",
    "Any hour",
    "--name-ja",
    "終日",
];
/// Waves follow each other without soak.
const RULES: [&str; 7] = ["set", "--soak-h", "0", "--silent-after-s", "600", "--reserve-s", "1"];

/// Which wave each device is in.
type Waves = BTreeMap<String, u32>;

/// Tells it.
pub(crate) fn tell(table: &mut Table, cast: &Cast) -> Result<()> {
    table.step("wards and rules", || keep_inventory(cast))?;
    table.step("plan and approve", || approve_first(cast))?;
    table.step("bench fails, wave halts", || bench_fails(cast))?;
    table.step("mended release", || mend(cast))?;
    let waves = table.step("plan again", || approve_second(cast))?;
    table.step("ward says STOP", || stop_ward(cast))?;
    let canary = table.step("canary fails, wave halts", || canary_fails(cast, &waves))?;
    table.step("resumed by signature", || resume(cast, &canary))?;
    table.step("a pair, one after the other", || pair(cast))?;
    table.step("rollback ordered", || roll_back(cast, &canary))
}

fn hospital(cast: &Cast) -> Result<&Hospital> {
    cast.hospitals.first().context("the first hospital")
}

fn pumps(cast: &Cast) -> Result<&Product> {
    cast.products.first().context("the pumps")
}

fn here(cast: &Cast, product: usize) -> impl Iterator<Item = &Player> {
    cast.players.iter().filter(move |p| p.hospital == 0 && p.product == product)
}

fn keep_inventory(cast: &Cast) -> Result<((), String)> {
    let hospital = hospital(cast)?;
    hospital.inventory(&ANY_HOUR)?;
    hospital.inventory(&RULES)?;
    hospital.describe(WARDS, DEVICES)?;
    let detail = "2 wards that keep a pump each in service, a bench, a pair: from two spreadsheets";
    Ok(((), detail.to_owned()))
}

/// Device by device its wave, from what `plan` says.
fn waves_of(said: &Value) -> Result<Waves> {
    let devices = said.pointer("/parts/0/devices").and_then(Value::as_array);
    let waves = devices.context("the plan lists devices")?.iter().map(|device| {
        let id = device.get("id").and_then(Value::as_str).context("a device has an id")?;
        let wave = device.get("wave").and_then(Value::as_u64).context("a device has a wave")?;
        Ok((id.to_owned(), u32::try_from(wave)?))
    });
    waves.collect()
}

/// Plans a release and has it approved; gives for each device its wave.
fn approve(hospital: &Hospital, recipe: &Recipe, id: &str) -> Result<Waves> {
    let planned = hospital.plan(&recipe.family, &recipe.version, &PLANNING)?;
    hospital.approve_planned(id, &recipe.family, &recipe.version, &PLANNING)?;
    waves_of(&planned)
}

fn approve_first(cast: &Cast) -> Result<((), String)> {
    let faulty = pumps(cast)?.faulty.as_ref().context("a first release")?;
    let waves = approve(hospital(cast)?, faulty, FIRST)?;
    let last = waves.values().max().context("waves")?;
    let first: Vec<_> = waves.iter().filter(|(_, wave)| **wave == 0).map(|(id, _)| id).collect();
    if first != [BENCH] || waves.len() != here(cast, 0).count() {
        bail!("all are placed, the bench goes first and alone: {waves:?}");
    }
    let count = waves.len();
    Ok((
        (),
        format!("{count} devices in {} waves, bench first; checked, signed by 2 of 3", last + 1),
    ))
}

fn bench_fails(cast: &Cast) -> Result<((), String)> {
    let bench = cast.player(BENCH)?;
    halted(cast, FIRST, 0)?;
    bench.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    bench.device.still_runs(cast.factory(bench)?.firmware.payload.image_sha256)?;
    for player in here(cast, 0) {
        player.device.still_runs(cast.factory(player)?.firmware.payload.image_sha256)?;
    }
    let others = here(cast, 0).count().saturating_sub(1);
    Ok(((), format!("{BENCH} went back by itself; the other {others} were never touched")))
}

fn mend(cast: &Cast) -> Result<((), String)> {
    let product = pumps(cast)?;
    publish(product, &product.recipe)?;
    cast.player(BENCH)?.device.set_health(Health::Well)?;
    let (family, version) = (&product.recipe.family, &product.recipe.version);
    let delta = saving::delta(product, &product.first.version, version)?;
    Ok(((), format!("{family} {version}, signed by 2 of 3; {delta}")))
}

fn approve_second(cast: &Cast) -> Result<(Waves, String)> {
    let recipe = &pumps(cast)?.recipe;
    let hospital = hospital(cast)?;
    hospital.withdraw(FIRST)?;
    let waves = approve(hospital, recipe, SECOND)?;
    approve(hospital, &cast.products.get(1).context("the ventilators")?.recipe, PAIR)?;
    let canaries: Vec<_> = waves.iter().filter(|(_, wave)| **wave == 1).collect();
    let names: Vec<_> = canaries.iter().map(|(id, _)| id.as_str()).collect();
    let detail = format!(
        "{FIRST} is withdrawn; canaries of wave 1: {}; a pair of ventilators as well",
        names.join(", ")
    );
    Ok((waves, detail))
}

/// Anybody at the hospital stops a ward; nobody but a signer of the site lets it go on.
fn stop_ward(cast: &Cast) -> Result<((), String)> {
    let hospital = hospital(cast)?;
    let hold = hospital.hold(&["--ward", STOPPED])?;
    for name in ["pump-04", "pump-05"] {
        cast.player(name)?.device.held(Reason::HeldByServer)?;
    }
    hospital.lift(&hold)?;
    for name in ["pump-04", "pump-05"] {
        let device = &cast.player(name)?.device;
        until(&format!("{name} to hear that it is lifted"), WAVE_PATIENCE, || {
            let held = device.status()?.pointer("/holds/0").is_some();
            Ok((!held).then_some(()))
        })?;
    }
    let detail = format!("{STOPPED}: set without a key, heard by its devices, lifted by signature");
    Ok(((), detail))
}

fn canary_fails(cast: &Cast, waves: &Waves) -> Result<(String, String)> {
    let canary = ["pump-04", "pump-05"].into_iter().find(|name| waves.get(*name) == Some(&1));
    let canary = canary.context("the ward has a canary")?;
    let player = cast.player(canary)?;
    player.device.set_health(Health::Unwell)?;
    halted(cast, SECOND, 1)?;
    player.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    let bench = cast.player(BENCH)?;
    bench.device.updated_to(cast.next(bench)?)?;
    for (name, _) in waves.iter().filter(|(_, wave)| **wave > 1) {
        let player = cast.player(name)?;
        player.device.still_runs(cast.factory(player)?.firmware.payload.image_sha256)?;
    }
    let detail = format!("{BENCH} is updated; {canary} failed its checks; wave 2 stays closed");
    Ok((canary.to_owned(), detail))
}

fn resume(cast: &Cast, canary: &str) -> Result<((), String)> {
    hospital(cast)?.resume(SECOND, 1)?;
    let mut count = 0;
    for player in here(cast, 0).filter(|player| player.device.name.as_str() != canary) {
        runs_at_last(player, cast.next(player)?)?;
        count += 1;
    }
    Ok(((), format!("{count} of {} run it; later waves by proof of the ones before", count + 1)))
}

/// Of two ventilators that stand for each other, the second goes when the first has proven to work.
fn pair(cast: &Cast) -> Result<((), String)> {
    let mut done = Vec::new();
    for player in here(cast, 1) {
        runs_at_last(player, cast.next(player)?)?;
        let entries = player.device.ledger()?;
        let at = |kind| entries.iter().rev().find(|entry| entry.fact.kind == kind)?.at;
        let (began, ended) = (at(Transition::Activating), at(Transition::Committed));
        done.push((began.context("when it began")?, ended.context("when it ended")?));
    }
    done.sort_unstable();
    if let [(_, first_ended), (second_began, _)] = done.as_slice()
        && first_ended < second_began
    {
        return Ok(((), "the second began after the first had committed, by its proof".to_owned()));
    }
    bail!("both were out of service at once: {done:?}")
}

/// The hospital orders one pump back to the version before, which the manufacturer still permits.
fn roll_back(cast: &Cast, canary: &str) -> Result<((), String)> {
    let updated = here(cast, 0).find(|player| {
        let name = player.device.name.as_str();
        name != canary && name != BENCH
    });
    let player = updated.context("an updated pump")?;
    let device = &player.device;
    let factory = cast.factory(player)?;
    let version = factory.firmware.version.as_str();
    let wish = Wish {
        id: format!("back-{}", device.name),
        family: device.family.clone(),
        version: version.to_owned(),
        devices: vec![device.name.to_string()],
        start_s: 0,
        length_s: 3600,
    };
    hospital(cast)?.order_back(&wish, "ネットワークから隔離")?;
    runs_at_last(player, factory)?;
    let detail = format!("{} runs {version} again; open CVEs and control are signed", device.name);
    Ok(((), detail))
}

/// Waits until a device runs a release, longer than other steps wait, and asks it how that ended.
fn runs_at_last(player: &Player, release: &Release) -> Result<()> {
    let device = &player.device;
    let wanted = release.firmware.payload.image_sha256;
    until(&format!("{} to run {}", device.name, release.firmware.version), WAVE_PATIENCE, || {
        Ok((device.running_image()? == wanted).then_some(()))
    })
    .with_context(|| device.story())?;
    device.updated_to(release)
}

fn halted(cast: &Cast, approval: &str, wave: usize) -> Result<()> {
    let hospital = hospital(cast)?;
    until(&format!("wave {wave} of {approval} to halt"), WAVE_PATIENCE, || {
        Ok((hospital.wave_state(approval, wave)? == "halted").then_some(()))
    })
}
