//! Texts in both languages: Fluent messages by their ids.
//!
//! A text that is missing shows its id in ⟦brackets⟧, which no test lets pass. Not here: the texts.
//! Invariant: both languages have the same ids with the same variables (a test).

use super::when::{Day, When};
use super::zone::ZoneName;
use crate::people::who::Language;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use patchward_protocol::time::Timestamp;
use std::sync::LazyLock;

/// The texts in one language, for somebody in one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    language: Language,
    zone: ZoneName,
}

/// What may stand in a text: words and numbers. Numbers choose between singular and plural.
pub trait Variable {
    /// As Fluent wants it.
    fn variable(&self) -> FluentValue<'static>;
}

impl Variable for str {
    fn variable(&self) -> FluentValue<'static> {
        FluentValue::from(self.to_owned())
    }
}

impl Variable for String {
    fn variable(&self) -> FluentValue<'static> {
        FluentValue::from(self.clone())
    }
}

impl Variable for When {
    fn variable(&self) -> FluentValue<'static> {
        self.words().variable()
    }
}

impl Variable for Day {
    fn variable(&self) -> FluentValue<'static> {
        self.words().variable()
    }
}

impl<T: Variable + ?Sized> Variable for &T {
    fn variable(&self) -> FluentValue<'static> {
        (**self).variable()
    }
}

macro_rules! number_variables {
    ($($number:ty),*) => {$(
        impl Variable for $number {
            fn variable(&self) -> FluentValue<'static> {
                FluentValue::from(*self)
            }
        }
    )*};
}

number_variables!(u8, u16, u32, u64, usize, i32, i64);

/// One area of the console: its name and its texts.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) name: &'static str,
    pub(super) en: &'static str,
    pub(super) ja: &'static str,
}

macro_rules! areas {
    ($($name:literal),* $(,)?) => {
        /// Every area: a file of this name in each language.
        pub(super) const AREAS: &[Area] = &[$(Area {
            name: $name,
            en: include_str!(concat!("../../locales/en/", $name, ".ftl")),
            ja: include_str!(concat!("../../locales/ja/", $name, ".ftl")),
        }),*];
    };
}

areas![
    "account",
    "act",
    "approvals",
    "calendar",
    "channels",
    "components",
    "design",
    "devices",
    "dossier",
    "families",
    "field",
    "frame",
    "lifecycle",
    "login",
    "makers",
    "notices",
    "people",
    "plans",
    "questions",
    "readiness",
    "records",
    "releases",
    "repositories",
    "role",
    "rollouts",
    "settings",
    "staged",
    "stop",
    "today"
];

type Bundle = FluentBundle<FluentResource>;

static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::En));
static JAPANESE: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::Ja));

impl Words {
    /// The texts in this language.
    #[must_use]
    pub const fn of(language: Language) -> Self {
        Self { language, zone: ZoneName::UTC }
    }

    /// The same for somebody who reads hours in this zone.
    #[must_use]
    pub const fn in_zone(self, zone: ZoneName) -> Self {
        Self { zone, ..self }
    }

    /// The zone in which the reader reads hours, where the place has none of its own.
    #[must_use]
    pub const fn zone(self) -> &'static str {
        self.zone.as_str()
    }

    /// The language.
    #[must_use]
    pub const fn language(self) -> Language {
        self.language
    }

    /// The word of BCP 47, for `lang`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.language.tag()
    }

    /// A text.
    #[must_use]
    pub fn t(self, id: &str) -> String {
        self.say(id, &[])
    }

    /// A text with one variable.
    #[must_use]
    pub fn t1(self, id: &str, name: &str, value: impl Variable) -> String {
        self.say(id, &[(name, value.variable())])
    }

    /// A text with two variables.
    #[must_use]
    pub fn t2(
        self,
        id: &str,
        name: &str,
        value: impl Variable,
        other: &str,
        and: impl Variable,
    ) -> String {
        self.say(id, &[(name, value.variable()), (other, and.variable())])
    }

    /// A text with variables.
    #[must_use]
    pub fn say(self, id: &str, variables: &[(&str, FluentValue<'_>)]) -> String {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            tracing::error!(text.id = id, "A page asks for a text that is not there");
            return format!("⟦{id}⟧");
        };
        let mut arguments = FluentArgs::new();
        for (name, value) in variables {
            arguments.set((*name).to_owned(), value.clone());
        }
        let mut problems = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&arguments), &mut problems).into_owned();
        if problems.is_empty() { text } else { format!("⟦{id}: {problems:?}⟧") }
    }

    /// Whether there is such a text.
    #[must_use]
    pub fn has(self, id: &str) -> bool {
        self.bundle().has_message(id)
    }

    /// One of two texts that do not come from the Fluent files: titles that people wrote, hints of
    /// the code tables.
    #[must_use]
    pub const fn pick<'a>(self, en: &'a str, ja: &'a str) -> &'a str {
        self.language.pick(en, ja)
    }

    /// An instant with its zone, as people of this language write it.
    #[must_use]
    pub fn instant(self, at: Timestamp, tz: &str) -> When {
        When::instant(self.language, at, tz)
    }

    /// Hours and minutes only, where the day stands beside them.
    #[must_use]
    pub fn clock(self, at: Timestamp, tz: &str) -> When {
        When::clock(self.language, at, tz)
    }

    /// The day of an instant in a zone.
    #[must_use]
    pub fn day(self, at: Timestamp, tz: &str) -> Day {
        Day::of(self.language, at, tz)
    }

    /// The day without its year, where that stands above.
    #[must_use]
    pub fn day_of_year(self, at: Timestamp, tz: &str) -> Day {
        Day::short(self.language, at, tz)
    }

    /// Day and month of an instant in a zone, for an axis.
    #[must_use]
    pub fn on_axis(self, at: Timestamp, tz: &str) -> String {
        Day::on_axis(self.language, at, tz)
    }

    /// The month of an instant in a zone.
    #[must_use]
    pub fn month(self, at: Timestamp, tz: &str) -> String {
        Day::month(self.language, at, tz)
    }

    /// A stretch of time in words, rounded to what people decide by.
    #[must_use]
    pub fn span(self, seconds: i64) -> String {
        let seconds = seconds.max(0);
        match seconds {
            0..60 => self.t1("frame-span-seconds", "n", seconds),
            60..3600 => self.t1("frame-span-minutes", "n", seconds / 60),
            3600..172_800 => self.t1("frame-span-hours", "n", seconds / 3600),
            _ => self.t1("frame-span-days", "n", seconds / 86_400),
        }
    }

    fn bundle(self) -> &'static Bundle {
        match self.language {
            Language::En => &ENGLISH,
            Language::Ja => &JAPANESE,
        }
    }
}

