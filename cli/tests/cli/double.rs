//! A server double on loopback: keeps blobs, publishes what it is given, signs freshness.
//!
//! It checks nothing, so that what the command line lets through shows. Not here: devices' side.

use crate::double_consent::Consent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::api::repository::PublishRequest;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::tuf::build::{FileSpec, SnapshotSpec, TimestampSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub(crate) struct State {
    /// By path below `/tuf/`.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) devices: Value,
    /// By whole path, for holders of a token.
    pub(crate) raw: BTreeMap<String, Vec<u8>>,
    pub(crate) consent: Consent,
    /// A server of an earlier time, without a key for deltas.
    pub(crate) before_deltas: bool,
    /// Seed of the key for deltas, when it is not the first one.
    pub(crate) deltas_seed: Option<u8>,
    versions: BTreeMap<String, (u64, u64)>,
    published: u64,
}

pub(crate) struct Double {
    port: u16,
    pub(crate) state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    authorized: bool,
    body: Vec<u8>,
}

impl Double {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { devices: json!([]), ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn snapshot_key() -> SecretKey {
    SecretKey::from_seed(&[201; 32])
}

fn timestamp_key() -> SecretKey {
    SecretKey::from_seed(&[202; 32])
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        authorized |= header == "authorization: bearer pw_test";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, authorized, body })
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(request) = read(&stream) else { return };
    let (status, body) = match route(&request, &mut state.lock().unwrap()) {
        Ok(body) => (200, body),
        Err(code) => {
            let problem = Problem::new(code, None, "request-1".to_owned());
            (code.status(), serde_json::to_vec(&problem).unwrap())
        }
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A client that went away is not this double's concern.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn route(request: &Request, state: &mut State) -> Result<Vec<u8>, ErrorCode> {
    let json = |value: Value| Ok(serde_json::to_vec(&value).unwrap());
    let parts: Vec<_> = request.path.split('/').skip(1).collect();
    if let ["tuf", ..] = parts.as_slice() {
        let file = request.path.trim_start_matches("/tuf/");
        return state.files.get(file).cloned().ok_or(ErrorCode::NotFound);
    }
    if !request.authorized {
        return Err(ErrorCode::TokenInvalid);
    }
    if let Some(bytes) = state.raw.get(&request.path) {
        return Ok(bytes.clone());
    }
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v1", "whoami"]) => json(json!({
            "id": "t1", "label": "test", "scope": {"kind": "administrator"},
            "expires": "2027-01-01T00:00:00Z", "revoked": null,
        })),
        ("POST" | "GET", ["v1", "repositories", kind, name]) => json(view(kind, name, state)),
        ("PUT", ["v1", "repositories", _, _, "blobs", sha256]) => {
            if Sha256Digest::of(&request.body).to_string() != *sha256 {
                return Err(ErrorCode::DigestMismatch);
            }
            state.blobs.insert((*sha256).to_owned(), request.body.clone());
            Ok(Vec::new())
        }
        ("POST", ["v1", "repositories", kind, name, "publish"]) => {
            publish(kind, name, &serde_json::from_slice(&request.body).unwrap(), state);
            json(view(kind, name, state))
        }
        ("GET", ["v1", "sites", _, "devices"]) => json(state.devices.clone()),
        ("POST", ["v1", "sites", site, "packs"]) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            json(json!({
                "v": 1, "url": "http://wrong.example", "tls_spki_sha256": null, "tls_ca_pem": null,
                "site": site, "site_root": "d3Jvbmc=", "record_key": snapshot_key().public(),
                "token": "pe_once", "expires": "2026-12-01T00:00:00Z",
                "families": body["families"], "device": body["device"],
            }))
        }
        (method, parts) => state.consent.answer(method, parts, &request.body),
    }
}

fn view(kind: &str, name: &str, state: &State) -> Value {
    let heads: Vec<Value> = match state.versions.get(&format!("{kind}/{name}")) {
        None => Vec::new(),
        Some((root, targets)) => [("root", root), ("targets", targets)]
            .map(|(role, version)| {
                json!({"role": role, "version": version, "sha256": Sha256Digest::of(b""),
                       "expires": "2027-01-01T00:00:00Z"})
            })
            .to_vec(),
    };
    let mut view = json!({
        "repository": format!("{kind}:{name}"), "reading": "public",
        "snapshot_key": snapshot_key().public(), "timestamp_key": timestamp_key().public(),
        "heads": heads,
    });
    if kind == "family" && !state.before_deltas {
        let seed = state.deltas_seed.unwrap_or(203);
        view["deltas_key"] = json!(SecretKey::from_seed(&[seed; 32]).public());
    }
    view
}

fn publish(kind: &str, name: &str, request: &PublishRequest, state: &mut State) {
    let repository = RepositoryId::from_parts(kind, name).unwrap();
    let place = format!("{kind}/{name}");
    state.published += 1;
    let fresh = state.published;
    let (mut root, mut targets) = state.versions.get(&place).copied().unwrap_or_default();
    let bytes = |text: &Option<String>| text.as_ref().map(|text| STANDARD.decode(text).unwrap());
    if let Some(bytes) = bytes(&request.root) {
        root = Staged::read(Role::Root, &bytes).unwrap().version();
        state.files.insert(format!("{place}/metadata/{root}.root.json"), bytes);
    }
    if let Some(bytes) = bytes(&request.targets) {
        let staged = Staged::read(Role::Targets, &bytes).unwrap();
        targets = staged.version();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        for (path, target) in value["signed"]["targets"].as_object().unwrap() {
            let sha256 = target["hashes"]["sha256"].as_str().unwrap();
            let (dir, file) = path.split_once('/').unwrap();
            let blob = state.blobs.get(sha256).unwrap_or_else(|| panic!("{path} was not uploaded"));
            let file = format!("{place}/targets/{dir}/{sha256}.{file}");
            state.files.insert(file, blob.clone());
        }
        state.files.insert(format!("{place}/metadata/{targets}.targets.json"), bytes);
    }
    state.versions.insert(place.clone(), (root, targets));
    let file = |name: String| state.files.get(&format!("{place}/metadata/{name}")).unwrap().clone();
    let root_bytes = file(format!("{root}.root.json"));
    let root = Staged::read(Role::Root, &root_bytes).unwrap().typed::<Root>().unwrap().signed;
    let listed = FileSpec::of(targets, &file(format!("{targets}.targets.json")));
    let issued = crate::place::yesterday();
    let expires = issued.plus_seconds(7 * 24 * 3600);
    let mut snapshot = SnapshotSpec {
        repository: repository.clone(),
        version: fresh,
        expires,
        files: BTreeMap::from([("targets".to_owned(), listed)]),
    }
    .staged()
    .unwrap();
    let asked = snapshot.asked(Some(&root)).unwrap();
    snapshot.sign(&snapshot_key(), &asked).unwrap();
    let bytes = snapshot.to_bytes();
    let listed = FileSpec::of(fresh, &bytes);
    state.files.insert(format!("{place}/metadata/{fresh}.snapshot.json"), bytes);
    let spec = TimestampSpec { repository, version: fresh, issued, expires, snapshot: listed };
    let mut timestamp = spec.staged().unwrap();
    let asked = timestamp.asked(Some(&root)).unwrap();
    timestamp.sign(&timestamp_key(), &asked).unwrap();
    state.files.insert(format!("{place}/metadata/timestamp.json"), timestamp.to_bytes());
}
