//! Windows: hours in which wards allow slots.
//!
//! Not here: expanding them (`protocol::window`). Invariant: what was written is read back the same.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Thing, Values, unread};
use crate::console::form::Form;
use crate::console::words::Words;
use patchward_protocol::civil::{CivilDate, Weekday};
use patchward_protocol::inventory::{Inventory, UsualWindow, WindowRule};
use std::str::FromStr;

const KINDS: [&str; 3] = ["weekly", "daily", "dates"];

/// Windows.
#[derive(Debug)]
pub struct Windows;

impl Thing for Windows {
    type One = UsualWindow;
    const WORD: &'static str = "window";
    const TEXTS: &'static str = "settings-window";
    const LIST: &'static str = "windows";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/windows";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/window";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/window/remove";

    fn all(inventory: &Inventory) -> &[UsualWindow] {
        &inventory.windows
    }

    fn all_mut(inventory: &mut Inventory) -> &mut Vec<UsualWindow> {
        &mut inventory.windows
    }

    fn id(window: &UsualWindow) -> &str {
        window.id.as_str()
    }

    fn words(w: Words, _: &Inventory, window: &UsualWindow) -> (String, String) {
        (name(w, window), rule_words(w, &window.rule))
    }

    fn blank() -> Values {
        let fields = [("kind", "weekly"), ("start", "13:30"), ("minutes", "120"), ("every", "1")];
        fields.map(|(name, value)| (name, value.to_owned())).to_vec()
    }

