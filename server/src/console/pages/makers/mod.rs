//! Pages of manufacturers: what is in flight, families and their lives, releases, the field, sites,
//! keys, records.
//!
//! A manufacturer sees numbers of devices, never their names. Not here: the domain. Invariant: a
//! family of another manufacturer is not there.

pub mod dashboard;
pub mod families;
pub mod field;
pub mod lifecycle;
pub mod open;
pub mod records;
pub mod release;
pub mod releases;
pub mod repositories;
pub mod settings;
pub mod sites;
pub mod staged;

use crate::app::App;
use crate::console::asked::Asked;
use crate::console::door::AtMaker;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::publish::current::{Current, Snapshot};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, MakerId, RepositoryId};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_protocol::tuf::lookup::ImageTarget;
use std::sync::Arc;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    dashboard::routes(routes);
    open::routes(routes);
    families::routes(routes);
    lifecycle::routes(routes);
    staged::routes(routes);
    releases::routes(routes);
    release::routes(routes);
    field::routes(routes);
    sites::routes(routes);
    repositories::routes(routes);
    records::routes(routes);
    settings::routes(routes);
}

/// The zone in which a manufacturer's people read hours; it is always named.
pub(super) const fn tz(w: Words) -> &'static str {
    w.zone()
}

/// The open families of a manufacturer, by id.
pub(super) fn families_of(snapshot: &Snapshot, maker: &MakerId) -> Vec<(FamilyId, Arc<Current>)> {
    let ours = snapshot.all().filter_map(|current| match &current.id {
        RepositoryId::Family(family) if family.maker() == *maker => {
            Some((family.clone(), Arc::clone(current)))
        }
        RepositoryId::Family(_) | RepositoryId::Site(_) => None,
    });
    let mut all: Vec<_> = ours.collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The family that the path names.
pub(super) fn family_of(
    app: &App,
    at: &AtMaker,
    asked: &Asked,
) -> Result<(FamilyId, Arc<Current>), Turned> {
    let family: FamilyId = asked.part("family")?;
    named(app, at, &family).map(|current| (family, current))
}

/// An open family of this manufacturer.
pub(super) fn named(app: &App, at: &AtMaker, family: &FamilyId) -> Result<Arc<Current>, Turned> {
    if family.maker() != at.maker {
        return Err(not_found());
    }
    let snapshot = app.snapshot();
    let found = snapshot.get(&RepositoryId::Family(family.clone())).map(Arc::clone);
    found.ok_or_else(not_found)
}

/// A release of a family, by what stands in the slot.
pub(super) fn release_of<'a>(
    current: &'a Current,
    image: &Sha256Digest,
) -> Result<&'a ImageTarget, Turned> {
    let mut releases = current.releases.iter();
    releases.find(|it| it.firmware.payload.image_sha256 == *image).ok_or_else(not_found)
}

/// The releases of a family, the newest first, withdrawn ones too.
pub(super) fn newest_first(current: &Current) -> Vec<&ImageTarget> {
    let mut releases: Vec<_> = current.releases.iter().collect();
    releases.sort_by_key(|it| std::cmp::Reverse(it.firmware.seq));
    releases
}

/// The newest release that is offered.
pub(super) fn newest(current: &Current) -> Option<&Firmware> {
    let offered = newest_first(current).into_iter().map(|it| &it.firmware);
    offered.into_iter().find(|firmware| firmware.state == ReleaseState::Released)
}

/// What a family is called.
pub(super) fn title(w: Words, current: &Current) -> String {
    w.pick(&current.title_en, &current.title_ja).to_owned()
}

/// The version of an image of a family, or how its digest begins.
pub(super) fn version(current: &Current, image: &Sha256Digest) -> String {
    let found = current.images.get(image).map(|firmware| firmware.version.to_string());
    found.unwrap_or_else(|| image.to_string().chars().take(12).collect())
}

/// A length in bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        1_048_576..1_073_741_824 => tenths(bytes, 1_048_576, "MiB"),
        _ => tenths(bytes, 1_073_741_824, "GiB"),
    }
}

fn tenths(bytes: u64, unit: u64, name: &str) -> String {
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = dashboard::samples(words);
    all.extend(families::samples(words));
    all.extend(open::samples(words));
    all.extend(lifecycle::samples(words));
    all.extend(releases::samples(words));
    all.extend(release::samples(words));
    all.extend(staged::samples(words));
    all.extend(field::samples(words));
    all.extend(sites::samples(words));
    all.extend(repositories::samples(words));
    all.extend(records::samples(words));
    all.extend(settings::samples(words));
    all
}
