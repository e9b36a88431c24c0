//! The story, step by step; each step verifies what it tells.
//!
//! What devices run is computed from their disks, what they did is read from their signed ledgers,
//! what the server knows is asked over HTTP. Not here: who plays ([`crate::cast`]).

use crate::cast::{
    ATTACKED, BENCH, Cast, FAMILIES, HOSPITALS, IN_USE, PLACES, Player, Product, SPOILT, recipes,
};
use crate::table::Table;
use crate::{audit, people, rollout, saving};
use anyhow::{Context as _, Result, bail};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};
use patchward_protocol::reason::Reason;
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::device::{Device, Health, InUse, PATIENCE};
use patchward_tests::forge;
use patchward_tests::forged::Forged;
use patchward_tests::hospital::{Hospital, Wish};
use patchward_tests::hostile::Hostile;
use patchward_tests::image::Recipe;
use patchward_tests::maker::Maker;
use patchward_tests::owner::{Owner, next_version, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::server::{Mode, QUICK, Server};
use patchward_tests::world::{inventory, view};
use serde_json::Value;
use std::path::Path;

/// Tells the whole story.
pub(crate) fn tell(table: &mut Table, programs: &Programs, folder: &Path) -> Result<Cast> {
    let server = table.step("server", || start_server(programs, folder))?;
    let products = table.step("manufacturer", || make_products(programs, folder, &server))?;
    table.step("release", || release(&products))?;
    let hospitals =
        table.step("hospitals", || open_hospitals(programs, folder, &server, &products))?;
    let attacker = Hostile::in_front_of(server.address()?)?;
    let noise = saving::noise_in_front_of(server.address()?)?;
    let players = Vec::new();
    let mut cast = Cast { players, attacker, noise, products, hospitals, server };
    table.step("twelve devices", || enrol(programs, folder, &mut cast))?;
    table.step("no approval, no change", || start_agents(&mut cast))?;
    table.step("deltas", || saving::first_deltas(&cast))?;
    rollout::tell(table, &cast)?;
    table.step("forged approval", || forge_approval(&cast))?;
    table.step("the clinic approves", || approve(&cast))?;
    table.step("update", || update(&cast))?;
    table.step("a spoilt delta", || saving::spoilt(&cast))?;
    table.step("in use, waits", || wait_in_use(&cast))?;
    table.step("forgery refused", || refuse_forgery(&cast))?;
    table.step("attack over", || attack_over(&cast))?;
    table.step("free again", || free_again(&cast))?;
    table.step("ledgers", || check_records(&cast))?;
    saving::tell(table, &cast)?;
    table.step("people", || people::invite(&cast.server))?;
    table.step("console", || people::walk(&cast))?;
    audit::tell(table, &cast)?;
    Ok(cast)
}

fn start_server(programs: &Programs, folder: &Path) -> Result<(Server, String)> {
    let server = Server::begin_as(Mode::Demo, programs, &folder.join("server"), QUICK)?;
    let ready = server.client()?.get("/health/ready")?;
    if ready.status != 200 {
        bail!("not ready: {}", String::from_utf8_lossy(&ready.body));
    }
    let detail = format!("{} on embedded SQLite; ready; first token claimed once", server.url()?);
    Ok((server, detail))
}

fn make_products(
    programs: &Programs,
    folder: &Path,
    server: &Server,
) -> Result<(Vec<Product>, String)> {
    let url = server.url()?;
    let products = FAMILIES.iter().enumerate().map(|(product, (name, ..))| {
        let family = FamilyId::new(name).context("a family")?;
        let mut recipes = recipes(&family, product)?.into_iter();
        let first = recipes.next().context("the factory's image")?;
        let recipe = recipes.next_back().context("the last version")?;
        let faulty = recipes.next();
        let desk = folder.join(format!("maker-{product}"));
        let maker = Maker::begin(programs, &desk, (&url, &server.token), &family)?;
        let (factory, next) = (first.release()?, recipe.release()?);
        Ok(Product { maker, factory, first, next, recipe, faulty })
    });
    let products = products.collect::<Result<Vec<_>>>()?;
    let detail = "2 families, 12 offline keys, each root and targets signed by 2 of 3 people";
    Ok((products, detail.to_owned()))
}

fn release(products: &[Product]) -> Result<((), String)> {
    let mut names = Vec::new();
    for product in products {
        publish(product, &product.first)?;
        let next = product.faulty.as_ref().unwrap_or(&product.recipe);
        publish(product, next)?;
        names.push(format!("{} {}", next.family, next.version));
    }
    let names = names.join(", ");
    Ok(((), format!("{names}: signed by 2 of 3, published, digest as built from the folder")))
}

/// Prepares a release, has it signed by two people and publishes it.
pub(crate) fn publish(product: &Product, recipe: &Recipe) -> Result<()> {
    let draft = product.maker.prepare(recipe)?;
    let built = recipe.release()?.firmware.payload.image_sha256;
    if draft.image_sha256 != built.to_string() {
        bail!("the archive is not the one that the folder gives: {}", draft.image_sha256);
    }
    product.maker.release(&draft)
}

fn open_hospitals(
    programs: &Programs,
    folder: &Path,
    server: &Server,
    products: &[Product],
) -> Result<(Vec<Hospital>, String)> {
    let url = server.url()?;
    let hospitals = HOSPITALS.iter().map(|name| {
        let site = SiteId::new(name).context("a site")?;
        Hospital::begin(programs, &folder.join(name), (&url, &server.token), &site)
    });
    let hospitals = hospitals.collect::<Result<Vec<_>>>()?;
    for hospital in &hospitals {
        for product in products {
            hospital.trust(&product.maker.family, &product.maker.root)?;
        }
        let path = format!("/tuf/site/{}/metadata/timestamp.json", hospital.site);
        let status = server.client()?.get(&path)?.status;
        if status != 404 {
            bail!("{path} is {status} for strangers");
        }
    }
    let detail = "2 sites with keys of their own; their repositories are 404 for strangers";
    Ok((hospitals, detail.to_owned()))
}

fn enrol(programs: &Programs, folder: &Path, cast: &mut Cast) -> Result<((), String)> {
    for (hospital, product, name) in PLACES {
        let at = cast.hospitals.get(hospital).context("a hospital")?;
        let what = cast.products.get(product).context("a product")?;
        let root = std::fs::read(&what.maker.root).context("the family's root")?;
        let place = folder.join("devices").join(name);
        let mut device = Device::from_factory(programs, &place, name, &what.factory, &root)?;
        let mut pack = at.pack(&device.family, name)?;
        if name == ATTACKED {
            pack.url = cast.attacker.url();
        } else if name == SPOILT {
            pack.url = cast.noise.url();
        }
        device.enrol(&pack)?;
        device.key = view(&cast.server, at, name)?.device_key;
        cast.players.push(Player { hospital, product, device, agent: None });
    }
    cast.player(BENCH)?.device.set_health(Health::Unwell)?;
    cast.player(IN_USE)?.device.set_in_use(InUse::Yes)?;
    let trees = PLACES.iter().filter(|(_, product, _)| *product == 0).count();
    let slots = PLACES.len().saturating_sub(trees);
    Ok((
        (),
        format!("{trees} with trees, {slots} with slots; each by a pack with a one-time token"),
    ))
}

fn start_agents(cast: &mut Cast) -> Result<((), String)> {
    for player in &mut cast.players {
        player.agent = Some(player.device.start()?);
    }
    for player in &cast.players {
        let hospital = cast.hospitals.get(player.hospital).context("its hospital")?;
        until(&format!("{} to ask for news", player.device.name), PATIENCE, || {
            let seen = view(&cast.server, hospital, player.device.name.as_str())?;
            Ok(seen.last_seen)
        })
        .with_context(|| player.device.story())?;
        player.device.is_unchanged()?;
    }
    Ok((
        (),
        "12 agents ask for news; the release is there; all disks hold the old image".to_owned(),
    ))
}

/// Whoever owns the server has its online keys; an approval by hospital keys he has not.
fn forge_approval(cast: &Cast) -> Result<((), String)> {
    let player = cast.player(ATTACKED)?;
    let hospital = cast.hospitals.get(player.hospital).context("its hospital")?;
    let id = RepositoryId::Site(hospital.site.clone());
    let online = cast.server.steal_online(&id)?;
    let mut poser = Owner::posing(&cast.server.administrator()?, &id)?;
    let key = player.device.key.context("the device has a key")?;
    let device = (player.device.name.clone(), key);
    let plan = Plan::open_now("forged", 99);
    let approval = plan.approval(&hospital.site, cast.next(player)?, &[device])?;
    let bytes = approval.write().context("write the forged approval")?;
    next_version(&mut poser.targets)?;
    let listed = poser.targets.get_mut("targets").and_then(Value::as_object_mut);
    let entry = forge::target_entry(&bytes, None);
    listed.context("targets")?.insert("approval/forged.json".to_owned(), entry);
    let (version, targets) = (version_of(&poser.targets)?, poser.targets_file()?);
    let file = format!("targets/approval/{}.forged.json", Sha256Digest::of(&bytes));
    let forged = Forged::chain(&poser, &online, (version, &targets))?.with(&file, &bytes);
    cast.attacker.play(move |request, upstream| forged.answer(request, upstream));
    let detail = format!("{ATTACKED} is shown an approval under the server's own stolen keys");
    Ok(((), detail))
}

/// A clinic without plan: named devices, one slot, at once.
fn approve(cast: &Cast) -> Result<((), String)> {
    let mut count = 0;
    for (at, hospital) in cast.hospitals.iter().enumerate().skip(1) {
        for (what, product) in cast.products.iter().enumerate() {
            let here = |player: &&Player| player.hospital == at && player.product == what;
            let devices = cast.players.iter().filter(here);
            hospital.approve(&Wish {
                id: format!("{}-{}", product.maker.family.as_str().replace('.', "-"), 1),
                family: product.maker.family.clone(),
                version: product.recipe.version.clone(),
                devices: devices.map(|player| player.device.name.to_string()).collect(),
                start_s: 0,
                length_s: 3600,
            })?;
            count += 1;
        }
    }
    Ok(((), format!("{count} approvals for named devices and hours, each signed by 2 of 3 people")))
}

fn update(cast: &Cast) -> Result<((), String)> {
    let apart = [IN_USE, ATTACKED];
    let there = cast.players.iter().filter(|player| player.hospital == 1);
    let mut count = 0;
    for player in there.filter(|p| !apart.contains(&p.device.name.as_str())) {
        player.device.updated_to(cast.next(player)?)?;
        count += 1;
    }
    Ok((
        (),
        format!("{count} devices run the new image: hashed on their disks, equal to the signed"),
    ))
}

fn wait_in_use(cast: &Cast) -> Result<((), String)> {
    let player = cast.player(IN_USE)?;
    player.device.held(Reason::InUse)?;
    player.device.is_unchanged()?;
    let sentence = player.device.why(Reason::InUse.code())?;
    Ok(((), format!("{IN_USE} says why: {sentence}")))
}

fn refuse_forgery(cast: &Cast) -> Result<((), String)> {
    let player = cast.player(ATTACKED)?;
    let entry = player.device.refused(Reason::MetadataSignature)?;
    player.device.is_unchanged()?;
    let detail = format!(
        "{ATTACKED} keeps its image; entry {} of its signed ledger: {}",
        entry.seq,
        Reason::MetadataSignature
    );
    Ok(((), detail))
}

fn attack_over(cast: &Cast) -> Result<((), String)> {
    cast.attacker.rest();
    let player = cast.player(ATTACKED)?;
    // The honest timestamp must be newer than the forged one that the device has seen.
    let hospital = cast.hospitals.get(player.hospital).context("its hospital")?;
    let product = cast.products.get(player.product).context("its product")?;
    for n in 2..4 {
        hospital.approve(&Wish {
            id: format!("{ATTACKED}-{n}"),
            family: product.maker.family.clone(),
            version: product.recipe.version.clone(),
            devices: vec![ATTACKED.to_owned()],
            start_s: 0,
            length_s: 3600,
        })?;
    }
    player.device.updated_to(cast.next(player)?)?;
    Ok(((), format!("{ATTACKED} takes the honest approval and runs the new image")))
}

fn free_again(cast: &Cast) -> Result<((), String)> {
    let player = cast.player(IN_USE)?;
    player.device.set_in_use(InUse::No)?;
    player.device.updated_to(cast.next(player)?)?;
    Ok(((), format!("{IN_USE} is not in use any more and runs the new image; nothing was forced")))
}

/// The hospital has what the devices recorded: every entry, none twice.
fn check_records(cast: &Cast) -> Result<((), String)> {
    let mut entries = 0;
    for hospital in &cast.hospitals {
        for seen in inventory(&cast.server, hospital)? {
            let player = cast.player(seen.device.as_str())?;
            until(&format!("the reports of {}", seen.device), PATIENCE, || {
                let seen = view(&cast.server, hospital, seen.device.as_str())?;
                let held = player.device.ledger()?.last().map_or(0, |entry| entry.seq);
                Ok((seen.ledger_seq == held && !seen.forked).then_some(()))
            })?;
            entries += player.device.ledger()?.len();
        }
    }
    Ok(((), format!("{entries} signed, chained ledger entries of 12 devices, all at the server")))
}
