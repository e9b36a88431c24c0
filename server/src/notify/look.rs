//! Looks at what is current and stores what has come up, what is over, and what has become graver.
//!
//! Not here: what counts ([`super::survey`]). Invariant: a look without anything new writes nothing; any
//! number of servers may look, and each matter is raised once.

use super::channel::Channel;
use super::raise::{self, Matter, Rules};
use super::readiness;
use super::subject::{NoticeId, Severity, Subject, Trouble};
use super::survey::{World, newest, survey};
use crate::app::App;
use crate::consent::state::Consent;
use crate::db::notice::{self, Closed, Notice};
use crate::db::{Connection, DbError, answer, channel, device, draft, ledger, mark};
use crate::lifecycle;
use crate::limits::TROUBLES_AT_ONCE_MAX;
use crate::people::role::Place;
use crate::publish::current::Snapshot;
use crate::tls::expiry::Expiry;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What a look changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Notices that came up.
    pub raised: usize,
    /// Notices that are over.
    pub closed: usize,
    /// Notices that became graver.
    pub graver: usize,
}

/// What is to be stored: pure.
#[derive(Debug, Default)]
struct Change {
    new: Vec<Matter>,
    graver: Vec<(Notice, Matter)>,
    over: Vec<NoticeId>,
}

/// Looks once.
///
/// # Errors
/// [`DbError`]; the rest is found by the next look.
pub async fn look(app: &Arc<App>) -> Result<Looked, DbError> {
    let (snapshot, consent, at) = (app.snapshot(), app.views.consent(), app.clock.now());
    let fleet = Arc::clone(&app.fleet);
    let certificates = app.certificates.get().cloned().unwrap_or_default();
    let change = app.db.read(move |conn| {
        let newest = newest_of_all(&snapshot);
        let mut ground = Ground {
            families: fleet.families_of_all(),
            behind: fleet.behind(&newest),
            newest,
            ends: ends_of_support(conn)?,
            certificates,
        };
        for (site, family, installed) in device::by_hand(conn)? {
            ground.add_by_hand(site, family, installed.as_ref());
        }
        find(conn, &snapshot, &consent, &ground, at)
    });
    let change = change.await?;
    if change.is_empty() {
        return Ok(Looked::default());
    }
    let rules = Rules::of(&app.config.notify);
    app.db.write(move |conn| store(conn, &rules, &change, at)).await
}

/// Ends of support that manufacturers announced.
fn ends_of_support(conn: &mut Connection) -> Result<Vec<(FamilyId, Timestamp)>, DbError> {
    let said = lifecycle::current(conn)?.into_iter();
    let end = |(family, said): (FamilyId, lifecycle::Said)| {
        Some((family, said.lifecycle.support_ends()?))
    };
    Ok(said.filter_map(end).collect())
}

/// A draft that waits for signatures: one notice until it is published or given up.
fn unsigned((site, changed): (SiteId, Timestamp), open: &[Notice]) -> Matter {
    let place = Place::Site(site);
    let is_it =
        |notice: &&Notice| notice.place == place && matches!(notice.subject, Subject::Draft { .. });
    let new = || Subject::Draft { draft: changed.millis().to_string(), family: None };
    let subject = open.iter().find(is_it).map_or_else(new, |notice| notice.subject.clone());
    Matter { place, subject, severity: Severity::Important, due: None }
}

/// Devices whose ledger contradicts itself: somebody copied one, or put an old state of it back.
fn forks(conn: &mut Connection) -> Result<Vec<Matter>, DbError> {
    let mut found = Vec::new();
    for (site, device, mark) in ledger::forked(conn, TROUBLES_AT_ONCE_MAX)? {
        let Some(stored) = device::find(conn, &site, &device)? else { continue };
        let (family, trouble) = (stored.family, Trouble::Forked);
        let subject = Subject::Device { family, device, trouble, mark };
        let (place, severity) = (Place::Site(site), Severity::Urgent);
        found.push(Matter { place, subject, severity, due: None });
    }
    Ok(found)
}

