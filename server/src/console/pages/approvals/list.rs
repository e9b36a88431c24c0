//! All approvals of a site: the open draft first, then what waits, then what is listed.
//!
//! Invariant: nothing is hidden but what the visitor may not do.

use super::{family_name, kind, subject};
use crate::app::App;
use crate::consent::draft::Draft;
use crate::consent::draft::facts::Facts;
use crate::consent::draft::finish::{self, Found};
use crate::consent::draft::status::{BaseState, Standing};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use crate::publish::approvals::Published;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::id::{Seq, SiteId};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use std::collections::HashSet;
use std::sync::Arc;

/// What is said of a site whose owner has published nothing yet.
const NO_DOCUMENTS: [ErrorCode; 2] = [ErrorCode::NotFound, ErrorCode::RepositoryEmpty];

/// The page.
#[derive(Template)]
#[template(path = "approvals/list.html")]
struct List {
    frame: Frame,
    w: Words,
    base: String,
    may_plan: bool,
    draft: Option<OpenDraft>,
    waiting: Vec<Waiting>,
    approvals: Vec<Row>,
}

struct OpenDraft {
    at: When,
    by: String,
    state: String,
    badge: &'static str,
}

/// A release that devices of the site do not run yet and that no approval names for them.
struct Waiting {
    what: String,
    devices: usize,
    link: String,
}

struct Row {
    id: String,
    what: String,
    kind: String,
    devices: usize,
    until: When,
    state: String,
    badge: &'static str,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/approvals", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, site) = (&visit.app, &visit.entry.site);
    // What a crash left half done is ended before anybody looks.
    let (draft, facts) = match finish::resume(app, site).await? {
        Found::Open(draft, facts) => (Some(draft), Some(facts)),
        Found::Nothing | Found::Ended(_) => (None, facts(app, site).await?.map(Box::new)),
    };
    let frame = visit.frame(Nav::Approvals, visit.words.t("approvals-title"));
    let draft = match (&draft, &facts) {
        (Some(draft), Some(facts)) => Some(open_draft(&visit, draft, facts)?),
        _ => None,
    };
    let tz = visit.entry.tz();
    let listed = facts.as_ref().map(|facts| facts.current.approvals.all()).unwrap_or_default();
    let mut approvals: Vec<_> = listed.iter().rev().cloned().collect();
    approvals.sort_by_key(|published| std::cmp::Reverse(published.approval.serial));
    let row = |published: &Arc<Published>| row(app, visit.words, published, tz, visit.at);
    Answer::page(&List {
        frame,
        w: visit.words,
        base: visit.entry.path("approvals"),
        may_plan: visit.entry.may(SitePower::Plan),
        draft,
        waiting: facts.as_ref().map(|facts| waiting(&visit, facts)).unwrap_or_default(),
        approvals: approvals.iter().map(row).collect(),
    })
}

/// What is known around drafts; nothing at a site that has no documents yet.
async fn facts(app: &Arc<App>, site: &SiteId) -> Result<Option<Facts>, ApiError> {
    match Facts::of(app, site).await {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if NO_DOCUMENTS.contains(&error.code()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_draft(visit: &Visit<AtSite>, draft: &Draft, facts: &Facts) -> Result<OpenDraft, Turned> {
    let standing = Standing::of(draft, facts)?;
    let (state, badge) = match standing.base {
        BaseState::Moved => (visit.words.t("approvals-draft-moved"), "bad"),
        BaseState::Current | BaseState::Published => {
            (visit.words.t1("approvals-draft-missing", "n", standing.missing()), "warn")
        }
    };
    let at = visit.words.instant(draft.made, visit.entry.tz());
    Ok(OpenDraft { at, by: draft.made_by.clone(), state, badge })
}

fn row(app: &App, words: Words, published: &Published, tz: &str, at: Timestamp) -> Row {
    let approval = &published.approval;
    let (id, badge) = match approval.state {
        ApprovalState::Withdrawn => ("approvals-state-withdrawn", "bad"),
        ApprovalState::Active if approval.valid_until <= at => ("approvals-state-past", ""),
        ApprovalState::Active => ("approvals-state-active", "good"),
    };
    Row {
        id: approval.id.to_string(),
        what: subject(&app.snapshot(), words, approval),
        kind: kind(words, approval),
        devices: approval.devices.len(),
        until: words.instant(approval.valid_until, tz),
        state: words.t(id),
        badge,
    }
}

/// Per family the newest offered release, when devices could take it and no approval names them.
fn waiting(visit: &Visit<AtSite>, facts: &Facts) -> Vec<Waiting> {
    let snapshot = visit.app.snapshot();
    let mut waiting = Vec::new();
    for (family, releases) in &facts.releases {
        let offered = |firmware: &&Firmware| firmware.state == ReleaseState::Released;
        let Some(newest) = releases.iter().filter(offered).max_by_key(|firmware| firmware.seq)
        else {
            continue;
        };
        let devices = facts.known.views.iter().filter(|view| {
            let installed = view.installed.as_ref().map_or(Seq(0), |image| image.seq);
            view.family == *family && view.device_key.is_some() && installed < newest.seq
        });
        let of_it = facts.known.approvals.iter().filter(|approval| {
            let image = approval.release.as_ref().map(|release| release.image_sha256);
            approval.state == ApprovalState::Active
                && approval.valid_until > visit.at
                && image == Some(newest.payload.image_sha256)
        });
        let named: HashSet<_> =
            of_it.flat_map(|approval| &approval.devices).map(|device| &device.id).collect();
        let count = devices.filter(|view| !named.contains(&view.device)).count();
        if count > 0 {
            let name = family_name(&snapshot, visit.words, family);
            let version = newest.version.as_str();
            let path = visit.entry.path("approvals/new");
            waiting.push(Waiting {
                what: visit.words.t2("approvals-of-release", "family", name, "version", version),
                devices: count,
                link: format!("{path}?family={family}&version={version}"),
            });
        }
    }
    waiting
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, noon, site_frame};
    let when = |hours: i64| words.instant(noon().plus_seconds(hours * 3600), "Asia/Tokyo");
    let page = |full: bool| List {
        frame: site_frame(words, Nav::Approvals, "approvals-title"),
        w: words,
        base: "/console/sites/city-hospital/approvals".to_owned(),
        may_plan: full,
        draft: full.then(|| OpenDraft {
            at: when(0),
            by: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
            state: words.t1("approvals-draft-missing", "n", 1),
            badge: "warn",
        }),
        waiting: if full {
            vec![Waiting {
                what: words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1"),
                devices: 42,
                link: "#".to_owned(),
            }]
        } else {
            Vec::new()
        },
        approvals: if full {
            let row = |id: &str, state: &str, badge| Row {
                id: id.to_owned(),
                what: words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.0"),
                kind: words.t("approvals-kind-routine"),
                devices: 12,
                until: when(240),
                state: words.t(state),
                badge,
            };
            vec![
                row("infusor-a-7-v9", "approvals-state-active", "good"),
                row("infusor-a-6-v8", "approvals-state-withdrawn", "bad"),
            ]
        } else {
            Vec::new()
        },
    };
    vec![
        Sample::of("approvals/list.html", "full", &page(true)),
        Sample::of("approvals/list.html", "empty", &page(false)),
    ]
}
