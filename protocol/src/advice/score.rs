//! Scores of vulnerabilities: a CVSS vector of version 3.0, 3.1 or 4.0, and its word.
//!
//! Not here: judging what a score means in one hospital. Invariant: where a vector can be computed, its
//! own score counts, and a stated number that differs from it is shown beside it.

use crate::tuf::custom::Severity;
use cvss::Cvss;

/// A score with its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 0.0 to 10.0, with one decimal.
    pub value: String,
    /// Its word (CVSS v3.1, section 5; CVSS v4.0, section 6).
    pub severity: Severity,
    /// The vector, as it was written.
    pub vector: Option<String>,
    /// The version of CVSS, e.g. `3.1`.
    pub version: Option<String>,
    /// The number that was written beside the vector, when it is another.
    pub stated: Option<String>,
}

/// Reads `8.1 CVSS:3.1/AV:N/…`, a vector alone, or a number alone.
#[must_use]
pub fn read(text: &str) -> Option<Score> {
    let words = || text.split_whitespace().map(|word| word.trim_matches([',', ';', '(', ')']));
    let number = words().find_map(number);
    let vector = words().find(|word| word.starts_with("CVSS:"));
    let computed = vector.and_then(|vector| Some((vector, vector.parse::<Cvss>().ok()?)));
    let stated = number.map(|value| format!("{value:.1}"));
    let version = || Some(vector?.strip_prefix("CVSS:")?.split('/').next()?.to_owned());
    match computed {
        Some((vector, cvss)) => {
            let value = format!("{:.1}", cvss.score());
            let stated = stated.filter(|stated| *stated != value);
            let (severity, version) = (word(cvss.severity()), version());
            Some(Score { value, severity, vector: Some(vector.to_owned()), version, stated })
        }
        None => Some(Score {
            severity: of_number(number?),
            value: stated?,
            vector: vector.map(str::to_owned),
            version: version(),
            stated: None,
        }),
    }
}

fn number(word: &str) -> Option<f64> {
    let digits = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = if digits { word.parse().ok()? } else { return None };
    (0.0..=10.0).contains(&value).then_some(value)
}

const fn word(severity: cvss::Severity) -> Severity {
    match severity {
        cvss::Severity::None => Severity::None,
        cvss::Severity::Low => Severity::Low,
        cvss::Severity::Medium => Severity::Medium,
        cvss::Severity::High => Severity::High,
        cvss::Severity::Critical => Severity::Critical,
    }
}

const fn of_number(value: f64) -> Severity {
    match value {
        9.0.. => Severity::Critical,
        7.0.. => Severity::High,
        4.0.. => Severity::Medium,
        0.1.. => Severity::Low,
        _ => Severity::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn short(text: &str) -> Option<(String, Severity, Option<String>)> {
        read(text).map(|score| (score.value, score.severity, score.stated))
    }

    #[test]
    fn a_vector_is_computed_and_a_number_that_differs_is_shown() {
        let v31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let critical = |stated: Option<&str>| {
            Some(("9.8".to_owned(), Severity::Critical, stated.map(str::to_owned)))
        };
        assert_eq!(short(v31), critical(None));
        assert_eq!(short(&format!("9.8 ({v31})")), critical(None));
        assert_eq!(short(&format!("3.1 {v31}")), critical(Some("3.1")));
        let v30 = "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H";
        assert_eq!(short(v30), Some(("8.1".to_owned(), Severity::High, None)));
    }

    #[test]
    fn version_4_is_known() {
        let v40 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
        let score = read(v40).unwrap();
        assert_eq!((score.value.as_str(), score.severity), ("9.3", Severity::Critical));
        assert_eq!(score.version.as_deref(), Some("4.0"));
    }

    #[test]
    fn a_number_alone_has_a_word_and_nonsense_has_none() {
        for (text, word) in [
            ("0.0", Severity::None),
            ("0.1", Severity::Low),
            ("4", Severity::Medium),
            ("6.9", Severity::Medium),
            ("7.0", Severity::High),
            ("10", Severity::Critical),
        ] {
            assert_eq!(read(text).unwrap().severity, word, "{text}");
        }
        for bad in ["", "high", "11", "-1", "CVSS:9.9/AV:N", "NaN"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "(CVSS:[34]\\.[01]/)?[A-Z:/.0-9 ]{0,60}") {
            if let Some(score) = read(&text) {
                prop_assert!(score.value.parse::<f64>().unwrap() <= 10.0);
            }
        }
    }
}
