//! STOP: one big button, a reason that may stay as it is, and no key.
//!
//! Not here: what a hold does ([`crate::consent::hold`]). Invariant: whoever may see the hospital may
//! stop it, with one click more than coming here, and without a script.

use super::holds::{Names, reached, target_words, ward_name};
use crate::app::App;
use crate::consent::hold;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::invalid::invalid;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::{ApiError, Chain};
use crate::limits::HOLD_OWNER_CHARS_MAX;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::consent::SetHoldRequest;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::gate::WaveState;
use patchward_protocol::id::{DeviceId, FamilyId};
use patchward_protocol::limits::HOLD_REASON_CHARS_MAX;

/// The page.
#[derive(Template)]
#[template(path = "stop/stop.html")]
struct StopPage {
    frame: Frame,
    w: Words,
    button: String,
    hidden: Vec<(&'static str, String)>,
    reason: String,
    reason_chars_max: usize,
    wrong: Option<String>,
    under_way: u32,
    choices: Vec<Choice>,
    to: String,
    holds: String,
}

/// Something else that could be stopped.
#[derive(Debug, Clone)]
struct Choice {
    to: String,
    text: String,
    here: bool,
}

/// What the page must know.
struct Known {
    target: HoldTarget,
    what: String,
    devices: u32,
    under_way: u32,
    choices: Vec<Choice>,
    reason: Option<String>,
    wrong: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/stop", SitePower::Stop, show);
    routes.post::<AtSite, _, _>("/console/sites/{site}/stop", SitePower::Stop, stop);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let target = target(|name| visit.asked.queries(name).next().map(str::to_owned))?;
    let known = known(&visit, target, None, None);
    let frame = visit.frame(Nav::None, visit.words.t("stop-title"));
    Answer::page(&view(frame, visit.words, &visit.entry, known))
}

async fn stop(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let target = target(|name| visit.form.raw(name).map(str::to_owned))?;
    let request = request(&visit.form, visit.words, &visit.entry, target.clone());
    let set = hold::set_at_site(&visit.app, &visit.entry.site, request, &visit.entry.who).await;
    match set {
        Ok(hold) => {
            let to = visit.entry.path(&format!("holds/{}", hold.id));
            Ok(Answer::done(&to, "stop-set-done"))
        }
        Err(error) => not_stopped(&visit, target, &error),
    }
}

/// The page again, with why nothing was stopped; and with the stop that needs no server, where it is
/// the server that fails.
fn not_stopped(
    visit: &Visit<AtSite>,
    target: HoldTarget,
    error: &ApiError,
) -> Result<Answer, Turned> {
    let w = visit.words;
    let (status, why) = match error.detail() {
        Some(detail) => (StatusCode::UNPROCESSABLE_ENTITY, invalid(w, &detail).words),
        None => {
            tracing::error!(error = %Chain(error), "A hold cannot be stored");
            (StatusCode::SERVICE_UNAVAILABLE, w.t("stop-not-stored"))
        }
    };
    let reason = visit.form.get("reason").map(str::to_owned);
    let known = known(visit, target, reason, Some(why));
    let frame = visit.frame(Nav::None, w.t("stop-title"));
    Answer::page_as(status, &view(frame, w, &visit.entry, known))
}

/// What the fields name; the whole site when they name nothing.
fn target(field: impl Fn(&str) -> Option<String>) -> Result<HoldTarget, ApiError> {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
        name: &str,
        text: &str,
    ) -> Result<T, ApiError> {
        let wrong = |error| ApiError::with(ErrorCode::RequestInvalid, format!("{name}: {error}"));
        text.parse().map_err(wrong)
    }
    if let Some(device) = field("device") {
        return Ok(HoldTarget::Device { device: read::<DeviceId>("device", &device)? });
    }
    if let Some(ward) = field("ward") {
        return Ok(HoldTarget::Ward { ward: read("ward", &ward)? });
    }
    match (field("family"), field("image")) {
        (Some(family), Some(image)) => Ok(HoldTarget::Release {
            family: read::<FamilyId>("family", &family)?,
            image_sha256: read("image", &image)?,
        }),
        _ => Ok(HoldTarget::Site),
    }
}

