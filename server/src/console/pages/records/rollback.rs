//! The sheet of one rollback, for an auditor: what, when, why, who, and what is open again.
//!
//! Not here: what it is put together from ([`crate::record::sheet`]). Invariant: every fact stands in an
//! entry that was checked in this run; what is not known is said to be not known.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::people::role::SitePower;
use crate::record::sheet::sheet;
use askama::Template;

/// The sheet.
#[derive(Template)]
#[template(path = "records/rollback.html")]
struct SheetPage {
    frame: Frame,
    w: Words,
    n: u64,
    rows: Vec<(String, String)>,
    printed: crate::console::when::When,
    back: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/records/rollback/{n}";
    routes.get::<AtSite, _, _>(path, SitePower::Records, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let n: u64 = visit.asked.part("n")?;
    let (site, tz) = (&visit.entry.site, visit.entry.tz());
    let language = visit.words.language();
    let sheet = sheet(&visit.app, site, n, (tz, language)).await?.ok_or_else(not_found)?;
    let frame = visit.frame(Nav::Records, visit.words.t("records-sheet-title"));
    let printed = visit.words.instant(visit.at, tz);
    let back = visit.entry.path("records?kind=rollbacks");
    let rows = sheet.rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let w = visit.words;
    Answer::page(&SheetPage { frame, w, n, rows, printed, back })
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let row = |en: &str, ja: &str, value: &str| (words.pick(en, ja).to_owned(), value.to_owned());
    let unknown = words.pick("not in the record", "記録なし");
    let rows = vec![
        row("Device", "機器", "pump-07"),
        row(
            "Ward at the time",
            "当時の病棟",
            words.pick("5 East (ward-5e)", "5階東病棟 (ward-5e)"),
        ),
        row("Serial number", "製造番号", "SN-00417"),
        row("From version", "変更前の版", "acme.pump-x 2.4.1 (seq 4)"),
        row("To version", "変更後の版", "acme.pump-x 2.3.9 (seq 3)"),
        row("Receipt", "受領", unknown),
    ];
    let page = SheetPage {
        frame: site_frame(words, Nav::Records, "records-sheet-title"),
        w: words,
        n: 4708,
        rows,
        printed: words.instant(noon(), "Asia/Tokyo"),
        back: at_site(words).path("records"),
    };
    vec![Sample::of("records/rollback.html", "one", &page)]
}
