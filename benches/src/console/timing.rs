//! How long a page takes: after a warm-up, many times, from the request to the last byte.
//!
//! Not here: which pages. Invariant: a page that is not answered with 200 has no figure.

use crate::real::real;
use anyhow::{Context as _, Result, ensure};
use patchward_tests::clock::Stopwatch;
use patchward_tests::memory::busy_ns;
use patchward_tests::visitor::Visitor;
use std::time::Duration;

/// Requests before any is counted: caches fill.
const WARM_UP: usize = 5;
/// Most requests of a page.
const ROUNDS_MAX: usize = 100;
/// Fewest, however long they take.
const ROUNDS_MIN: usize = 20;
/// Time for a page beyond the fewest.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was measured of a page.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// Bytes of the page.
    pub bytes: usize,
    /// The shortest, in milliseconds: other work on the machine only adds.
    pub least_ms: f64,
    /// The one in the middle, in milliseconds.
    pub median_ms: f64,
    /// Of a hundred the longest but one, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of the server for each, in milliseconds: whatever else runs, it stays.
    pub processor_ms: f64,
}

/// Measures a page of a server with this process id.
///
/// # Errors
/// When it is not answered with 200.
pub fn timed(visitor: &mut Visitor, server: u32, path: &str) -> Result<Timed> {
    let mut bytes = 0;
    let mut ask = || -> Result<Duration> {
        let watch = Stopwatch::start();
        let seen = visitor.get(path)?;
        let took = watch.elapsed();
        let to = seen.to.clone().unwrap_or_default();
        ensure!(seen.status == 200, "{path}: {} {to} {}", seen.status, seen.text());
        bytes = seen.body.len();
        Ok(took)
    };
    for _ in 0..WARM_UP {
        ask()?;
    }
    let (mut took, watch, before) = (Vec::new(), Stopwatch::start(), busy_ns(server)?);
    while took.len() < ROUNDS_MIN || (took.len() < ROUNDS_MAX && watch.elapsed() < PATIENCE) {
        took.push(ask()?);
    }
    let busy = busy_ns(server)?.saturating_sub(before);
    let each =
        busy.checked_div(u64::try_from(took.len()).context("few")?).context("a measurement")?;
    took.sort_unstable();
    let at = |permille: usize| {
        let index = took.len().saturating_mul(permille) / 1000;
        let found = took.get(index.min(took.len().saturating_sub(1))).context("a measurement")?;
        Ok::<_, anyhow::Error>(found.as_secs_f64() * 1000.0)
    };
    let (least_ms, median_ms, p99_ms) = (at(0)?, at(500)?, at(990)?);
    Ok(Timed { bytes, least_ms, median_ms, p99_ms, processor_ms: real(each) / 1_000_000.0 })
}
