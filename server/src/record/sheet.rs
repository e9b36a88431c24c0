//! The sheet of one rollback, put together from what it is made of: the device's own ledger, what people
//! signed and what the server wrote down before it.
//!
//! Other devices' ledgers, which are nearly all of a long record, are not read: the hashes of their leaves
//! stand for them. What is left out is found by the words beside the entries ([`super::words`]).
//! Not here: what a rollback consists of (`protocol::record::export::rollback`). Invariant: every fact
//! stands in an entry that was checked in this run; signers' view of the whole record is checked too.

use super::export::{broken, roots, signed_families, too_long};
use super::search::{self, Said};
use crate::app::App;
use crate::db::{DbError, record};
use crate::error::ApiError;
use crate::limits::{EXPORT_ENTRIES_AT_ONCE, SHEET_BYTES_MAX};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::language::Language;
use patchward_protocol::record::export::audit::{Line, audit_part};
use patchward_protocol::record::export::html::{Sheet, sheets};
use patchward_protocol::record::export::keys::People;
use patchward_protocol::record::export::releases::Releases;
use std::sync::Arc;

/// The sheet of the rollback that this entry ends; none when it ends none.
///
/// # Errors
/// `record_too_long` for what it is made of, or a failure of ours.
pub async fn sheet(
    app: &Arc<App>,
    site: &SiteId,
    n: u64,
    (tz, language): (&str, Language),
) -> Result<Option<Sheet>, ApiError> {
    let of = site.clone();
    let found = app.db.read(move |conn| search::one(conn, &of, n)).await?;
    let Some(Said::Device(entry)) = found.map(|found| found.said) else { return Ok(None) };
    let lines = lines(app, site, &entry.device, n.saturating_add(1)).await?;
    let roots = roots(app, site).await?;
    let (snapshot, at) = (app.snapshot(), app.clock.now());
    let (site, tz) = (site.clone(), tz.to_owned());
    let made = tokio::task::spawn_blocking(move || {
        let people = People::of(&site, &roots).map_err(ApiError::failed)?;
        let audited = audit_part(&site, people, lines).map_err(broken)?;
        let families = signed_families(&snapshot, &audited, at);
        let releases = Releases::of(families.values()).map_err(broken)?;
        let all = sheets(&audited, &releases, language, &tz);
        Ok(all.into_iter().find(|sheet| sheet.n == n))
    });
    made.await.map_err(ApiError::failed)?
}

/// The entries before `end`: whole what concerns the device, people and the server, and the leaves of
/// other devices' entries.
async fn lines(
    app: &Arc<App>,
    site: &SiteId,
    device: &DeviceId,
    end: u64,
) -> Result<Vec<Line>, ApiError> {
    let (mut lines, mut held_bytes, mut n) = (Vec::new(), 0_usize, 0_u64);
    while n < end {
        let (of, device) = (site.clone(), device.clone());
        let until = n.saturating_add(EXPORT_ENTRIES_AT_ONCE).min(end);
        let read = app.db.read(move |conn| {
            let whole = record::concerning(conn, &of, &device, n..until)?;
            Ok::<_, DbError>((whole, record::leaves(conn, &of, n..until)?))
        });
        let (mut whole, leaves) = read.await?;
        if leaves.is_empty() {
            let what = format!("entry {n} of {site} is not stored");
            return Err(ApiError::failed(std::io::Error::other(what)));
        }
        let some = (n..).zip(leaves).map(|(n, leaf)| match whole.remove(&n) {
            Some(bytes) => Line::Whole(bytes),
            None => Line::Leaf(leaf),
        });
        let some: Vec<_> = some.collect();
        n = n.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
        for line in some {
            if let Line::Whole(bytes) = &line {
                held_bytes = held_bytes.saturating_add(bytes.len());
            }
            lines.push(line);
        }
        if held_bytes > SHEET_BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(lines)
}