fn bundle(language: Language) -> Bundle {
    let tag = language.tag().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    bundle.set_use_isolating(false);
    for area in AREAS {
        // A broken file gives what of it can be read; the test names the line.
        let text = language.pick(area.en, area.ja).to_owned();
        let resource = FluentResource::try_new(text).unwrap_or_else(|(resource, _)| resource);
        if bundle.add_resource(resource).is_err() {
            tracing::error!(area = area.name, "Two areas have a text of the same id");
        }
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;
    use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
    use std::collections::{BTreeMap, BTreeSet};

    type Variables = BTreeMap<String, BTreeSet<String>>;

    fn of_pattern(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                of_expression(expression, found);
            }
        }
    }

    fn of_expression(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
        match expression {
            Expression::Select { selector, variants } => {
                of_inline(selector, found);
                variants.iter().for_each(|variant| of_pattern(&variant.value, found));
            }
            Expression::Inline(inline) => of_inline(inline, found),
        }
    }

    fn of_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
        match inline {
            InlineExpression::VariableReference { id } => {
                found.insert(id.name.to_owned());
            }
            InlineExpression::Placeable { expression } => of_expression(expression, found),
            InlineExpression::StringLiteral { .. }
            | InlineExpression::NumberLiteral { .. }
            | InlineExpression::FunctionReference { .. }
            | InlineExpression::MessageReference { .. }
            | InlineExpression::TermReference { .. } => {}
        }
    }

    fn messages(area: &str, text: &str) -> Variables {
        let parsed = fluent_syntax::parser::parse(text);
        let resource =
            parsed.unwrap_or_else(|(_, problems)| panic!("{area}.ftl is broken: {problems:?}"));
        let mut all = Variables::new();
        for entry in resource.body {
            let Entry::Message(message) = entry else { continue };
            let mut found = BTreeSet::new();
            message.value.iter().for_each(|pattern| of_pattern(pattern, &mut found));
            let id = message.id.name.to_owned();
            assert!(
                id.starts_with(&format!("{area}-")),
                "{area}.ftl: {id} does not begin with its area"
            );
            assert!(all.insert(id.clone(), found).is_none(), "{area}.ftl has {id} twice");
        }
        all
    }

    #[test]
    fn both_languages_say_the_same_things_about_the_same_variables() {
        for area in AREAS {
            let (en, ja) = (messages(area.name, area.en), messages(area.name, area.ja));
            assert!(!en.is_empty(), "{} says nothing", area.name);
            let ids = |all: &Variables| all.keys().cloned().collect::<BTreeSet<_>>();
            let missing: Vec<_> = ids(&en).symmetric_difference(&ids(&ja)).cloned().collect();
            assert!(missing.is_empty(), "{}: in one language only: {missing:?}", area.name);
            for (id, variables) in &en {
                assert_eq!(variables, &ja[id], "{id}: the languages use different variables");
            }
        }
    }

    #[test]
    fn every_text_file_is_an_area() {
        for folder in ["en", "ja"] {
            let path = format!("{}/locales/{folder}", env!("CARGO_MANIFEST_DIR"));
            for file in std::fs::read_dir(path).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let area = name.strip_suffix(".ftl").unwrap();
                assert!(AREAS.iter().any(|known| known.name == area), "{folder}/{name}");
            }
        }
    }

    #[test]
    fn japanese_texts_are_japanese() {
        for area in AREAS {
            for line in area.ja.lines().filter(|line| line.contains(" = ")) {
                let text = line.split_once(" = ").unwrap().1;
                let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 3);
                let is_japanese = patchward_protocol::dossier::schema::is_japanese(text);
                assert!(is_japanese || words.count() < 3, "{}.ftl: {line}", area.name);
            }
        }
    }

    #[test]
    fn a_missing_text_shows_itself() {
        assert_eq!(Words::of(Language::En).t("no-such-text"), "⟦no-such-text⟧");
    }
}
