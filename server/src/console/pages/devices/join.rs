//! How a device joins: an enrolment pack for one with an agent, an entry for one without.
//!
//! Not here: what is in a pack ([`crate::fleet::pack`]). Invariant: a pack is shown or sent once, in
//! the answer to the form that made it, and stored nowhere.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::fleet::{inventory, pack};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::{AddDeviceRequest, MakePackRequest, Management};
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId};
use patchward_protocol::pack::EnrolmentPack;

const HOUR_S: u32 = 3600;
const DAY_S: u32 = 24 * HOUR_S;
/// How long packs are good for, to choose from, in seconds.
const LIVES: [u32; 4] = [HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S];

/// The page with both forms.
#[derive(Template)]
#[template(path = "devices/join.html")]
struct JoinPage {
    frame: Frame,
    w: Words,
    pack: String,
    add: String,
    families: Vec<Family>,
    lives: Vec<(u32, String, bool)>,
    device: String,
    added: String,
    hardware: String,
    manual: bool,
    wrong: Option<(&'static str, String)>,
}

/// The page that shows a pack once.
#[derive(Template)]
#[template(path = "devices/pack.html")]
struct PackPage {
    frame: Frame,
    w: Words,
    name: String,
    text: String,
    until: When,
    fingerprint: String,
    back: String,
}

#[derive(Debug, Clone)]
struct Family {
    id: String,
    name: String,
    here: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/enrol";
    routes.get::<AtSite, _, _>(PATH, SitePower::Administer, show);
    routes.post::<AtSite, _, _>("/console/sites/{site}/enrol/pack", SitePower::Administer, make);
    routes.post::<AtSite, _, _>("/console/sites/{site}/enrol/add", SitePower::Administer, add);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    Answer::page(&page(&visit, None))
}

async fn make(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (site, who) = (&visit.entry.site, visit.entry.who.by());
    let made = match request(&visit.form) {
        Ok(request) => pack::make(&visit.app, site, request, who).await,
        Err(error) => Err(error),
    };
    let pack = match made {
        Ok(pack) => pack,
        Err(error) => return refused(&visit, "pack", error),
    };
    let text = serde_json::to_string_pretty(&pack).map_err(ApiError::failed)?;
    let name = name(&pack);
    if visit.form.get("as") == Some("file") {
        return Ok(Answer::file(&name, "application/json", text));
    }
    let frame = visit.frame(Nav::Devices, visit.words.t("devices-pack-title"));
    Answer::page(&pack_page(frame, visit.words, &visit.entry, &pack, text))
}

async fn add(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (site, who) = (&visit.entry.site, visit.entry.who.by());
    let added = match added(&visit.form) {
        Ok(request) => inventory::add(&visit.app, site, request, who).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(device) => {
            let to = visit.entry.path(&format!("devices/{}", device.device));
            Ok(Answer::done(&to, "devices-added-done"))
        }
        Err(error) => refused(&visit, "add", error),
    }
}

/// The forms again, with what is wrong in words.
fn refused(visit: &Visit<AtSite>, form: &'static str, error: ApiError) -> Result<Answer, Turned> {
    let ApiError::Refused { detail, .. } = &error else { return Err(error.into()) };
    let code = error.code();
    let hint = visit.words.pick(code.en(), code.ja());
    let text = match detail {
        Some(detail) => format!("{hint} ({detail})"),
        None => hint.to_owned(),
    };
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page(visit, Some((form, text))))
}

fn request(form: &Form) -> Result<MakePackRequest, ApiError> {
    let invalid = |error: &dyn std::fmt::Display| {
        ApiError::with(ErrorCode::RequestInvalid, format!("families: {error}"))
    };
    let families =
        form.all("families").map(|id| FamilyId::new(id).map_err(|error| invalid(&error)));
    Ok(MakePackRequest {
        families: families.collect::<Result<_, _>>()?,
        device: form.maybe("device")?,
        life_s: form.read("life_s")?,
    })
}

fn added(form: &Form) -> Result<AddDeviceRequest, ApiError> {
    let management = match form.get("management") {
        Some("observed") => Management::Observed,
        Some(_) | None => Management::Manual,
    };
    let device: DeviceId = form.read("id")?;
    let (family, hardware) = (form.read("family")?, form.maybe("hardware")?);
    Ok(AddDeviceRequest { device, management, family, hardware })
}

