//! 部品検索: which of a hospital's devices run a software component, by the bills of materials of what
//! is installed on them.
//!
//! Not here: reading bills ([`crate::publish::parts`]), vulnerabilities. Invariant: a device whose bill
//! is missing, unread or incomplete is shown as unknown; it is never counted among those without it.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::fleet::roster::{Member, Roster};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use crate::publish::current::Snapshot;
use crate::publish::parts::Parts;
use askama::Template;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shortest text that is searched for, in characters.
const QUERY_CHARS_MIN: usize = 2;
/// Longest text that is searched for, in characters.
const QUERY_CHARS_MAX: usize = 200;
/// Most bills of one search; what runs beyond them is unknown.
const BILLS_MAX: usize = 200;
/// Most lines of a list.
const LINES_MAX: usize = 200;

/// The page.
#[derive(Template)]
#[template(path = "components/components.html")]
struct ComponentsPage {
    frame: Frame,
    w: Words,
    to: String,
    query: String,
    asked: bool,
    short: bool,
    summary: String,
    found: Vec<Found>,
    more: usize,
    unknown: Vec<Unknown>,
    unknown_n: usize,
    devices: String,
}

/// A component in a release that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    name: String,
    version: String,
    purl: String,
    release: String,
    release_to: String,
    n: usize,
    devices_to: String,
}

/// Devices of which nobody can say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unknown {
    what: String,
    why: String,
    n: usize,
    to: String,
}

/// What runs on devices that are alike.
#[derive(Debug, Clone)]
struct Running {
    family: FamilyId,
    version: Option<Version>,
    n: usize,
    bill: Bill,
}

/// What is known of its components.
#[derive(Debug, Clone)]
enum Bill {
    Known(Arc<Parts>),
    /// The device has not said what runs.
    Unsaid,
    /// The manufacturer lists no such image.
    Unlisted,
    /// No bill, or none that can be read.
    Missing,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/components", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let entry = &visit.entry;
    let query: String =
        visit.asked.query("q").unwrap_or_default().chars().take(QUERY_CHARS_MAX).collect();
    let snapshot = visit.app.snapshot();
    let mut running = Vec::new();
    if query.chars().count() >= QUERY_CHARS_MIN {
        let roster = Roster::of(&visit.app, &entry.site, &entry.inventory).await?;
        running = what_runs(&visit, &snapshot, &roster.members).await?;
    }
    let frame = visit.frame(Nav::Components, visit.words.t("components-title"));
    Answer::page(&view(frame, visit.words, entry, (&running, Names(&snapshot)), query))
}

/// What runs on the devices, with the components of each, read once.
async fn what_runs(
    visit: &Visit<AtSite>,
    snapshot: &Snapshot,
    members: &[Member],
) -> Result<Vec<Running>, Turned> {
    let mut alike: BTreeMap<(FamilyId, Option<Sha256Digest>), (Option<Version>, usize)> =
        BTreeMap::new();
    for outline in members.iter().map(|member| &member.outline) {
        let image = outline.installed.as_ref();
        let key = (outline.family.clone(), image.map(|image| image.image_sha256));
        let version = image.map(|image| image.version.clone());
        let (_, n) = alike.entry(key).or_insert((version, 0));
        *n = n.saturating_add(1);
    }
    let mut running = Vec::new();
    for ((family, image), (version, n)) in alike {
        let current = snapshot.get(&RepositoryId::Family(family.clone()));
        let listed = image.and_then(|image| current.as_ref()?.images.get(&image));
        let bill = match (image, listed) {
            (None, _) => Bill::Unsaid,
            (Some(_), None) => Bill::Unlisted,
            (Some(_), Some(_)) if running.len() >= BILLS_MAX => Bill::Missing,
            (Some(_), Some(firmware)) => {
                let parts =
                    visit.app.dossiers.parts.of(&visit.app, firmware.docs.sbom.sha256).await?;
                parts.map_or(Bill::Missing, Bill::Known)
            }
        };
        running.push(Running { family, version, n, bill });
    }
    Ok(running)
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (running, names): (&[Running], Names<'_>),
    query: String,
) -> ComponentsPage {
    let asked = query.chars().count() >= QUERY_CHARS_MIN;
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<Found> =
        running.iter().flat_map(|it| matches(w, at, names, it, &words)).collect();
    found.sort_by(|a, b| {
        let key = |it: &Found| (it.name.to_lowercase(), it.version.clone(), it.release.clone());
        key(a).cmp(&key(b))
    });
    let unknown: Vec<Unknown> = running.iter().filter_map(|it| unknown(w, at, names, it)).collect();
    let with: usize = running.iter().filter(|it| it.has(&words)).map(|it| it.n).sum();
    let summary = w.t2("components-summary", "n", with, "all", sum(running));
    let more = found.len().saturating_sub(LINES_MAX);
    found.truncate(LINES_MAX);
    ComponentsPage {
        to: at.path("components"),
        short: !query.is_empty() && !asked,
        query,
        asked,
        summary,
        found,
        more,
        unknown_n: unknown.iter().map(|it| it.n).sum(),
        unknown,
        devices: at.path("devices"),
        frame,
        w,
    }
}

fn sum(running: &[Running]) -> usize {
    running.iter().map(|it| it.n).sum()
}

impl Running {
    fn has(&self, words: &[String]) -> bool {
        match &self.bill {
            Bill::Known(parts) => parts.all.iter().any(|part| part.has(words)),
            Bill::Unsaid | Bill::Unlisted | Bill::Missing => false,
        }
    }

    fn devices(&self, at: &AtSite) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("family", self.family.as_str());
        query.extend_pairs(self.version.as_ref().map(|version| ("q", version.as_str())));
        at.path(&format!("devices?{}", query.finish()))
    }

    fn words(&self, w: Words, names: Names<'_>) -> String {
        let version = self.version.as_ref().map(Version::as_str);
        format!("{} {}", names.family(w, &self.family), version.unwrap_or_default())
            .trim_end()
            .to_owned()
    }
}

