//! The page that shows every component of the console once: for those who build pages, and for eyes.
//!
//! Invariant: a component that is not shown here does not exist.

use crate::console::answer::Answer;
use crate::console::chart::Chart;
use crate::console::chart::bound::{self, BoundChart};
use crate::console::chart::course::{self, Course, CourseWords, Gate, GateKind};
use crate::console::chart::spread::{self, Bar, Fill, SpreadChart};
use crate::console::door::{Anybody, Visit};
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::{Day, When};
use crate::console::words::Words;
use crate::people::one_time::qr_svg;
use askama::Template;
use patchward_protocol::time::Timestamp;

/// The page.
#[derive(Template)]
#[template(path = "design.html")]
struct Design {
    frame: Frame,
    w: Words,
    at: When,
    day: Day,
    left: String,
    qr: String,
    charts: [Chart; 3],
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/design", (), show);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let frame = visit.frame(visit.words.t("design-title"));
    Answer::page(&view(frame, visit.words, visit.at))
}

fn view(frame: Frame, w: Words, at: Timestamp) -> Design {
    let qr = qr_svg("otpauth://totp/Patchward", &w.t("login-qr")).unwrap_or_default();
    Design {
        at: w.instant(at, "Asia/Tokyo"),
        day: w.day(at, "Asia/Tokyo"),
        left: w.span(31 * 3600),
        qr,
        charts: [course(w), bound(w), spread(w)],
        frame,
        w,
    }
}

fn course(w: Words) -> Chart {
    let gate = |at, n: u32, kind| Gate { at, name: w.t1("field-wave-opened", "n", n), kind };
    course::draw(&Course {
        minutes: 2_880,
        named: 42,
        updated: vec![(60, 2), (1_440, 20), (2_000, 38)],
        troubled: vec![(1_560, 1)],
        gates: vec![gate(0, 0, GateKind::Opened), gate(1_440, 1, GateKind::Halted)],
        days: vec![(0, w.t("design-step-1")), (1_440, w.t("design-step-2"))],
        words: CourseWords {
            name: w.t("field-course"),
            updated: w.t1("field-line-updated", "n", 38),
            troubled: w.t1("field-line-troubled", "n", 1),
            named: w.t1("field-line-named", "n", 42),
        },
    })
}

fn bound(w: Words) -> Chart {
    bound::draw(&BoundChart {
        name: w.t("field-curve"),
        devices: w.t("field-curve-devices"),
        bound: w.t1("field-curve-bound", "rate", "4.8 %"),
        seen: w.t1("field-curve-seen", "rate", "1.0 %"),
        points: vec![(10, 258_000, 0), (60, 48_800, 0), (100, 46_600, 10_000)],
    })
}

fn spread(w: Words) -> Chart {
    let fills = [Fill::Newest, Fill::Before, Fill::Older, Fill::Unknown];
    let words = ["design-badge-good", "field-none-before", "field-older", "field-unknown"];
    spread::draw(&SpreadChart {
        name: w.t("field-spread"),
        legend: fills.into_iter().zip(words.map(|id| w.t(id))).collect(),
        bars: vec![Bar {
            name: w.t("field-all-sites"),
            parts: fills.into_iter().zip([24, 9, 6, 3]).collect(),
        }],
        prefix: "design",
    })
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::frame::Nav;
    use crate::console::sample::{Sample, noon, site_frame};
    let frame = site_frame(words, Nav::Today, "design-title");
    vec![Sample::of("design.html", "all", &view(frame, words, noon()))]
}

#[cfg(test)]
mod tests {
    use crate::console::sample;
    use crate::console::words::Words;
    use crate::people::who::Language;
    use std::collections::BTreeSet;

    const STYLE: &str = include_str!("../../../assets/console.css");

    /// The classes that the style sheet has a rule for.
    fn ruled() -> BTreeSet<String> {
        let mut rules = STYLE.to_owned();
        while let Some(from) = rules.find("/*") {
            let until = rules[from..].find("*/").unwrap();
            rules.replace_range(from..from + until + 2, "");
        }
        let selectors = rules.split('{').map(|rule| rule.rsplit(['}', ';']).next().unwrap());
        let classes = selectors.flat_map(|selector| selector.split('.').skip(1));
        let name = |class: &str| {
            let end = class.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            class[..end.unwrap_or(class.len())].to_owned()
        };
        let named = |class: &String| class.starts_with(|c: char| c.is_ascii_alphabetic());
        classes.map(name).filter(named).collect()
    }

    fn worn(html: &str) -> impl Iterator<Item = String> + '_ {
        let attributes = html.split(" class=\"").skip(1);
        attributes
            .flat_map(|rest| rest.split('"').next().unwrap().split_whitespace())
            .map(str::to_owned)
    }

    #[test]
    fn every_class_has_a_rule_is_worn_by_a_page_and_shown_among_the_components() {
        let (ruled, words) = (ruled(), Words::of(Language::En));
        let mut pages = BTreeSet::new();
        for page in sample::all(words) {
            if page.template() != "design.html" {
                pages.extend(worn(page.html()));
            }
        }
        let shown = super::samples(words);
        let shown: BTreeSet<_> = shown.iter().flat_map(|page| worn(page.html())).collect();
        let none: Vec<&String> = Vec::new();
        assert_eq!(pages.difference(&ruled).collect::<Vec<_>>(), none, "worn, but without a rule");
        assert_eq!(ruled.difference(&pages).collect::<Vec<_>>(), none, "rules that no page uses");
        assert_eq!(ruled.difference(&shown).collect::<Vec<_>>(), none, "not among the components");
    }
}