fn request(form: &Form, w: Words, at: &AtSite, target: HoldTarget) -> SetHoldRequest {
    SetHoldRequest {
        target,
        reason: words_of_a_stop(form, "reason").unwrap_or_else(|| w.t("stop-reason-default")),
        owner: words_of_a_stop(form, "owner").unwrap_or_else(|| at.who.name.clone()),
        review_at: None,
    }
}

/// What a form says beside a stop, which is refused for no words: what is too long or cannot be written
/// is left out.
pub(super) fn words_of_a_stop(form: &Form, field: &str) -> Option<String> {
    let chars_max = if field == "owner" { HOLD_OWNER_CHARS_MAX } else { HOLD_REASON_CHARS_MAX };
    form.get(field).map(|text| one_line(text, chars_max)).filter(|text| !text.is_empty())
}

/// A reason stands on one line in a device's ledger and display.
fn one_line(text: &str, chars_max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(chars_max).collect::<String>().trim().to_owned()
}

fn known(
    visit: &Visit<AtSite>,
    target: HoldTarget,
    reason: Option<String>,
    wrong: Option<String>,
) -> Known {
    let (app, at) = (&visit.app, &visit.entry);
    let snapshot = app.snapshot();
    let names = Names { w: visit.words, inventory: &at.inventory, snapshot: &snapshot };
    let devices = reached(app, &at.site, &target);
    let is_under_way = |state: Option<&str>| {
        matches!(state, Some("preparing" | "armed" | "activating" | "restarting" | "trial"))
    };
    let under_way = devices.iter().filter(|device| is_under_way(device.words.state.as_deref()));
    Known {
        what: target_words(names, &target),
        under_way: u32::try_from(under_way.count()).unwrap_or(u32::MAX),
        devices: u32::try_from(devices.len()).unwrap_or(u32::MAX),
        choices: choices(app, at, names, &target),
        target,
        reason,
        wrong,
    }
}

/// The whole site, its wards, and the releases on their way here.
fn choices(app: &App, at: &AtSite, names: Names<'_>, now: &HoldTarget) -> Vec<Choice> {
    let mut targets = vec![HoldTarget::Site];
    let wards = at.inventory.wards.iter();
    targets.extend(wards.map(|ward| HoldTarget::Ward { ward: ward.id.clone() }));
    if let Some(consent) = app.views.consent().site(&at.site) {
        let ended = |state: WaveState| matches!(state, WaveState::Passed | WaveState::Cancelled);
        let runs = consent
            .all_rollouts()
            .filter(|running| running.waves.iter().any(|counters| !ended(counters.state)));
        let mut images: Vec<_> = runs.map(|running| running.image.clone()).collect();
        images.sort_by(|a, b| (&a.family, a.seq).cmp(&(&b.family, b.seq)));
        images.dedup_by(|a, b| a.image_sha256 == b.image_sha256);
        targets.extend(images.into_iter().map(|image| HoldTarget::Release {
            family: image.family,
            image_sha256: image.image_sha256,
        }));
    }
    if matches!(now, HoldTarget::Device { .. }) {
        targets.push(now.clone());
    }
    let choice = |target: HoldTarget| Choice {
        to: at.path(&stop_path(&target)),
        text: match &target {
            HoldTarget::Ward { ward } => ward_name(names.w, names.inventory, ward),
            HoldTarget::Site | HoldTarget::Device { .. } | HoldTarget::Release { .. } => {
                target_words(names, &target)
            }
        },
        here: target == *now,
    };
    targets.into_iter().map(choice).collect()
}

/// The path of this page, below the site's, with something chosen.
#[must_use]
pub fn stop_path(target: &HoldTarget) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields(target) {
        query.append_pair(name, &value);
    }
    let query = query.finish();
    if query.is_empty() { "stop".to_owned() } else { format!("stop?{query}") }
}

