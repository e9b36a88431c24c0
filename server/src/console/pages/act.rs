//! Signed acts from the page: a halted wave goes on, a hold is lifted, a device is released for clinical
//! use, something is noted.
//!
//! Boards and device pages link here with what it is about. The act is written out, shown, signed by the
//! person's key in the page or by the server, and filed. Not here: whether it counts (`consent::act`).
//! Invariant: an act names exactly one thing, and the page says what follows from it.

use super::approvals::ways;
use super::approvals::{made_elsewhere, open_custodial, person};
use crate::consent::act as filing;
use crate::consent::draft::acts::{self, Words as Said};
use crate::consent::draft::facts::Facts;
use crate::consent::draft::status::{Signed, SignerKey};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::db::{act, hold};
use crate::error::ApiError;
use crate::limits::{ACT_TEXT_CHARS_MAX, PREPARED_S_MAX};
use crate::people::role::SitePower;
use crate::record::log;
use crate::rollout::view;
use askama::Template;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::canonical::{self, Charset};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, HoldId, PersonId};
use patchward_protocol::key::Signer;
use patchward_protocol::limits::PAYLOAD_BYTES_MAX;
use patchward_protocol::tuf::schema::Method;
use serde_json::json;

/// What the command line asks of whoever signs.
const SIGNER: &str = " --key NAME.key --name NAME --role ROLE --reason WHY";

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Resume,
    Lift,
    Accept,
    Acknowledge,
}

/// The page that asks why.
#[derive(Template)]
#[template(path = "act/ask.html")]
struct Ask {
    frame: Frame,
    w: Words,
    here: String,
    what: String,
    consequence: String,
    name: String,
    role: String,
    can_sign: bool,
    unsigned: bool,
    unsigned_to: String,
    seen: String,
    command: Option<String>,
    back: String,
}

/// The page that signs.
#[derive(Template)]
#[template(path = "act/sign.html")]
struct Sign {
    frame: Frame,
    w: Words,
    base: String,
    what: String,
    consequence: String,
    reason: String,
    payload: String,
    fingerprint: String,
    keys: String,
    custodial: bool,
    weakest: String,
    back: String,
}

/// What the act is about, found on the server.
struct Found {
    subject: Subject,
    meaning: Meaning,
    what: String,
    command: Option<String>,
    back: String,
}

impl Do {
    fn of(word: Option<&str>) -> Option<Self> {
        match word? {
            "resume" => Some(Self::Resume),
            "lift" => Some(Self::Lift),
            "accept" => Some(Self::Accept),
            "acknowledge" => Some(Self::Acknowledge),
            _ => None,
        }
    }

    const fn consequence(self) -> &'static str {
        match self {
            Self::Resume => "act-do-resume",
            Self::Lift => "act-do-lift",
            Self::Accept => "act-do-accept",
            Self::Acknowledge => "act-do-acknowledge",
        }
    }

    /// Whether the server may write it down with the authenticated name, without a signature.
    const fn unsigned(self) -> bool {
        matches!(self, Self::Accept | Self::Acknowledge)
    }
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/act";
    routes.get::<AtSite, _, _>(path, SitePower::Accept, ask);
    routes.post::<AtSite, _, _>(path, SitePower::Sign, prepare);
    routes.post::<AtSite, _, _>("/console/sites/{site}/act/signature", SitePower::Sign, in_page);
    routes.post::<AtSite, _, _>("/console/sites/{site}/act/custodial", SitePower::Sign, by_server);
    routes.post::<AtSite, _, _>("/console/sites/{site}/act/unsigned", SitePower::Accept, unsigned);
}

