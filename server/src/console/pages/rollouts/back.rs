//! Going back: which versions the manufacturer still permits, from which devices, and why not.
//!
//! The rule is that of every signer's tool (`protocol::draft::back`); a device asks it again. Not
//! here: drawing up and signing the order (approvals). Invariant: a version is offered only when at
//! least one device may go back to it.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::approvals::reasons;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::fleet::inventory;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::draft::back;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use std::collections::BTreeMap;

/// The page.
#[derive(Template)]
#[template(path = "rollouts/back.html")]
struct BackPage {
    frame: Frame,
    w: Words,
    family: String,
    versions: Vec<VersionView>,
    board: String,
    records: Option<String>,
}

/// A version to go back to.
#[derive(Debug, Clone)]
struct VersionView {
    version: String,
    may: usize,
    withdrawn: bool,
    cves: Vec<String>,
    /// Why not, with the devices.
    refused: Vec<(String, Vec<String>)>,
    begin: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/rollback", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let family: FamilyId = visit.asked.query_as("family").ok_or_else(not_found)?;
    let snapshot = visit.app.snapshot();
    let current = snapshot.get(&RepositoryId::Family(family.clone())).ok_or_else(not_found)?;
    let mut devices = inventory::list(&visit.app, &visit.entry.site).await?;
    devices.retain(|device| device.family == family);
    if devices.is_empty() {
        return Err(not_found());
    }
    let releases: Vec<Firmware> = current.images.values().cloned().collect();
    let title = visit.words.pick(&current.title_en, &current.title_ja).to_owned();
    let frame = visit.frame(Nav::Rollouts, visit.words.t("rollouts-back-title"));
    Answer::page(&view(frame, visit.words, &visit.entry, (title, &releases, &devices)))
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (family, releases, devices): (String, &[Firmware], &[DeviceView]),
) -> BackPage {
    let newest = back::newest(devices.iter());
    let mut older: Vec<&Firmware> = releases
        .iter()
        .filter(|firmware| newest.is_none_or(|newest| firmware.seq < newest))
        .collect();
    older.sort_by_key(|firmware| std::cmp::Reverse(firmware.seq));
    let version = |to: &&Firmware| {
        let (mut may, mut refused) = (0_usize, BTreeMap::<String, Vec<String>>::new());
        for device in devices {
            match back::not_permitted(releases, to, device) {
                None => may = may.saturating_add(1),
                Some(left) => {
                    refused
                        .entry(reasons::left(w, &left))
                        .or_default()
                        .push(device.device.to_string());
                }
            }
        }
        let withdrawn = to.state == ReleaseState::Withdrawn;
        let offered = may > 0 && !withdrawn && at.may(SitePower::Plan);
        let begin =
            format!("approvals/new?family={}&version={}&kind=rollback", to.family, to.version);
        VersionView {
            version: to.version.to_string(),
            may,
            withdrawn,
            cves: back::reexposed(releases, to.seq, newest).into_iter().collect(),
            refused: refused.into_iter().collect(),
            begin: offered.then(|| at.path(&begin)),
        }
    };
    let versions = older.iter().map(version).collect();
    let records = at.may(SitePower::Records).then(|| at.path("records?kind=rollbacks"));
    BackPage { frame, w, family, versions, board: at.path("rollouts"), records }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, site_frame};
    let page = |versions: Vec<VersionView>| BackPage {
        frame: site_frame(words, Nav::Rollouts, "rollouts-back-title"),
        w: words,
        family: words.pick("Infusion pump X", "輸液ポンプX").to_owned(),
        versions,
        board: at_site(words).path("rollouts"),
        records: Some("#".to_owned()),
    };
    let why = words.t("plans-left-runs_unknown");
    let one = |version: &str, may: usize, withdrawn: bool| VersionView {
        version: version.to_owned(),
        may,
        withdrawn,
        cves: vec!["CVE-2026-1234".to_owned()],
        refused: vec![(why.clone(), vec!["pump-07".to_owned(), "pump-08".to_owned()])],
        begin: (may > 0 && !withdrawn).then(|| "#".to_owned()),
    };
    let some = vec![one("2.3.9", 40, false), one("2.3.8", 0, false), one("2.3.7", 3, true)];
    vec![
        Sample::of("rollouts/back.html", "some", &page(some)),
        Sample::of("rollouts/back.html", "none", &page(Vec::new())),
    ]
}