fn matches(
    w: Words,
    at: &AtSite,
    names: Names<'_>,
    running: &Running,
    words: &[String],
) -> Vec<Found> {
    let (Bill::Known(parts), Some(version)) = (&running.bill, &running.version) else {
        return Vec::new();
    };
    let one = |part: &crate::publish::parts::Part| Found {
        name: part.name.clone(),
        version: part.version.clone(),
        purl: part.purl.clone(),
        release: running.words(w, names),
        release_to: at.path(&format!("releases/{}/{version}", running.family)),
        n: running.n,
        devices_to: running.devices(at),
    };
    parts.all.iter().filter(|part| part.has(words)).map(one).collect()
}

fn unknown(w: Words, at: &AtSite, names: Names<'_>, running: &Running) -> Option<Unknown> {
    let why = match &running.bill {
        Bill::Known(parts) if parts.left_out == 0 => return None,
        Bill::Known(parts) => w.t1("components-unknown-left-out", "n", parts.left_out),
        Bill::Unsaid => w.t("components-unknown-unsaid"),
        Bill::Unlisted => w.t("components-unknown-unlisted"),
        Bill::Missing => w.t("components-unknown-missing"),
    };
    let (what, to) = (running.words(w, names), running.devices(at));
    Some(Unknown { what, why, n: running.n, to })
}

#[cfg(test)]
fn sample_running() -> Vec<Running> {
    use crate::publish::parts::tests::parts;
    let family = || FamilyId::new("acme.infusion-a").unwrap();
    let version = |text: &str| Some(Version::new(text).unwrap());
    let known = |names: &[(&str, &str)], left_out| {
        Bill::Known(Arc::new(Parts { left_out, ..parts(names) }))
    };
    let running = |version, n, bill| Running { family: family(), version, n, bill };
    vec![
        running(version("2.4.1"), 40, known(&[("openssl", "3.0.13"), ("zlib", "1.3.1")], 0)),
        running(version("2.4.0"), 12, known(&[("openssl", "3.0.11"), ("busybox", "1.36")], 2)),
        running(version("2.3.0"), 3, Bill::Missing),
        running(version("9.9.9"), 1, Bill::Unlisted),
        running(None, 2, Bill::Unsaid),
    ]
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, site_frame};
    let at = at_site(words);
    let snapshot = Snapshot::default();
    let page = |query: &str, running: &[Running]| {
        let frame = site_frame(words, Nav::Components, "components-title");
        view(frame, words, &at, (running, Names(&snapshot)), query.to_owned())
    };
    let template = "components/components.html";
    let running = sample_running();
    vec![
        Sample::of(template, "empty", &page("", &[])),
        Sample::of(template, "short", &page("x", &[])),
        Sample::of(template, "found", &page("openssl", &running)),
        Sample::of(template, "none", &page("log4j", &running)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::sample::{at_site, site_frame};
    use crate::people::who::Language;

    fn searched(query: &str) -> ComponentsPage {
        let w = Words::of(Language::En);
        let snapshot = Snapshot::default();
        let frame = site_frame(w, Nav::Components, "components-title");
        let running = sample_running();
        view(frame, w, &at_site(w), (&running, Names(&snapshot)), query.to_owned())
    }

    #[test]
    fn a_component_leads_to_its_releases_and_devices() {
        let page = searched("OpenSSL 3.0.1");
        let found: Vec<_> = page.found.iter().map(|it| (it.version.as_str(), it.n)).collect();
        assert_eq!(found, [("3.0.11", 12), ("3.0.13", 40)]);
        assert!(page.summary.starts_with("52 of 58"), "{}", page.summary);
        let to = page.found.first().map(|it| it.devices_to.as_str()).unwrap_or_default();
        assert!(to.ends_with("devices?family=acme.infusion-a&q=2.4.0"), "{to}");
    }

    #[test]
    fn devices_without_a_whole_bill_are_unknown_whatever_is_searched_for() {
        for query in ["openssl", "log4j"] {
            let page = searched(query);
            let unknown: Vec<_> = page.unknown.iter().map(|it| it.n).collect();
            assert_eq!((unknown, page.unknown_n), (vec![12, 3, 1, 2], 18), "{query}");
        }
        assert!(searched("log4j").found.is_empty());
    }
}
