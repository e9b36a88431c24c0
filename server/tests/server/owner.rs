//! The owner of a repository, with keys in memory: what the command line does for real.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::repository::{
    OpenRepositoryRequest, PublishRequest, Reading, RepositoryView,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{KeySpec, RoleSpec, RootSpec, TargetSpec, TargetsSpec};
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Method, Root};
use patchward_protocol::tuf::stage::Staged;
use patchward_server::app::App;
use patchward_server::db::repository;
use patchward_server::error::ApiError;
use patchward_server::publish::{commit, open};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) struct Owner {
    pub(crate) id: RepositoryId,
    pub(crate) root: RootSpec,
    pub(crate) targets: TargetsSpec,
    root_keys: Vec<SecretKey>,
    targets_keys: Vec<SecretKey>,
    seed: u8,
}

fn keys(seed: u8) -> Vec<SecretKey> {
    (0..3).map(|n| SecretKey::from_seed(&[seed.wrapping_add(n); 32])).collect()
}

fn role(keys: &[SecretKey], threshold: u64) -> RoleSpec {
    let keys = keys.iter().map(|key| listed(key.public())).collect();
    RoleSpec { keys, threshold }
}

fn listed(public: PublicKey) -> KeySpec {
    KeySpec { public, person: Some("tanaka".parse().unwrap()), method: Some(Method::Offline) }
}

impl Owner {
    /// Opens the repository; nothing is published yet.
    pub(crate) async fn open(app: &Arc<App>, id: &str, at: Timestamp) -> Self {
        Self::open_for(app, id, Reading::Public, at).await
    }

    /// The same for other readers.
    pub(crate) async fn open_for(
        app: &Arc<App>,
        id: &str,
        reading: Reading,
        at: Timestamp,
    ) -> Self {
        let id: RepositoryId = id.parse().unwrap();
        let request = OpenRepositoryRequest {
            title_en: "Test".to_owned(),
            title_ja: "試験".to_owned(),
            reading,
        };
        let view = open::open(app, id.clone(), request, "test".to_owned()).await.unwrap();
        Self::of(id, &view, at)
    }

    fn of(id: RepositoryId, view: &RepositoryView, at: Timestamp) -> Self {
        let (root_keys, targets_keys) = (keys(10), keys(20));
        let online = |public| RoleSpec { keys: vec![listed(public)], threshold: 1 };
        let root = RootSpec {
            repository: id.clone(),
            version: 1,
            issued: at,
            expires: at.plus_seconds(700 * 86_400),
            root: role(&root_keys, 2),
            targets: role(&targets_keys, 2),
            snapshot: online(view.snapshot_key),
            timestamp: online(view.timestamp_key),
            weakest: None,
            time_keys: Vec::new(),
        };
        let targets = TargetsSpec {
            repository: id.clone(),
            version: 1,
            issued: at,
            expires: at.plus_seconds(80 * 86_400),
            targets: BTreeMap::new(),
            delegations: Vec::new(),
        };
        Self { id, root, targets, root_keys, targets_keys, seed: 30 }
    }

    /// Lists a file without uploading it.
    pub(crate) fn list(&mut self, path: &str, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap();
        let spec = TargetSpec::plain(length, Sha256Digest::of(bytes));
        self.targets.targets.insert(TargetPath::new(path).unwrap(), spec);
    }

    /// Puts a file into the store, as an upload does, and lists it.
    pub(crate) async fn add(&mut self, app: &Arc<App>, path: &str, bytes: &[u8]) {
        let digest = Sha256Digest::of(bytes);
        let mut upload = app.blobs.begin(digest, u64::MAX, [self.seed; 8]).unwrap();
        self.seed = self.seed.wrapping_add(1);
        upload.write(bytes).unwrap();
        let length = upload.finish().unwrap();
        let (id, at) = (self.id.clone(), app.clock.now());
        let remember = move |conn: &mut patchward_server::db::Connection| {
            repository::add_blob(conn, &id, &digest, length, at)
        };
        app.db.write(remember).await.unwrap();
        self.list(path, bytes);
    }

    /// Puts what the manufacturer says of an image beside it.
    pub(crate) fn describe(&mut self, path: &str, firmware: &Firmware) {
        let target = self.targets.targets.get_mut(&TargetPath::new(path).unwrap()).unwrap();
        target.custom.insert("fw".to_owned(), serde_json::to_value(firmware).unwrap());
    }

    pub(crate) fn root_file(&self) -> Vec<u8> {
        self.sign_root(self.root.staged().unwrap(), 2)
    }

    fn sign_root(&self, mut staged: Staged, count: usize) -> Vec<u8> {
        let asked = staged.asked(None).unwrap();
        self.root_keys.iter().take(count).for_each(|key| staged.sign(key, &asked).unwrap());
        staged.to_bytes()
    }

    pub(crate) fn targets_file(&self) -> Vec<u8> {
        self.targets_signed_by(2)
    }

    pub(crate) fn targets_signed_by(&self, count: usize) -> Vec<u8> {
        let root = self.root.staged().unwrap().typed::<Root>().unwrap();
        let mut staged = self.targets.staged(Role::Targets).unwrap();
        let asked = staged.asked(Some(&root.signed)).unwrap();
        self.targets_keys.iter().take(count).for_each(|key| staged.sign(key, &asked).unwrap());
        staged.to_bytes()
    }

    /// Digest of what is signed of the targets.
    pub(crate) fn staged_sha256(&self) -> Sha256Digest {
        self.targets.staged(Role::Targets).unwrap().message_sha256()
    }

    pub(crate) async fn publish(
        &self,
        app: &Arc<App>,
        root: Option<Vec<u8>>,
        targets: Option<Vec<u8>>,
    ) -> Result<RepositoryView, ApiError> {
        let request = PublishRequest {
            root: root.map(|bytes| STANDARD.encode(bytes)),
            targets: targets.map(|bytes| STANDARD.encode(bytes)),
        };
        commit::publish(app, self.id.clone(), request, "test".to_owned()).await
    }

    pub(crate) async fn publish_first(&self, app: &Arc<App>) -> Result<RepositoryView, ApiError> {
        self.publish(app, Some(self.root_file()), Some(self.targets_file())).await
    }

    pub(crate) async fn publish_targets(&self, app: &Arc<App>) -> Result<RepositoryView, ApiError> {
        self.publish(app, None, Some(self.targets_file())).await
    }
}

/// The version of a role in a view.
pub(crate) fn version(view: &RepositoryView, role: &str) -> u64 {
    view.heads.iter().find(|head| head.role == role).unwrap().version
}
