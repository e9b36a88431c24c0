//! How many tests ran: the sum over every `test result:` line that cargo's test runner printed.
//!
//! Not for judging: a step fails by its exit code; this only makes the counts visible.

use std::{fmt, time::Duration};

/// Tests counted by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    pub(crate) measured: u64,
    pub(crate) filtered_out: u64,
}

impl Tally {
    /// Adds up every closing line in the output of a test run.
    pub(crate) fn of_output(text: &str) -> Self {
        let mut sum = Self::default();
        for line in text.lines().filter_map(closing_counts) {
            for part in line.split(';') {
                sum.add(part.trim());
            }
        }
        sum
    }

    /// The same line for everything together, as libtest writes it.
    pub(crate) fn closing_line(&self, verdict: Verdict, took: Duration) -> String {
        format!("test result: {verdict}. {self}; finished in {:.2}s", took.as_secs_f64())
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
            measured: self.measured + other.measured,
            filtered_out: self.filtered_out + other.filtered_out,
        }
    }

    fn add(&mut self, part: &str) {
        let Some((count, word)) = part.split_once(' ') else { return };
        let Ok(count) = count.parse::<u64>() else { return };
        match word {
            "passed" => self.passed += count,
            "failed" => self.failed += count,
            "ignored" => self.ignored += count,
            "measured" => self.measured += count,
            "filtered out" => self.filtered_out += count,
            _ => {}
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored, measured, filtered_out } = self;
        write!(
            out,
            "{passed} passed; {failed} failed; {ignored} ignored; {measured} measured; \
             {filtered_out} filtered out"
        )
    }
}

/// The word in the closing line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Good => "ok",
            Self::Bad => "FAILED",
        })
    }
}

/// `12 passed; 0 failed; ...` of a closing line, else nothing.
fn closing_counts(line: &str) -> Option<&str> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 1.20s
";

    #[test]
    fn counts_of_all_binaries_are_added() {
        let sum = Tally::of_output(OUTPUT);
        let expected = Tally { passed: 5, failed: 1, ignored: 1, measured: 0, filtered_out: 7 };
        assert_eq!(sum, expected);
    }

    #[test]
    fn the_closing_line_reads_like_libtest() {
        let line = Tally::of_output(OUTPUT).closing_line(Verdict::Bad, Duration::from_millis(1500));
        let again = Tally::of_output(&line);
        assert_eq!(again, Tally::of_output(OUTPUT));
        assert!(line.starts_with("test result: FAILED. 5 passed; 1 failed;"), "{line}");
        assert!(line.ends_with("finished in 1.50s"), "{line}");
    }
}
