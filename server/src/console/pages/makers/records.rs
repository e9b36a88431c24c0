//! Records: what was done about the manufacturer's families, by whom and when.
//!
//! Not here: hospitals' records, which are theirs. Invariant: newest first, page by page, and nothing
//! of another manufacturer.

use super::{families_of, tz};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::DbError;
use crate::db::act::{self, Stored};
use crate::people::called::Called;
use crate::people::role::{MakerPower, Place};
use askama::Template;
use patchward_protocol::id::RepositoryId;

/// Acts on one page.
const ACTS_MAX: i64 = 100;

/// An act as a page shows it.
#[derive(Debug, Clone)]
struct Line {
    n: i64,
    at: When,
    what: String,
    family: String,
    who: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "makers/records.html")]
struct Page {
    frame: Frame,
    w: Words,
    lines: Vec<Line>,
    older: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/records", MakerPower::Records, list);
}

async fn list(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let w = visit.words;
    let all = families_of(&visit.app.snapshot(), &visit.entry.maker);
    let families = all.iter().map(|(family, _)| RepositoryId::Family(family.clone()).to_string());
    // People and tokens of the manufacturer itself, too.
    let own = Place::Maker(visit.entry.maker.clone()).to_string();
    let scopes: Vec<String> = families.chain([own]).collect();
    let before = visit.asked.query_as("before").unwrap_or(i64::MAX);
    let read = visit.app.db.read(move |conn| {
        let acts = act::recent(conn, &scopes, before, ACTS_MAX)?;
        let called = Called::read(conn, acts.iter().map(|act| act.who.as_str()))?;
        Ok::<_, DbError>((acts, called))
    });
    let (acts, called) = read.await?;
    let full = i64::try_from(acts.len()).is_ok_and(|n| n == ACTS_MAX);
    let last = acts.last().map(|act| act.n).filter(|_| full);
    let older = last.map(|n| visit.entry.path(&format!("records?before={n}")));
    let lines = acts.into_iter().map(|act| line(w, &called, act)).collect();
    let frame = visit.frame(Nav::Records, w.t("makers-records-title"));
    Answer::page(&Page { frame, w, lines, older })
}

fn line(w: Words, called: &Called, act: Stored) -> Line {
    let id = format!("makers-act-{}", act.act);
    Line {
        n: act.n,
        at: w.instant(act.at, tz(w)),
        what: if w.has(&id) { w.t(&id) } else { act.act },
        family: act.scope.strip_prefix("family:").unwrap_or(&act.scope).to_owned(),
        who: called.line(&act.who),
        detail: act.detail,
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    let stored = |n: i64| Stored {
        n,
        at: noon(),
        scope: "family:acme.infusion-a".to_owned(),
        who: "account:kato".to_owned(),
        act: ["publish", "say-lifecycle", "bring-staged", "hold", "unheard-of"]
            [usize::try_from(n % 5).unwrap()]
        .to_owned(),
        detail:
            "{\"root\":null,\"targets\":43,\"targets_sha256\":\"8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f\"}"
                .to_owned(),
    };
    let called = Called::of_logins([("kato", w.pick("Kato Ren", "加藤 蓮"))]);
    let page = |lines: Vec<Line>| Page {
        frame: maker_frame(w, Nav::Records, "makers-records-title"),
        w,
        older: (!lines.is_empty()).then(|| "/console".to_owned()),
        lines,
    };
    let many = (1..40).rev().map(|n| line(w, &called, stored(n))).collect();
    vec![
        Sample::of("makers/records.html", "many", &page(many)),
        Sample::of("makers/records.html", "empty", &page(Vec::new())),
    ]
}
