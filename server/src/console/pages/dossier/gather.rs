//! What the page of a release is made of.
//!
//! Not here: words and order ([`super::view`]). Invariant: a release of a family that the hospital has
//! no device of and may not read is not there.

use crate::console::door::{AtSite, Visit};
use crate::console::turned::{Turned, not_found};
use crate::db::delta::{self};
use crate::db::notice::Notice;
use crate::db::{DbError, answer};
use crate::fleet::roster::{Member, Roster};
use crate::notify::answer::Given;
use crate::notify::subject::Subject;
use crate::people::role::Place;
use crate::publish::approvals::is_in_force;
use patchward_protocol::advice::difference::Difference;
use patchward_protocol::advice::sbom::{BadSbom, Sbom};
use patchward_protocol::api::repository::Reading;
use patchward_protocol::approval::{Action, ApprovedRelease};
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{ApprovalId, FamilyId, RepositoryId, Version};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use std::sync::Arc;

/// What is known of a release.
#[derive(Debug)]
pub struct Known {
    /// What the manufacturer signed of it.
    pub firmware: Firmware,
    /// Length of the file that carries the image, in bytes.
    pub file_bytes: Option<u64>,
    /// The dossier; none when it cannot be read here.
    pub dossier: Option<Arc<Dossier>>,
    /// The bill of materials, or why it cannot be read; none when it is not here.
    pub bill: Option<Arc<Result<Sbom, BadSbom>>>,
    /// The release before, and what changed since.
    pub since: Option<(Version, Difference)>,
    /// Devices of the family.
    pub members: Vec<Member>,
    /// Every release of the family, the newest first.
    pub all: Vec<Firmware>,
    /// The open notice about it.
    pub notice: Option<Notice>,
    /// What the hospital answered, oldest first.
    pub answers: Vec<Given>,
    /// Approvals in force that name it.
    pub approvals: Vec<ApprovalId>,
    /// Whether a way back to it, or from its family, was ever ordered here.
    pub rolled_back: bool,
    /// The smallest and the largest delta that lead to it, in bytes.
    pub deltas: Option<(u64, u64)>,
}

/// A release that the visitor may see.
#[derive(Debug)]
pub struct Release {
    /// What the manufacturer signed of it.
    pub firmware: Firmware,
    file_bytes: Option<u64>,
    all: Vec<Firmware>,
    members: Vec<Member>,
}

/// Finds the release that the path names.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn release(visit: &Visit<AtSite>) -> Result<Release, Turned> {
    let family: FamilyId = visit.asked.part("family")?;
    let version: Version = visit.asked.part("version")?;
    let entry = &visit.entry;
    let snapshot = visit.app.snapshot();
    let current = snapshot.get(&RepositoryId::Family(family.clone())).ok_or_else(not_found)?;
    let roster = Roster::of(&visit.app, &entry.site, &entry.inventory).await?;
    let of_family = roster.members.into_iter().filter(|it| it.outline.family == family);
    let members: Vec<_> = of_family.collect();
    if members.is_empty() && current.reading != Reading::Public {
        return Err(not_found());
    }
    let mut all: Vec<Firmware> = current.images.values().cloned().collect();
    all.sort_by_key(|firmware| std::cmp::Reverse(firmware.seq));
    let found = all.iter().find(|firmware| firmware.version == version).cloned();
    let firmware = found.ok_or_else(not_found)?;
    let image = firmware.payload.image_sha256;
    let file = current.releases.iter().find(|it| it.firmware.payload.image_sha256 == image);
    let file_bytes = file.map(|file| file.length);
    Ok(Release { firmware, file_bytes, all, members })
}

/// Gathers everything.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn known(visit: &Visit<AtSite>) -> Result<Known, Turned> {
    let Release { firmware, file_bytes, all, members } = release(visit).await?;
    let (app, entry) = (&visit.app, &visit.entry);
    let dossier = app.dossiers.dossier(app, firmware.docs.dossier.sha256).await?;
    let bill = app.dossiers.bill(app, firmware.docs.sbom.sha256).await?;
    let since = since(visit, &firmware, &all, bill.as_deref()).await?;
    let image = firmware.payload.image_sha256;
    let (family, site) = (firmware.family.clone(), entry.site.clone());
    let read = app.db.read(move |conn| {
        let answers = answer::of_site(conn, &site)?.into_iter();
        let answers: Vec<Given> = answers.filter(|given| given.image_sha256 == image).collect();
        let open = crate::notify::open_matters(conn, &Place::Site(site))?;
        let notice = open.into_iter().find(|notice| {
            matches!(&notice.subject, Subject::Release { image_sha256, .. } if *image_sha256 == image)
        });
        let pairs = delta::of_repository(conn, &RepositoryId::Family(family))?.into_iter();
        let sizes = pairs.filter(|it| it.pair.to == image).filter_map(|it| it.outcome.bytes);
        let sizes: Vec<u64> = sizes.collect();
        let deltas = sizes.iter().min().copied().zip(sizes.iter().max().copied());
        Ok::<_, DbError>((answers, notice, deltas))
    });
    let (answers, notice, deltas) = read.await?;
    let snapshot = app.snapshot();
    let at_site = snapshot.get(&entry.repository());
    let published = at_site.map(|site| site.approvals.all()).unwrap_or_default().iter();
    let rolled_back = published.clone().any(|it| {
        let of_family = |release: &ApprovedRelease| release.family == firmware.family;
        it.approval.action == Action::Rollback
            && it.approval.release.as_ref().is_some_and(of_family)
    });
    let in_force = published.filter(|it| is_in_force(&it.approval, visit.at));
    let named = in_force.filter(|it| {
        it.approval.release.as_ref().is_some_and(|release| release.image_sha256 == image)
    });
    let approvals = named.map(|it| it.approval.id.clone()).collect();
    Ok(Known {
        firmware,
        file_bytes,
        dossier,
        bill,
        since,
        members,
        all,
        notice,
        answers,
        approvals,
        rolled_back,
        deltas,
    })
}

/// What changed since the release before.
async fn since(
    visit: &Visit<AtSite>,
    firmware: &Firmware,
    all: &[Firmware],
    bill: Option<&Result<Sbom, BadSbom>>,
) -> Result<Option<(Version, Difference)>, Turned> {
    let older = all.iter().filter(|it| it.seq < firmware.seq);
    let released = older.clone().find(|it| it.state == ReleaseState::Released);
    let Some(before) = released.or_else(|| older.clone().next()) else { return Ok(None) };
    let held = visit.app.dossiers.bill(&visit.app, before.docs.sbom.sha256).await?;
    let (Some(Ok(newer)), Some(Ok(older))) = (bill, held.as_deref()) else { return Ok(None) };
    Ok(Some((before.version.clone(), Difference::between(older, newer))))
}
