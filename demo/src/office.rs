//! What a clinical engineer types in the course of a day: inventory, plan, approval, hold, resume,
//! rollback, record.
//!
//! Every call is a command of the real command line. Not here: what the story checks afterwards.
//! Invariant: approvals are signed by two people of three.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::api::consent::{HoldView, RolloutView};
use patchward_protocol::id::FamilyId;
use patchward_tests::desk::{KeyFile, number, text};
use patchward_tests::hospital::Hospital;
use patchward_tests::image::put;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who signs, and as what.
const ROLES: [&str; 2] = ["臨床工学技士", "医療機器安全管理責任者"];

/// What is to be planned: for devices of the demonstration slots are short and follow at once.
const PLANNING: [&str; 6] = ["--wait-s", "0", "--alternatives", "1", "--horizon-days", "1"];

/// A release of a family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The family.
    pub(crate) family: &'a FamilyId,
    /// The version.
    pub(crate) version: &'a str,
}

/// The tables that a hospital keeps, as a spreadsheet writes them (with a byte order mark).
pub(crate) fn keep_inventory(hospital: &Hospital, wards: &str, devices: &str) -> Result<()> {
    let site = hospital.site.as_str();
    let desk = &hospital.desk;
    desk.say(desk.command(["inventory", "windows", "add", "any-hour", "--site", site]).args([
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
    ]))?;
    let rules = ["--soak-h", "0", "--silent-after-s", "600", "--reserve-s", "1"];
    desk.say(desk.command(["inventory", "set", "--site", site]).args(rules))?;
    for (name, table) in [("wards.csv", wards), ("devices.csv", devices)] {
        let file = desk.place(name);
        put(&file, format!("\u{feff}{table}").as_bytes())?;
        desk.say(desk.command(["inventory", "import"]).arg(&file).args(["--site", site]))?;
    }
    Ok(())
}

/// Plans, and gives for each device its wave.
pub(crate) fn plan(hospital: &Hospital, wanted: Wanted<'_>) -> Result<Value> {
    let mut command = hospital.desk.command(["plan", "--site", hospital.site.as_str()]);
    command.args(["--family", wanted.family.as_str(), "--release", wanted.version]);
    hospital.desk.say(command.args(PLANNING))
}

/// Plans, has the plan checked, signed by two people, and published.
pub(crate) fn approve_planned(hospital: &Hospital, wanted: Wanted<'_>, id: &str) -> Result<()> {
    let mut command = approval(hospital, wanted, id);
    command.args(PLANNING);
    finish(hospital, &mut command, id, &[])
}

/// Orders a rollback of one device, at once, with what stands in for the patch meanwhile.
pub(crate) fn roll_back(
    hospital: &Hospital,
    wanted: Wanted<'_>,
    device: &str,
    slot: &str,
    due: &str,
) -> Result<()> {
    let id = format!("back-{device}");
    let mut command = approval(hospital, wanted, &id);
    command.args(["--rollback", "--device", device, "--slot", slot]);
    let control = ["--control", "ネットワークから隔離", "--owner", "臨床工学科", "--due", due];
    finish(hospital, &mut command, &id, &control)
}

fn approval(hospital: &Hospital, wanted: Wanted<'_>, id: &str) -> Command {
    let mut command = hospital.desk.command(["approve", "--site", hospital.site.as_str()]);
    command.args(["--family", wanted.family.as_str(), "--release", wanted.version]);
    command.args(["--id", id, "--settle-s", "0", "--silent-after-s", "600"]);
    command.arg("--out").arg(hospital.desk.place(&format!("approval-{id}")));
    command
}

fn finish(hospital: &Hospital, command: &mut Command, id: &str, more: &[&str]) -> Result<()> {
    let said = hospital.desk.say(command).with_context(|| format!("draw up {id}"))?;
    let (staged, version) = (PathBuf::from(text(&said, "staged")?), number(&said, "version")?);
    for (key, role) in hospital.keys.targets.iter().zip(ROLES) {
        let words = [&words(&key.person, role, "Closes CVE-2026-1234")[..], more].concat();
        hospital.desk.sign(&staged, key, version, &words)?;
    }
    hospital.desk.publish(&[&staged]).map(|_| ())
}

/// Name, role and reason of a signature.
fn words<'a>(person: &'a str, role: &'a str, reason: &'a str) -> [&'a str; 6] {
    ["--name", person, "--role", role, "--reason", reason]
}

/// Holds a ward: no key is asked for.
pub(crate) fn hold_ward(hospital: &Hospital, ward: &str) -> Result<HoldView> {
    let mut command = hospital.desk.command(["hold", "set", "--site", hospital.site.as_str()]);
    command.args(["--ward", ward, "--reason", "Emergency admission", "--owner", "ICU, ext. 4711"]);
    let said = hospital.desk.say(&mut command)?;
    serde_json::from_value(said).context("the hold as the server sees it")
}

/// Lifts a hold by the signature of one who signs for the site.
pub(crate) fn lift(hospital: &Hospital, hold: &str) -> Result<()> {
    let mut command = hospital.desk.command(["hold", "lift", hold]);
    command.args(["--site", hospital.site.as_str()]);
    sign_with(hospital, command.args(words("tanaka", ROLES[0], "The admission is over")))
}

/// Lets a halted wave go on by signature.
pub(crate) fn resume(hospital: &Hospital, approval: &str, wave: u32) -> Result<()> {
    let wave = wave.to_string();
    let mut command = hospital.desk.command(["rollout", "resume"]);
    command.args(["--site", hospital.site.as_str(), "--approval", approval]);
    command.args(["--wave", &wave, "--yes-wave", &wave]);
    let reason = "The device itself is faulty and was taken out of use";
    sign_with(hospital, command.args(words("sato", ROLES[1], reason)))
}

fn sign_with(hospital: &Hospital, command: &mut Command) -> Result<()> {
    let key: &KeyFile = hospital.keys.targets.first().context("a key")?;
    command.arg("--key").arg(&key.key).arg("--passphrase-file").arg(&key.passphrase);
    hospital.desk.say(command).map(|_| ())
}

/// How an approval's rollout stands.
pub(crate) fn rollout(hospital: &Hospital, approval: &str) -> Result<RolloutView> {
    let mut command = hospital.desk.command(["rollout", "list", "--site"]);
    let said = hospital.desk.say(command.args([hospital.site.as_str(), "--approval", approval]))?;
    let mut rollouts: Vec<RolloutView> = serde_json::from_value(said).context("rollouts")?;
    rollouts.pop().with_context(|| format!("no rollout of {approval}"))
}

/// Writes the site's record to one file.
pub(crate) fn export(hospital: &Hospital) -> Result<PathBuf> {
    let file = hospital.desk.place("record.zip");
    let mut command = hospital.desk.command(["record", "export", "--site", hospital.site.as_str()]);
    hospital.desk.say(command.arg("--out").arg(&file))?;
    Ok(file)
}

/// Checks a record as an auditor does: without server or login.
pub(crate) fn verify(hospital: &Hospital, file: &Path) -> Result<Value> {
    hospital.desk.say(hospital.desk.command(["record", "verify"]).arg(file))
}

/// The same for a file that must not pass; gives what is said against it.
pub(crate) fn refute(hospital: &Hospital, file: &Path) -> Result<String> {
    let said = hospital.desk.attempt(hospital.desk.command(["record", "verify"]).arg(file))?;
    if said.status.success() {
        bail!("a changed record passes: {}", said.out);
    }
    Ok(said.err)
}
