//! The sizes of one run as a picture: a row for each pair, a mark for each tool.
//!
//! Drawn as text, readable on light and dark ground, every mark with its figure to point at. The
//! scale is logarithmic: equal steps are equal ratios.
//! Invariant: the same trials draw the same picture.

use super::summary::{Measure, Summary};
use super::tool::Tool;
use std::fmt::Write as _;

const PEERS: [(Tool, &str); 8] = [
    (Tool::Sampled, "sampled"),
    (Tool::Bsdiff, "bsdiff"),
    (Tool::Hdiff, "hdiff"),
    (Tool::Ostree, "ostree"),
    (Tool::ZstdFrom, "from"),
    (Tool::Xdelta, "xdelta"),
    (Tool::Zchunk, "zchunk"),
    (Tool::Casync, "casync"),
];
const WIDTH: f64 = 860.0;
const LEFT: f64 = 232.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 108.0;
const ROW: f64 = 30.0;
/// The scale, as tool / ours.
const SCALE: [f64; 2] = [0.5, 100.0];
const TICKS: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
/// The palette of Okabe and Ito, which the colour-blind can tell apart; the ground follows the reader.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:14px}.faint{fill:#59636e}\
.line{stroke:#d1d9e0}.one{stroke:#1f2328;stroke-width:1.5}.ground{fill:#ffffff}\
.sampled{fill:#999999}.bsdiff{fill:#0072b2}.hdiff{fill:#d55e00}.ostree{fill:#f0e442;stroke:#8a8000}\
.from{fill:#009e73}.xdelta{fill:#cc79a7}.zchunk{fill:#e69f00}.casync{fill:#56b4e9}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.faint{fill:#9198a1}.line{stroke:#3d444d}\
.one{stroke:#f0f6fc}.ground{fill:#0d1117}}";

/// The picture.
#[must_use]
pub fn drawn(summary: &Summary<'_>) -> String {
    let marked = |pair: &&str| marks(summary, pair).next().is_some();
    let pairs: Vec<&str> = summary.pairs().into_iter().filter(marked).collect();
    let rows = u32::try_from(pairs.len()).unwrap_or(u32::MAX).saturating_add(1);
    let bottom = TOP + ROW * f64::from(rows);
    let height = bottom + 28.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Size of patches against ours\">\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"26\">How many times as large as ours</text>\n\
         <text class=\"faint\" x=\"16\" y=\"44\">bytes that a device fetches, against our delta by suffix array; \
         to the right of 1 ours is smaller</text>\n"
    );
    legend(&mut text);
    for tick in TICKS {
        let (x, class) = (place(tick), if (tick - 1.0).abs() < 1e-9 { "one" } else { "line" });
        let (start, label) = (TOP - 6.0, bottom + 16.0);
        let _ = writeln!(
            text,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{start}\" y2=\"{bottom}\"/>\
             <text class=\"faint\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{label}\">{tick}</text>"
        );
    }
    let mut y = TOP + ROW / 2.0;
    for pair in pairs {
        row(&mut text, y, pair, &marks(summary, pair).collect::<Vec<_>>());
        y += ROW;
    }
    let means = PEERS.iter().filter_map(|(tool, class)| {
        Some((*tool, *class, summary.ratios(*tool, Tool::Suffix, Measure::Size)?.mean))
    });
    row(&mut text, y, "geometric mean", &means.collect::<Vec<_>>());
    text.push_str("</svg>\n");
    text
}

/// What was tried on a pair beside ours; nothing where ours was not.
fn marks(summary: &Summary<'_>, pair: &str) -> impl Iterator<Item = (Tool, &'static str, f64)> {
    PEERS.iter().filter_map(move |(tool, class)| {
        Some((*tool, *class, summary.ratio(pair, *tool, Tool::Suffix, Measure::Size)?))
    })
}

fn legend(text: &mut String) {
    let (mut x, mut y) = (20.0, 66.0);
    for (tool, class) in PEERS {
        let label = tool.title();
        let width = 34.0 + 6.6 * f64::from(u32::try_from(label.len()).unwrap_or(0));
        if x + width > WIDTH {
            (x, y) = (20.0, y + 20.0);
        }
        let (beside, below) = (x + 11.0, y + 4.0);
        let _ = writeln!(
            text,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"5\"/>\
             <text x=\"{beside:.1}\" y=\"{below}\">{label}</text>"
        );
        x += width;
    }
}

fn row(text: &mut String, y: f64, name: &str, marks: &[(Tool, &str, f64)]) {
    let (end, below) = (LEFT - 14.0, y + 4.0);
    let (from, to) = (LEFT, WIDTH - RIGHT);
    let _ = writeln!(
        text,
        "<text text-anchor=\"end\" x=\"{end}\" y=\"{below}\">{name}</text>\
         <line class=\"line\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/>"
    );
    for (tool, class, times) in marks {
        let (x, title) = (place(*times), tool.title());
        let _ = writeln!(
            text,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"5\"><title>{name}, {title}: \
             {times:.2} times ours</title></circle>"
        );
    }
}

/// Where a ratio stands; what is beyond the scale stands at its end.
fn place(times: f64) -> f64 {
    let [low, high] = SCALE.map(f64::ln);
    let within = ((times.max(1e-9).ln() - low) / (high - low)).clamp(0.0, 1.0);
    LEFT + within * (WIDTH - LEFT - RIGHT)
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::trial;
    use super::*;

    #[test]
    fn a_picture_has_a_mark_for_each_tool_that_was_tried() {
        let trials = [
            trial("a", Tool::Suffix, 50),
            trial("a", Tool::Bsdiff, 100),
            trial("a", Tool::Casync, 5_000_000),
            trial("ours by samples alone", Tool::Sampled, 70),
        ];
        let text = drawn(&Summary::new(&trials));
        assert!(!text.contains("samples alone"), "a row without marks");
        assert!(text.contains("a, bsdiff 4.3: 2.00 times ours"), "{text}");
        assert_eq!(text.matches("<title>").count(), 4);
        assert_eq!(text, drawn(&Summary::new(&trials)));
    }

    #[test]
    fn twice_as_much_is_the_same_step_everywhere() {
        let step = |times: f64| place(2.0 * times) - place(times);
        assert!((step(1.0) - step(20.0)).abs() < 1e-6);
        assert!(place(1e9) <= WIDTH - RIGHT);
    }
}
