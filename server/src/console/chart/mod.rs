//! Charts as SVG, made here: numbers and words in, a picture out.
//!
//! A page shows a table of the same numbers beside each. No script, no inline style, no colour alone:
//! lines differ by dashes, areas by hatching, and each says its name. Not here: where numbers come
//! from. Invariant: every text is escaped, and equal input gives equal bytes.

pub mod bound;
pub mod course;
pub mod spread;
mod svg;

use askama::filters::HtmlSafe;
use std::fmt;

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart(String);

impl HtmlSafe for Chart {}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A count as a coordinate.
fn number(count: u32) -> f64 {
    f64::from(count)
}

/// A rate in parts per million as people read it, e.g. `2.6 %`; rounded up, as an upper bound must be.
#[must_use]
pub fn percent(ppm: u32) -> String {
    let (tenths, hundredths) = (ppm.div_ceil(1_000), ppm.div_ceil(100));
    match ppm {
        100_000.. => format!("{} %", ppm.div_ceil(10_000)),
        1_000.. => format!("{}.{} %", tenths / 10, tenths % 10),
        100.. => format!("0.{hundredths:02} %"),
        _ => format!("0.{:03} %", ppm.div_ceil(10)),
    }
}

/// The steps of an axis from 0 to at least `most`: 1, 2 or 5 times a power of ten, at most six.
fn steps(most: u32) -> Vec<u32> {
    let decades = (0..9_u32).map(|power| 10_u32.saturating_pow(power));
    let mut sizes = decades.flat_map(|decade| [1, 2, 5].map(|n| decade.saturating_mul(n)));
    let step = sizes.find(|step| most.div_ceil(*step) <= 5).unwrap_or(1_000_000_000);
    (0..=most.div_ceil(step).max(1)).map(|n| n.saturating_mul(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_steps_and_covers_everything() {
        assert_eq!(steps(0), [0, 1]);
        assert_eq!(steps(3), [0, 1, 2, 3]);
        assert_eq!(steps(9), [0, 2, 4, 6, 8, 10]);
        assert_eq!(steps(42), [0, 10, 20, 30, 40, 50]);
        assert_eq!(steps(100), [0, 20, 40, 60, 80, 100]);
        for most in [7, 99, 101, 4_811, 100_000, 3_999_999_999] {
            let steps = steps(most);
            assert!(steps.len() <= 7 && *steps.last().unwrap() >= most, "{most}: {steps:?}");
        }
    }

    #[test]
    fn a_rate_is_read_in_percent() {
        for (ppm, text) in [
            (1_000_000, "100 %"),
            (258_866, "26 %"),
            (29_514, "3.0 %"),
            (2_996, "0.3 %"),
            (100, "0.01 %"),
            (30, "0.003 %"),
            (0, "0.000 %"),
        ] {
            assert_eq!(percent(ppm), text);
        }
    }
}
