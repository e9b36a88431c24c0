//! The first hospital's rollout: planned by its wards' rules, stopped, halted, resumed, taken back.
//!
//! Waves are really waited for: the planner gives slots of whole minutes. Not here: the clinic that
//! approves by hand ([`crate::story`]).
//! Invariant: what a wave did is read from disks and signed ledgers, not from the server alone.

use crate::cast::{BENCH, Cast, DEVICES, Player, Product, STOPPED, WARDS};
use crate::office::{self, Wanted};
use crate::story::publish;
use crate::table::Table;
use anyhow::{Context as _, Result, bail};
use patchward_protocol::api::consent::{RolloutView, WaveView};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::{now, until};
use patchward_tests::device::Health;
use patchward_tests::hospital::Hospital;
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
    office::keep_inventory(hospital(cast)?, WARDS, DEVICES)?;
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

fn approve_first(cast: &Cast) -> Result<((), String)> {
    let faulty = pumps(cast)?.faulty.as_ref().context("a first release")?;
    let wanted = Wanted { family: &faulty.family, version: &faulty.version };
    let planned = office::plan(hospital(cast)?, wanted)?;
    let waves = waves_of(&planned)?;
    let last = waves.values().max().context("waves")?;
    let first: Vec<_> = waves.iter().filter(|(_, wave)| **wave == 0).map(|(id, _)| id).collect();
    if first != [BENCH] || waves.len() != here(cast, 0).count() {
        bail!("all are placed, the bench goes first and alone: {planned}");
    }
    office::approve_planned(hospital(cast)?, wanted, FIRST)?;
    let count = waves.len();
    Ok((
        (),
        format!("{count} devices in {} waves, bench first; checked, signed by 2 of 3", last + 1),
    ))
}

fn bench_fails(cast: &Cast) -> Result<((), String)> {
    let bench = cast.player(BENCH)?;
    let wave = wave_in(cast, FIRST, 0, "halted")?;
    bench.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    bench.device.still_runs(cast.factory(bench)?.firmware.payload.image_sha256)?;
    for player in here(cast, 0) {
        player.device.still_runs(cast.factory(player)?.firmware.payload.image_sha256)?;
    }
    let others = here(cast, 0).count().saturating_sub(1);
    Ok((
        (),
        format!(
            "{BENCH} went back by itself; {} failed, the other {others} were never touched",
            wave.failed
        ),
    ))
}

fn mend(cast: &Cast) -> Result<((), String)> {
    let product = pumps(cast)?;
    publish(product, &product.recipe)?;
    cast.player(BENCH)?.device.set_health(Health::Well)?;
    Ok(((), format!("{} {}, signed by 2 of 3", product.recipe.family, product.recipe.version)))
}

fn approve_second(cast: &Cast) -> Result<(Waves, String)> {
    let recipe = &pumps(cast)?.recipe;
    let wanted = Wanted { family: &recipe.family, version: &recipe.version };
    let hospital = hospital(cast)?;
    hospital.withdraw(FIRST)?;
    let waves = waves_of(&office::plan(hospital, wanted)?)?;
    office::approve_planned(hospital, wanted, SECOND)?;
    let other = &cast.products.get(1).context("the ventilators")?.recipe;
    let pair = Wanted { family: &other.family, version: &other.version };
    office::approve_planned(hospital, pair, PAIR)?;
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
    let hold = office::hold_ward(hospital, STOPPED)?;
    for name in ["pump-04", "pump-05"] {
        cast.player(name)?.device.held(Reason::HeldByServer)?;
    }
    office::lift(hospital, hold.id.as_str())?;
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
    wave_in(cast, SECOND, 1, "halted")?;
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
    office::resume(hospital(cast)?, SECOND, 1)?;
    let mut count = 0;
    for player in here(cast, 0).filter(|player| player.device.name.as_str() != canary) {
        let name = &player.device.name;
        let next = cast.next(player)?.firmware.payload.image_sha256;
        until(&format!("{name} to be updated"), WAVE_PATIENCE, || {
            Ok((player.device.running_image()? == next).then_some(()))
        })
        .with_context(|| player.device.story())?;
        player.device.updated_to(cast.next(player)?)?;
        count += 1;
    }
    Ok(((), format!("{count} of {} run it; later waves by proof of the ones before", count + 1)))
}

/// Of two ventilators that stand for each other, the second goes when the first has proven to work.
fn pair(cast: &Cast) -> Result<((), String)> {
    let mut done = Vec::new();
    for player in here(cast, 1) {
        let name = &player.device.name;
        let next = cast.next(player)?.firmware.payload.image_sha256;
        until(&format!("{name} to be updated"), WAVE_PATIENCE, || {
            Ok((player.device.running_image()? == next).then_some(()))
        })
        .with_context(|| player.device.story())?;
        player.device.updated_to(cast.next(player)?)?;
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
    let start = now().whole_second();
    let slot = format!("{start}/{}", start.plus_seconds(3600));
    let due = start.plus_seconds(14 * 24 * 3600).to_string();
    let factory = cast.factory(player)?;
    let version = factory.firmware.version.as_str();
    let wanted = Wanted { family: &device.family, version };
    office::roll_back(hospital(cast)?, wanted, device.name.as_str(), &slot, &due)?;
    let old = factory.firmware.payload.image_sha256;
    until(&format!("{} to go back", device.name), WAVE_PATIENCE, || {
        Ok((device.running_image()? == old).then_some(()))
    })
    .with_context(|| device.story())?;
    device.noted_committed(&old.to_string())?;
    let detail = format!("{} runs {version} again; open CVEs and control are signed", device.name);
    Ok(((), detail))
}

fn wave_in(cast: &Cast, approval: &str, wave: u32, state: &str) -> Result<WaveView> {
    let hospital = hospital(cast)?;
    let what = format!("wave {wave} of {approval} to be {state}");
    until(&what, WAVE_PATIENCE, || {
        let rollout: RolloutView = office::rollout(hospital, approval)?;
        let waves = rollout.waves.into_iter();
        Ok(waves.into_iter().find(|view| view.wave == wave && view.state == state))
    })
}
