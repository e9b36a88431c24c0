//! The frame around every page: place, navigation, person, language, STOP.
//!
//! Not here: what stands inside. Invariant: a place is offered only to somebody who may go there.

use super::asked::Asked;
use super::assets;
use super::door::{AtMaker, AtSite};
use super::words::Words;
use crate::people::role::{MakerPower, Place, SitePower};
use crate::people::who::{Language, Who};
use patchward_protocol::time::Timestamp;

/// Pages of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// What needs somebody now.
    Today,
    /// Notices.
    Inbox,
    /// Approvals.
    Approvals,
    /// Slots on a calendar.
    Calendar,
    /// Devices.
    Devices,
    /// Waves under way.
    Rollouts,
    /// Components of what is installed.
    Components,
    /// Records.
    Records,
    /// Ends of support.
    Lifecycle,
    /// People, rules, keys, notifications.
    Settings,
    /// The manufacturer's first page.
    Dashboard,
    /// Families.
    Families,
    /// Releases.
    Releases,
    /// Hospitals.
    Sites,
    /// How releases spread.
    Field,
    /// Repositories and keys.
    Repositories,
    /// Nowhere in it.
    None,
}

/// A link of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where to.
    pub to: String,
    /// Words.
    pub text: String,
    /// Whether this is the page.
    pub here: bool,
}

/// The frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The texts.
    pub w: Words,
    /// Title of the page.
    pub title: String,
    /// Name of the hospital or manufacturer; empty outside of both.
    pub place: String,
    /// Path of the place's first page.
    pub home: String,
    /// The navigation.
    pub nav: Vec<Link>,
    /// Printed name of the person, when somebody is signed in.
    pub person: Option<String>,
    /// Their role in words.
    pub role: String,
    /// Other places of theirs.
    pub elsewhere: bool,
    /// Where everything of the place is stopped, when the person may.
    pub stop: Option<String>,
    /// The same page in the other languages: tag, name in itself, link.
    pub languages: Vec<(&'static str, &'static str, String)>,
    /// Token for the forms of this page.
    pub form_token: String,
    /// What was done, in words.
    pub done: Option<String>,
    /// When the session ends without another click.
    pub idle_until: Option<Timestamp>,
    /// Path of the style sheet.
    pub style: &'static str,
    /// Paths of the scripts that this page needs.
    pub scripts: Vec<&'static str>,
}

const SITE_NAV: [(Nav, &str, &str, SitePower); 11] = [
    (Nav::Today, "frame-nav-today", "", SitePower::See),
    (Nav::Inbox, "frame-nav-inbox", "/inbox", SitePower::See),
    (Nav::Releases, "frame-nav-releases", "/releases", SitePower::See),
    (Nav::Approvals, "frame-nav-approvals", "/approvals", SitePower::See),
    (Nav::Calendar, "frame-nav-calendar", "/calendar", SitePower::See),
    (Nav::Devices, "frame-nav-devices", "/devices", SitePower::See),
    (Nav::Rollouts, "frame-nav-rollouts", "/rollouts", SitePower::See),
    (Nav::Components, "frame-nav-components", "/components", SitePower::See),
    (Nav::Records, "frame-nav-records", "/records", SitePower::Records),
    (Nav::Lifecycle, "frame-nav-lifecycle", "/lifecycle", SitePower::See),
    (Nav::Settings, "frame-nav-settings", "/settings", SitePower::See),
];

const MAKER_NAV: [(Nav, &str, &str, MakerPower); 9] = [
    (Nav::Dashboard, "frame-nav-dashboard", "", MakerPower::See),
    (Nav::Inbox, "frame-nav-inbox", "/inbox", MakerPower::See),
    (Nav::Families, "frame-nav-families", "/families", MakerPower::See),
    (Nav::Releases, "frame-nav-releases", "/releases", MakerPower::See),
    (Nav::Field, "frame-nav-field", "/field", MakerPower::See),
    (Nav::Sites, "frame-nav-sites", "/sites", MakerPower::See),
    (Nav::Repositories, "frame-nav-repositories", "/repositories", MakerPower::See),
    (Nav::Records, "frame-nav-records", "/records", MakerPower::Records),
    (Nav::Settings, "frame-nav-settings", "/settings", MakerPower::See),
];