fn name(pack: &EnrolmentPack) -> String {
    let device = pack.device.as_ref().map(|device| format!("-{device}")).unwrap_or_default();
    format!("{}{device}.pack.json", pack.site)
}

fn page(visit: &Visit<AtSite>, wrong: Option<(&'static str, String)>) -> JoinPage {
    let snapshot = visit.app.snapshot();
    let names = Names(&snapshot);
    let families = snapshot.all().filter_map(|current| match &current.id {
        RepositoryId::Family(family) => Some(family.clone()),
        RepositoryId::Site(_) => None,
    });
    let mut families: Vec<_> =
        families.map(|family| (names.family(visit.words, &family), family)).collect();
    families.sort();
    let frame = visit.frame(Nav::Devices, visit.words.t("devices-join-title"));
    view(frame, visit.words, &visit.entry, families, &visit.form, wrong)
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    families: Vec<(String, FamilyId)>,
    form: &Form,
    wrong: Option<(&'static str, String)>,
) -> JoinPage {
    let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let chosen = form.get("life_s").and_then(|text| text.parse().ok()).unwrap_or(DAY_S);
    let life = |life_s: u32| {
        let text = match life_s / DAY_S {
            0 => w.t1("devices-join-life-hours", "n", life_s / HOUR_S),
            days => w.t1("devices-join-life-days", "n", days),
        };
        (life_s, text, life_s == chosen)
    };
    let family = |(name, id): (String, FamilyId)| Family {
        here: form.all("families").chain(form.get("family")).any(|chosen| chosen == id.as_str()),
        id: id.to_string(),
        name,
    };
    JoinPage {
        frame,
        w,
        pack: at.path("enrol/pack"),
        add: at.path("enrol/add"),
        families: families.into_iter().map(family).collect(),
        lives: LIVES.into_iter().map(life).collect(),
        device: text("device"),
        added: text("id"),
        hardware: text("hardware"),
        manual: form.get("management") != Some("observed"),
        wrong,
    }
}

fn pack_page(frame: Frame, w: Words, at: &AtSite, pack: &EnrolmentPack, text: String) -> PackPage {
    PackPage {
        frame,
        w,
        name: name(pack),
        text,
        until: w.instant(pack.expires, at.tz()),
        fingerprint: pack.record_key.fingerprint(),
        back: at.path("devices"),
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let at = at_site(words);
    let frame = |title: &str| Frame {
        title: words.t(title),
        ..site_frame(words, Nav::Devices, "devices-title")
    };
    let family = |n: u32| {
        let name = words.pick("Infusion pump, series", "輸液ポンプ シリーズ");
        (format!("{name} {n}"), FamilyId::new(&format!("acme.pump-{n}")).unwrap())
    };
    let families = |n: u32| (0..n).map(family).collect::<Vec<_>>();
    let form = Form::of(vec![
        ("families".to_owned(), "acme.pump-1".to_owned()),
        ("device".to_owned(), "Pump 7".to_owned()),
    ]);
    let wrong = words.pick("device: a-z, 0-9 and '-'", "device: a-z・0-9・「-」").to_owned();
    let join = |n: u32, form: &Form, wrong| {
        view(frame("devices-join-title"), words, &at, families(n), form, wrong)
    };
    let key = patchward_protocol::example_keys::EXAMPLE_KEYS[0].parse().unwrap();
    let pack = EnrolmentPack {
        v: 1,
        url: "https://patchward.example:8443".to_owned(),
        tls_spki_sha256: None,
        tls_ca_pem: None,
        site: at.site.clone(),
        site_root: "eyJzaWduYXR1cmVzIjpbXX0=".to_owned(),
        record_key: key,
        token: "pw_0000".to_owned(),
        expires: noon().plus_seconds(86_400),
        families: vec![FamilyId::new("acme.pump-1").unwrap()],
        device: None,
    };
    let text = serde_json::to_string_pretty(&pack).unwrap();
    let pack = pack_page(frame("devices-pack-title"), words, &at, &pack, text);
    vec![
        Sample::of("devices/join.html", "some", &join(3, &Form::default(), None)),
        Sample::of("devices/join.html", "none", &join(0, &Form::default(), None)),
        Sample::of("devices/join.html", "refused", &join(40, &form, Some(("pack", wrong)))),
        Sample::of("devices/pack.html", "once", &pack),
    ]
}
