//! A server in this process, on a free port, with a clock that is set by hand; two hospitals and two
//! manufacturers in it.

use crate::http::wire::{self, Answer};
use crate::place::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::repository::{PublishRequest, RepositoryView};
use patchward_protocol::api::token::NewToken;
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{PersonId, RepositoryId, TargetPath};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::pack::EnrolmentPack;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{KeySpec, RoleSpec, RootSpec, TargetSpec, TargetsSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Method, Root};
use patchward_protocol::tuf::stage::Staged;
use patchward_server::app::Mode;
use patchward_server::auth::api_token::TokenSecret;
use patchward_server::clock::{SetClock, SystemRng};
use patchward_server::config::{Config, Delta, Notify};
use patchward_server::db::{Db, token};
use patchward_server::serve::serve;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};

/// A server that answers at an address, and an administrator's token.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) administrator: String,
    pub(crate) at: Timestamp,
}

/// A server in this process.
pub(crate) struct House {
    pub(crate) door: Door,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) db: Db,
    _place: Place,
}

impl std::ops::Deref for House {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

/// When the tests play.
pub(crate) fn now() -> Timestamp {
    "2026-12-05T04:30:00Z".parse().unwrap()
}

impl House {
    /// A server with nothing in it but its first administrator.
    pub(crate) fn empty() -> Self {
        Self::on(Place::sqlite())
    }

    /// The same on this database.
    pub(crate) fn on(place: Place) -> Self {
        place.clock.set(now());
        // Nothing happens in the background of a test.
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            watch_ms: 3_600_000,
            gate_check_s: 3_600,
            last_seen_flush_s: 3_600,
            delta: Delta { check_s: 3_600, ..Delta::default() },
            notify: Notify { enabled: false, ..Notify::default() },
            db_readers: 2,
            ..place.config.clone()
        };
        let clock = Arc::clone(&place.clock);
        let parts = place
            .data()
            .open(config, Mode::Production, clock.clone(), Arc::new(SystemRng))
            .unwrap();
        let db = parts.db.clone();
        let claim = put_claim(&db);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || serve(parts, |url| tell.send(url.to_owned()).unwrap()));
        let url = told.recv().unwrap();
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        let door = Door::claim(address, &claim, now());
        Self { door, clock, db, _place: place }
    }

    /// The same with the hospitals `north` and `south` and the families `acme.a`, `beta.b` opened, the
    /// hospitals published.
    pub(crate) fn furnished() -> Self {
        let house = Self::empty();
        house.furnish();
        house
    }
}

/// A claim that can be used for a minute, as `init` makes one for a week.
pub(crate) fn put_claim(db: &Db) -> String {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let secret = TokenSecret::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 32]);
    let digest = secret.digest();
    let put = db.write(move |conn| token::put_claim(conn, digest, now().plus_seconds(60)));
    wait(put).unwrap();
    secret.reveal()
}

/// Waits for a question to the database.
pub(crate) fn wait<F: Future>(question: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(question)
}

impl Door {
    /// Becomes the first administrator.
    pub(crate) fn claim(address: SocketAddr, claim: &str, at: Timestamp) -> Self {
        let token: NewToken = wire::send(address, "POST", "/v1/claim", Some(claim), b"").read();
        Self { address, administrator: token.token, at }
    }

    pub(crate) fn furnish(&self) {
        for family in ["acme.a", "beta.b"] {
            self.open(&format!("family/{family}"), "public");
        }
        for site in ["north", "south"] {
            self.open(&format!("site/{site}"), "restricted");
            self.publish_site(site, 1, &[]);
        }
    }

    pub(crate) fn send(&self, method: &str, path: &str, bearer: &str, body: &[u8]) -> Answer {
        wire::send(self.address, method, path, Some(bearer), body)
    }

    pub(crate) fn get(&self, path: &str, bearer: &str) -> Answer {
        self.send("GET", path, bearer, b"")
    }

    pub(crate) fn post(&self, path: &str, bearer: &str, body: &impl Serialize) -> Answer {
        self.send("POST", path, bearer, &serde_json::to_vec(body).unwrap())
    }

    /// As a device does: no bearer.
    pub(crate) fn say(&self, path: &str, body: &impl Serialize) -> Answer {
        wire::send(self.address, "POST", path, None, &serde_json::to_vec(body).unwrap())
    }

