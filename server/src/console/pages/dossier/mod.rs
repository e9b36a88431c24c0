//! The page of a release: what a hospital has to know before it approves, in the order in which it
//! decides.
//!
//! Not here: approving, answering. Invariant: what people read is the dossier whose digest the
//! manufacturer signed; where it cannot be read, that is said and nothing is guessed.

pub mod gather;
pub mod list;
pub mod parts;
pub mod view;

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::Nav;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use crate::publish::dossiers::Shelf;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/releases/{family}/{version}";
    const BILL: &str = "/console/sites/{site}/releases/{family}/{version}/sbom";
    list::routes(routes);
    routes.get::<AtSite, _, _>(PATH, SitePower::See, show);
    routes.get::<AtSite, _, _>(BILL, SitePower::See, bill);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let known = gather::known(&visit).await?;
    let snapshot = visit.app.snapshot();
    let names = Names(&snapshot);
    let family = names.family(visit.words, &known.firmware.family);
    let version = known.firmware.version.as_str();
    let title = visit.words.t2("dossier-title", "family", family, "version", version);
    let frame = visit.frame(Nav::Releases, title);
    Answer::page(&view::view(frame, visit.words, &visit.entry, (&known, names)))
}

/// The bill of materials as the manufacturer made it, byte for byte.
async fn bill(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let known = gather::release(&visit).await?;
    let document = &known.firmware.docs.sbom;
    let bytes = Shelf::document(&visit.app, document.sha256).await?.ok_or_else(not_found)?;
    let (_, name) = document.path.parts();
    Ok(Answer::file(name, "application/json", bytes))
}

#[cfg(test)]
mod dossier_samples;
#[cfg(test)]
pub(in crate::console) use dossier_samples::samples;
