//! What a draft stands on: the site's root, what is published, its inventory, devices and approvals.
//!
//! Not here: planning. Invariant: everything of a [`Facts`] is of one moment of the state in memory.

use crate::app::App;
use crate::error::ApiError;
use crate::fleet;
use crate::publish::current::Current;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::{Action, Approval, ApprovalState};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::back;
use patchward_protocol::draft::next::path_of;
use patchward_protocol::draft::planned::Known;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId, TargetPath};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec};
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Method, Root};
use patchward_protocol::tuf::stage::Staged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a draft stands on.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The site.
    pub site: SiteId,
    /// Its repository in memory.
    pub current: Arc<Current>,
    /// The published root.
    pub root: Root,
    /// The same in plain values.
    pub root_spec: RootSpec,
    /// The published targets.
    pub published: TargetsSpec,
    /// Digest of what was signed of them.
    pub base_sha256: Sha256Digest,
    /// Inventory, devices, approvals.
    pub known: Known,
    /// Every release of every family that its devices are of.
    pub releases: BTreeMap<FamilyId, Vec<Firmware>>,
    /// The families in memory.
    pub families: BTreeMap<FamilyId, Arc<Current>>,
}

impl Facts {
    /// Of a site, now.
    ///
    /// # Errors
    /// `not_found`, `repository_empty`, or a failure of ours.
    pub async fn of(app: &Arc<App>, site: &SiteId) -> Result<Self, ApiError> {
        let snapshot = app.snapshot();
        let current = snapshot.get(&RepositoryId::Site(site.clone()));
        let current = Arc::clone(current.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?);
        let (root, published, base_sha256) = documents(&current)?;
        let root_spec = RootSpec::of(&root).map_err(ApiError::failed)?;
        let inventory = app.inventories.of(app, site).await?;
        let views = fleet::inventory::list(app, site).await?;
        let approvals = current.approvals.all().iter().map(|listed| listed.approval.clone());
        let approvals: Vec<Approval> = approvals.collect();
        let mut families = BTreeMap::new();
        let named = approvals.iter().flat_map(Approval::families);
        for family in views.iter().map(|view| &view.family).chain(named) {
            if let Some(found) = snapshot.get(&RepositoryId::Family(family.clone())) {
                families.insert(family.clone(), Arc::clone(found));
            }
        }
        let releases = families.iter().map(|(family, current)| {
            let all = current.releases.iter().map(|image| image.firmware.clone());
            (family.clone(), all.collect())
        });
        let inventory = written(&inventory);
        Ok(Self {
            site: site.clone(),
            root,
            root_spec,
            published,
            base_sha256,
            known: Known { inventory, views, approvals },
            releases: releases.collect(),
            current,
            families,
        })
    }

    /// The approvals that are listed, with their names among the targets.
    #[must_use]
    pub fn listed(&self) -> Vec<(TargetPath, Approval)> {
        let with_path = |approval: &Approval| Some((path_of(&approval.id).ok()?, approval.clone()));
        self.known.approvals.iter().filter_map(with_path).collect()
    }

    /// The releases of a family.
    #[must_use]
    pub fn releases_of(&self, family: &FamilyId) -> &[Firmware] {
        self.releases.get(family).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the manufacturer says of an approved release.
    #[must_use]
    pub fn firmware(&self, approval: &Approval) -> Option<Firmware> {
        let release = approval.release.as_ref()?;
        let same = |firmware: &&Firmware| firmware.payload.image_sha256 == release.image_sha256;
        self.releases_of(&release.family).iter().find(same).cloned()
    }

    /// The holes that an approval opens again.
    #[must_use]
    pub fn reexposed(&self, approval: &Approval) -> BTreeSet<String> {
        let back = approval.action == Action::Rollback && approval.state == ApprovalState::Active;
        let Some(release) = approval.release.as_ref().filter(|_| back) else {
            return BTreeSet::new();
        };
        back::reexposed_by(approval, self.releases_of(&release.family), &self.known.views)
    }

    /// The weakest way in which the site's root lets approvals be signed alone.
    #[must_use]
    pub fn weakest(&self) -> Method {
        self.root_spec.weakest.unwrap_or(Method::Offline)
    }
}

/// An inventory that nobody has written yet says nothing.
fn written(inventory: &Arc<Inventory>) -> Option<Inventory> {
    (inventory.revision > 0).then(|| Inventory::clone(inventory))
}

fn documents(current: &Current) -> Result<(Root, TargetsSpec, Sha256Digest), ApiError> {
    let documents = current.documents.as_ref();
    let documents = documents.ok_or_else(|| ApiError::of(ErrorCode::RepositoryEmpty))?;
    let root = Staged::read(Role::Root, &documents.root.bytes).map_err(ApiError::failed)?;
    let root = root.typed::<Root>().map_err(ApiError::failed)?.signed;
    let targets = Staged::read(Role::Targets, &documents.targets.bytes);
    let targets = targets.map_err(ApiError::failed)?;
    let published = crate::app::read_targets(&documents.targets.bytes).map_err(ApiError::failed)?;
    Ok((root, published, targets.message_sha256()))
}
