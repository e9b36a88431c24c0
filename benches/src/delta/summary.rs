//! Trials looked up and compared: ratios between tools, over pairs.
//!
//! Invariant: a ratio is of two tools on one pair; a pair where one of them failed has none.

use super::measure::Cost;
use super::tool::Tool;
use super::trial::Trial;
use crate::real::{geometric_mean, largest, least, real};
use std::collections::BTreeSet;

/// Something of a trial that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// What a device fetches, in bytes.
    Size,
    /// Processor time of building, in seconds; the least of all rounds.
    BuildTime,
    /// Processor time of applying, in seconds; the least of all rounds.
    ApplyTime,
    /// Peak memory of building, in bytes.
    BuildMemory,
    /// Peak memory of applying, in bytes.
    ApplyMemory,
}

impl Measure {
    /// Its value in a trial.
    #[must_use]
    pub fn of(self, trial: &Trial) -> Option<f64> {
        let least_time =
            |costs: &[Cost]| least(&costs.iter().map(|cost| cost.cpu_s).collect::<Vec<_>>());
        let peak = |costs: &[Cost]| {
            largest(&costs.iter().map(|cost| real(cost.rss_bytes)).collect::<Vec<_>>())
        };
        match self {
            Self::Size => trial.patch_bytes.map(real),
            Self::BuildTime => least_time(&trial.build),
            Self::ApplyTime => least_time(&trial.apply),
            Self::BuildMemory => peak(&trial.build),
            Self::ApplyMemory => peak(&trial.apply),
        }
    }
}

/// Everything that one run found.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    trials: &'a [Trial],
}

/// One ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// On which pair.
    pub pair: String,
    /// Its value.
    pub value: f64,
}

/// Ratios over all pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratios {
    /// One for each pair that both tools managed.
    pub all: Vec<Ratio>,
    /// Their geometric mean.
    pub mean: f64,
    /// The smallest.
    pub best: Ratio,
    /// The largest.
    pub worst: Ratio,
}

impl<'a> Summary<'a> {
    /// Over these trials.
    #[must_use]
    pub const fn new(trials: &'a [Trial]) -> Self {
        Self { trials }
    }

    /// The pairs, in the order of their names.
    #[must_use]
    pub fn pairs(&self) -> Vec<&'a str> {
        let names: BTreeSet<&str> = self.trials.iter().map(|trial| trial.pair.as_str()).collect();
        names.into_iter().collect()
    }

    /// The trial of a tool on a pair.
    #[must_use]
    pub fn trial(&self, pair: &str, tool: Tool) -> Option<&'a Trial> {
        self.trials.iter().find(|trial| trial.pair == pair && trial.tool == tool)
    }

    /// Every trial of a tool.
    pub fn of(&self, tool: Tool) -> impl Iterator<Item = &'a Trial> + use<'a> {
        self.trials.iter().filter(move |trial| trial.tool == tool)
    }

    /// What `tool` needs of a measure against `peer`, on one pair.
    #[must_use]
    pub fn ratio(&self, pair: &str, tool: Tool, peer: Tool, measure: Measure) -> Option<f64> {
        let value = |tool| measure.of(self.trial(pair, tool)?);
        let (one, other) = (value(tool)?, value(peer)?);
        (other > 0.0).then(|| one / other)
    }

    /// The same over all pairs; none when no pair has both.
    #[must_use]
    pub fn ratios(&self, tool: Tool, peer: Tool, measure: Measure) -> Option<Ratios> {
        let found = self.pairs().into_iter().filter_map(|pair| {
            let value = self.ratio(pair, tool, peer, measure)?;
            Some(Ratio { pair: pair.to_owned(), value })
        });
        let all: Vec<Ratio> = found.collect();
        let mean = geometric_mean(&all.iter().map(|ratio| ratio.value).collect::<Vec<_>>())?;
        let by_value = |one: &&Ratio, other: &&Ratio| one.value.total_cmp(&other.value);
        let best = all.iter().min_by(by_value)?.clone();
        let worst = all.iter().max_by(by_value)?.clone();
        Some(Ratios { all, mean, best, worst })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A trial with these bytes, and one second and one MiB for everything.
    pub(crate) fn trial(pair: &str, tool: Tool, patch_bytes: u64) -> Trial {
        let cost = Cost { cpu_s: 1.0, rss_bytes: 1 << 20 };
        Trial {
            pair: pair.to_owned(),
            tool,
            old_bytes: 1 << 30,
            new_bytes: 1 << 30,
            patch_bytes: Some(patch_bytes),
            build: vec![cost],
            apply: vec![cost],
            fault: None,
        }
    }

    #[test]
    fn a_pair_without_the_peer_has_no_ratio() {
        let trials = [
            trial("a", Tool::Suffix, 50),
            trial("a", Tool::Bsdiff, 100),
            trial("b", Tool::Suffix, 200),
            trial("b", Tool::Bsdiff, 100),
            trial("c", Tool::Suffix, 1),
        ];
        let ratios =
            Summary::new(&trials).ratios(Tool::Suffix, Tool::Bsdiff, Measure::Size).unwrap();
        assert_eq!(ratios.all.len(), 2);
        assert!((ratios.mean - 1.0).abs() < 1e-9);
        assert_eq!((ratios.best.pair.as_str(), ratios.worst.pair.as_str()), ("a", "b"));
        assert!(Summary::new(&trials).ratios(Tool::Suffix, Tool::Zstd, Measure::Size).is_none());
    }
}
