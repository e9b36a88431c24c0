//! Fields of forms that change the inventory: what stands in them, and what is wrong with it.
//!
//! Not here: what a field means. Invariant: what was typed is shown again, whatever it was.

use crate::console::form::Form;
use crate::console::words::Words;

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line.
    Text,
    /// A whole number.
    Number,
    /// Several lines.
    Area,
    /// One of several.
    Select,
    /// Any of several.
    Checks,
    /// Date and time in the zone of the site.
    Local,
}

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub text: String,
    /// Whether it is chosen.
    pub on: bool,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the form.
    pub name: &'static str,
    /// Its label.
    pub label: String,
    /// What to write.
    pub hint: Option<String>,
    /// How it is filled in.
    pub kind: Kind,
    /// What stands in it.
    pub value: String,
    /// Choices, where there are some.
    pub choices: Vec<Choice>,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// What is wrong with a form: the field, or none, and why.
pub type Wrong = (String, String);

/// Makes fields of a form.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// The texts.
    pub w: Words,
    /// What was typed, or stands in the inventory.
    pub form: &'a Form,
    /// Beginning of the ids of texts, e.g. `settings-ward`.
    pub texts: &'static str,
    /// What is wrong.
    pub wrong: &'a [Wrong],
}

impl Fields<'_> {
    /// A field of one value.
    #[must_use]
    pub fn one(&self, name: &'static str, kind: Kind) -> Field {
        self.with(name, kind, Vec::new())
    }

    /// A field with choices.
    #[must_use]
    pub fn of(
        &self,
        name: &'static str,
        kind: Kind,
        choices: impl IntoIterator<Item = (String, String)>,
    ) -> Field {
        let chosen = |value: &str| self.form.all(name).any(|held| held == value);
        let choices = choices.into_iter();
        let choice = |(value, text): (String, String)| Choice { on: chosen(&value), value, text };
        self.with(name, kind, choices.map(choice).collect())
    }

    fn with(&self, name: &'static str, kind: Kind, choices: Vec<Choice>) -> Field {
        let id = format!("{}-{}", self.texts, name.replace('_', "-"));
        let hint = format!("{id}-hint");
        let wrong = self.wrong.iter().filter(|(field, _)| field == name);
        Field {
            name,
            label: self.w.t(&id),
            hint: self.w.has(&hint).then(|| self.w.t(&hint)),
            kind,
            value: self.form.raw(name).unwrap_or_default().to_owned(),
            choices,
            wrong: wrong.map(|(_, text)| text.clone()).collect(),
        }
    }
}

impl Field {
    /// Ids of hint and errors, for `aria-describedby`.
    #[must_use]
    pub fn described(&self) -> String {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let wrong = (!self.wrong.is_empty()).then(|| format!("{}-wrong", self.name));
        hint.into_iter().chain(wrong).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is filled in as this kind.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        match self.kind {
            Kind::Text => kind == "text",
            Kind::Number => kind == "number",
            Kind::Area => kind == "area",
            Kind::Select => kind == "select",
            Kind::Checks => kind == "checks",
            Kind::Local => kind == "local",
        }
    }
}