/// What the memory of the fleet says.
struct Ground {
    families: HashMap<SiteId, BTreeSet<FamilyId>>,
    behind: HashSet<(SiteId, FamilyId)>,
    newest: HashMap<FamilyId, Sha256Digest>,
    ends: Vec<(FamilyId, Timestamp)>,
    certificates: Vec<Expiry>,
}

impl Ground {
    fn add_by_hand(&mut self, site: SiteId, family: FamilyId, installed: Option<&ImageRef>) {
        let runs = installed.map(|image| image.image_sha256);
        if self.newest.get(&family).is_some_and(|newest| runs != Some(*newest)) {
            self.behind.insert((site.clone(), family.clone()));
        }
        self.families.entry(site).or_default().insert(family);
    }
}

fn newest_of_all(snapshot: &Snapshot) -> HashMap<FamilyId, Sha256Digest> {
    let of = |current: &Arc<crate::publish::current::Current>| {
        let RepositoryId::Family(family) = &current.id else { return None };
        Some((family.clone(), newest(current)?.payload.image_sha256))
    };
    snapshot.all().filter_map(of).collect()
}

fn find(
    conn: &mut Connection,
    snapshot: &Snapshot,
    consent: &Consent,
    ground: &Ground,
    at: Timestamp,
) -> Result<Change, DbError> {
    let open = notice::all_open(conn)?;
    let images: Vec<Sha256Digest> = ground.newest.values().copied().collect();
    let answers = answer::of_images(conn, &images)?;
    let channels: Vec<Channel> = channel::all(conn)?;
    let troubles = mark::troubled(conn, TROUBLES_AT_ONCE_MAX)?;
    let unready = readiness::unready(&ground.families, &channels, at);
    let world = World {
        snapshot,
        consent,
        families: &ground.families,
        behind: &ground.behind,
        troubles: &troubles,
        open: &open,
        answers: &answers,
        channels: &channels,
        ends: &ground.ends,
        certificates: &ground.certificates,
        unready: &unready,
        at,
    };
    let mut found = survey(&world);
    found.extend(forks(conn)?);
    found.extend(draft::waiting(conn)?.into_iter().map(|waiting| unsigned(waiting, &open)));
    let mut change = Change::of(found, open);
    let names: Vec<NoticeId> = change.new.iter().map(Matter::id).collect();
    let known = notice::known(conn, &names)?;
    change.new.retain(|matter| !known.contains(&matter.id()));
    Ok(change)
}

impl Matter {
    /// The name of its notice.
    #[must_use]
    pub fn id(&self) -> NoticeId {
        NoticeId::of(&self.place, &self.subject)
    }
}

impl Change {
    fn of(found: Vec<Matter>, open: Vec<Notice>) -> Self {
        let mut standing: HashMap<NoticeId, Notice> =
            open.into_iter().map(|notice| (notice.id.clone(), notice)).collect();
        let mut change = Self::default();
        for matter in found {
            match standing.remove(&matter.id()) {
                None => change.new.push(matter),
                Some(open) if open.severity < matter.severity => change.graver.push((open, matter)),
                Some(_) => {}
            }
        }
        let over = standing.into_values().filter(|open| open.subject.is_surveyed());
        change.over = over.map(|open| open.id).collect();
        change.over.sort();
        change
    }

    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.graver.is_empty() && self.over.is_empty()
    }
}

fn store(
    conn: &mut Connection,
    rules: &Rules,
    change: &Change,
    at: Timestamp,
) -> Result<Looked, DbError> {
    let mut looked = Looked::default();
    // What is over is closed first: an open notice may come up again in another round.
    for id in &change.over {
        looked.closed += usize::from(notice::close(conn, id, at, Closed::Over)?);
    }
    for (open, matter) in &change.graver {
        looked.graver += usize::from(raise::make_graver(conn, rules, open, matter, at)?);
    }
    for matter in &change.new {
        if raise::raise(conn, rules, matter, at)? {
            looked.raised += 1;
            if matter.severity == Severity::Urgent {
                tracing::warn!(
                    place = %matter.place, notice.kind = matter.subject.kind(),
                    "Something urgent needs a person"
                );
            }
        }
    }
    Ok(looked)
}
