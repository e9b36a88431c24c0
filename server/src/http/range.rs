//! Which bytes of a file a request asks for: `Range`, `If-Range`, `If-None-Match` (RFC 9110).
//!
//! Pure. One range per request; several are refused rather than sent as multipart, which no client
//! of ours reads. Not here: files. Invariant: a part is never sent to a client that holds other
//! bytes: `If-Range` must name the very digest.

use std::ops::Range;

/// What a request says about the part it wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `Range`; leave it out for HEAD, which has no parts.
    pub range: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
}

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Send {
    /// The client has it: 304.
    Nothing,
    /// All of it: 200.
    Whole,
    /// A part: 206. Never empty, never beyond the end.
    Part(Range<u64>),
    /// No such part, or more than one: 416.
    Unsatisfiable,
}

impl Asked<'_> {
    /// Decides what to send of a file with this tag (with its quotes) and length in bytes.
    #[must_use]
    pub fn decide(&self, etag: &str, length: u64) -> Send {
        if self.if_none_match.is_some_and(|tags| names(tags, etag)) {
            return Send::Nothing;
        }
        // A weak tag or a date never equals a strong tag: the whole file is always right.
        if self.if_range.is_some_and(|tag| tag.trim() != etag) {
            return Send::Whole;
        }
        let asked = self.range.and_then(|range| range.trim().strip_prefix("bytes="));
        asked.map_or(Send::Whole, |asked| part(asked, length))
    }
}

/// Whether a list of tags names this one; weak comparison, as `If-None-Match` asks.
fn names(tags: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    tags.trim() == "*" || tags.split(',').any(bare)
}

fn part(asked: &str, length: u64) -> Send {
    if asked.contains(',') {
        return Send::Unsatisfiable;
    }
    // What is no range at all is ignored, as RFC 9110 14.2 asks.
    let Some((from, to)) = asked.split_once('-') else { return Send::Whole };
    let (from, to) = (from.trim(), to.trim());
    let range = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(length),
        (Some(_), Some(_)) => return Send::Whole,
        (Some(from), None) if to.is_empty() => from..length,
        (None, Some(last)) if from.is_empty() => length.saturating_sub(last)..length,
        (Some(_) | None, None) | (None, Some(_)) => return Send::Whole,
    };
    if range.is_empty() { Send::Unsatisfiable } else { Send::Part(range) }
}

/// Digits only: `str::parse` would take a plus sign. Too many digits lie beyond every file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: &str = "\"abc\"";

    fn range(text: &str, length: u64) -> Send {
        Asked { range: Some(text), ..Asked::default() }.decide(TAG, length)
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        assert_eq!(range("bytes=0-0", 10), Send::Part(0..1));
        assert_eq!(range("bytes=2-", 10), Send::Part(2..10));
        assert_eq!(range("bytes=2-99", 10), Send::Part(2..10));
        assert_eq!(range("bytes=-3", 10), Send::Part(7..10));
        assert_eq!(range("bytes=-99", 10), Send::Part(0..10));
    }

    #[test]
    fn what_lies_outside_or_is_several_is_not_satisfiable() {
        for outside in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=0-1,3-4"] {
            assert_eq!(range(outside, 10), Send::Unsatisfiable, "{outside}");
        }
        assert_eq!(range("bytes=0-", 0), Send::Unsatisfiable);
        assert_eq!(range("bytes=99999999999999999999-", 10), Send::Unsatisfiable);
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for odd in ["lines=1-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=3-1", "bytes=+1-2", "x"] {
            assert_eq!(range(odd, 10), Send::Whole, "{odd}");
        }
    }

    #[test]
    fn a_part_is_sent_only_to_who_holds_the_same_file() {
        let asked = |if_range| Asked {
            range: Some("bytes=5-"),
            if_range: Some(if_range),
            if_none_match: None,
        };
        assert_eq!(asked(TAG).decide(TAG, 10), Send::Part(5..10));
        for other in ["\"abd\"", "W/\"abc\"", "Sun, 22 Nov 2026 00:00:00 GMT", "*"] {
            assert_eq!(asked(other).decide(TAG, 10), Send::Whole, "{other}");
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let asked = |tags| Asked { if_none_match: Some(tags), ..Asked::default() };
        for tags in [TAG, "\"x\", \"abc\"", "W/\"abc\"", "*"] {
            assert_eq!(asked(tags).decide(TAG, 10), Send::Nothing, "{tags}");
        }
        assert_eq!(asked("\"abcd\"").decide(TAG, 10), Send::Whole);
    }

    proptest! {
        #[test]
        fn a_part_never_leaves_the_file(text in "bytes=[0-9]{0,20}-[0-9]{0,20}", length: u64) {
            if let Send::Part(part) = range(&text, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