    fn values(_: &Inventory, window: &UsualWindow) -> Values {
        let mut fields = vec![
            ("id", window.id.to_string()),
            ("name_en", window.name_en.clone()),
            ("name_ja", window.name_ja.clone()),
            ("tz", window.tz.clone().unwrap_or_default()),
        ];
        let date = |date: &Option<CivilDate>| date.map(|it| it.to_string()).unwrap_or_default();
        let list = |dates: &[CivilDate]| {
            dates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match &window.rule {
            WindowRule::Weekly { days, start, minutes, every, first, last, except } => {
                fields.extend(days.iter().map(|day| ("days", day.code().to_owned())));
                fields.extend([
                    ("kind", "weekly".to_owned()),
                    ("start", start.to_string()),
                    ("minutes", minutes.to_string()),
                    ("every", every.to_string()),
                    ("first", date(first)),
                    ("last", date(last)),
                    ("except", list(except)),
                ]);
            }
            WindowRule::Daily { start, minutes, every, first, last, except } => fields.extend([
                ("kind", "daily".to_owned()),
                ("start", start.to_string()),
                ("minutes", minutes.to_string()),
                ("every", every.to_string()),
                ("first", first.to_string()),
                ("last", date(last)),
                ("except", list(except)),
            ]),
            WindowRule::Dates { dates, start, minutes } => fields.extend([
                ("kind", "dates".to_owned()),
                ("start", start.to_string()),
                ("minutes", minutes.to_string()),
                ("dates", list(dates)),
            ]),
        }
        fields
    }

    fn fields(fields: &Fields<'_>, _: &Inventory) -> Vec<Field> {
        let w = fields.w;
        let kinds = KINDS.map(|it| (it.to_owned(), w.t(&format!("settings-window-kind-{it}"))));
        let days = Weekday::ALL.map(|day| (day.code().to_owned(), day_words(w, day)));
        vec![
            fields.one("id", Kind::Text),
            fields.one("name_en", Kind::Text),
            fields.one("name_ja", Kind::Text),
            fields.of("kind", Kind::Select, kinds),
            fields.one("start", Kind::Text),
            fields.one("minutes", Kind::Number),
            fields.of("days", Kind::Checks, days),
            fields.one("every", Kind::Number),
            fields.one("first", Kind::Text),
            fields.one("last", Kind::Text),
            fields.one("except", Kind::Text),
            fields.one("dates", Kind::Text),
            fields.one("tz", Kind::Text),
        ]
    }

    fn read(w: Words, _: &Inventory, form: &Form) -> Result<UsualWindow, Vec<Wrong>> {
        let mut reader = Reader { w, form, wrong: Vec::new() };
        let window = reader.window();
        window.filter(|_| reader.wrong.is_empty()).ok_or(reader.wrong)
    }
}

/// The windows of an inventory as choices: id and name.
pub(super) fn choices(w: Words, inventory: &Inventory) -> impl Iterator<Item = (String, String)> {
    inventory.windows.iter().map(move |window| (window.id.to_string(), name(w, window)))
}

fn name(w: Words, window: &UsualWindow) -> String {
    w.pick(&window.name_en, &window.name_ja).to_owned()
}

/// Reads fields; what is wrong is collected.
struct Reader<'a> {
    w: Words,
    form: &'a Form,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn window(&mut self) -> Option<UsualWindow> {
        let id = self.need("id", "settings-wrong-id");
        let (name_en, name_ja) = (self.text("name_en"), self.text("name_ja"));
        let tz = self.form.get("tz").map(str::to_owned);
        let rule = self.rule();
        Some(UsualWindow { id: id?, name_en, name_ja, tz, rule: rule? })
    }

    fn rule(&mut self) -> Option<WindowRule> {
        let start = self.need("start", "settings-wrong-time");
        let minutes = self.need("minutes", "settings-wrong-number");
        match self.form.get("kind") {
            Some("dates") => {
                let dates = self.dates("dates")?;
                Some(WindowRule::Dates { dates, start: start?, minutes: minutes? })
            }
            Some("daily") => {
                let every = self.need("every", "settings-wrong-number");
                let first = self.need("first", "settings-wrong-date");
                let (last, except) = (self.maybe("last"), self.dates("except"));
                Some(WindowRule::Daily {
                    start: start?,
                    minutes: minutes?,
                    every: every?,
                    first: first?,
                    last: last?,
                    except: except?,
                })
            }
            Some(_) | None => {
                let chosen: Vec<&str> = self.form.all("days").collect();
                let all = Weekday::ALL.into_iter();
                let days = all.filter(|day| chosen.contains(&day.code())).collect();
                let every = self.form.get("every").map_or(Some(1), |text| text.parse().ok());
                if every.is_none() {
                    self.wrong.push(unread(self.w, "every", "settings-wrong-number"));
                }
                let (first, last) = (self.maybe("first"), self.maybe("last"));
                let except = self.dates("except");
                Some(WindowRule::Weekly {
                    days,
                    start: start?,
                    minutes: minutes?,
                    every: every?,
                    first: first?,
                    last: last?,
                    except: except?,
                })
            }
        }
    }

    fn text(&self, name: &str) -> String {
        self.form.get(name).unwrap_or_default().to_owned()
    }

    fn need<T: FromStr>(&mut self, name: &str, rule: &str) -> Option<T> {
        let found = self.form.get(name).and_then(|text| text.parse().ok());
        if found.is_none() {
            self.wrong.push(unread(self.w, name, rule));
        }
        found
    }

    /// A date that may be missing.
    #[expect(clippy::option_option, reason = "wrong, missing, or a date")]
    fn maybe(&mut self, name: &str) -> Option<Option<CivilDate>> {
        match self.form.get(name) {
            None => Some(None),
            Some(_) => self.need(name, "settings-wrong-date").map(Some),
        }
    }

    fn dates(&mut self, name: &str) -> Option<Vec<CivilDate>> {
        let text = self.text(name);
        let parts = text.split([',', ';', ' ', '\n']).map(str::trim).filter(|it| !it.is_empty());
        let found: Option<Vec<CivilDate>> = parts.map(|it| it.parse().ok()).collect();
        if found.is_none() {
            self.wrong.push(unread(self.w, name, "settings-wrong-date"));
        }
        found
    }
}

fn rule_words(w: Words, rule: &WindowRule) -> String {
    let minutes = u64::from(rule.minutes());
    match rule {
        WindowRule::Weekly { days, start, every, .. } => {
            let days = days.iter().map(|day| day_words(w, *day));
            let days = days.collect::<Vec<_>>().join(w.pick(", ", "・"));
            let (start, every) = (start.to_string(), u64::from(*every));
            w.say(
                "settings-window-weekly",
                &[
                    ("days", days.into()),
                    ("start", start.into()),
                    ("minutes", minutes.into()),
                    ("every", every.into()),
                ],
            )
        }
        WindowRule::Daily { start, every, .. } => {
            let (start, every) = (start.to_string(), u64::from(*every));
            w.say(
                "settings-window-daily",
                &[("start", start.into()), ("minutes", minutes.into()), ("every", every.into())],
            )
        }
        WindowRule::Dates { dates, start, .. } => {
            let (start, n) = (start.to_string(), dates.len());
            w.say(
                "settings-window-on-dates",
                &[("start", start.into()), ("minutes", minutes.into()), ("n", n.into())],
            )
        }
    }
}

fn day_words(w: Words, day: Weekday) -> String {
    w.t(&format!("settings-day-{}", day.code()))
}