    pub(crate) fn token(&self, scope: Value) -> NewToken {
        let body = json!({ "label": "a test", "scope": scope, "life_s": 3600 });
        self.post("/v1/tokens", &self.administrator, &body).read()
    }

    pub(crate) fn site_token(&self, site: &str) -> String {
        self.token(json!({ "kind": "site", "site": site })).token
    }

    pub(crate) fn maker_token(&self, family: &str) -> String {
        self.token(json!({ "kind": "maker", "families": [family] })).token
    }

    pub(crate) fn open(&self, repository: &str, reading: &str) -> RepositoryView {
        let body = json!({ "title_en": "A", "title_ja": "あ", "reading": reading });
        self.post(&format!("/v1/repositories/{repository}"), &self.administrator, &body).read()
    }

    pub(crate) fn pack(&self, site: &str) -> EnrolmentPack {
        self.pack_for(site, "acme.a")
    }

    pub(crate) fn pack_for(&self, site: &str, family: &str) -> EnrolmentPack {
        let body = json!({ "families": [family], "device": null, "life_s": 3600 });
        self.post(&format!("/v1/sites/{site}/packs"), &self.site_token(site), &body).read()
    }

    /// Publishes the targets of a hospital; its root too with the first version.
    pub(crate) fn publish_site(&self, site: &str, version: u64, approvals: &[&Approval]) {
        self.publish(&format!("site:{site}").parse().unwrap(), version, approvals);
    }

    /// Publishes targets that list these approvals and nothing else; a root too with the first
    /// version.
    pub(crate) fn publish(&self, repository: &RepositoryId, version: u64, approvals: &[&Approval]) {
        let (kind, name) = repository.parts();
        let path = format!("/v1/repositories/{kind}/{name}");
        let view: RepositoryView = self.get(&path, &self.administrator).read();
        let root = root(repository, &view, self.at);
        let named: Root = Staged::read(Role::Root, &root).unwrap().typed().unwrap().signed;
        let mut targets = BTreeMap::new();
        for approval in approvals {
            let bytes = approval.write().unwrap();
            let sha256 = Sha256Digest::of(&bytes);
            let put =
                self.send("PUT", &format!("{path}/blobs/{sha256}"), &self.administrator, &bytes);
            assert_eq!(put.code(), "ok");
            let name = TargetPath::new(&format!("approval/{}.json", approval.id)).unwrap();
            targets.insert(name, TargetSpec::plain(bytes.len() as u64, sha256));
        }
        let spec = TargetsSpec {
            repository: repository.clone(),
            version,
            issued: self.at,
            expires: self.at.plus_seconds(60 * 86_400),
            targets,
            delegations: vec![],
        };
        let targets = signed(spec.staged(Role::Targets).unwrap(), Some(&named), [5, 6]);
        let body = PublishRequest {
            root: (version == 1).then(|| STANDARD.encode(&root)),
            targets: Some(STANDARD.encode(targets)),
        };
        let answer = self.post(&format!("{path}/publish"), &self.administrator, &body);
        assert_eq!(answer.code(), "ok", "{}", String::from_utf8_lossy(&answer.body));
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn root(repository: &RepositoryId, view: &RepositoryView, at: Timestamp) -> Vec<u8> {
    let is_site = matches!(repository, RepositoryId::Site(_));
    let people = |seeds: [u8; 3]| RoleSpec {
        keys: seeds
            .map(|seed| KeySpec {
                public: key(seed).public(),
                person: Some(PersonId::new(&format!("person-{seed}")).unwrap()),
                method: is_site.then_some(Method::Offline),
            })
            .to_vec(),
        threshold: 2,
    };
    let online = |public| RoleSpec {
        keys: vec![KeySpec { public, person: None, method: None }],
        threshold: 1,
    };
    let spec = RootSpec {
        repository: repository.clone(),
        version: 1,
        issued: at,
        expires: at.plus_seconds(700 * 86_400),
        root: people([2, 3, 4]),
        targets: people([5, 6, 7]),
        snapshot: online(view.snapshot_key),
        timestamp: online(view.timestamp_key),
        weakest: None,
        time_keys: vec![],
    };
    signed(spec.staged().unwrap(), None, [2, 3])
}

fn signed(mut staged: Staged, root: Option<&Root>, seeds: [u8; 2]) -> Vec<u8> {
    let asked = staged.asked(root).unwrap();
    for seed in seeds {
        staged.sign(&key(seed), &asked).unwrap();
    }
    staged.to_bytes()
}