impl Frame {
    /// Around a page that belongs to no place.
    #[must_use]
    pub fn bare(asked: &Asked, who: Option<&Who>, w: Words, title: String) -> Self {
        let language = |language: Language| {
            let name = language.pick("English", "日本語");
            (language.tag(), name, asked.in_language(language))
        };
        let others = Language::ALL.into_iter().filter(|language| *language != w.language());
        Self {
            w,
            title,
            place: String::new(),
            home: "/console".to_owned(),
            nav: Vec::new(),
            person: who.map(|who| who.name.clone()),
            role: who.map(|who| who.title.clone()).unwrap_or_default(),
            elsewhere: who.is_some_and(|who| who.places().len() > 1),
            stop: None,
            languages: others.map(language).collect(),
            form_token: who.map(|who| who.form_token.clone()).unwrap_or_default(),
            done: done(asked, w),
            idle_until: who.map(|who| who.idle_until),
            style: assets::path("console.css"),
            scripts: vec![assets::path("frame.js")],
        }
    }

    /// Around a page of a hospital.
    #[must_use]
    pub fn at_site(
        asked: &Asked,
        at: &AtSite,
        w: Words,
        (here, place, title): (Nav, String, String),
    ) -> Self {
        let may = |(_, _, _, power): &&(Nav, &str, &str, SitePower)| at.may(*power);
        let link = |(nav, id, rest, _): &(Nav, &str, &str, SitePower)| Link {
            to: format!("{}{rest}", at.path("")),
            text: w.t(id),
            here: *nav == here,
        };
        // An auditor has one page.
        let home = if at.may(SitePower::See) { at.path("") } else { at.path("records") };
        Self {
            place,
            home,
            nav: SITE_NAV.iter().filter(may).map(link).collect(),
            stop: at.may(SitePower::Stop).then(|| at.path("stop")),
            ..Self::bare(asked, Some(&at.who), w, title)
        }
    }

    /// Around a page of a manufacturer.
    #[must_use]
    pub fn at_maker(
        asked: &Asked,
        at: &AtMaker,
        w: Words,
        (here, place, title): (Nav, String, String),
    ) -> Self {
        let may = |(_, _, _, power): &&(Nav, &str, &str, MakerPower)| at.may(*power);
        let link = |(nav, id, rest, _): &(Nav, &str, &str, MakerPower)| Link {
            to: format!("{}{rest}", at.path("")),
            text: w.t(id),
            here: *nav == here,
        };
        Self {
            place,
            home: at.path(""),
            nav: MAKER_NAV.iter().filter(may).map(link).collect(),
            ..Self::bare(asked, Some(&at.who), w, title)
        }
    }

    /// With a script of ours that this page needs.
    #[must_use]
    pub fn script(mut self, name: &str) -> Self {
        self.scripts.push(assets::path(name));
        self
    }

    /// A text, for the frame's own template.
    #[must_use]
    pub fn t(&self, id: &str) -> String {
        self.w.t(id)
    }
}

/// The first page of a place that a person may see: an auditor's is the record.
#[must_use]
pub fn home_for(who: &Who, place: &Place) -> String {
    match place {
        Place::Site(site) if !who.may_at(site, SitePower::See) => {
            format!("/console/sites/{site}/records")
        }
        Place::Site(_) | Place::Maker(_) | Place::Server => home_of(place),
    }
}

/// The first page of a place.
#[must_use]
pub fn home_of(place: &Place) -> String {
    match place {
        Place::Site(site) => format!("/console/sites/{site}"),
        Place::Maker(maker) => format!("/console/makers/{maker}"),
        Place::Server => "/console/server".to_owned(),
    }
}

/// What was just done here, in words.
fn done(asked: &Asked, w: Words) -> Option<String> {
    asked.done.as_deref().filter(|id| w.has(id)).map(|id| w.t(id))
}
