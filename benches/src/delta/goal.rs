//! What our deltas are meant to reach, each judged from one run.
//!
//! Not for: deciding whether a build may be delivered; a goal that is missed is shown, with its
//! figure. Invariant: a goal without figures is not met.

use super::summary::{Measure, Summary};
use super::tool::Tool;
use crate::real::{largest, real};

const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// Most memory of applying, in bytes.
const APPLY_BYTES_MAX: f64 = 8.0 * MEBIBYTE;
/// Least speed of applying, in bytes per second of one processor.
const APPLY_BYTES_PER_S_MIN: f64 = 250e6;
/// Beside the bytes for each byte of the old image, in bytes.
const SAMPLED_BYTES: f64 = 64.0 * MEBIBYTE;

/// Did it get there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Met,
    /// It did not.
    Missed,
    /// Nothing was measured.
    Unknown,
}

impl Verdict {
    /// For readers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Unknown => "not measured",
        }
    }
}

/// One goal, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What is wanted.
    pub wanted: String,
    /// What was found.
    pub found: String,
    /// Did it get there?
    pub verdict: Verdict,
}

/// Every goal.
#[must_use]
pub fn judged(summary: &Summary<'_>) -> Vec<Goal> {
    vec![
        mean(summary, Tool::Bsdiff, 0.83),
        worst(summary, Tool::Bsdiff, 0.92),
        mean(summary, Tool::Hdiff, 0.84),
        worst(summary, Tool::Hdiff, 1.05),
        mean(summary, Tool::Xdelta, 0.36),
        mean(summary, Tool::ZstdFrom, 0.41),
        stretched(mean(summary, Tool::Bsdiff, 0.80)),
        stretched(mean(summary, Tool::Hdiff, 0.80)),
        stretched(worst(summary, Tool::Bsdiff, 1.00)),
        stretched(worst(summary, Tool::Hdiff, 1.00)),
        apply_memory(summary),
        apply_speed(summary),
        time(summary, Measure::ApplyTime, "applying, processor time, of bspatch", 0.25),
        time(summary, Measure::BuildTime, "building, processor time, of bsdiff", 0.35),
        memory(summary, Tool::Suffix, 6.5, 0.0),
        memory(summary, Tool::Sampled, 2.5, SAMPLED_BYTES),
    ]
}

fn goal(wanted: String, found: Option<(String, bool)>) -> Goal {
    let (found, verdict) = match found {
        Some((found, true)) => (found, Verdict::Met),
        Some((found, false)) => (found, Verdict::Missed),
        None => (String::new(), Verdict::Unknown),
    };
    Goal { wanted, found, verdict }
}

fn stretched(goal: Goal) -> Goal {
    Goal { wanted: format!("stretch: {}", goal.wanted), ..goal }
}

fn mean(summary: &Summary<'_>, peer: Tool, most: f64) -> Goal {
    let ratios = summary.ratios(Tool::Suffix, peer, Measure::Size);
    let wanted = format!("size, geometric mean, at most {most:.2} of {}", peer.title());
    goal(
        wanted,
        ratios.map(|ratios| {
            (format!("{:.3} over {} pairs", ratios.mean, ratios.all.len()), ratios.mean <= most)
        }),
    )
}

fn worst(summary: &Summary<'_>, peer: Tool, most: f64) -> Goal {
    let ratios = summary.ratios(Tool::Suffix, peer, Measure::Size);
    let wanted = format!("size, worst pair, at most {most:.2} of {}", peer.title());
    goal(
        wanted,
        ratios.map(|ratios| {
            let over = ratios.all.iter().filter(|ratio| ratio.value > most).count();
            let found =
                format!("{:.3} ({}), {over} pairs over", ratios.worst.value, ratios.worst.pair);
            (found, over == 0)
        }),
    )
}

fn time(summary: &Summary<'_>, measure: Measure, what: &str, most: f64) -> Goal {
    let ratios = summary.ratios(Tool::Suffix, Tool::Bsdiff, measure);
    goal(
        format!("{what}, geometric mean, at most {most:.2}"),
        ratios.map(|ratios| {
            let found = format!(
                "{:.3}, worst {:.3} ({})",
                ratios.mean, ratios.worst.value, ratios.worst.pair
            );
            (found, ratios.mean <= most)
        }),
    )
}

fn apply_memory(summary: &Summary<'_>) -> Goal {
    let peaks = [Tool::Suffix, Tool::Sampled].into_iter().flat_map(|tool| summary.of(tool));
    let peaks: Vec<f64> = peaks.filter_map(|trial| Measure::ApplyMemory.of(trial)).collect();
    goal(
        "applying, peak memory, at most 8 MiB whatever the image".to_owned(),
        largest(&peaks)
            .map(|peak| (format!("{:.1} MiB at most", peak / MEBIBYTE), peak <= APPLY_BYTES_MAX)),
    )
}

