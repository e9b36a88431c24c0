//! Releases of a manufacturer: staged files on their way through several hands, and what is published.
//!
//! Not here: one release ([`super::release`]), one staged file ([`super::staged`]). Invariant: what
//! needs a person stands first.

use super::families::{Deltas, ReleaseRow, release_rows};
use super::staged::{Line as StagedLine, staged_line};
use super::{families_of, title};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::db::{DbError, delta, staged};
use crate::people::role::MakerPower;
use crate::publish::staged::look;
use askama::Template;
use patchward_protocol::id::RepositoryId;

/// A family with its releases.
#[derive(Debug, Clone)]
struct Family {
    id: String,
    title: String,
    to: String,
    releases: Vec<ReleaseRow>,
}

#[derive(Template)]
#[template(path = "makers/releases.html")]
struct Page {
    frame: Frame,
    w: Words,
    staged: Vec<StagedLine>,
    families: Vec<Family>,
    bring: Option<String>,
    commands: Vec<(String, &'static str)>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/releases", MakerPower::See, list);
}

async fn list(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let w = visit.words;
    let all = families_of(&visit.app.snapshot(), &visit.entry.maker);
    let ids: Vec<RepositoryId> = all.iter().map(|(_, current)| current.id.clone()).collect();
    let read = visit.app.db.read(move |conn| {
        let files = staged::of_all(conn, &ids)?;
        let pairs = ids.iter().map(|id| delta::of_repository(conn, id));
        Ok::<_, DbError>((files, pairs.collect::<Result<Vec<_>, _>>()?))
    });
    let (files, pairs) = read.await?;
    let (mut lines, mut families) = (Vec::new(), Vec::new());
    for ((family, current), pairs) in all.iter().zip(pairs) {
        let ours: Vec<_> =
            files.iter().filter(|file| file.repository == current.id).cloned().collect();
        let looked = look(current, &ours);
        lines.extend(looked.iter().map(|looked| {
            let role = &looked.file.role;
            let to = visit.entry.path(&format!("staged/{family}/{role}"));
            staged_line(w, &title(w, current), to, looked)
        }));
        let mut deltas = Deltas::new();
        pairs.iter().for_each(|stored| deltas.entry(stored.pair.to).or_default().add(stored.state));
        let runs = visit.app.fleet.spread(family);
        families.push(Family {
            id: family.to_string(),
            title: title(w, current),
            to: visit.entry.path(&format!("families/{family}")),
            releases: release_rows(current, &runs, &deltas, |image| {
                visit.entry.path(&format!("releases/{family}/{image}"))
            }),
        });
    }
    let may = visit.entry.may(MakerPower::Stage);
    let bring = may.then(|| visit.entry.path("staged"));
    let frame = visit.frame(Nav::Releases, w.t("releases-title"));
    Answer::page(&Page { frame, w, staged: lines, families, bring, commands: commands(w) })
}

fn commands(w: Words) -> Vec<(String, &'static str)> {
    vec![
        (
            w.t("releases-step-prepare"),
            "patchward release prepare --image … --dossier dossier.toml --sbom sbom.json --notes-ja … --notes-en … --out draft",
        ),
        (w.t("releases-step-show"), "patchward stage show draft/targets-vN.stage.json"),
        (
            w.t("releases-step-sign"),
            "patchward stage sign draft/targets-vN.stage.json --key NAME.key",
        ),
        (
            w.t("releases-step-upload"),
            "patchward stage publish draft/targets-vN.stage.json --files draft/targets",
        ),
        (w.t("releases-step-withdraw"), "patchward release withdraw FAMILY --seq N --out draft"),
    ]
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use super::staged::sample_lines;
    use crate::console::sample::{Sample, maker_frame};
    let release = |seq: u32| ReleaseRow {
        version: format!("2.{seq}.0"),
        to: "/console".to_owned(),
        seq: seq.to_string(),
        devices: 17 * seq,
        withdrawn: seq == 3,
        deltas: (seq, seq + 2),
        deltas_left: u32::from(seq == 9),
    };
    let family = |releases: Vec<ReleaseRow>| Family {
        id: "acme.infusion-a".to_owned(),
        title: w.pick("Infusion pump A", "輸液ポンプA").to_owned(),
        to: "/console".to_owned(),
        releases,
    };
    let page = |staged, families, bring: bool| Page {
        frame: maker_frame(w, Nav::Releases, "releases-title"),
        w,
        staged,
        families,
        bring: bring.then(|| "/console".to_owned()),
        commands: commands(w),
    };
    let many = vec![family((1..30).rev().map(release).collect()), family(Vec::new())];
    vec![
        Sample::of("makers/releases.html", "many", &page(sample_lines(w), many, true)),
        Sample::of("makers/releases.html", "empty", &page(Vec::new(), Vec::new(), false)),
    ]
}
