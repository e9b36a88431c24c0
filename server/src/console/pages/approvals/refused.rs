//! No plan was made: why, device by device or rule by rule, and where to change something.
//!
//! Not here: planning. Invariant: every device and rule that stands against it is named.

use super::reasons;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::draft::BadDraft;
use patchward_protocol::inventory::Inventory;
use std::collections::BTreeMap;

/// Most devices that are named for one reason; the rest is counted.
const NAMED_MAX: usize = 60;

/// The page.
#[derive(Template)]
#[template(path = "approvals/refused.html")]
struct RefusedPage {
    frame: Frame,
    w: Words,
    text: String,
    reasons: Vec<Why>,
    rules: Vec<Why>,
    change: Option<String>,
    settings: Option<String>,
    devices: String,
}

/// Devices for which one thing holds.
#[derive(Debug, Clone)]
struct Why {
    text: String,
    devices: Vec<String>,
    more: usize,
}

/// The page for a draft that was not made; any other refusal goes on as it is.
///
/// # Errors
/// The refusal, when it is of another kind.
pub(super) fn page(
    visit: &Visit<AtSite>,
    error: ApiError,
    change: Option<String>,
) -> Result<Answer, Turned> {
    let ApiError::NotDrafted(why) = error else { return Err(error.into()) };
    let frame = visit.frame(Nav::Approvals, visit.words.t("plans-refused-title"));
    let page = view(frame, visit.words, &visit.entry, (&why, change));
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (why, change): (&BadDraft, Option<String>),
) -> RefusedPage {
    let (reasons, rules) = particulars(w, &at.inventory, why);
    RefusedPage {
        text: reasons::draft(w, at.tz(), why),
        reasons,
        rules,
        change,
        settings: at.may(SitePower::Administer).then(|| at.path("settings")),
        devices: at.path("devices"),
        frame,
        w,
    }
}

fn particulars(w: Words, inventory: &Inventory, why: &BadDraft) -> (Vec<Why>, Vec<Why>) {
    let mut devices = BTreeMap::<String, Vec<String>>::new();
    let mut rules = BTreeMap::<String, Vec<String>>::new();
    if let BadDraft::NobodyPlaced { unplaced, .. } = why {
        for one in unplaced {
            let text = reasons::unplaced(w, inventory, one);
            devices.entry(text).or_default().push(one.device.to_string());
        }
    }
    if let BadDraft::NobodyPlaced { left, .. } | BadDraft::NobodyWanted { left, .. } = why {
        for one in left {
            let text = reasons::left(w, one);
            devices.entry(text).or_default().push(one.device.to_string());
        }
    }
    if let BadDraft::Violates(found) = why {
        for one in found {
            let named = one.devices.iter().map(ToString::to_string);
            rules.entry(reasons::rule(w, one)).or_default().extend(named);
        }
    }
    let whole = |all: BTreeMap<String, Vec<String>>| all.into_iter().map(Why::of).collect();
    (whole(devices), whole(rules))
}

impl Why {
    fn of((text, mut devices): (String, Vec<String>)) -> Self {
        let more = devices.len().saturating_sub(NAMED_MAX);
        devices.truncate(NAMED_MAX);
        Self { text, devices, more }
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    use patchward_protocol::check::{Broken, Violation};
    use patchward_protocol::draft::left_out::{Left, LeftOut};
    use patchward_protocol::id::{DeviceId, FreezeId};
    use patchward_protocol::plan::{Reason, Unplaced};
    let id = |n: usize| DeviceId::new(format!("pump-{n:02}").as_str()).unwrap();
    let site = at_site(words);
    let unplaced = |n: usize| match n % 4 {
        0 => Unplaced {
            freeze: Some(FreezeId::new("inspection").unwrap()),
            until: Some(noon()),
            ..Unplaced::new(id(n), Reason::Frozen)
        },
        1 => Unplaced::new(id(n), Reason::NeedsLoaner),
        2 => Unplaced::new(id(n), Reason::NeedsAttendedSlot),
        _ => Unplaced::new(id(n), Reason::NoAgent),
    };
    let placed = BadDraft::NobodyPlaced {
        site: site.site.clone(),
        unplaced: (0..300).map(unplaced).collect(),
        left: vec![Left::new(id(301), LeftOut::ApprovedAlready).about("infusor-a-12-v2")],
    };
    let violates = BadDraft::Violates(vec![Violation {
        rule: Broken::BelowMinimum,
        devices: vec![id(1), id(2)],
        detail: "e5 pump 18/20".to_owned(),
    }]);
    let page = |why: &BadDraft, change: Option<&str>| {
        let frame = site_frame(words, Nav::Approvals, "plans-refused-title");
        view(frame, words, &site, (why, change.map(str::to_owned)))
    };
    vec![
        Sample::of("approvals/refused.html", "placed", &page(&placed, Some("#"))),
        Sample::of("approvals/refused.html", "violates", &page(&violates, None)),
        Sample::of(
            "approvals/refused.html",
            "empty",
            &page(&BadDraft::NoInventory(site.site.clone()), Some("#")),
        ),
    ]
}
