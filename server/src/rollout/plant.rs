//! Every approval in force has its rollouts: one for the image that it names, or one for each released
//! image that a standing approval permits.
//!
//! Done before a server shows an approval to anybody, so that no report about it comes too early.
//! Not here: moving waves ([`super::settle`]). Invariant: planting twice changes nothing.

use super::settle::{self, Scene};
use crate::db::change::{self, Scope};
use crate::db::rollout::{self, RolloutKey};
use crate::db::{Connection, DbError};
use crate::limits::STANDING_IMAGES_MAX;
use crate::publish::approvals::{Published, is_in_force};
use crate::publish::current::Snapshot;
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::id::{RepositoryId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A rollout that must be there.
#[derive(Debug, Clone)]
pub struct Seed {
    key: RolloutKey,
    image: ImageRef,
    published: Arc<Published>,
}

/// The rollouts that a snapshot asks for at `at`, as far as these repositories concern them.
#[must_use]
pub fn wanted(snapshot: &Snapshot, changed: &HashSet<RepositoryId>, at: Timestamp) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for current in snapshot.all() {
        let RepositoryId::Site(site) = &current.id else { continue };
        for published in current.approvals.all() {
            let approval = &published.approval;
            let standing = approval.standing.iter().flat_map(|policy| &policy.families);
            let concerned = changed.contains(&current.id)
                || standing.cloned().any(|family| changed.contains(&RepositoryId::Family(family)));
            let later = approval.state == ApprovalState::Active && at < approval.issued;
            if !concerned || !(is_in_force(approval, at) || later) {
                continue;
            }
            for image in images(snapshot, published) {
                let key = RolloutKey {
                    site: site.clone(),
                    approval: published.sha256,
                    image: image.image_sha256,
                };
                seeds.push(Seed { key, image, published: Arc::clone(published) });
            }
        }
    }
    seeds
}

fn images(snapshot: &Snapshot, published: &Published) -> Vec<ImageRef> {
    let approval = &published.approval;
    if let Some(release) = &approval.release {
        return vec![release.image()];
    }
    let Some(policy) = &approval.standing else { return Vec::new() };
    let mut images = Vec::new();
    for family in &policy.families {
        let Some(current) = snapshot.get(&RepositoryId::Family(family.clone())) else { continue };
        let permitted = current.images.values().filter(|firmware| {
            firmware.state == ReleaseState::Released && policy.permits(firmware)
        });
        let mut of_family: Vec<ImageRef> = permitted.map(|firmware| firmware.image()).collect();
        of_family.sort_by_key(|image| std::cmp::Reverse(image.seq));
        of_family.truncate(STANDING_IMAGES_MAX);
        images.extend(of_family);
    }
    images
}

/// Those of `seeds` that are not stored.
///
/// # Errors
/// [`DbError`].
pub fn missing(conn: &mut Connection, seeds: Vec<Seed>) -> Result<Vec<Seed>, DbError> {
    let mut by_site: BTreeMap<SiteId, Vec<Seed>> = BTreeMap::new();
    for seed in seeds {
        by_site.entry(seed.key.site.clone()).or_default().push(seed);
    }
    let mut missing = Vec::new();
    for (site, seeds) in by_site {
        let known: HashSet<_> = rollout::known(conn, &site)?.into_iter().collect();
        let is_new = |seed: &Seed| !known.contains(&(seed.key.approval, seed.key.image));
        missing.extend(seeds.into_iter().filter(is_new));
    }
    Ok(missing)
}

/// Stores rollouts and moves their waves as far as they go now.
///
/// # Errors
/// [`DbError`].
pub fn plant(conn: &mut Connection, seeds: &[Seed], scene: &Scene<'_>) -> Result<(), DbError> {
    for seed in seeds {
        let Seed { key, image, published } = seed;
        if rollout::plant(conn, key, image, &published.approval, scene.at)? {
            change::mark(conn, &Scope::Site(key.site.clone()))?;
            settle::settle(conn, scene, key, &[])?;
        }
    }
    Ok(())
}
