//! Taking an approval back: it stays listed as withdrawn, and devices remember it.
//!
//! Stopping at once needs no signature (holds); this is for good. Invariant: a draft like every other.

use super::{kind, subject};
use crate::consent::draft::facts::Facts;
use crate::consent::draft::{Wanted, make};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::id::ApprovalId;

/// The page.
#[derive(Template)]
#[template(path = "approvals/withdraw.html")]
struct Withdraw {
    frame: Frame,
    w: Words,
    id: String,
    what: String,
    kind: String,
    devices: usize,
    stop: String,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/approvals/withdraw";
    routes.get::<AtSite, _, _>(path, SitePower::Plan, show);
    routes.post::<AtSite, _, _>(path, SitePower::Plan, make_it);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let id: ApprovalId = visit.asked.query_as("approval").ok_or_else(not_found)?;
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let active = |approval: &&patchward_protocol::approval::Approval| {
        approval.id == id && approval.state == ApprovalState::Active
    };
    let approval = facts.known.approvals.iter().find(active).ok_or_else(not_found)?;
    Answer::page(&Withdraw {
        frame: visit.frame(Nav::Approvals, visit.words.t("approvals-withdraw")),
        w: visit.words,
        id: id.to_string(),
        what: subject(&visit.app.snapshot(), visit.words, approval),
        kind: kind(visit.words, approval),
        devices: approval.devices.len(),
        stop: visit.entry.path("stop"),
    })
}

async fn make_it(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let approvals = vec![visit.form.read::<ApprovalId>("approval")?];
    let (app, site, who) = (&visit.app, &visit.entry.site, &visit.entry.who);
    match make::make(app, site, Wanted::Withdraw { approvals }, who.name.clone()).await {
        Ok(_) => Ok(Answer::go(visit.entry.path("approvals/draft/sign"))),
        Err(error) => super::refused::page(&visit, error, Some(visit.entry.path("approvals"))),
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let page = Withdraw {
        frame: site_frame(words, Nav::Approvals, "approvals-withdraw"),
        w: words,
        id: "infusor-a-7-v9".to_owned(),
        what: words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1"),
        kind: words.t("approvals-kind-routine"),
        devices: 12,
        stop: "/console/sites/city-hospital/stop".to_owned(),
    };
    vec![Sample::of("approvals/withdraw.html", "one", &page)]
}
