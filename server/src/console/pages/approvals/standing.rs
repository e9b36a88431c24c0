//! A standing approval: a policy signed once, for at most ninety days.
//!
//! For a small clinic it is three answers: what, how severe, until when. Invariant: what the policy does
//! not name is not permitted.

use super::family_name;
use crate::consent::draft::facts::Facts;
use crate::consent::draft::{Wanted, make};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::{KnownExploited, Need, StandingPolicy};
use patchward_protocol::draft::draw::Terms;
use patchward_protocol::draft::standing::Wanting;
use patchward_protocol::id::FamilyId;
use patchward_protocol::inventory::Attendance;
use patchward_protocol::tuf::custom::{Class, Severity};

/// The page.
#[derive(Template)]
#[template(path = "approvals/standing.html")]
struct Standing {
    frame: Frame,
    w: Words,
    families: Vec<(String, String)>,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/approvals/standing";
    routes.get::<AtSite, _, _>(path, SitePower::Plan, show);
    routes.post::<AtSite, _, _>(path, SitePower::Plan, make_it);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let snapshot = visit.app.snapshot();
    let family =
        |family: &FamilyId| (family.to_string(), family_name(&snapshot, visit.words, family));
    Answer::page(&Standing {
        frame: visit.frame(Nav::Approvals, visit.words.t("approvals-standing-title")),
        w: visit.words,
        families: facts.families.keys().map(family).collect(),
    })
}

async fn make_it(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let wanting = wanting(&visit.form)?;
    let (app, site, who) = (&visit.app, &visit.entry.site, &visit.entry.who);
    match make::make(app, site, Wanted::Standing(Box::new(wanting)), who.name.clone()).await {
        Ok(_) => Ok(Answer::go(visit.entry.path("approvals/draft"))),
        Err(error) => {
            let again = visit.entry.path("approvals/standing");
            super::refused::page(&visit, error, Some(again))
        }
    }
}

fn wanting(form: &Form) -> Result<Wanting, ApiError> {
    let bad = |what: &str| ApiError::with(ErrorCode::RequestInvalid, what);
    let families: Vec<FamilyId> = form.all("family").filter_map(|id| id.parse().ok()).collect();
    if families.is_empty() {
        return Err(bad("family: choose at least one"));
    }
    let classes = match form.need("class")? {
        "security" => vec![Class::Security],
        "fixes" => vec![Class::Security, Class::SecurityAndFix],
        _ => return Err(bad("class: security or fixes")),
    };
    let severity_min = match form.need("severity")? {
        "critical" => Severity::Critical,
        "high" => Severity::High,
        "medium" => Severity::Medium,
        "low" => Severity::Low,
        "none" => Severity::None,
        _ => return Err(bad("severity: none, low, medium, high or critical")),
    };
    let ticked = |name: &str| form.get(name).is_some();
    let terms = Terms {
        attended: match ticked("attended") {
            true => Attendance::Attended,
            false => Attendance::Unattended,
        },
        acceptance: if ticked("acceptance") { Need::Required } else { Need::Advisory },
        ..Terms::default()
    };
    Ok(Wanting {
        policy: StandingPolicy {
            families,
            classes,
            severity_min,
            known_exploited: match ticked("exploited") {
                true => KnownExploited::Always,
                false => KnownExploited::BySeverity,
            },
        },
        days: form.maybe::<i64>("days")?.unwrap_or(90).clamp(1, 90),
        slots: 12,
        wards: Vec::new(),
        out_of_service: Vec::new(),
        terms,
        id: None,
        supersedes: form.maybe("supersedes")?,
    })
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let page = |some: bool| Standing {
        frame: site_frame(words, Nav::Approvals, "approvals-standing-title"),
        w: words,
        families: if some {
            vec![("acme.infusor-a".to_owned(), "Infusor A".to_owned())]
        } else {
            Vec::new()
        },
    };
    vec![
        Sample::of("approvals/standing.html", "some", &page(true)),
        Sample::of("approvals/standing.html", "none", &page(false)),
    ]
}
