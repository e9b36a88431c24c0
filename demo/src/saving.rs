//! What deltas save: built by the server, spoilt on the way to one device, counted at the end.
//!
//! Not here: how a delta is made. Invariant: what a device fetched is read from its signed ledger, and
//! the server's figures are those that `patchward delta status` gives to everybody.

use crate::cast::{Cast, Product, SPOILT};
use crate::table::Table;
use anyhow::{Context as _, Result, bail};
use patchward_protocol::api::delta::{DeltaState, DeltaView, DeltasView};
use patchward_protocol::ledger::Carried;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::until;
use patchward_tests::hostile::{Answer, Hostile};
use patchward_tests::ledger::staged;
use std::time::Duration;

/// A delta is built beside everything else.
const BUILD: Duration = Duration::from_secs(180);
/// One byte of so many is spoilt; the first ones, with the table, are not.
const SPOILT_EVERY: u64 = 4096;

/// A line on which one byte in four thousand of every delta is turned, and nothing else.
pub(crate) fn noise_in_front_of(server: &str) -> Result<Hostile> {
    let line = Hostile::in_front_of(server)?;
    line.play(|request, upstream| {
        if !request.path.contains("/targets/delta/") {
            return Ok(None);
        }
        let mut reply = upstream.ask(request)?;
        let places = reply.first_byte()..;
        for (place, byte) in places.zip(&mut reply.body) {
            if place > 0 && place.is_multiple_of(SPOILT_EVERY) {
                *byte ^= 0x40;
            }
        }
        Ok(Some(Answer::Reply(reply)))
    });
    Ok(line)
}

/// The deltas of the first releases, each from the one before.
pub(crate) fn first_deltas(cast: &Cast) -> Result<((), String)> {
    let mut told = Vec::new();
    for product in &cast.products {
        let next = product.faulty.as_ref().unwrap_or(&product.recipe);
        told.push(delta(product, &product.first.version, &next.version)?);
    }
    Ok(((), told.join("; ")))
}

/// Waits until the delta between two versions is offered; says how long it is.
pub(crate) fn delta(product: &Product, from: &str, to: &str) -> Result<String> {
    let fits = |pair: &DeltaView| {
        let is = |version: Option<&_>, wanted: &str| {
            version
                .is_some_and(|version: &patchward_protocol::id::Version| version.as_str() == wanted)
        };
        is(pair.from.version.as_ref(), from) && is(pair.to.version.as_ref(), to)
    };
    let pair = until(&format!("the delta {from} to {to}"), BUILD, || {
        let pair = status(product)?.pairs.into_iter().find(fits);
        Ok(pair.filter(|pair| pair.state == DeltaState::Published))
    })?;
    let bytes = pair.bytes.context("its length")?;
    Ok(format!("delta {from} to {to}: {} instead of {}", short(bytes), short(pair.full_bytes)))
}

/// The device whose deltas are spoilt on the way runs the new image all the same.
pub(crate) fn spoilt(cast: &Cast) -> Result<((), String)> {
    let player = cast.player(SPOILT)?;
    player.device.updated_to(cast.next(player)?)?;
    let (entry, carried) = staged(&player.device)?;
    let Carried { windows, windows_full, delta_sha256, .. } = carried;
    let told = entry.fact.reason == Some(Reason::DeltaMalformed) && delta_sha256.is_some();
    if !told || windows_full == 0 || windows_full == windows {
        bail!("{:?} {windows_full} of {windows}: {}", entry.fact.reason, player.device.story());
    }
    let detail = format!(
        "{SPOILT} got a delta with turned bytes: {windows_full} of {windows} windows came from the \
         full file, the rest from the delta; healthy, and it says why"
    );
    Ok(((), detail))
}

/// Device by device what came, as the server counted it and as the device signed it.
pub(crate) fn tell(table: &mut Table, cast: &Cast) -> Result<()> {
    for (at, product) in cast.products.iter().enumerate() {
        let name = product.maker.family.as_str().rsplit('.').next().unwrap_or_default();
        table.step(&format!("bytes saved, {name}"), || saved(cast, at))?;
    }
    Ok(())
}

fn saved(cast: &Cast, product: usize) -> Result<((), String)> {
    let view = status(cast.products.get(product).context("a product")?)?;
    let (mut told, mut saved, mut full) = (Vec::new(), 0_u64, 0);
    for player in cast.players.iter().filter(|player| player.product == product) {
        let name = &player.device.name;
        let used = view.devices.iter().find(|used| used.device == *name);
        let used = used.with_context(|| format!("the server knows nothing of {name}"))?;
        let (_, carried) = staged(&player.device)?;
        if used.carried != carried {
            bail!("{name} signed {carried:?}, the server says {:?}", used.carried);
        }
        saved = saved.saturating_add(carried.full_bytes.saturating_sub(carried.fetched_bytes));
        full = carried.full_bytes;
        let whole = if carried.delta_sha256.is_none() { " (full image)" } else { "" };
        told.push(format!("{name} {}{whole}", short(carried.fetched_bytes)));
    }
    if saved == 0 {
        bail!("no delta saved anything: {told:?}");
    }
    let (told, full, saved) = (told.join(", "), short(full), short(saved));
    Ok(((), format!("{told}; instead of {full} each: {saved} saved")))
}

/// What `patchward delta status` says of a family.
fn status(product: &Product) -> Result<DeltasView> {
    let desk = &product.maker.desk;
    let mut command = desk.command(["delta", "status", product.maker.family.as_str()]);
    serde_json::from_value(desk.say(&mut command)?).context("what delta status says")
}

/// A number of bytes for people.
fn short(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_for_people() {
        assert_eq!(short(47_812), "48 kB");
        assert_eq!(short(12_345_678), "12.3 MB");
    }
}
