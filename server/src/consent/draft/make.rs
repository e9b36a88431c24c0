//! Making a draft: planned by the site's rules, judged by the checker, stored under the site.
//!
//! A draft whose base has moved is made again from what was asked for; its signatures are lost, and it
//! says whose. Not here: signing. Invariant: a site has one open draft at most, and nothing that breaks
//! a rule is stored.

use super::facts::Facts;
use super::finish;
use super::kept::{Draft, File, Rebuilt, Wanted, WantedRelease};
use super::ready::ReadOnce;
use super::status::{self, BaseState};
use crate::app::App;
use crate::db::draft;
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::Approval;
use patchward_protocol::check::WaveOrder;
use patchward_protocol::draft::draw::Frame;
use patchward_protocol::draft::left_out::Left;
use patchward_protocol::draft::planned::{self, Aim, Planned};
use patchward_protocol::draft::standing::{self, Wanting};
use patchward_protocol::draft::{BadDraft, next, rules};
use patchward_protocol::id::{FamilyId, PersonId, SiteId, Version};
use patchward_protocol::plan::{Plan, Unplaced};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::custom::ReleaseState;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::tuf::role::Role;
use std::sync::Arc;

/// What was drawn up.
#[derive(Debug, Clone, Default)]
struct Drawn {
    approvals: Vec<Approval>,
    unplaced: Vec<Unplaced>,
    left: Vec<Left>,
}

/// The open draft of a site.
///
/// # Errors
/// A failure of ours.
pub async fn find(app: &App, site: &SiteId) -> Result<Option<Arc<Draft>>, ApiError> {
    let (site, ready) = (site.clone(), Arc::clone(&app.drafts));
    let read = app.db.read(move |conn| {
        let stored = draft::stored(conn, &site)?;
        stored.map(|stored| ready.of(&site, stored, draft::read)).transpose()
    });
    Ok(read.await?)
}

/// The open draft of a site.
///
/// # Errors
/// `draft_unknown`, or a failure of ours.
pub async fn open(app: &App, site: &SiteId) -> Result<Draft, ApiError> {
    let found = find(app, site).await?.ok_or_else(|| ApiError::of(ErrorCode::DraftUnknown))?;
    Ok(Arc::unwrap_or_clone(found))
}

/// Makes a draft; `by` is the printed name of who asks.
///
/// # Errors
/// `draft_open`, `draft_refused` with every reason, `release_unknown`, or a failure of ours.
pub async fn make(
    app: &Arc<App>,
    site: &SiteId,
    wanted: Wanted,
    by: String,
) -> Result<Draft, ApiError> {
    if find(app, site).await?.is_some() {
        return Err(ApiError::of(ErrorCode::DraftOpen));
    }
    let facts = Facts::of(app, site).await?;
    let at = app.clock.now();
    let made = draw(facts, wanted, by, at).await?;
    store(app, made).await?.ok_or_else(|| ApiError::of(ErrorCode::DraftOpen))
}

/// Makes the open draft again on what is published now, or for other wishes; its signatures are lost.
/// `seen` is the revision that the person saw: signatures that came after it are not thrown away.
///
/// # Errors
/// `draft_unknown`, `draft_changed`, `draft_refused`, or a failure of ours.
pub async fn rebuild(
    app: &Arc<App>,
    site: &SiteId,
    seen: u64,
    wanted: Option<Wanted>,
    by: String,
) -> Result<Draft, ApiError> {
    let (old, facts) = unpublished(app, site, seen).await?;
    let lost = signed_by(&old, &facts)?;
    let at = app.clock.now();
    let mut made = draw(facts, wanted.unwrap_or(old.wanted), by, at).await?;
    made.revision = old.revision;
    made.rebuilt = Some(Rebuilt { at, lost });
    store(app, made).await?.ok_or_else(|| ApiError::of(ErrorCode::DraftChanged))
}

