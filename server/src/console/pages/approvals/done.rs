//! Approved: the numbers in the record, who signed in which way, and the sheet to print.
//!
//! Invariant: what is shown was read from the published targets and the record.

use super::sheet::{self, Act, SheetOf};
use super::{steps, subject};
use crate::consent::draft::facts::Facts;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::act::Subject;

/// The page.
#[derive(Template)]
#[template(path = "approvals/done.html")]
struct Done {
    frame: Frame,
    w: Words,
    base: String,
    steps: Vec<(String, &'static str)>,
    version: u64,
    approvals: Vec<(String, String)>,
    acts: Vec<Act>,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/approvals/done/{version}";
    routes.get::<AtSite, _, _>(path, SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let version: u64 = visit.asked.part("version")?;
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let acts = sheet::acts(&visit, &facts, SheetOf::Targets(version)).await?;
    if acts.is_empty() {
        return Err(not_found());
    }
    let snapshot = visit.app.snapshot();
    let mut approvals = Vec::new();
    for act in &acts {
        let Subject::Approval { approval, .. } = &act.subject else { continue };
        let listed = facts.known.approvals.iter().find(|listed| listed.id == *approval);
        let row = listed.map(|it| (it.id.to_string(), subject(&snapshot, visit.words, it)));
        approvals.extend(row.filter(|row| !approvals.contains(row)));
    }
    Answer::page(&Done {
        frame: visit.frame(Nav::Approvals, visit.words.t("approvals-done-title")),
        w: visit.words,
        base: visit.entry.path("approvals"),
        steps: steps(visit.words, 3),
        version,
        approvals,
        acts,
    })
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let page = Done {
        frame: site_frame(words, Nav::Approvals, "approvals-done-title"),
        w: words,
        base: "/console/sites/city-hospital/approvals".to_owned(),
        steps: steps(words, 3),
        version: 9,
        approvals: vec![(
            "infusor-a-7-v9".to_owned(),
            words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1"),
        )],
        acts: sheet::sample_acts(words),
    };
    vec![Sample::of("approvals/done.html", "two", &page)]
}
