//! The upper bound of the failure rate, falling with the devices that were seen; on a logarithmic axis
//! of rates.
//!
//! Not here: the bound (`protocol::failure_bound`). Invariant: rates below a hundredth of a percent lie
//! on the axis.

use super::svg::{Anchor, Svg};
use super::{Chart, number, percent, steps};

const WIDTH: u32 = 720;
const HEIGHT: u32 = 270;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 590.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 226.0;
/// The decades of the axis, from the top, in parts per million.
const DECADES: [u32; 5] = [1_000_000, 100_000, 10_000, 1_000, 100];

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundChart {
    /// What the picture shows.
    pub name: String,
    /// Below the axis of devices.
    pub devices: String,
    /// Beside the line of the bound.
    pub bound: String,
    /// Beside the line of what was seen.
    pub seen: String,
    /// Devices with an outcome, the bound, and the rate that was seen, both in parts per million.
    pub points: Vec<(u32, u32, u32)>,
}

/// Draws it.
#[must_use]
pub fn draw(chart: &BoundChart) -> Chart {
    let mut svg = Svg::new(WIDTH, HEIGHT, &chart.name);
    let most = chart.points.iter().map(|(devices, ..)| *devices).max().unwrap_or(0);
    let ticks = steps(most);
    let right = number(ticks.last().copied().unwrap_or(1).max(1));
    let x = |devices: u32| LEFT + (RIGHT - LEFT) * number(devices) / right;
    for decade in DECADES {
        svg.line("grid", (LEFT, y(decade)), (RIGHT, y(decade)));
        svg.text("label", (LEFT - 6.0, y(decade) + 4.0), Anchor::End, &percent(decade));
    }
    for tick in &ticks {
        svg.line("axis", (x(*tick), BOTTOM), (x(*tick), BOTTOM + 5.0));
        svg.text("label", (x(*tick), BOTTOM + 19.0), Anchor::Middle, &tick.to_string());
    }
    svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    svg.text("label", (RIGHT, BOTTOM + 36.0), Anchor::End, &chart.devices);
    let bound: Vec<_> =
        chart.points.iter().map(|(devices, ppm, _)| (x(*devices), y(*ppm))).collect();
    let seen: Vec<_> =
        chart.points.iter().map(|(devices, _, ppm)| (x(*devices), y(*ppm))).collect();
    let ends = [bound.last().copied(), seen.last().copied()];
    svg.path("a open", &bound);
    svg.path("d open dashed", &seen);
    if let [Some((_, high)), Some((_, low))] = ends {
        svg.text("label", (RIGHT + 7.0, high + 4.0), Anchor::Start, &chart.bound);
        svg.text("label", (RIGHT + 7.0, (low + 4.0).max(high + 20.0)), Anchor::Start, &chart.seen);
    }
    svg.finish()
}

fn y(ppm: u32) -> f64 {
    let decades = 6.0 - number(ppm.clamp(100, 1_000_000)).log10();
    TOP + (BOTTOM - TOP) * decades / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::failure_bound::upper_ppm;

    fn chart(points: Vec<(u32, u32, u32)>) -> BoundChart {
        BoundChart {
            name: "Failure rate".to_owned(),
            devices: "devices".to_owned(),
            bound: "at most".to_owned(),
            seen: "seen".to_owned(),
            points,
        }
    }

    #[test]
    fn the_bound_is_drawn_as_before() {
        let points = [(10, 0), (59, 0), (120, 1), (1_000, 2)];
        let point =
            |(seen, failed): (u32, u32)| (seen, upper_ppm(failed, seen), failed * 1_000_000 / seen);
        insta::assert_snapshot!("bound", draw(&chart(points.map(point).to_vec())).to_string());
    }

    #[test]
    fn without_a_device_nothing_but_the_axes_is_drawn() {
        let text = draw(&chart(Vec::new())).to_string();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