async fn ask(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let doing = Do::of(visit.asked.query("do")).ok_or_else(not_found)?;
    let found = find(&visit, doing).await?;
    let (words, who) = (visit.words, &visit.entry.who);
    let can_sign = visit.entry.may(SitePower::Sign) && who.person_at(&visit.entry.site).is_some();
    let seen = found.seen()?.to_string();
    Answer::page(&Ask {
        frame: visit.frame(Nav::Rollouts, words.t("act-title")),
        w: words,
        here: visit.asked.here.clone(),
        what: found.what,
        consequence: words.t(doing.consequence()),
        name: who.name.clone(),
        role: who.title.clone(),
        can_sign,
        unsigned: doing.unsigned(),
        seen,
        unsigned_to: visit.asked.here.replacen("/act?", "/act/unsigned?", 1),
        command: found.command,
        back: found.back,
    })
}

async fn prepare(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let doing = Do::of(visit.asked.query("do")).ok_or_else(not_found)?;
    let found = find(&visit, doing).await?;
    let (words, site) = (visit.words, visit.entry.site.clone());
    let person = person(&visit)?;
    let said = Said {
        person: person.clone(),
        name: visit.entry.who.name.clone(),
        role: visit.entry.who.title.clone(),
        reason: visit.form.line("reason")?,
        tz: visit.entry.tz().to_owned(),
        control: None,
    };
    let end = visit.app.db.read(move |conn| log::end(conn, &site)).await?;
    let seen = (end.size > 0).then_some((end.size, end.root));
    let (log_size, log_root) = seen.unzip();
    let act = acts::act(&visit.entry.site, found.subject, found.meaning, &said, visit.at);
    let act = Act { log_size, log_root, ..act };
    filing::check_words(&act)?;
    let payload = acts::payload(&act)?;
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let keys = keys(&facts);
    let custodial =
        |key: &SignerKey| key.method == Method::Custodial && key.person.as_ref() == Some(&person);
    Answer::page(&Sign {
        frame: visit.frame(Nav::Rollouts, words.t("act-title")).script("sign.js"),
        w: words,
        base: visit.entry.path("act"),
        what: found.what,
        consequence: words.t(doing.consequence()),
        reason: said.reason,
        fingerprint: Sha256Digest::of(payload.as_bytes()).fingerprint(),
        payload,
        custodial: keys.iter().any(custodial),
        keys: ways::keys(&keys, &person),
        weakest: ways::weakest(words, facts.weakest()),
        back: found.back,
    })
}

async fn in_page(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let signer = made_elsewhere(&visit)?;
    file(&visit, &signer, Method::Console).await
}

async fn by_server(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let key = open_custodial(&visit).await?;
    file(&visit, &key, Method::Custodial).await
}

async fn unsigned(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let doing = Do::of(visit.asked.query("do")).filter(|doing| doing.unsigned());
    let found = find(&visit, doing.ok_or_else(not_found)?).await?;
    if visit.form.read::<Sha256Digest>("seen")? != found.seen()? {
        let rule = "another image runs on the device than the one that was shown";
        return Err(ApiError::with(ErrorCode::ActRefused, rule).into());
    }
    let reason = visit.form.line("reason")?;
    if !filing::is_text(&reason, ACT_TEXT_CHARS_MAX) {
        let rule = format!("reason: 1 to {ACT_TEXT_CHARS_MAX} characters, no control characters");
        return Err(ApiError::with(ErrorCode::ActRefused, rule).into());
    }
    let (at, who) = (visit.at, &visit.entry.who);
    let said = json!({
        "subject": found.subject, "meaning": found.meaning, "name": who.name, "role": who.title,
        "reason": reason, "signed": false,
    });
    let scope = visit.entry.repository().to_string();
    let written = act::Act { at, scope, who: who.by(), act: "unsigned-act", detail: said };
    visit.app.db.write(move |conn| act::append(conn, &written)).await?;
    Ok(Answer::done(&found.back, "act-done"))
}