fn fields(target: &HoldTarget) -> Vec<(&'static str, String)> {
    match target {
        HoldTarget::Site => Vec::new(),
        HoldTarget::Ward { ward } => vec![("ward", ward.to_string())],
        HoldTarget::Device { device } => vec![("device", device.to_string())],
        HoldTarget::Release { family, image_sha256 } => {
            vec![("family", family.to_string()), ("image", image_sha256.to_string())]
        }
    }
}

fn view(frame: Frame, w: Words, at: &AtSite, known: Known) -> StopPage {
    let place = frame.place.clone();
    let button = match &known.target {
        HoldTarget::Site => w.t2("stop-button-site", "n", known.devices, "place", place),
        HoldTarget::Ward { .. } | HoldTarget::Device { .. } | HoldTarget::Release { .. } => {
            w.t2("stop-button-some", "n", known.devices, "what", known.what)
        }
    };
    StopPage {
        frame,
        w,
        button,
        hidden: fields(&known.target),
        reason: known.reason.unwrap_or_else(|| w.t("stop-reason-default")),
        reason_chars_max: HOLD_REASON_CHARS_MAX,
        wrong: known.wrong,
        under_way: known.under_way,
        choices: known.choices,
        // With what was chosen: whoever must sign in first comes back to it.
        to: at.path(&stop_path(&known.target)),
        holds: at.path("holds"),
    }
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, site_frame};
    let at = at_site(words);
    let page = |target: HoldTarget, devices: u32, wrong: Option<&str>| {
        let frame = site_frame(words, Nav::None, "stop-title");
        let ward = words.pick("5 East", "5階東病棟");
        let what = match &target {
            HoldTarget::Ward { .. } => words.t1("stop-what-ward", "ward", ward),
            HoldTarget::Device { .. } | HoldTarget::Site | HoldTarget::Release { .. } => {
                words.t("stop-what-site")
            }
        };
        let choice =
            |text: &str, here: bool| Choice { to: "#".to_owned(), text: text.to_owned(), here };
        let site = matches!(target, HoldTarget::Site);
        let all = words.t("stop-what-site");
        let choices = vec![
            choice(&all, site),
            choice(ward, !site),
            choice(words.pick("Intensive care", "集中治療室"), false),
        ];
        let wrong = wrong.map(str::to_owned);
        let known = Known { target, what, devices, under_way: 3, choices, reason: None, wrong };
        view(frame, words, &at, known)
    };
    let ward = HoldTarget::Ward { ward: "ward-5e".parse().unwrap() };
    vec![
        Sample::of("stop/stop.html", "site", &page(HoldTarget::Site, 42, None)),
        Sample::of("stop/stop.html", "ward", &page(ward, 1, None)),
        Sample::of("stop/stop.html", "wrong", &page(HoldTarget::Site, 0, Some("reason: …"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Result<HoldTarget, ApiError> {
        target(|name| {
            let found = fields.iter().find(|(field, _)| *field == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_chosen_stops_the_whole_hospital() {
        assert_eq!(of(&[]).unwrap(), HoldTarget::Site);
    }

    #[test]
    fn what_a_link_chooses_is_what_the_form_sends() {
        let device = of(&[("device", "pump-07")]).unwrap();
        assert_eq!(stop_path(&device), "stop?device=pump-07");
        let names: Vec<_> = fields(&device);
        let sent: Vec<_> = names.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(of(&sent).unwrap(), device);
    }

    #[test]
    fn a_name_that_is_none_stops_nothing_else_instead() {
        assert!(of(&[("ward", "../etc")]).is_err(), "it must not become the whole hospital");
        assert!(of(&[("device", "")]).is_err());
    }

    #[test]
    fn a_reason_of_several_lines_becomes_one_line_and_none_is_refused_for_its_words() {
        assert_eq!(one_line(" two\r\n lines\there ", 400), "two lines here");
        assert_eq!(one_line("smoke\u{7}\u{0} in 5 east", 400), "smoke in 5 east");
        assert_eq!(one_line(&"煙".repeat(500), 400), "煙".repeat(400));
        assert_eq!(one_line("\u{7}", 400), "");
    }
}
