//! An update that a person made by hand is written down: who, when, from and to which version, and how
//! it was verified; for devices without an agent.
//!
//! It is an entry of the site's record, and what is installed follows it. Not here: devices with an
//! agent, whose own ledger says what happened. Invariant: what is written down is never changed; a
//! later entry corrects it.

use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::by_hand::{self, ByHand};
use crate::db::change::{self, Scope};
use crate::db::{Connection, device};
use crate::error::ApiError;
use crate::limits::{ACT_NAME_CHARS_MAX, ACT_TEXT_CHARS_MAX};
use crate::people::who::Who;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::limits::ISSUED_AHEAD_S_MAX;
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// Most characters of a version that no repository knows.
const VERSION_CHARS_MAX: usize = 64;

/// What a person writes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When it was done.
    pub performed: Timestamp,
    /// Who did it, as printed.
    pub performed_by: String,
    /// What ran before, when that was known.
    pub from_version: Option<String>,
    /// What runs now: a release of the family by its version, or another in words.
    pub to_version: String,
    /// How it was verified.
    pub verified: String,
}

/// Which field is wrong, and the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// The field.
    pub field: &'static str,
    /// The stable code of the rule.
    pub rule: &'static str,
}

impl Note {
    /// What is wrong with it.
    #[must_use]
    pub fn check(&self, at: Timestamp) -> Vec<Wrong> {
        let from = self.from_version.as_deref().unwrap_or("-");
        let text = |field, text: &str, most| {
            let rule = if text.trim().is_empty() {
                "empty"
            } else if text.chars().count() > most || text.chars().any(char::is_control) {
                "long"
            } else {
                return None;
            };
            Some(Wrong { field, rule })
        };
        let ahead = self.performed > at.plus_seconds(ISSUED_AHEAD_S_MAX);
        [
            ahead.then_some(Wrong { field: "performed", rule: "future" }),
            text("performed_by", &self.performed_by, ACT_NAME_CHARS_MAX),
            text("from_version", from, VERSION_CHARS_MAX),
            text("to_version", &self.to_version, VERSION_CHARS_MAX),
            text("verified", &self.verified.replace(['\n', '\r'], " "), ACT_TEXT_CHARS_MAX),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Writes it down.
///
/// # Errors
/// `not_found`, `request_invalid` for a device with an agent or words that are missing, or a failure
/// of ours.
pub async fn write(
    app: &Arc<App>,
    site: &SiteId,
    device: &DeviceId,
    note: Note,
    who: &Who,
) -> Result<ByHand, ApiError> {
    let at = app.clock.now();
    if let Some(wrong) = note.check(at).first() {
        let rule = format!("{}: {}", wrong.field, wrong.rule);
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let (snapshot, site, id) = (app.snapshot(), site.clone(), device.clone());
    let (by, printed) = (who.by(), who.name.clone());
    let written = app.db.write(move |conn| {
        let stored = device::find(conn, &site, &id)?;
        let mut stored = stored.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
        if stored.management == Management::Agent {
            let rule = "device: it has an agent, whose ledger says what happened";
            return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
        }
        let image = release(&snapshot, &stored.family, &note.to_version);
        let n = by_hand::of_device(conn, &site, &id)?
            .first()
            .map_or(1, |last| last.n.saturating_add(1));
        let Note { performed, performed_by, from_version, to_version, verified } = note;
        let update = ByHand {
            n,
            performed,
            performed_by,
            from_version,
            to_version,
            image: image.clone(),
            verified,
            written: at,
            written_by: by,
            printed_name: printed,
        };
        by_hand::insert(conn, &site, &id, &update)?;
        stored.said.installed = image;
        device::update(conn, &stored, at)?;
        record(conn, &site, &id, &update)?;
        change::mark(conn, &Scope::Devices(site))?;
        Ok(update)
    });
    written.await
}

fn record(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    update: &ByHand,
) -> Result<(), ApiError> {
    let detail = json!({
        "device": device, "n": update.n, "performed": update.performed,
        "performed_by": update.performed_by, "from": update.from_version,
        "to": update.to_version, "image": update.image, "verified": update.verified,
        "name": update.printed_name,
    });
    let scope = RepositoryId::Site(site.clone()).to_string();
    let who = update.written_by.clone();
    Ok(act::append(conn, &Act { at: update.written, scope, who, act: "update-by-hand", detail })?)
}

/// The release of a family with this version.
fn release(
    snapshot: &crate::publish::current::Snapshot,
    family: &FamilyId,
    version: &str,
) -> Option<ImageRef> {
    let current = snapshot.get(&RepositoryId::Family(family.clone()))?;
    let named = current.images.values().filter(|it| it.version.as_str() == version.trim());
    named.max_by_key(|firmware| firmware.seq).map(patchward_protocol::tuf::custom::Firmware::image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_word_and_a_date_ahead_are_named() {
        let at = Timestamp::from_millis(1_000_000);
        let note = Note {
            performed: at.plus_seconds(86_400),
            performed_by: " ".to_owned(),
            from_version: None,
            to_version: "x".repeat(100),
            verified: String::new(),
        };
        let wrong: Vec<_> = note.check(at).iter().map(|it| (it.field, it.rule)).collect();
        let expected = [
            ("performed", "future"),
            ("performed_by", "empty"),
            ("to_version", "long"),
            ("verified", "empty"),
        ];
        assert_eq!(wrong, expected);
    }
}
