//! How many devices are out at each minute.
//!
//! Time is counted in whole minutes from an origin; only days that are used take memory.
//! Invariant: a count never falls.

/// Minutes of a page.
const PAGE: u32 = 24 * 60;

/// Minutes from the origin of a plan: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) const fn minutes(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// What both have; empty when they do not touch.
    pub(super) fn and(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }

    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Counts by minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    days: Vec<Option<Box<[u16]>>>,
}

impl Load {
    /// One more device is out during the span.
    pub(super) fn add(&mut self, span: Span) {
        for (day, within) in days_of(span) {
            if self.days.len() <= day {
                self.days.resize(day.saturating_add(1), None);
            }
            let Some(page) = self.days.get_mut(day) else { continue };
            let size = usize::try_from(PAGE).unwrap_or(0);
            let page = page.get_or_insert_with(|| vec![0; size].into_boxed_slice());
            for count in page.get_mut(within).into_iter().flatten() {
                *count = count.saturating_add(1);
            }
        }
    }

    /// The first minute after the last one in the span at which `count_max` or more are out.
    pub(super) fn full_until(&self, span: Span, count_max: u32) -> Option<u32> {
        let mut last = None;
        for (day, within) in days_of(span) {
            let begin = within.start;
            let page = self.days.get(day).and_then(Option::as_ref);
            let Some(counts) = page.and_then(|page| page.get(within)) else {
                if count_max == 0 {
                    return Some(span.end);
                }
                continue;
            };
            let most = counts.iter().copied().max().unwrap_or(0);
            if u32::from(most) < count_max {
                continue;
            }
            let full = counts.iter().rposition(|count| u32::from(*count) >= count_max);
            last = full.map(|at| minute_of(day, begin.saturating_add(at).saturating_add(1)));
        }
        last
    }
}

fn minute_of(day: usize, minute: usize) -> u32 {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    number(day).saturating_mul(PAGE).saturating_add(number(minute))
}

/// The days that a span touches, each with the minutes in it.
fn days_of(span: Span) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (first, last) = (span.start / PAGE, span.end.saturating_sub(1) / PAGE);
    let whole = if span.start < span.end { first..last.saturating_add(1) } else { 0..0 };
    whole.map(move |day| {
        let begin = day.saturating_mul(PAGE);
        let start = span.start.max(begin).saturating_sub(begin);
        let end = span.end.min(begin.saturating_add(PAGE)).saturating_sub(begin);
        (size(day), size(start)..size(end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_over_midnight_and_name_the_last_full_minute() {
        let mut load = Load::default();
        let span = |start, end| Span { start, end };
        load.add(span(1400, 1500));
        load.add(span(1450, 1460));
        assert_eq!(load.full_until(span(0, 3000), 3), None);
        assert_eq!(load.full_until(span(0, 3000), 2), Some(1460));
        assert_eq!(load.full_until(span(0, 3000), 1), Some(1500));
        assert_eq!(load.full_until(span(0, 1450), 1), Some(1450));
        assert_eq!(load.full_until(span(1500, 3000), 1), None);
        assert_eq!(load.full_until(span(1500, 3000), 0), Some(3000));
    }
}
