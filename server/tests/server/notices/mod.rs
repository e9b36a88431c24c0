//! Notices on both databases, with a real mail server and a real web server with TLS on the other side.

mod answers;
mod clocks;
mod outside;
mod steps;

use crate::hospital::{devices, publish_family, release};
use crate::owner::Owner;
use crate::place::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::id::{MakerId, SiteId};
use patchward_protocol::tuf::custom::Class;
use patchward_server::app::App;
use patchward_server::config::{MailSecurity, Notify, NotifyMail};
use patchward_server::db::notice::Notice;
use patchward_server::notify::channel::{Circle, Kind, Quiet};
use patchward_server::notify::drill::{self, Entered};
use patchward_server::notify::look::look;
use patchward_server::notify::open_matters;
use patchward_server::notify::raise::{Rules, pass_on};
use patchward_server::notify::send::{self, Post};
use patchward_server::notify::subject::{NoticeId, Severity};
use patchward_server::people::role::{Grant, MakerRole, Place as At, SiteRole};
use patchward_server::people::who::{AccountId, Language, Who};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Longest wait for the receiver, on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where people find the server.
const ADDRESS: &str = "https://patchward.example";

fn north() -> At {
    At::Site(SiteId::new("north").unwrap())
}

fn acme() -> At {
    At::Maker(MakerId::new("acme").unwrap())
}