/// Gives the open draft up.
///
/// # Errors
/// `draft_unknown`, `draft_changed`, or a failure of ours.
pub async fn discard(app: &Arc<App>, site: &SiteId, revision: u64) -> Result<(), ApiError> {
    unpublished(app, site, revision).await?;
    let site = site.clone();
    let gone = app.db.write(move |conn| draft::remove(conn, &site, revision)).await?;
    if gone { Ok(()) } else { Err(ApiError::of(ErrorCode::DraftChanged)) }
}

/// The open draft of this revision, which is not published. What people said beside one that is goes
/// into the record first, and is never given up.
async fn unpublished(
    app: &Arc<App>,
    site: &SiteId,
    revision: u64,
) -> Result<(Draft, Facts), ApiError> {
    let draft = open(app, site).await?;
    let facts = Facts::of(app, site).await?;
    if status::base(&draft, &facts) == BaseState::Published {
        finish::settle(app, &draft).await?;
        return Err(ApiError::of(ErrorCode::DraftUnknown));
    }
    if draft.revision != revision {
        return Err(ApiError::of(ErrorCode::DraftChanged));
    }
    Ok((draft, facts))
}

/// Stores a draft under its next revision; nothing when another one came first.
///
/// # Errors
/// A failure of ours.
pub async fn store(app: &App, made: Draft) -> Result<Option<Draft>, ApiError> {
    let (at, mut made) = (app.clock.now(), made);
    let row = made.clone();
    let stored = app.db.write(move |conn| draft::swap(conn, &row, at)).await?;
    made.revision = made.revision.saturating_add(1);
    Ok(stored.then_some(made))
}

fn signed_by(draft: &Draft, facts: &Facts) -> Result<Vec<PersonId>, ApiError> {
    let asked = draft.staged.asked(Some(&facts.root)).map_err(ApiError::failed)?;
    let statuses = draft.staged.status(&asked).map_err(ApiError::failed)?;
    let signers = statuses.iter().flat_map(|status| status.signers.persons());
    Ok(signers.cloned().collect())
}

async fn draw(facts: Facts, wanted: Wanted, by: String, at: Timestamp) -> Result<Draft, ApiError> {
    let work = move || draw_now(&facts, wanted, by, at);
    tokio::task::spawn_blocking(work).await.map_err(ApiError::failed)?
}