/// Seals the payload that was shown, as it came back, and files it; whether it counts is found out again.
async fn file(visit: &Visit<AtSite>, signer: &dyn Signer, how: Method) -> Result<Answer, Turned> {
    let payload = visit.form.raw("payload").unwrap_or_default();
    let bad = |error: &dyn std::error::Error| ApiError::because(ErrorCode::RequestInvalid, error);
    let act: Act = canonical::read(payload.as_bytes(), PAYLOAD_BYTES_MAX, Charset::Unicode)
        .map_err(|error| bad(&error))?;
    let person = person(visit)?;
    if act.at.plus_seconds(PREPARED_S_MAX) <= visit.at {
        let rule = "at: it was written out too long ago; say it anew";
        return Err(ApiError::with(ErrorCode::ActRefused, rule).into());
    }
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let public = signer.public();
    let own = |key: &SignerKey| key.public == public && key.person.as_ref() == Some(&person);
    let key = keys(&facts).into_iter().find(own).filter(|_| act.person == person);
    let key = key.ok_or_else(|| ApiError::of(ErrorCode::SignerRefused))?;
    if key.method < how {
        return Err(ApiError::of(ErrorCode::MethodRefused).into());
    }
    let sealed = Envelope::seal_bytes(PayloadType::Act, payload.as_bytes(), signer)
        .map_err(|error| ApiError::because(ErrorCode::SignerRefused, &error))?;
    filing::file_as(&visit.app, &visit.entry.site, sealed, &visit.entry.who.by()).await?;
    let back = visit.form.get("back").filter(|to| to.starts_with("/console/"));
    let home = visit.entry.path("");
    Ok(Answer::done(back.unwrap_or(&home), "act-done"))
}

/// The keys of people in the site's root.
fn keys(facts: &Facts) -> Vec<SignerKey> {
    let roles = [&facts.root_spec.targets, &facts.root_spec.root];
    let key = |key: &patchward_protocol::tuf::build::KeySpec| SignerKey {
        public: key.public,
        person: key.person.clone(),
        method: key.method.unwrap_or(Method::Custodial),
        signed: Signed::NotYet,
    };
    roles.into_iter().flat_map(|role| &role.keys).map(key).collect()
}

async fn find(visit: &Visit<AtSite>, doing: Do) -> Result<Found, Turned> {
    match doing {
        Do::Resume => resume(visit).await,
        Do::Lift => lift(visit).await,
        Do::Accept | Do::Acknowledge => device(visit, doing).await,
    }
}

async fn resume(visit: &Visit<AtSite>) -> Result<Found, Turned> {
    let sha256: Sha256Digest = visit.asked.query_as("approval").ok_or_else(not_found)?;
    let wave: u32 = visit.asked.query_as("wave").ok_or_else(not_found)?;
    let rollouts = view::list(&visit.app, &visit.entry.site).await?;
    let rollout = rollouts.iter().find(|rollout| rollout.approval_sha256 == sha256);
    let rollout = rollout.ok_or_else(not_found)?;
    let of_wave = rollout.waves.iter().find(|of| of.wave == wave).ok_or_else(not_found)?;
    let (site, approval) = (&visit.entry.site, rollout.approval.as_str());
    Ok(Found {
        subject: Subject::Wave { approval_sha256: sha256, wave, halts: of_wave.halts },
        meaning: Meaning::Resumed,
        what: visit.words.t2("act-wave", "approval", approval, "wave", wave),
        command: Some(format!(
            "patchward rollout resume --site {site} --approval {approval} --wave {wave}{SIGNER}"
        )),
        back: visit.entry.path("rollouts"),
    })
}

async fn lift(visit: &Visit<AtSite>) -> Result<Found, Turned> {
    let id: HoldId = visit.asked.query_as("hold").ok_or_else(not_found)?;
    let named = id.clone();
    let found = visit.app.db.read(move |conn| hold::find(conn, &named)).await?;
    let ours = found.filter(|hold| hold.site.as_ref() == Some(&visit.entry.site));
    let held = ours.ok_or_else(not_found)?;
    let site = &visit.entry.site;
    Ok(Found {
        what: visit.words.t2("act-hold", "hold", id.as_str(), "reason", held.reason.as_str()),
        command: Some(format!("patchward hold lift --site {site} {id}{SIGNER}")),
        subject: Subject::Hold { hold: id },
        meaning: Meaning::HoldLifted,
        back: visit.entry.path("holds"),
    })
}