/// Each pair may be fast enough in one way or the other.
fn apply_speed(summary: &Summary<'_>) -> Goal {
    let mut slow = Vec::new();
    let mut slowest = None::<f64>;
    for trial in summary.of(Tool::Suffix) {
        let Some(seconds) = Measure::ApplyTime.of(trial).filter(|seconds| *seconds > 0.0) else {
            continue;
        };
        let speed = real(trial.new_bytes) / seconds;
        slowest = Some(slowest.map_or(speed, |before| before.min(speed)));
        let ratio = summary.ratio(&trial.pair, Tool::Suffix, Tool::Zstd, Measure::ApplyTime);
        if speed < APPLY_BYTES_PER_S_MIN && ratio.is_none_or(|ratio| ratio > 1.3) {
            slow.push(trial.pair.as_str());
        }
    }
    let ratios = summary.ratios(Tool::Suffix, Tool::Zstd, Measure::ApplyTime);
    let against = ratios.map(|ratios| format!(", {:.2} of zstd -d (geometric mean)", ratios.mean));
    goal(
        "applying, at least 250 MB/s of one processor, or at most 1.3 of zstd -d, on each pair"
            .to_owned(),
        slowest.map(|slowest| {
            let pairs = if slow.is_empty() { "none".to_owned() } else { slow.join(", ") };
            let against = against.unwrap_or_default();
            (
                format!("slowest {:.0} MB/s{against}; neither: {pairs}", slowest / 1e6),
                slow.is_empty(),
            )
        }),
    )
}

fn memory(summary: &Summary<'_>, tool: Tool, each: f64, beside: f64) -> Goal {
    let mut over = Vec::new();
    let mut most = None::<f64>;
    for trial in summary.of(tool) {
        let Some(peak) = Measure::BuildMemory.of(trial) else { continue };
        let old = real(trial.old_bytes);
        let bytes = (peak - beside).max(0.0) / old;
        most = Some(most.map_or(bytes, |before| before.max(bytes)));
        if bytes > each {
            over.push(trial.pair.as_str());
        }
    }
    let wanted = if beside > 0.0 {
        format!(
            "building, {}, peak memory at most {each} B for each byte of the old image and 64 MiB",
            tool.title()
        )
    } else {
        format!(
            "building, {}, peak memory at most {each} B for each byte of the old image",
            tool.title()
        )
    };
    goal(
        wanted,
        most.map(|most| {
            let pairs = if over.is_empty() { "none".to_owned() } else { over.join(", ") };
            (format!("{most:.2} B at most; over: {pairs}"), over.is_empty())
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::trial;
    use super::*;

    fn verdict(trials: &[super::super::trial::Trial], start: &str) -> Verdict {
        let goals = judged(&Summary::new(trials));
        goals.into_iter().find(|goal| goal.wanted.starts_with(start)).unwrap().verdict
    }

    #[test]
    fn nothing_measured_is_not_met() {
        assert!(judged(&Summary::new(&[])).iter().all(|goal| goal.verdict == Verdict::Unknown));
    }

    #[test]
    fn one_bad_pair_misses_the_worst_and_not_the_mean() {
        let trials = [
            trial("a", Tool::Suffix, 93),
            trial("a", Tool::Bsdiff, 100),
            trial("b", Tool::Suffix, 50),
            trial("b", Tool::Bsdiff, 100),
        ];
        assert_eq!(verdict(&trials, "size, geometric mean, at most 0.83"), Verdict::Met);
        assert_eq!(verdict(&trials, "size, worst pair, at most 0.92"), Verdict::Missed);
        assert_eq!(verdict(&trials, "stretch: size, worst pair"), Verdict::Met);
    }

    #[test]
    fn memory_beside_the_old_image_counts_only_where_it_may() {
        let mut one = trial("a", Tool::Suffix, 1);
        (one.old_bytes, one.build[0].rss_bytes) = (10 << 20, 80 << 20);
        let mut other = one.clone();
        other.tool = Tool::Sampled;
        let trials = [one, other];
        assert_eq!(verdict(&trials, "building, ours, suffix array"), Verdict::Missed);
        assert_eq!(verdict(&trials, "building, ours, sampled"), Verdict::Met);
    }

    #[test]
    fn slow_is_allowed_where_unpacking_is_as_slow() {
        let slow = |tool, seconds| {
            let mut slow = trial("a", tool, 1);
            slow.apply[0].cpu_s = seconds;
            slow
        };
        let trials = [slow(Tool::Suffix, 9.0), slow(Tool::Zstd, 8.0)];
        assert_eq!(verdict(&trials, "applying, at least"), Verdict::Met);
        let trials = [slow(Tool::Suffix, 9.0), slow(Tool::Zstd, 2.0)];
        assert_eq!(verdict(&trials, "applying, at least"), Verdict::Missed);
    }
}