fn draw_now(facts: &Facts, wanted: Wanted, by: String, at: Timestamp) -> Result<Draft, ApiError> {
    let mut spec = next::begin(&facts.published, at, next::SITE_DAYS)?;
    let drawn = match &wanted {
        Wanted::Release(release) => of_release(facts, release, &spec)?,
        Wanted::Standing(wanting) => of_policy(facts, wanting, &spec)?,
        Wanted::Withdraw { approvals } => {
            let listed = || facts.known.approvals.iter();
            let taken = approvals.iter().map(|id| next::withdrawn(listed(), id));
            let approvals = taken.collect::<Result<_, _>>()?;
            Drawn { approvals, ..Drawn::default() }
        }
    };
    let listed = facts.listed();
    next::drop_past(listed.iter().map(|(path, approval)| (path, approval)), &mut spec);
    let mut files = Vec::new();
    for approval in drawn.approvals {
        let added = next::add(&mut spec, approval)?;
        let text = String::from_utf8(added.bytes).map_err(ApiError::failed)?;
        files.push(File { path: added.path, text });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let staged = spec.staged(Role::Targets).map_err(BadDraft::Tuf)?;
    let inventory = facts.known.inventory.clone();
    let empty = || patchward_protocol::inventory::Inventory::empty(facts.site.clone(), "Etc/UTC");
    Ok(Draft {
        site: facts.site.clone(),
        revision: 0,
        wanted,
        staged,
        base_sha256: facts.base_sha256,
        approvals: files,
        inventory: inventory.unwrap_or_else(empty),
        devices: facts.known.views.clone(),
        unplaced: drawn.unplaced,
        left: drawn.left,
        acts: Vec::new(),
        prepared: Vec::new(),
        made: at,
        made_by: by,
        rebuilt: None,
        read: ReadOnce::default(),
    })
}

fn of_release(
    facts: &Facts,
    wanted: &WantedRelease,
    spec: &TargetsSpec,
) -> Result<Drawn, ApiError> {
    let image = released(facts, &wanted.family, &wanted.version)?;
    let inventory = facts.known.inventory.as_ref();
    let tz = inventory.map_or("Etc/UTC", |inventory| inventory.tz.as_str());
    let aim = Aim {
        firmware: &image.firmware,
        releases: facts.releases_of(&wanted.family),
        urgency: wanted.terms.urgency,
        direction: wanted.terms.direction,
        attended: planned::attended(&image.firmware, wanted.terms.attended),
        supersedes: wanted.supersedes.as_ref(),
        issued: spec.issued,
    };
    let planned = facts.known.plan(&facts.site, &wanted.wishes, &aim);
    let planned = planned?;
    must_hold(&planned, WaveOrder::InTime)?;
    if planned.parts.iter().all(|part| part.devices.is_empty()) {
        return Err(planned.nobody_placed(&facts.site).into());
    }
    let frame = Frame {
        site: &facts.site,
        id: None,
        version: spec.version,
        serial: next::serial(spec.version, facts.known.approvals.iter()),
        issued: spec.issued,
        valid_until: None,
        tz,
        supersedes: wanted.supersedes.as_ref(),
        snapshot: None,
        image: &image,
        terms: &wanted.terms,
    };
    let approvals = frame.of_plan(&planned)?;
    Ok(Drawn { approvals, unplaced: unplaced(&planned.parts), left: planned.left })
}

fn of_policy(facts: &Facts, wanting: &Wanting, spec: &TargetsSpec) -> Result<Drawn, ApiError> {
    let families = &wanting.policy.families;
    if let Some(family) = families.iter().find(|family| !facts.families.contains_key(family)) {
        return Err(ApiError::with(ErrorCode::FamilyUnknown, family.as_str()));
    }
    let releases = families.iter().flat_map(|family| facts.releases_of(family));
    let asks = standing::asks(releases, &facts.known, wanting.terms.attended);
    let planned = standing::plan(wanting, &facts.site, &facts.known, spec.issued, asks);
    let planned = planned?;
    must_hold(&planned, WaveOrder::ByProof)?;
    let serial = next::serial(spec.version, facts.known.approvals.iter());
    let under = (spec.version, serial, spec.issued);
    let approval = standing::draw_up(wanting, &facts.site, &facts.known, &planned, under);
    let approvals = vec![approval?];
    Ok(Drawn { approvals, unplaced: unplaced(&planned.parts), left: planned.left })
}

/// A release that the manufacturer still offers.
///
/// # Errors
/// `release_unknown`.
pub fn released(
    facts: &Facts,
    family: &FamilyId,
    version: &Version,
) -> Result<ImageTarget, ApiError> {
    let wanted = |image: &&ImageTarget| {
        image.firmware.version == *version && image.firmware.state == ReleaseState::Released
    };
    let found = facts.families.get(family).and_then(|at| at.releases.iter().find(wanted));
    found
        .cloned()
        .ok_or_else(|| ApiError::with(ErrorCode::ReleaseUnknown, format!("{family} {version}")))
}

fn must_hold(planned: &Planned, order: WaveOrder) -> Result<(), ApiError> {
    let found = rules::of_plan(planned, order);
    if found.is_empty() { Ok(()) } else { Err(BadDraft::Violates(found).into()) }
}

fn unplaced(parts: &[Plan]) -> Vec<Unplaced> {
    parts.iter().flat_map(|part| part.unplaced.clone()).collect()
}