async fn device(visit: &Visit<AtSite>, doing: Do) -> Result<Found, Turned> {
    let id: DeviceId = visit.asked.query_as("device").ok_or_else(not_found)?;
    let views = crate::fleet::inventory::list(&visit.app, &visit.entry.site).await?;
    let view = views.into_iter().find(|view| view.device == id).ok_or_else(not_found)?;
    let image = view.installed.ok_or_else(not_found)?;
    let version = image.version.to_string();
    let meaning = match doing {
        Do::Accept => Meaning::AcceptanceReleased,
        Do::Acknowledge | Do::Lift | Do::Resume => Meaning::Acknowledged,
    };
    Ok(Found {
        what: visit.words.t2("act-device", "device", id.as_str(), "version", version),
        command: command(&id, visit.entry.who.person_at(&visit.entry.site), doing),
        back: visit.entry.path(&format!("devices/{id}")),
        subject: Subject::Device { device: id, image },
        meaning,
    })
}

/// What is typed at the device, or at the signer's own machine, instead.
fn command(device: &DeviceId, person: Option<&PersonId>, doing: Do) -> Option<String> {
    let by = person.map_or("PERSON", |person| person.as_str());
    match doing {
        Do::Accept => Some(format!("patchward-agent accept --by {by}    # {device}")),
        // No tool says this: it is of the console.
        Do::Acknowledge | Do::Resume | Do::Lift => None,
    }
}

impl Found {
    /// Names what was shown, so that the same is written down.
    fn seen(&self) -> Result<Sha256Digest, ApiError> {
        let subject = canonical::write(&self.subject).map_err(ApiError::failed)?;
        Ok(Sha256Digest::of(&subject))
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let frame = || site_frame(words, Nav::Rollouts, "act-title");
    let ask = |can_sign: bool, doing: Do| Ask {
        frame: frame(),
        w: words,
        here: "/console/sites/city-hospital/act?do=resume".to_owned(),
        what: words.t2("act-wave", "approval", "infusor-a-7-v9", "wave", 1),
        consequence: words.t(doing.consequence()),
        name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        role: words.pick("clinical engineer", "臨床工学技士").to_owned(),
        can_sign,
        unsigned: doing.unsigned(),
        unsigned_to: "/console/sites/city-hospital/act/unsigned?do=accept".to_owned(),
        seen: "00".repeat(32),
        command: Some(format!("patchward rollout resume{SIGNER}")),
        back: "/console/sites/city-hospital/rollouts".to_owned(),
    };
    let sign = |custodial: bool| Sign {
        frame: frame().script("sign.js"),
        w: words,
        base: "/console/sites/city-hospital/act".to_owned(),
        what: words.t2("act-device", "device", "pump-01", "version", "2.4.1"),
        consequence: words.t(Do::Accept.consequence()),
        reason: words.pick("checked", "確認済み").to_owned(),
        payload: "{}".to_owned(),
        fingerprint: "4821 0937 6650".to_owned(),
        keys: String::new(),
        custodial,
        weakest: ways::weakest(words, Method::Offline),
        back: "/console/sites/city-hospital".to_owned(),
    };
    vec![
        Sample::of("act/ask.html", "resume", &ask(true, Do::Resume)),
        Sample::of("act/ask.html", "lift", &ask(false, Do::Lift)),
        Sample::of("act/ask.html", "accept", &ask(false, Do::Accept)),
        Sample::of("act/sign.html", "console", &sign(false)),
        Sample::of("act/sign.html", "custodial", &sign(true)),
    ]
}
