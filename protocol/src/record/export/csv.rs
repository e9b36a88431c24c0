//! The record as a table for spreadsheets: one row per entry.
//!
//! Not here: pages, and how a table is written ([`super::spreadsheet`]). Invariant: a row for every
//! entry, in their order.

use super::audit::{Audited, Checked, Word};
use super::contents::Contents;
use super::spreadsheet;
use super::words::zoned;
use crate::act::Subject;

const HEAD: [&str; 18] = [
    "n",
    "stored_utc",
    "stored_local",
    "kind",
    "signed_by",
    "what",
    "device",
    "ledger_seq",
    "device_time_utc",
    "image",
    "from_image",
    "approval",
    "reason_code",
    "printed_name",
    "role",
    "reason",
    "detail",
    "leaf_sha256",
];

/// The table.
#[must_use]
pub fn table(contents: &Contents, audited: &Audited) -> String {
    let rows = audited.entries.iter().map(|entry| cells(&contents.about.tz, entry));
    spreadsheet::table(HEAD, rows)
}

fn cells(tz: &str, entry: &Checked) -> [String; 18] {
    let mut cells: [String; 18] = Default::default();
    let mut put = |name: &str, value: String| {
        let place = HEAD.iter().position(|head| *head == name);
        if let Some(cell) = place.and_then(|place| cells.get_mut(place)) {
            *cell = value;
        }
    };
    put("n", entry.n.to_string());
    put("stored_utc", entry.at.to_string());
    put("stored_local", zoned(tz, entry.at));
    put("leaf_sha256", entry.leaf.to_string());
    let text = |value: Option<String>| value.unwrap_or_default();
    match &entry.said {
        Word::Ledger(sealed) => {
            let (entry, fact) = (&sealed.entry, &sealed.entry.fact);
            put("kind", "ledger".to_owned());
            put("signed_by", format!("device {}", entry.device));
            put("what", name_of(&fact.kind));
            put("device", entry.device.to_string());
            put("ledger_seq", entry.seq.to_string());
            put("device_time_utc", text(entry.at.map(|at| at.to_string())));
            put("image", text(fact.release.as_ref().map(ToString::to_string)));
            put("from_image", text(fact.from.as_ref().map(ToString::to_string)));
            put("approval", text(fact.approval.as_ref().map(|approval| approval.id.to_string())));
            put("reason_code", text(fact.reason.map(|reason| reason.code().to_owned())));
            put("printed_name", text(fact.person.as_ref().map(ToString::to_string)));
            put("detail", text(fact.detail.clone()));
        }
        Word::Act(act, key) => {
            put("kind", "act".to_owned());
            put("signed_by", format!("person {} ({})", act.person, key.fingerprint()));
            put("what", name_of(&act.meaning));
            put("printed_name", act.name.clone());
            put("role", act.role.clone());
            put("reason", act.reason.clone());
            put("device_time_utc", act.at.to_string());
            match &act.subject {
                Subject::Approval { approval, .. } => put("approval", approval.to_string()),
                Subject::Device { device, image } => {
                    put("device", device.to_string());
                    put("image", image.to_string());
                }
                Subject::Wave { wave, approval_sha256, .. } => {
                    put("approval", approval_sha256.to_string());
                    put("detail", format!("wave {wave}"));
                }
                Subject::Hold { hold } => put("detail", format!("hold {hold}")),
            }
        }
        Word::Server(act) | Word::Note(act) => {
            put(
                "kind",
                if matches!(entry.said, Word::Note(_)) { "note" } else { "server" }.to_owned(),
            );
            put("signed_by", format!("nobody; authenticated: {}", act.who()));
            put("what", act.act().to_owned());
            let device = act.detail().get("device").and_then(|device| device.as_str());
            put("device", text(device.map(str::to_owned)));
            put("detail", act.detail().to_string());
        }
    }
    cells
}

/// An enum as it is written in JSON.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => String::new(),
    }
}
