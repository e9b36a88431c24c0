//! The list of a hospital's devices: filters that are links and a search, a hundred to a page, and the
//! same as a table for spreadsheets.
//!
//! Not here: conditions ([`crate::fleet::condition`]). Invariant: what is filtered is counted whole
//! before it is cut into pages; the table for spreadsheets has everything that the filter lets through.

use super::placed::NO_WARD;
use super::{Badge, badges};
use crate::console::answer::Answer;
use crate::console::asked::Asked;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::holds::ward_name;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::fleet::condition::Condition;
use crate::fleet::roster::{Member, Roster};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{FamilyId, KindId, WardId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::record::export::spreadsheet;
use std::collections::BTreeSet;

/// Devices on one page.
const PAGE: usize = 100;
/// Devices of the inventory that are named as not joined.
const UNHEARD_SHOWN_MAX: usize = 50;
const ALSO: [&str; 3] = ["compensated", "unsupported", "forked"];

/// The page.
#[derive(Template)]
#[template(path = "devices/list.html")]
struct List {
    frame: Frame,
    w: Words,
    all: usize,
    shown: Vec<Line>,
    found: String,
    also: Option<String>,
    filter: Filter,
    states: Vec<Chip>,
    wards: Vec<Choice>,
    kinds: Vec<Choice>,
    families: Vec<Choice>,
    earlier: Option<String>,
    later: Option<String>,
    table: String,
    list: String,
    place: Option<Place>,
    enrol: Option<String>,
    unheard: Vec<(String, Option<String>)>,
    unheard_more: usize,
}

/// The form that places ticked devices.
#[derive(Debug, Clone)]
struct Place {
    to: String,
    revision: u64,
    no_ward: &'static str,
}

#[derive(Debug, Clone)]
struct Line {
    id: String,
    is_listed: bool,
    to: String,
    ward: String,
    family: String,
    version: String,
    by_hand: bool,
    badges: Vec<Badge>,
    seen: Option<When>,
}

#[derive(Debug, Clone)]
struct Chip {
    to: String,
    text: String,
    here: bool,
}

/// A choice of a filter.
#[derive(Debug, Clone)]
struct Choice {
    value: String,
    text: String,
    here: bool,
}

/// What the list is narrowed to.
#[derive(Debug, Clone, Default)]
struct Filter {
    text: String,
    ward: Option<WardId>,
    kind: Option<KindId>,
    family: Option<FamilyId>,
    state: Option<Condition>,
    also: Option<&'static str>,
    page: usize,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/devices", SitePower::See, show);
    routes.get::<AtSite, _, _>("/console/sites/{site}/devices.csv", SitePower::See, download);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let entry = &visit.entry;
    let roster = Roster::of(&visit.app, &entry.site, &entry.inventory).await?;
    let snapshot = visit.app.snapshot();
    let frame = visit.frame(Nav::Devices, visit.words.t("devices-title"));
    let filter = Filter::of(&visit.asked);
    Answer::page(&view(frame, visit.words, entry, (&roster, Names(&snapshot)), filter))
}

async fn download(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let entry = &visit.entry;
    let roster = Roster::of(&visit.app, &entry.site, &entry.inventory).await?;
    let filter = Filter::of(&visit.asked);
    let taken = roster.members.iter().filter(|member| filter.takes(member));
    let header = [
        "id",
        "ward",
        "kind",
        "family",
        "management",
        "version",
        "seq",
        "image_sha256",
        "condition",
        "state",
        "reason",
        "last_seen",
        "udi",
        "serial_number",
    ];
    let table = spreadsheet::table(header, taken.map(cells));
    Ok(Answer::table(&format!("devices-{}.csv", entry.site), table))
}

fn text(value: Option<&impl std::fmt::Display>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn cells(member: &Member) -> [String; 14] {
    let outline = &member.outline;
    let listed = member.listed.as_ref();
    let installed = outline.installed.as_ref();
    let management = match outline.management {
        Management::Agent => "agent",
        Management::Manual => "manual",
        Management::Observed => "observed",
    };
    [
        outline.device.to_string(),
        listed.and_then(|it| it.ward.as_ref()).map(ToString::to_string).unwrap_or_default(),
        listed.map(|it| it.kind.to_string()).unwrap_or_default(),
        outline.family.to_string(),
        management.to_owned(),
        text(installed.map(|it| &it.version)),
        text(installed.map(|it| &it.seq)),
        text(installed.map(|it| &it.image_sha256)),
        member.condition.word().to_owned(),
        outline.state.clone().unwrap_or_default(),
        outline.reason.map(|reason| reason.code().to_owned()).unwrap_or_default(),
        text(outline.last_seen.as_ref()),
        listed.and_then(|it| it.udi.clone()).unwrap_or_default(),
        listed.and_then(|it| it.serial_number.clone()).unwrap_or_default(),
    ]
}

impl Filter {
    fn of(asked: &Asked) -> Self {
        let also = asked.query("also");
        Self {
            text: asked.query("q").unwrap_or_default().to_lowercase(),
            ward: asked.query_as("ward"),
            kind: asked.query_as("kind"),
            family: asked.query_as("family"),
            state: asked.query("state").and_then(Condition::of),
            also: also.and_then(|word| ALSO.into_iter().find(|known| *known == word)),
            page: asked.query_as::<usize>("page").unwrap_or(1).max(1),
        }
    }

    fn takes(&self, member: &Member) -> bool {
        let (outline, listed) = (&member.outline, member.listed.as_ref());
        let kind = || listed.map(|it| &it.kind);
        self.state.is_none_or(|state| state == member.condition)
            && self.family.as_ref().is_none_or(|family| *family == outline.family)
            && self.kind.as_ref().is_none_or(|own| kind() == Some(own))
            && self
                .ward
                .as_ref()
                .is_none_or(|ward| listed.and_then(|it| it.ward.as_ref()) == Some(ward))
            && self.also.is_none_or(|also| match also {
                "compensated" => member.compensated,
                "unsupported" => member.unsupported,
                _ => outline.forked,
            })
            && self.finds(member)
    }

    fn finds(&self, member: &Member) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let listed = member.listed.as_ref();
        let version = member.outline.installed.as_ref().map(|it| it.version.as_str());
        let printed = listed.map(|it| [it.udi.as_deref(), it.serial_number.as_deref()]);
        let texts = [Some(member.outline.device.as_str()), version];
        let mut texts = texts.into_iter().chain(printed.into_iter().flatten()).flatten();
        texts.any(|text| text.to_lowercase().contains(&self.text))
    }

    /// The query of this filter, with another state or page.
    fn query(&self, state: Option<Condition>, page: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.append_pair(name, &value);
            }
        };
        put("q", Some(self.text.clone()));
        put("ward", self.ward.as_ref().map(ToString::to_string));
        put("kind", self.kind.as_ref().map(ToString::to_string));
        put("family", self.family.as_ref().map(ToString::to_string));
        put("state", state.map(|state| state.word().to_owned()));
        put("also", self.also.map(str::to_owned));
        put("page", (page > 1).then(|| page.to_string()));
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (roster, names): (&Roster, Names<'_>),
    filter: Filter,
) -> List {
    let inventory = &at.inventory;
    let taken: Vec<&Member> = roster.members.iter().filter(|it| filter.takes(it)).collect();
    let pages = taken.len().div_ceil(PAGE).max(1);
    let page = filter.page.min(pages);
    let from = page.saturating_sub(1).saturating_mul(PAGE);
    let shown = taken.iter().skip(from).take(PAGE);
    let to_page = |page: usize| at.path(&format!("devices{}", filter.query(filter.state, page)));
    let may = at.may(SitePower::Administer);
    let unheard = roster.unheard.iter().map(|device| {
        let id = device.id.to_string();
        let to = may.then(|| at.path(&format!("devices/{id}/inventory")));
        (id, to)
    });
    List {
        all: roster.members.len(),
        shown: shown.map(|member| line(w, at, names, member)).collect(),
        found: found(w, taken.len(), from),
        also: filter.also.map(|also| w.t(&format!("devices-also-{also}"))),
        states: states(w, at, roster, &filter),
        wards: wards(w, inventory, &filter),
        kinds: kinds(inventory, &filter),
        families: families(w, roster, names, &filter),
        earlier: (page > 1).then(|| to_page(page.saturating_sub(1))),
        later: (page < pages).then(|| to_page(page.saturating_add(1))),
        table: at.path(&format!("devices.csv{}", filter.query(filter.state, 1))),
        list: at.path("devices"),
        place: (may && !inventory.wards.is_empty()).then(|| Place {
            to: at.path("devices/place"),
            revision: inventory.revision,
            no_ward: NO_WARD,
        }),
        enrol: at.may(SitePower::Administer).then(|| at.path("enrol")),
        unheard: unheard.take(UNHEARD_SHOWN_MAX).collect(),
        unheard_more: roster.unheard.len().saturating_sub(UNHEARD_SHOWN_MAX),
        filter,
        frame,
        w,
    }
}

fn found(w: Words, n: usize, from: usize) -> String {
    let to = from.saturating_add(PAGE).min(n);
    match n {
        0 => w.t("devices-found-none"),
        _ => {
            let first = from.saturating_add(1);
            w.say("devices-found", &[("n", n.into()), ("from", first.into()), ("to", to.into())])
        }
    }
}

fn line(w: Words, at: &AtSite, names: Names<'_>, member: &Member) -> Line {
    let outline = &member.outline;
    let ward = member.listed.as_ref().and_then(|it| it.ward.as_ref());
    let installed = outline.installed.as_ref();
    Line {
        is_listed: member.listed.is_some(),
        id: outline.device.to_string(),
        to: at.path(&format!("devices/{}", outline.device)),
        ward: ward.map(|ward| ward_name(w, &at.inventory, ward)).unwrap_or_default(),
        family: names.family(w, &outline.family),
        version: installed.map(|it| it.version.to_string()).unwrap_or_default(),
        by_hand: outline.management != Management::Agent,
        badges: badges(w, member),
        seen: outline.last_seen.map(|seen| w.instant(seen, at.tz())),
    }
}

fn states(w: Words, at: &AtSite, roster: &Roster, filter: &Filter) -> Vec<Chip> {
    let to = |state| at.path(&format!("devices{}", filter.query(state, 1)));
    let all = Chip {
        to: to(None),
        text: w.t1("devices-state-all", "n", roster.members.len()),
        here: filter.state.is_none(),
    };
    let state = |state: Condition| {
        let n = roster.count(|member| member.condition == state);
        let text = w.t2("devices-state", "state", super::word(w, state), "n", n);
        let chip = Chip { to: to(Some(state)), text, here: filter.state == Some(state) };
        (n > 0 || chip.here).then_some(chip)
    };
    std::iter::once(all).chain(Condition::ALL.into_iter().filter_map(state)).collect()
}

fn wards(w: Words, inventory: &Inventory, filter: &Filter) -> Vec<Choice> {
    let ward = |ward: &patchward_protocol::inventory::Ward| Choice {
        value: ward.id.to_string(),
        text: w.pick(&ward.name_en, &ward.name_ja).to_owned(),
        here: filter.ward.as_ref() == Some(&ward.id),
    };
    inventory.wards.iter().map(ward).collect()
}

fn kinds(inventory: &Inventory, filter: &Filter) -> Vec<Choice> {
    let kinds: BTreeSet<&KindId> = inventory.devices.iter().map(|it| &it.kind).collect();
    let kind = |kind: &KindId| Choice {
        value: kind.to_string(),
        text: kind.to_string(),
        here: filter.kind.as_ref() == Some(kind),
    };
    kinds.into_iter().map(kind).collect()
}

fn families(w: Words, roster: &Roster, names: Names<'_>, filter: &Filter) -> Vec<Choice> {
    let family = |family: FamilyId| Choice {
        text: names.family(w, &family),
        here: filter.family.as_ref() == Some(&family),
        value: family.to_string(),
    };
    roster.families().into_keys().map(family).collect()
}

#[cfg(test)]
#[path = "list_samples.rs"]
pub(in crate::console) mod list_samples;
#[cfg(test)]
pub(super) use list_samples::samples;
