//! `inventory …`: what a hospital says of itself, read, changed and written back whole.
//!
//! Every change is read, made, checked, shown and written over the revision that was read; nothing
//! is half-imported. Not here: what the rules mean (the planner), keys of people (the site's root).
//! Invariant: what is sent passed every rule here first, and a change that somebody else overtook is
//! not written.

pub mod difference;
pub mod edit;
pub mod seen;
pub mod text;
pub mod words;

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::login;
use crate::said::Said;
use crate::server::{Reach, Server, is_absent};
use patchward_protocol::api::consent::{ReadInventory, WriteInventory};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::{AddDevice, AddDeviceRequest, Management};
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::limits::INVENTORY_BYTES_MAX;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which site, and how to reach its server.
#[derive(Debug, Clone, clap::Args)]
pub struct At {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// Check and show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `inventory export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// File for the whole inventory: NAME.toml or NAME.json
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// File for the table of wards (CSV)
    #[arg(long, value_name = "FILE")]
    pub wards: Option<PathBuf>,
    /// File for the table of devices (CSV)
    #[arg(long, value_name = "FILE")]
    pub devices: Option<PathBuf>,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `inventory import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// NAME.toml or NAME.json with the whole inventory, or NAME.csv with wards or devices
    pub file: PathBuf,
    /// With a table: remove wards or devices that it does not list
    #[arg(long)]
    pub replace: bool,
    /// Zone of the site, when it has no inventory yet
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// `inventory show`.
///
/// # Errors
/// [`Code::InventoryUnknown`]; failures of the server.
pub fn show(here: &Here, at: &At) -> Outcome<Said> {
    let server = login::connect(here, &at.reach)?;
    let inventory = read(&server, &at.site)?.ok_or_else(|| unknown(&at.site))?;
    Ok(Said::new(json!(inventory)).lines(text::lines(here.language, &inventory)))
}

/// `inventory export`.
///
/// # Errors
/// [`Code::InventoryUnknown`]; failures of server and writing.
pub fn export(here: &Here, export: &Export) -> Outcome<Said> {
    let server = login::connect(here, &export.reach)?;
    let inventory = read(&server, &export.site)?;
    let inventory =
        inventory.unwrap_or_else(|| Inventory::empty(export.site.clone(), "Asia/Tokyo"));
    let mut written = Vec::new();
    let mut put = |path: &Option<PathBuf>, bytes: &dyn Fn(&Path) -> Outcome<Vec<u8>>| {
        let Some(path) = path else { return Ok(()) };
        disk::write(path, &bytes(path)?, Readers::Everybody, Place::New)?;
        written.push(path.clone());
        Ok(())
    };
    put(&export.out, &|path| whole(path, &inventory))?;
    put(&export.wards, &|_| Ok(inventory.wards_table().into_bytes()))?;
    put(&export.devices, &|_| Ok(inventory.devices_table().into_bytes()))?;
    if written.is_empty() {
        let what = "name at least one of --out, --wards and --devices";
        return Err(Failure::new(Code::Usage, what));
    }
    let word = here.language.pick("wrote", "作成しました:");
    Ok(Said::new(json!({"revision": inventory.revision, "files": written}))
        .lines(written.iter().map(|path| format!("{word} {}", path.display()))))
}

/// `inventory import`.
///
/// # Errors
/// [`Code::InventoryBad`] with every problem, [`Code::InventoryConflict`]; failures of the server.
pub fn import(here: &Here, import: &Import) -> Outcome<Said> {
    let bytes_max = u64::try_from(INVENTORY_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = disk::read(&import.file, bytes_max)?;
    let server = login::connect(here, &import.at.reach)?;
    let held = read(&server, &import.at.site)?;
    let name = import.file.display();
    let bad = |problems| Failure::with_problems(Code::InventoryBad, &name, problems);
    match ending(&import.file) {
        "csv" => {
            let empty = || Inventory::empty(import.at.site.clone(), &import.tz);
            let old = held.unwrap_or_else(empty);
            let new = table(here, &old, &bytes).map_err(&bad)?;
            let gone = removed(&old, &new);
            if !gone.is_empty() && !import.replace {
                let what = format!("{name}: without these, which --replace would remove");
                return Err(Failure::with_problems(Code::InventoryBad, what, gone));
            }
            write(here, &server, &import.at, &old, &new)
        }
        "toml" | "json" => {
            let new = from_file(&import.file, &bytes)?;
            if new.site != import.at.site {
                let what = format!("{name}: the inventory of {}", new.site);
                return Err(Failure::new(Code::InventoryBad, what));
            }
            let old = held.unwrap_or_else(|| Inventory::empty(import.at.site.clone(), &new.tz));
            write(here, &server, &import.at, &old, &new)
        }
        _ => Err(Failure::new(Code::Usage, format!("{name}: ends in .toml, .json or .csv"))),
    }
}

/// The inventory of a site; nothing when it never wrote one.
///
/// # Errors
/// Failures of the server.
pub fn read(server: &Server, site: &SiteId) -> Outcome<Option<Inventory>> {
    match server.call::<ReadInventory>(&[site.as_str()], &()) {
        Ok(inventory) if inventory.revision > 0 => Ok(Some(inventory)),
        Ok(_) => Ok(None),
        Err(failure) if is_absent(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The failure for a site without an inventory.
#[must_use]
pub fn unknown(site: &SiteId) -> Failure {
    Failure::new(Code::InventoryUnknown, site)
}

/// An inventory from a file, checked.
///
/// # Errors
/// [`Code::InventoryBad`] with every problem; failures of reading.
pub fn open(path: &Path) -> Outcome<Inventory> {
    let bytes_max = u64::try_from(INVENTORY_BYTES_MAX).unwrap_or(u64::MAX);
    from_file(path, &disk::read(path, bytes_max)?)
}

fn from_file(path: &Path, bytes: &[u8]) -> Outcome<Inventory> {
    let name = path.display();
    let bad = |problems| Failure::with_problems(Code::InventoryBad, &name, problems);
    let json = match ending(path) {
        "toml" => {
            let text = std::str::from_utf8(bytes).map_err(|error| bad(vec![error.to_string()]))?;
            let text = text.trim_start_matches('\u{feff}');
            let inventory: Inventory =
                toml::from_str(text).map_err(|error| bad(vec![error.to_string()]))?;
            serde_json::to_vec(&inventory).map_err(|error| bad(vec![error.to_string()]))?
        }
        _ => bytes.to_vec(),
    };
    Inventory::read(&json)
        .map_err(|found| bad(found.problems.iter().map(ToString::to_string).collect()))
}

fn whole(path: &Path, inventory: &Inventory) -> Outcome<Vec<u8>> {
    let failed =
        |error: &dyn std::error::Error| Failure::because(Code::WriteFailed, path.display(), error);
    match ending(path) {
        "toml" => toml::to_string_pretty(inventory)
            .map(String::into_bytes)
            .map_err(|error| failed(&error)),
        "json" => serde_json::to_vec_pretty(inventory).map_err(|error| failed(&error)),
        _ => {
            let what = format!("{}: ends in .toml or .json", path.display());
            Err(Failure::new(Code::Usage, what))
        }
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|end| end.to_str()).unwrap_or_default()
}

/// Checks, shows and writes an inventory over the one that was read.
///
/// # Errors
/// [`Code::InventoryBad`], [`Code::InventoryConflict`]; failures of the server.
pub fn write(
    here: &Here,
    server: &Server,
    at: &At,
    old: &Inventory,
    new: &Inventory,
) -> Outcome<Said> {
    let problems = new.check();
    if !problems.is_empty() {
        let list = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::with_problems(Code::InventoryBad, &at.site, list));
    }
    let changes = difference::lines(here.language, old, new);
    if new.revision != old.revision {
        let what = format!(
            "{}: the file is of revision {}, the server has {}",
            at.site, new.revision, old.revision
        );
        return Err(Failure::with_problems(Code::InventoryConflict, what, changes));
    }
    let value = |revision: u64, written: bool| json!({"site": at.site, "revision": revision, "written": written, "changes": changes});
    if changes.is_empty() {
        let word = here.language.pick("nothing changes", "変更はありません");
        return Ok(Said::new(value(old.revision, false)).line(word));
    }
    if at.dry_run {
        let word = here.language.pick("would change (nothing was written):", "変更予定(未保存):");
        return Ok(Said::new(value(old.revision, false)).line(word).lines(changes.clone()));
    }
    let written = server.call::<WriteInventory>(&[at.site.as_str()], new);
    let written = written.map_err(|failure| overtaken(here, server, new, failure))?;
    let word = here.language.pick("inventory, revision", "台帳を保存しました。版");
    Ok(Said::new(value(written.revision, true))
        .line(format!("{word} {}", written.revision))
        .lines(changes.clone()))
}

/// When somebody else was faster: what stands there now, against what was to be written.
fn overtaken(here: &Here, server: &Server, new: &Inventory, failure: Failure) -> Failure {
    let code = failure.server.as_ref().map(|problem| problem.code);
    if code != Some(ErrorCode::InventoryConflict) {
        return failure;
    }
    let now = read(server, &new.site).ok().flatten();
    let problems = now.map(|now| difference::lines(here.language, &now, new)).unwrap_or_default();
    Failure { code: Code::InventoryConflict, problems, ..failure }
}

/// The inventory with the wards or devices of a table; which of the two, its header says.
fn table(here: &Here, old: &Inventory, bytes: &[u8]) -> Result<Inventory, Vec<String>> {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(header);
    let taken = match header.contains("name_en") {
        true => old.with_wards(bytes),
        false => old.with_devices(bytes),
    };
    let line = |problem: &patchward_protocol::inventory::csv::Problem| {
        let (en, ja) = problem.words();
        let what = here.language.pick(en, ja);
        format!("line {}, {} {:?}: {what}", problem.line, problem.column, problem.value)
    };
    taken.map_err(|bad| bad.problems.iter().map(line).collect())
}

/// Wards and devices that the new inventory has not any more.
fn removed(old: &Inventory, new: &Inventory) -> Vec<String> {
    let ids = |inventory: &Inventory| -> BTreeSet<String> {
        let wards = inventory.wards.iter().map(|ward| format!("ward {}", ward.id));
        wards
            .chain(inventory.devices.iter().map(|device| format!("device {}", device.id)))
            .collect()
    };
    ids(old).difference(&ids(new)).cloned().collect()
}

/// Arguments of `inventory manual`.
#[derive(Debug, clap::Args)]
pub struct Manual {
    /// The device
    pub device: DeviceId,
    /// Its family
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: FamilyId,
    /// Its hardware, when known
    #[arg(long, value_name = "HARDWARE")]
    pub hardware: Option<HardwareId>,
    /// It is only observed on the network
    #[arg(long)]
    pub observed: bool,
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `inventory manual`: makes a device without an agent known to the server.
///
/// # Errors
/// Failures of the server.
pub fn manual(here: &Here, manual: &Manual) -> Outcome<Said> {
    let server = login::connect(here, &manual.reach)?;
    let management = if manual.observed { Management::Observed } else { Management::Manual };
    let request = AddDeviceRequest {
        device: manual.device.clone(),
        management,
        family: manual.family.clone(),
        hardware: manual.hardware.clone(),
    };
    let view = server.call::<AddDevice>(&[manual.site.as_str()], &request)?;
    let word = here.language.pick("device without an agent:", "エージェントのない機器:");
    let line = format!("{word} {} ({})", view.device, view.family);
    Ok(Said::new(json!(view)).line(line))
}
