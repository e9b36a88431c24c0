//! A manufacturer or a hospital with its whole key hierarchy in memory: opens a repository, publishes.
//!
//! For attacks, where a test decides who holds which key. The command line does the same for real in
//! [`crate::maker`] and [`crate::hospital`]. Not here: what an attacker does with a stolen key.
//! Invariant: what [`Owner::publish`] sends is honest; attackers change copies.

use crate::forge::{self, DAY_S, Key};
use crate::http::Client;
use crate::image::Release;
use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::repository::{
    OpenRepository, OpenRepositoryRequest, Publish, PublishRequest, Reading, RepositoryView,
    ShowRepository,
};
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::RepositoryId;
use serde_json::{Map, Value, json};

/// The owner of one repository.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The repository.
    pub id: RepositoryId,
    /// Three root keys, two of which must sign.
    pub root_keys: Vec<Key>,
    /// Three targets keys, two of which must sign.
    pub targets_keys: Vec<Key>,
    /// The newest root, unsigned.
    pub root: Value,
    /// The newest targets, unsigned.
    pub targets: Value,
    /// What the server says of the repository.
    pub view: RepositoryView,
    client: Client,
}

impl Owner {
    /// Opens a repository with keys of its own and publishes its first root and empty targets.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open(administrator: &Client, id: &RepositoryId) -> Result<Self> {
        let keys = |role: &str| keys_of(&id.to_string(), role);
        Self::open_with(administrator, id, keys("root"), keys("targets"))
    }

    /// The same with given keys, e.g. those of another repository.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open_with(
        administrator: &Client,
        id: &RepositoryId,
        root_keys: Vec<Key>,
        targets_keys: Vec<Key>,
    ) -> Result<Self> {
        let (kind, name) = id.parts();
        let reading = if kind == "site" { Reading::Restricted } else { Reading::Public };
        let request = OpenRepositoryRequest {
            title_en: format!("Test {name}"),
            title_ja: format!("試験 {name}"),
            reading,
        };
        let view = administrator.must::<OpenRepository>(&[kind, name], &request)?;
        let mut owner = Self {
            id: id.clone(),
            root: Value::Null,
            targets: Value::Null,
            root_keys,
            targets_keys,
            view,
            client: administrator.clone(),
        };
        owner.root = owner.first_root();
        owner.targets = forge::head("targets", &id.to_string(), 1, 80 * DAY_S);
        forge::set(&mut owner.targets, "targets", json!({}));
        let (root, targets) = (owner.root_file()?, owner.targets_file()?);
        owner.send(Some(&root), Some(&targets))?;
        Ok(owner)
    }

    /// Whoever owns the server but not the offline keys: sees what is published, and signs with keys
    /// of his own.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn posing(administrator: &Client, id: &RepositoryId) -> Result<Self> {
        let (kind, name) = id.parts();
        let view = administrator.must::<ShowRepository>(&[kind, name], &())?;
        let mut poser = Self {
            id: id.clone(),
            root: Value::Null,
            targets: Value::Null,
            root_keys: keys_of("attacker", "root"),
            targets_keys: keys_of("attacker", "targets"),
            view,
            client: administrator.clone(),
        };
        poser.targets = poser.current_targets()?;
        Ok(poser)
    }

    /// The newest root, signed by two of three.
    ///
    /// # Errors
    /// When it has no canonical form.
    pub fn root_file(&self) -> Result<Vec<u8>> {
        forge::sign(&self.root, &self.two(&self.root_keys))
    }

    /// The newest targets, signed by two of three.
    ///
    /// # Errors
    /// When they have no canonical form.
    pub fn targets_file(&self) -> Result<Vec<u8>> {
        forge::sign(&self.targets, &self.two(&self.targets_keys))
    }

    /// Adds a release's image and documents to the targets, uploading their bytes.
    ///
    /// # Errors
    /// When the server refuses the bytes.
    pub fn add_release(&mut self, release: &Release) -> Result<()> {
        let custom = json!({ "fw": release.firmware });
        self.add(release.path.as_str(), &release.file, Some(custom))?;
        release.documents.iter().try_for_each(|(path, bytes)| self.add(path.as_str(), bytes, None))
    }

    /// Adds an approval to the targets, or replaces it.
    ///
    /// # Errors
    /// When the approval breaks a rule or the server refuses its bytes.
    pub fn add_approval(&mut self, approval: &Approval) -> Result<Sha256Digest> {
        let bytes = approval.write().context("write the approval")?;
        self.add(&format!("approval/{}.json", approval.id), &bytes, None)?;
        Ok(Sha256Digest::of(&bytes))
    }

    /// Adds a file to the targets, uploading its bytes.
    ///
    /// # Errors
    /// When the server refuses the bytes.
    pub fn add(&mut self, path: &str, bytes: &[u8], custom: Option<Value>) -> Result<()> {
        self.upload(bytes)?;
        let entry = forge::target_entry(bytes, custom);
        let targets = self.targets.get_mut("targets").and_then(Value::as_object_mut);
        targets.context("targets have targets")?.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Uploads bytes.
    ///
    /// # Errors
    /// When the server refuses them.
    pub fn upload(&self, bytes: &[u8]) -> Result<()> {
        let (kind, name) = self.id.parts();
        let digest = Sha256Digest::of(bytes);
        let path = format!("/v1/repositories/{kind}/{name}/blobs/{digest}");
        let got = self.client.put(&path, bytes)?;
        if (200..300).contains(&got.status) {
            return Ok(());
        }
        bail!("upload: {} {}", got.status, String::from_utf8_lossy(&got.body))
    }

    /// Publishes the targets as their next version.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn publish(&mut self) -> Result<()> {
        next_version(&mut self.targets)?;
        let targets = self.targets_file()?;
        self.send(None, Some(&targets))
    }

    /// Publishes the root as its next version, signed by two of `old` keys and two of its own.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn publish_root(&mut self, old: &[Key]) -> Result<()> {
        let root = self.next_root_file(old)?;
        self.send(Some(&root), None)
    }

    /// The root as its next version, signed by two of `old` keys and two of its own.
    ///
    /// # Errors
    /// When it has no canonical form.
    pub fn next_root_file(&mut self, old: &[Key]) -> Result<Vec<u8>> {
        next_version(&mut self.root)?;
        let mut keys = self.two(&self.root_keys);
        let own: Vec<String> = keys.iter().map(|key| key.id()).collect();
        keys.extend(old.iter().filter(|key| !own.contains(&key.id())).take(2));
        forge::sign(&self.root, &keys)
    }

    /// Sends documents to the server.
    ///
    /// # Errors
    /// When it refuses, with its code.
    pub fn send(&mut self, root: Option<&[u8]>, targets: Option<&[u8]>) -> Result<()> {
        let (kind, name) = self.id.parts();
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let body = PublishRequest { root: root.map(encode), targets: targets.map(encode) };
        self.view = self.client.must::<Publish>(&[kind, name], &body)?;
        Ok(())
    }

    /// A statement of a person of the site, signed with one of the targets keys.
    ///
    /// # Errors
    /// When this is no site, or there is no such key.
    pub fn act(&self, subject: Subject, meaning: Meaning, signer: usize) -> Result<Envelope> {
        let RepositoryId::Site(site) = &self.id else { bail!("{} is no site", self.id) };
        let key = self.targets_keys.get(signer).context("a targets key")?;
        let person = key.person().context("a key of a person")?;
        let act = Act {
            v: 1,
            site: site.clone(),
            subject,
            person: person.parse().context("a person")?,
            name: person.to_owned(),
            role: "clinical engineer".to_owned(),
            meaning,
            reason: "It was looked at".to_owned(),
            at: crate::clock::now(),
            tz: "Asia/Tokyo".to_owned(),
            compensating: None,
            log_size: None,
            log_root: None,
        };
        Envelope::seal(PayloadType::Act, &act, key.secret()).context("seal the act")
    }

    /// Replaces keys of a role in the root (not yet published).
    pub fn set_role(&mut self, role: &str, keys: &[Value], threshold: u64) {
        let ids: Vec<String> = keys.iter().map(forge::id_of).collect();
        for (id, key) in ids.iter().zip(keys) {
            forge::set(&mut self.root, &format!("keys.{id}"), key.clone());
        }
        forge::set(&mut self.root, &format!("roles.{role}"), forge::role(&ids, threshold));
    }

    /// Goes through another server, or with another token, from now on.
    pub fn use_client(&mut self, client: Client) {
        self.client = client;
    }

    /// The targets that the server shows now, unsigned.
    ///
    /// # Errors
    /// When it shows none.
    pub fn current_targets(&self) -> Result<Value> {
        let (kind, name) = self.id.parts();
        let view = self.client.must::<ShowRepository>(&[kind, name], &())?;
        let version = crate::forged::head(&view, "targets")?;
        let got = self.client.get(&self.metadata(&format!("{version}.targets.json")))?;
        let mut file: Value = serde_json::from_slice(&got.body).context("targets are JSON")?;
        file.get_mut("signed").map(Value::take).context("targets have a signed part")
    }

    /// A metadata file as the server shows it now.
    ///
    /// # Errors
    /// When it shows none.
    pub fn published(&self, file: &str) -> Result<Vec<u8>> {
        let got = self.client.get(&self.metadata(file))?;
        if got.status == 200 { Ok(got.body) } else { bail!("{file}: {}", got.status) }
    }

    /// Path of a metadata file on the server.
    #[must_use]
    pub fn metadata(&self, file: &str) -> String {
        let (kind, name) = self.id.parts();
        format!("/tuf/{kind}/{name}/metadata/{file}")
    }

    /// Two of three keys.
    #[must_use]
    pub fn two<'a>(&self, keys: &'a [Key]) -> Vec<&'a Key> {
        keys.iter().take(2).collect()
    }

    fn first_root(&self) -> Value {
        let mut root = forge::head("root", &self.id.to_string(), 1, 700 * DAY_S);
        forge::set(&mut root, "consistent_snapshot", true);
        let online = |public| forge::listed(public, &Map::new());
        let listed = |keys: &[Key]| keys.iter().map(Key::object).collect::<Vec<_>>();
        let mut draft = Self { root, ..self.clone() };
        draft.set_role("root", &listed(&self.root_keys), 2);
        draft.set_role("targets", &listed(&self.targets_keys), 2);
        draft.set_role("snapshot", &[online(self.view.snapshot_key)], 1);
        draft.set_role("timestamp", &[online(self.view.timestamp_key)], 1);
        draft.root
    }
}

/// Three keys of a role, each with who and how beside it.
#[must_use]
pub fn keys_of(of: &str, role: &str) -> Vec<Key> {
    let persons = ["tanaka", "sato", "suzuki"];
    let key = |person| Key::named(&format!("{of} {role} {person}")).of_person(person, "offline");
    persons.into_iter().map(key).collect()
}

/// The version of a document.
///
/// # Errors
/// When it has none.
pub fn version_of(document: &Value) -> Result<u64> {
    document.get("version").and_then(Value::as_u64).context("a document has a version")
}

/// Makes it the next version, issued now.
///
/// # Errors
/// When it has no version.
pub fn next_version(document: &mut Value) -> Result<()> {
    let version = version_of(document)?;
    forge::set(document, "version", version.saturating_add(1));
    forge::set(document, "x-issued", json!(forge::instant(0)));
    Ok(())
}
