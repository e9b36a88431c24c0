//! Which versions run: one bar for each row, cut by version.
//!
//! Not here: counting. Invariant: a part with at least one device is at least as wide as its edge, and
//! a bar's parts fill its width.

use super::svg::{Anchor, Svg};
use super::{Chart, number};

const WIDTH: u32 = 720;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 655.0;
const ROW: f64 = 34.0;
const BAR: f64 = 22.0;
const TOP: f64 = 34.0;

/// How a part is filled: by its place among versions, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// The newest release.
    Newest,
    /// The one before.
    Before,
    /// Anything older.
    Older,
    /// Not known.
    Unknown,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Devices by part, in the order of [`Fill`].
    pub parts: Vec<(Fill, u32)>,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadChart {
    /// What the picture shows.
    pub name: String,
    /// What each fill means, in order.
    pub legend: Vec<(Fill, String)>,
    /// The bars.
    pub bars: Vec<Bar>,
    /// Begins the ids of its hatchings: unlike any other of the page.
    pub prefix: &'static str,
}

/// Draws it.
#[must_use]
pub fn draw(chart: &SpreadChart) -> Chart {
    let rows = u32::try_from(chart.bars.len()).unwrap_or(0);
    let mut svg = Svg::new(WIDTH, 44 + rows.saturating_mul(34), &chart.name);
    svg.hatchings(chart.prefix);
    let mut x = LEFT;
    for (fill, words) in &chart.legend {
        part(&mut svg, chart.prefix, *fill, (x, 6.0), (14.0, 14.0));
        svg.text("label", (x + 19.0, 17.0), Anchor::Start, words);
        x += 34.0 + words.chars().map(|c| if c.is_ascii() { 6.4 } else { 12.0 }).sum::<f64>();
    }
    let mut y = TOP;
    for bar in &chart.bars {
        svg.text("label", (LEFT - 8.0, y + 16.0), Anchor::End, &short(&bar.name));
        let all = bar.parts.iter().fold(0_u32, |sum, (_, devices)| sum.saturating_add(*devices));
        let mut x = LEFT;
        for (fill, devices) in bar.parts.iter().filter(|(_, devices)| *devices > 0) {
            let width = (RIGHT - LEFT) * number(*devices) / number(all.max(1));
            part(&mut svg, chart.prefix, *fill, (x, y), (width, BAR));
            let words = devices.to_string();
            if *fill == Fill::Newest
                && width > 12.0 + 8.0 * number(u32::try_from(words.len()).unwrap_or(9))
            {
                svg.text("in", (x + width / 2.0, y + 16.0), Anchor::Middle, &words);
            }
            x += width;
        }
        svg.text("label", (RIGHT + 8.0, y + 16.0), Anchor::Start, &all.to_string());
        y += ROW;
    }
    svg.finish()
}

fn part(svg: &mut Svg, prefix: &str, fill: Fill, at: (f64, f64), size: (f64, f64)) {
    match fill {
        Fill::Newest => svg.bar("s0", at, size, None),
        Fill::Before => svg.bar("s1", at, size, Some(&format!("{prefix}1"))),
        Fill::Older => svg.bar("s1", at, size, Some(&format!("{prefix}2"))),
        Fill::Unknown => svg.bar("s1 empty", at, size, None),
    }
}

/// A name that fits beside its bar.
fn short(name: &str) -> String {
    let mut room = 176.0_f64;
    let mut kept = String::new();
    for c in name.chars() {
        room -= if c.is_ascii() { 6.4 } else { 12.0 };
        if room < 0.0 {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_drawn_as_before() {
        let chart = SpreadChart {
            name: "Versions of <acme>".to_owned(),
            legend: vec![(Fill::Newest, "2.4.1".to_owned()), (Fill::Before, "2.3.9".to_owned())],
            bars: vec![
                Bar {
                    name: "市立中央病院 とても長い名前の医療センター".to_owned(),
                    parts: vec![(Fill::Newest, 38), (Fill::Before, 4), (Fill::Unknown, 0)],
                },
                Bar { name: "empty".to_owned(), parts: Vec::new() },
            ],
            prefix: "v",
        };
        insta::assert_snapshot!("spread", draw(&chart).to_string());
    }
}
