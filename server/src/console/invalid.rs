//! What is wrong with a value that somebody entered, in words of both languages.
//!
//! A rule of the domain is told as `field: rule`, in English, for programs. Not here: the rules. Invariant:
//! what is not recognised here is still said to be wrong, with the name of its field where it has one.

use super::words::Words;
use fluent_bundle::FluentValue;

/// What is wrong, in words; and the rule as programs are told it, where no words say it exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// For people.
    pub words: String,
    /// In English, as it is.
    pub exact: Option<String>,
}

/// The particulars of a `request_invalid` in words.
#[must_use]
pub fn invalid(w: Words, detail: &str) -> Invalid {
    let (field, rule) = match detail.split_once(": ") {
        Some((field, rule)) if is_field(field) => (Some(field), rule),
        Some(_) | None => (None, detail),
    };
    let (id, n) = known(rule);
    let label = field.map(|field| format!("frame-field-{}", field.replace(['_', '.'], "-")));
    let label = label.filter(|id| w.has(id)).unwrap_or_else(|| "frame-field-some".to_owned());
    let (least, most) = n;
    let said: [(&str, FluentValue<'_>); 3] =
        [("field", w.t(&label).into()), ("least", least.into()), ("most", most.into())];
    let exact = (id == "frame-invalid-other").then(|| detail.to_owned());
    Invalid { words: w.say(id, &said), exact }
}

/// The text for a rule, with the two numbers that it may name.
fn known(rule: &str) -> (&'static str, (u32, u32)) {
    let numbers: Vec<u32> = rule.split(' ').filter_map(|word| word.parse().ok()).collect();
    let first = numbers.first().copied().unwrap_or_default();
    let both = (first, numbers.get(1).copied().unwrap_or_default());
    let of_characters = rule.contains("characters");
    match rule {
        "it is empty" | "it must say something" => ("frame-invalid-empty", both),
        "there is no channel yet" => ("frame-invalid-no-channel", both),
        "the last drill was less than a minute ago" => ("frame-invalid-drill", both),
        "no time zone" => ("frame-invalid-zone", both),
        "no mail address" => ("frame-invalid-mail", both),
        "no such day" => ("frame-invalid-day", both),
        _ if rule.contains(" is no date") => ("frame-invalid-day", both),
        _ if rule.starts_with("choose ") => ("frame-invalid-choose", both),
        _ if rule.starts_with("later than ") => ("frame-invalid-later", (0, first)),
        _ if rule.starts_with("at most ") && of_characters => ("frame-invalid-most", (0, first)),
        _ if of_characters && numbers.len() == 2 => ("frame-invalid-between", both),
        _ => ("frame-invalid-other", both),
    }
}

/// Whether it looks like the name of a field, and not like the beginning of a sentence.
fn is_field(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    !text.is_empty() && text.chars().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;

    #[test]
    fn a_wrong_value_is_told_in_the_language_of_the_page() {
        for (detail, en, ja) in [
            ("reason: it is empty", "“Reason” is empty.", "「理由」が入力されていません。"),
            (
                "reason: 1 to 500 characters, no control characters",
                "“Reason” has 1 to 500 characters, and no odd ones.",
                "「理由」は1~500文字で入力してください。制御文字は使えません。",
            ),
            (
                "words: at most 4000 characters, no control characters",
                "“Text” has at most 4000 characters, and no odd ones.",
                "「本文」は4000文字以内で入力してください。制御文字は使えません。",
            ),
            (
                "device: choose at least one",
                "“Device” is not chosen yet.",
                "「機器」が選択されていません。",
            ),
            (
                "until: later than today, within 180 days",
                "“Until” must lie ahead, and within 180 days.",
                "「期日」は今より後の、180日以内の日にしてください。",
            ),
        ] {
            for (language, said) in [(Language::En, en), (Language::Ja, ja)] {
                let told = invalid(Words::of(language), detail);
                assert_eq!((told.words.as_str(), told.exact), (said, None));
            }
        }
    }

    #[test]
    fn a_rule_that_nobody_translated_names_its_field_and_keeps_its_own_words() {
        let detail = "until: the moon is in the wrong house";
        let told = invalid(Words::of(Language::Ja), detail);
        assert_eq!(told.words, "「期日」の値は受け付けられません。");
        assert_eq!(told.exact.as_deref(), Some(detail));
        let odd = invalid(Words::of(Language::En), "no such thing");
        assert_eq!(odd.words, "“One of the entries” cannot be taken as it is.");
    }
}