fn who(name: &str, grants: Vec<Grant>) -> Who {
    Who {
        account: AccountId(7),
        login: name.to_lowercase(),
        name: name.to_owned(),
        title: "clinical engineer".to_owned(),
        language: Language::Ja,
        persons: Vec::new(),
        grants,
        form_token: "0".repeat(32),
        idle_until: "2030-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn tanaka() -> Who {
    let north = SiteId::new("north").unwrap();
    who("Tanaka", vec![Grant::Site(north, SiteRole::Approver)])
}

fn sato() -> Who {
    let acme = MakerId::new("acme").unwrap();
    who("Sato", vec![Grant::Maker(acme, MakerRole::Psirt)])
}

/// How grave the release is.
enum Grave {
    Important,
    KnownExploited,
}

/// A site with one device, and a release of its family that nobody has answered.
async fn released(app: &Arc<App>, reading: Reading, grave: Grave) -> Owners {
    let at = app.clock.now();
    let site = Owner::open(app, "site:north", at).await;
    site.publish_first(app).await.unwrap();
    let mut family = Owner::open_for(app, "family:acme.a", reading, at).await;
    let mut firmware = release(app, &mut family, 2, Class::Security).await;
    if let Grave::KnownExploited = grave {
        firmware.known_exploited = true;
        firmware.cves = vec!["CVE-2026-12345".to_owned()];
        family.describe("img/a-2.img", &firmware);
    }
    publish_family(app, &mut family).await;
    Owners { site, family }
}

/// Whose repositories they are.
struct Owners {
    site: Owner,
    family: Owner,
}

/// A place with one device of the family `acme.a`.
fn with_device(place: &Place) {
    devices(place, 1);
}

/// The same, and the server has looked at it.
async fn noticed(app: &Arc<App>, reading: Reading, grave: Grave) -> Owners {
    let owners = released(app, reading, grave).await;
    looked(app).await;
    owners
}

/// A place with one device whose messages reach a receiver.
fn reachable() -> (Receiver, Place) {
    let receiver = Receiver::start();
    let mut place = Place::sqlite();
    with_device(&place);
    place.config.notify = receiver.config();
    (receiver, place)
}

async fn open(app: &Arc<App>, place: At) -> Vec<Notice> {
    app.db.read(move |conn| open_matters(conn, &place)).await.unwrap()
}

/// The open notices of a kind.
async fn of_kind(app: &Arc<App>, place: At, kind: &str) -> Vec<Notice> {
    let all = open(app, place).await;
    all.into_iter().filter(|notice| notice.subject.kind() == kind).collect()
}

async fn looked(app: &Arc<App>) {
    look(app).await.unwrap();
}

fn entered(kind: Kind, address: &str, circle: Circle) -> Entered {
    Entered {
        kind,
        address: address.to_owned(),
        language: Language::Ja,
        circle,
        least: Severity::Important,
        quiet: None,
        tz: "Asia/Tokyo".to_owned(),
        account: None,
    }
}

async fn add(app: &Arc<App>, place: At, entered: Entered) -> NoticeId {
    drill::add(app, &place, entered, &tanaka()).await.unwrap()
}

/// A channel of the first circle at the site.
async fn first(app: &Arc<App>, kind: Kind, address: &str) -> NoticeId {
    add(app, north(), entered(kind, address, Circle::First)).await
}

/// Nine in the evening to seven in the morning.
const NIGHT: Quiet = Quiet { from_min: 21 * 60, to_min: 7 * 60 };

fn post(app: &App) -> Post {
    Post::of(&app.config.notify, ADDRESS, &*app.rng).unwrap()
}

/// What is due is passed on; how many notices.
async fn pass(app: &Arc<App>) -> usize {
    let (rules, at) = (Rules::of(&app.config.notify), app.clock.now());
    app.db.write(move |conn| pass_on(conn, &rules, at)).await.unwrap()
}

/// How many messages wait to be sent now; they are taken.
async fn taken(app: &Arc<App>) -> usize {
    send::take(app, &post(app)).await.unwrap().len()
}

/// The other side, as a process.
struct Receiver {
    child: Child,
    told: mpsc::Receiver<Value>,
    ports: (u64, u64),
    authority: String,
    folder: tempfile::TempDir,
}

impl Receiver {
    fn start() -> Self {
        let python = std::env::var_os("PATCHWARD_PYTHON").expect(
            "PATCHWARD_PYTHON is not set: `cargo xtask test` provides a Python and sets it",
        );
        let folder = tempfile::tempdir().unwrap();
        let script =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/notices/receiver.py").to_owned();
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = lines(child.stdout.take().unwrap());
        let hello = told.recv_timeout(PATIENCE).unwrap();
        let port = |name: &str| hello[name].as_u64().unwrap();
        Self {
            ports: (port("mail"), port("web")),
            authority: hello["authority"].as_str().unwrap().to_owned(),
            child,
            told,
            folder,
        }
    }

    /// The next message that it took.
    fn next(&self) -> Value {
        self.told.recv_timeout(PATIENCE).expect("the receiver took nothing")
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.ports.1)
    }

    /// What a server needs to reach it.
    fn config(&self) -> Notify {
        let password_file = self.folder.path().join("password");
        std::fs::write(&password_file, "mail secret\n").unwrap();
        Notify {
            private_webhooks: true,
            webhook_authority_file: Some(self.authority.clone().into()),
            mail: Some(NotifyMail {
                relay: format!("localhost:{}", self.ports.0),
                security: MailSecurity::Starttls,
                from: "Patchward <patchward@hospital.example>".to_owned(),
                user: Some("patchward".to_owned()),
                password_file: Some(password_file),
                authority_file: Some(self.authority.clone().into()),
            }),
            ..Notify::default()
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What a receiver tells, read by a thread of its own.
fn lines(told: ChildStdout) -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(told).lines().map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A mail as it was taken: its headers, unfolded, and its text.
struct Mail {
    headers: Vec<(String, String)>,
    text: String,
}

impl Mail {
    fn of(told: &Value) -> Self {
        let raw = told["mail"].as_str().unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        };
        let headers = head.split("\r\n").map(header).collect();
        let packed: String = body.split_whitespace().collect();
        let text = String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap();
        Self { headers, text }
    }

    fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter().filter(|(header, _)| header == name);
        let found = &all.next().unwrap_or_else(|| panic!("{name} in {:?}", self.headers)).1;
        assert!(all.next().is_none(), "{name} twice");
        found
    }

    /// The subject, decoded (RFC 2047, base64 or quoted-printable words).
    fn subject(&self) -> String {
        let mut text = String::new();
        for word in self.header("subject").split(' ') {
            match word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?=")) {
                Some(packed) => {
                    text += &String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap();
                }
                None => {
                    text += word;
                    text.push(' ');
                }
            }
        }
        text
    }
}
