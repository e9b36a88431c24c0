//! What a draft is compared with: the published root and targets, verified.
//!
//! From the server, from what this machine last verified, or from a file that somebody brought.
//! Invariant: a base that is there was verified under the pinned root, and the draft is its next
//! version.

use crate::draft::{Content, Draft};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::repository;
use crate::server::Reach;
use crate::{disk, login};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Part, Root, Targets};
use patchward_protocol::tuf::stage::{Asked, Staged};
use patchward_protocol::tuf::trusted_set::TrustedSet;
use std::path::{Path, PathBuf};

/// Where the published version comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct Against {
    /// Compare with: `server`, `stored` (what this machine last verified), or a targets.json
    /// (default: server when logged in, else stored)
    #[arg(long, value_name = "WHERE")]
    pub against: Option<String>,
    /// Root that names the keys, while it is not published yet
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// What is published.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// The root whose keys sign; none for a first root.
    pub root: Option<Root>,
    /// The published targets in plain values.
    pub targets: Option<TargetsSpec>,
    /// The published targets.
    pub listed: Option<Targets>,
}

impl Base {
    /// Finds what a draft is based on.
    ///
    /// # Errors
    /// [`Code::StageBaseMoved`] when the draft is not the next version; [`Code::RootUnknown`];
    /// [`Code::MetadataUntrusted`].
    pub fn of(here: &Here, draft: &Draft, against: &Against) -> Outcome<Self> {
        let mut base = match repository::root(here, &draft.repository)? {
            Some(root) => Self::published(here, &draft.repository, root, against)?,
            None => Self::unpublished(draft, against)?,
        };
        if let (Content::Targets(_), Some(path), Some(old)) =
            (&draft.content, &against.root, &base.root)
        {
            base.root = Some(coming_root(draft, path, old)?);
        }
        let version = draft.staged.version();
        let published = base.version(draft);
        if version != published + 1 {
            let what = format!(
                "{}: {} version {version}, published is {published}",
                draft.path.display(),
                draft.staged.role()
            );
            return Err(Failure::new(Code::StageBaseMoved, what));
        }
        Ok(base)
    }

    /// What is published now, to begin a draft from.
    ///
    /// # Errors
    /// [`Code::RootUnknown`] and [`Code::MetadataUntrusted`].
    pub fn current(here: &Here, id: &RepositoryId, against: &Against) -> Outcome<Self> {
        let root = repository::root(here, id)?.ok_or_else(|| repository::unknown(id))?;
        Self::published(here, id, root, against)
    }

    /// The published version of the draft's role; 0 for none.
    #[must_use]
    pub fn version(&self, draft: &Draft) -> u64 {
        match &draft.content {
            Content::Root(_) => self.root.as_ref().map_or(0, Part::version),
            Content::Targets(_) => self.targets.as_ref().map_or(0, |spec| spec.version),
        }
    }

    /// Who must sign the draft.
    ///
    /// # Errors
    /// [`Code::RootUnknown`] when no keys are named.
    pub fn asked(&self, draft: &Draft) -> Outcome<Asked> {
        draft
            .staged
            .asked(self.root.as_ref())
            .map_err(|error| Failure::because(Code::RootUnknown, &draft.repository, &error))
    }

    /// The published root in plain values.
    #[must_use]
    pub fn root_spec(&self) -> Option<RootSpec> {
        self.root.as_ref().and_then(|root| RootSpec::of(root).ok())
    }

    fn published(
        here: &Here,
        id: &RepositoryId,
        root: Vec<u8>,
        against: &Against,
    ) -> Outcome<Self> {
        let set = match against.against.as_deref() {
            Some("stored") => repository::stored(here, id)?,
            Some("server") => {
                Some(repository::refresh(here, &login::connect(here, &against.reach)?, id)?)
            }
            Some(file) => {
                let root = repository::from_root(here, id, &root)?.root().signed.clone();
                let listed = targets_from(&root, id, Path::new(file))?;
                return Self::with(id, root, Some(listed));
            }
            None => match login::connect_if_named(here, &against.reach)? {
                Some(server) => Some(repository::refresh(here, &server, id)?),
                None => repository::stored(here, id)?,
            },
        };
        match set {
            Some(set) => Self::from_set(id, &set),
            None => {
                let root = repository::from_root(here, id, &root)?.root().signed.clone();
                Self::with(id, root, None)
            }
        }
    }

    /// From a verified set.
    ///
    /// # Errors
    /// [`Code::MetadataUntrusted`] when the targets are none of this software's.
    pub fn from_set(id: &RepositoryId, set: &TrustedSet) -> Outcome<Self> {
        let listed = set.targets().map(|document| document.signed.clone());
        Self::with(id, set.root().signed.clone(), listed)
    }

    fn with(id: &RepositoryId, root: Root, listed: Option<Targets>) -> Outcome<Self> {
        let spec = |targets: &Targets| TargetsSpec::of(&Role::Targets, targets);
        let targets = listed.as_ref().map(spec).transpose();
        let targets = targets.map_err(|error| repository::untrusted(id, &error))?;
        Ok(Self { root: Some(root), targets, listed })
    }

    /// Nothing is published: the keys come from the first root, which is still a draft itself.
    fn unpublished(draft: &Draft, against: &Against) -> Outcome<Self> {
        if matches!(draft.content, Content::Root(_)) {
            return Ok(Self::default());
        }
        let beside = draft.path.with_file_name("root-v1.stage.json");
        let path = match &against.root {
            Some(path) => path,
            None if beside.is_file() => &beside,
            None => return Err(repository::unknown(&draft.repository)),
        };
        let root = Draft::read(path)?;
        if root.repository != draft.repository || root.staged.version() != 1 {
            let what = format!("{}: not the first root of {}", path.display(), draft.repository);
            return Err(Failure::new(Code::RootUnknown, what));
        }
        let root = root.staged.typed::<Root>();
        let root = root.map_err(|error| repository::untrusted(&draft.repository, &error))?;
        Self::with(&draft.repository, root.signed, None)
    }
}

/// The root that is published together with this draft: the next one, or the same.
fn coming_root(draft: &Draft, path: &Path, published: &Root) -> Outcome<Root> {
    let root = Draft::read(path)?;
    let next = [published.version(), published.version() + 1];
    if root.repository != draft.repository
        || !matches!(root.content, Content::Root(_))
        || !next.contains(&root.staged.version())
    {
        let what = format!("{}: not the next root of {}", path.display(), draft.repository);
        return Err(Failure::new(Code::RootUnknown, what));
    }
    let root = root.staged.typed::<Root>();
    root.map(|root| root.signed).map_err(|error| repository::untrusted(&draft.repository, &error))
}

/// Targets from a file that somebody brought: they must hold under the pinned root.
fn targets_from(root: &Root, id: &RepositoryId, path: &Path) -> Outcome<Targets> {
    let bytes = disk::read(path, crate::limits::STAGE_BYTES_MAX)?;
    let bad = |error| repository::untrusted(id, &error);
    let file = Staged::read(Role::Targets, &bytes).map_err(bad)?;
    let asked = file.asked(Some(root)).map_err(bad)?;
    let whole = file.status(&asked).map_err(bad)?.iter().all(|status| status.is_met());
    if !whole {
        let what = format!("{}: too few signatures for {id}", path.display());
        return Err(Failure::new(Code::MetadataUntrusted, what));
    }
    let targets = file.typed::<Targets>().map_err(bad)?.signed;
    repository::profile(id).check_targets(&Role::Targets, &targets).map_err(bad)?;
    Ok(targets)
}
