//! People and API tokens of a place: who belongs to it, who is invited, which programs may act for it.
//!
//! One set of pages for hospitals, manufacturers and the server itself. Not here: rules
//! ([`crate::people`]). Invariant: only who administers the place comes in.

pub mod members;
pub mod server;
pub mod tokens;

use crate::console::door::{AtMaker, AtServer, AtSite, Entry, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::people::role::{Grant, MakerPower, MakerRole, Place, SitePower, SiteRole};
use crate::people::who::Who;

/// Somebody who administers a place.
pub(super) trait Keeper: Entry {
    /// The place.
    fn place(&self) -> Place;
    /// Who it is.
    fn keeper(&self) -> &Who;
    /// The zone in which people of the place read hours.
    fn tz(&self) -> String {
        Entry::zone(self).to_string()
    }
    /// Path of a page of the place's settings.
    fn settings(&self, page: &str) -> String;
    /// The frame around a page of it.
    fn framed(visit: &Visit<Self>, title: &str) -> Frame;
}

impl Keeper for AtSite {
    fn place(&self) -> Place {
        Place::Site(self.site.clone())
    }

    fn keeper(&self) -> &Who {
        &self.who
    }

    fn tz(&self) -> String {
        Self::tz(self).to_owned()
    }

    fn settings(&self, page: &str) -> String {
        self.path(&format!("settings/{page}"))
    }

    fn framed(visit: &Visit<Self>, title: &str) -> Frame {
        visit.frame(Nav::Settings, visit.words.t(title))
    }
}

impl Keeper for AtMaker {
    fn place(&self) -> Place {
        Place::Maker(self.maker.clone())
    }

    fn keeper(&self) -> &Who {
        &self.who
    }

    fn settings(&self, page: &str) -> String {
        self.path(&format!("settings/{page}"))
    }

    fn framed(visit: &Visit<Self>, title: &str) -> Frame {
        visit.frame(Nav::Settings, visit.words.t(title))
    }
}

impl Keeper for AtServer {
    fn place(&self) -> Place {
        Place::Server
    }

    fn keeper(&self) -> &Who {
        &self.who
    }

    fn settings(&self, page: &str) -> String {
        format!("/console/server/{page}")
    }

    fn framed(visit: &Visit<Self>, title: &str) -> Frame {
        visit.frame(visit.words.t(title))
    }
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let (site, maker) = (SitePower::Administer, MakerPower::Administer);
    members::routes::<AtSite>(routes, &members::SITE, site);
    members::routes::<AtMaker>(routes, &members::MAKER, maker);
    members::routes::<AtServer>(routes, &members::SERVER, ());
    tokens::routes::<AtSite>(routes, &tokens::SITE, site);
    tokens::routes::<AtMaker>(routes, &tokens::MAKER, maker);
    server::routes(routes);
}

/// The roles that there are at a place, the weakest first.
fn roles(place: &Place) -> Vec<Grant> {
    match place {
        Place::Site(site) => {
            SiteRole::ALL.into_iter().map(|role| Grant::Site(site.clone(), role)).collect()
        }
        Place::Maker(maker) => {
            MakerRole::ALL.into_iter().map(|role| Grant::Maker(maker.clone(), role)).collect()
        }
        Place::Server => vec![Grant::Operator],
    }
}

/// Every page with its samples.
#[cfg(test)]
pub(in crate::console) fn samples(
    words: crate::console::words::Words,
) -> Vec<crate::console::sample::Sample> {
    let mut all = members::samples(words);
    all.extend(server::samples(words));
    all.extend(tokens::samples(words));
    all
}
