//! A rollout over time: devices updated and devices in trouble, the gates of its waves, and how many
//! devices hospitals have named.
//!
//! Not here: the numbers. Invariant: time runs from left to right and nothing leaves the frame.

use super::svg::{Anchor, Svg};
use super::{Chart, number, steps};

const WIDTH: u32 = 720;
const HEIGHT: u32 = 300;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 590.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 262.0;
/// Gates whose names would touch stand on different lines, so many.
const NAME_LINES: u8 = 3;

/// What is drawn. Instants are minutes from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Where time ends.
    pub minutes: u32,
    /// Devices that hospitals have named.
    pub named: u32,
    /// Devices updated from each instant on.
    pub updated: Vec<(u32, u32)>,
    /// Devices that failed or fell silent, from each instant on.
    pub troubled: Vec<(u32, u32)>,
    /// Gates: when, and what opened or halted.
    pub gates: Vec<Gate>,
    /// Words along the time axis: when, and what.
    pub days: Vec<(u32, String)>,
    /// The words of the picture.
    pub words: CourseWords,
}

/// An event of a wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// When.
    pub at: u32,
    /// What, in few words.
    pub name: String,
    /// Whether it stopped the rollout.
    pub kind: GateKind,
}

/// What happened at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// A wave opened.
    Opened,
    /// A wave halted.
    Halted,
}

/// The words of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseWords {
    /// What the picture shows.
    pub name: String,
    /// Beside the line of updated devices.
    pub updated: String,
    /// Beside the line of troubled devices.
    pub troubled: String,
    /// Beside the line of named devices.
    pub named: String,
}

/// Draws it.
#[must_use]
pub fn draw(course: &Course) -> Chart {
    let mut svg = Svg::new(WIDTH, HEIGHT, &course.words.name);
    let most = course.updated.iter().chain(&course.troubled).map(|(_, count)| *count).max();
    let ticks = steps(course.named.max(most.unwrap_or(0)));
    let top = number(ticks.last().copied().unwrap_or(1).max(1));
    let y = |count: u32| BOTTOM - (BOTTOM - TOP) * number(count) / top;
    let span = number(course.minutes.max(1));
    let x = |at: u32| LEFT + (RIGHT - LEFT) * number(at.min(course.minutes)) / span;
    for tick in &ticks {
        svg.line("grid", (LEFT, y(*tick)), (RIGHT, y(*tick)));
        svg.text("label", (LEFT - 6.0, y(*tick) + 4.0), Anchor::End, &tick.to_string());
    }
    for (at, day) in &course.days {
        svg.line("axis", (x(*at), BOTTOM), (x(*at), BOTTOM + 5.0));
        svg.text("label", (x(*at), BOTTOM + 19.0), Anchor::Middle, day);
    }
    svg.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    gates(&mut svg, &course.gates, x);
    svg.line("named", (LEFT, y(course.named)), (RIGHT, y(course.named)));
    let mut ends = vec![(y(course.named), course.words.named.as_str())];
    for (class, points, words) in [
        ("a open", &course.updated, &course.words.updated),
        ("d open dashed", &course.troubled, &course.words.troubled),
    ] {
        let line = stairs(points, course.minutes);
        let line: Vec<_> = line.into_iter().map(|(at, count)| (x(at), y(count))).collect();
        if let Some((_, end)) = line.last() {
            ends.push((*end, words));
        }
        svg.path(class, &line);
    }
    names_at_ends(&mut svg, ends);
    svg.finish()
}

/// Points with the corners between them: a count holds until the next one.
fn stairs(points: &[(u32, u32)], end: u32) -> Vec<(u32, u32)> {
    let mut line = vec![(0, 0)];
    for (at, count) in points {
        let before = line.last().map_or(0, |(_, count)| *count);
        line.extend([(*at, before), (*at, *count)]);
    }
    let last = line.last().map_or(0, |(_, count)| *count);
    line.push((end, last));
    line
}

fn gates(svg: &mut Svg, gates: &[Gate], x: impl Fn(u32) -> f64) {
    let mut line = 0_u8;
    let mut free_from = [f64::MIN; 3];
    for gate in gates {
        let (class, mark) = match gate.kind {
            GateKind::Opened => ("gate", false),
            GateKind::Halted => ("halt", true),
        };
        let at = x(gate.at);
        svg.line(class, (at, TOP - 8.0), (at, BOTTOM));
        if mark {
            svg.mark("d", (at, TOP - 8.0));
        }
        let wide = gate.name.chars().map(|c| if c.is_ascii() { 6.4 } else { 12.0 }).sum::<f64>();
        let free = free_from.iter().position(|from| *from <= at);
        let place = free.and_then(|place| u8::try_from(place).ok()).unwrap_or(line);
        line = (place + 1) % NAME_LINES;
        if let Some(from) = free_from.get_mut(usize::from(place)) {
            *from = at + wide + 14.0;
        }
        let height = 12.0 + 14.0 * f64::from(place);
        svg.text("label", (at + 5.0, height), Anchor::Start, &gate.name);
    }
}

/// Names of the lines at their right ends, moved apart where they would touch.
fn names_at_ends(svg: &mut Svg, mut ends: Vec<(f64, &str)>) {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::MIN;
    for (y, words) in ends {
        let at = (y + 4.0).max(free);
        free = at + 15.0;
        svg.text("label", (RIGHT + 7.0, at), Anchor::Start, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> CourseWords {
        CourseWords {
            name: "Rollout of 2.4.1".to_owned(),
            updated: "updated 38".to_owned(),
            troubled: "failed 1".to_owned(),
            named: "named 42".to_owned(),
        }
    }

    #[test]
    fn a_rollout_with_a_halt_is_drawn_as_before() {
        let gate = |at, name: &str, kind| Gate { at, name: name.to_owned(), kind };
        let course = Course {
            minutes: 2_880,
            named: 42,
            updated: vec![(60, 2), (1_500, 20), (2_000, 38)],
            troubled: vec![(1_560, 1)],
            gates: vec![
                gate(0, "wave 0", GateKind::Opened),
                gate(1_440, "wave 1", GateKind::Opened),
                gate(1_560, "halt", GateKind::Halted),
            ],
            days: vec![(0, "5 Dec".to_owned()), (1_440, "6 Dec".to_owned())],
            words: words(),
        };
        insta::assert_snapshot!("course", draw(&course).to_string());
    }

    #[test]
    fn nothing_yet_is_a_line_at_nought() {
        let course = Course {
            minutes: 0,
            named: 0,
            updated: Vec::new(),
            troubled: Vec::new(),
            gates: Vec::new(),
            days: Vec::new(),
            words: words(),
        };
        let text = draw(&course).to_string();
        assert!(text.contains("M52.0 262.0L52.0 262.0") && !text.contains("NaN"), "{text}");
    }
}
