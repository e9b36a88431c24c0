//! Rules of the whole site: waves, gates, parallel work, how many persons sign, the zone.
//!
//! Not here: what follows from them (`protocol::plan`, `protocol::gate`). Invariant: what was written is
//! read back the same.

use super::change::{self, Change};
use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{FormPage, problems, unread};
use super::window;
use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use patchward_protocol::inventory::{Inventory, SigningPolicy, SiteRules};
use std::str::FromStr;

const PATH: &str = "/console/sites/{site}/settings/rules";
const TEXTS: &str = "settings-rules";
const HOUR_S: u64 = 3600;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>(PATH, SitePower::Administer, show);
    routes.post::<AtSite, _, _>(PATH, SitePower::Administer, save);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let now = inventory::read(&visit.app, &visit.entry.site).await?;
    let frame = visit.frame(Nav::Settings, visit.words.t("settings-rules-title"));
    Answer::page(&page(frame, visit.words, &visit.entry, (&now, &values(&now)), &[]))
}

async fn save(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (entry, form) = (&visit.entry, &visit.form);
    let now = inventory::read(&visit.app, &entry.site).await?;
    let mut inventory = now.clone();
    let wrong = match put(visit.words, &mut inventory, form) {
        Ok(()) => at_fields(problems(visit.words, &inventory, "", 0)),
        Err(wrong) => wrong,
    };
    let change = change::write(&visit, inventory, &wrong).await?;
    if change == Change::Written {
        return Ok(Answer::done(&entry.path("settings"), "settings-saved-done"));
    }
    let frame = visit.frame(Nav::Settings, visit.words.t("settings-rules-title"));
    let mut page = page(frame, visit.words, entry, (&now, form), &wrong);
    page.conflict = change == Change::Overtaken;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// A rule that was broken stands beside its field when its place says which that is.
fn at_fields(wrong: Vec<Wrong>) -> Vec<Wrong> {
    let field = |(_, text): Wrong| {
        let place = text.split(':').next().unwrap_or_default();
        let rest = place.strip_prefix("rules.").or_else(|| place.strip_prefix("policy."));
        let rest = rest.or_else(|| (place == "tz").then_some("tz")).unwrap_or_default();
        let name = rest.split(['[', '.']).next().unwrap_or_default();
        let name = match name {
            "soak_s" => "soak_h",
            "emergency_soak_s" => "emergency_soak_min",
            "min_updated_permille" => "min_updated",
            "halt_permille" => "halt",
            other => other,
        };
        (name.to_owned(), text)
    };
    wrong.into_iter().map(field).collect()
}

fn values(inventory: &Inventory) -> Form {
    let SiteRules {
        windows,
        max_parallel,
        canary_per_ward,
        soak_s,
        emergency_soak_s,
        min_updated_permille,
        min_clinical_use_h,
        halt_permille,
        silent_after_s,
        ..
    } = &inventory.rules;
    let policy = &inventory.policy;
    let soak = soak_s.iter().map(|s| (s / HOUR_S).to_string()).collect::<Vec<_>>().join(", ");
    let use_h = min_clinical_use_h.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let halt = halt_permille.iter().map(|it| percent(*it)).collect::<Vec<_>>().join(", ");
    let mut fields = vec![
        ("tz", inventory.tz.clone()),
        ("max_parallel", max_parallel.map(|most| most.to_string()).unwrap_or_default()),
        ("canary_per_ward", canary_per_ward.to_string()),
        ("soak_h", soak),
        ("emergency_soak_min", (emergency_soak_s / 60).to_string()),
        ("min_updated", percent(*min_updated_permille)),
        ("min_clinical_use_h", use_h),
        ("halt", halt),
        ("silent_after_min", (silent_after_s / 60).to_string()),
        ("routine_persons", policy.routine_persons.to_string()),
        ("standing_persons", policy.standing_persons.to_string()),
        ("emergency_persons", policy.emergency_persons.to_string()),
        ("rollback_persons", policy.rollback_persons.to_string()),
    ];
    fields.extend(windows.iter().map(|it| ("windows", it.to_string())));
    Form::of(fields)
}

fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field> {
    let windows = window::choices(fields.w, inventory);
    vec![
        fields.one("tz", Kind::Text),
        fields.of("windows", Kind::Checks, windows),
        fields.one("max_parallel", Kind::Number),
        fields.one("canary_per_ward", Kind::Number),
        fields.one("soak_h", Kind::Text),
        fields.one("min_updated", Kind::Text),
        fields.one("min_clinical_use_h", Kind::Text),
        fields.one("halt", Kind::Text),
        fields.one("silent_after_min", Kind::Number),
        fields.one("emergency_soak_min", Kind::Number),
        fields.one("routine_persons", Kind::Number),
        fields.one("standing_persons", Kind::Number),
        fields.one("emergency_persons", Kind::Number),
        fields.one("rollback_persons", Kind::Number),
    ]
}

/// Reads fields; what is wrong is collected.
struct Reader<'a> {
    w: Words,
    form: &'a Form,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn number<T: FromStr + Default>(&mut self, name: &str) -> T {
        let found = self.form.get(name).and_then(|text| text.parse().ok());
        found.unwrap_or_else(|| self.unread(name, "settings-wrong-number"))
    }

    fn list<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let text = self.form.get(name).unwrap_or_default();
        let parts = text.split([',', ';', '、']).map(str::trim).filter(|it| !it.is_empty());
        let found: Option<Vec<T>> = parts.map(read).collect();
        found
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| self.unread(name, "settings-wrong-list"))
    }

    fn unread<T: Default>(&mut self, name: &str, rule: &str) -> T {
        self.wrong.push(unread(self.w, name, rule));
        T::default()
    }
}

fn put(w: Words, inventory: &mut Inventory, form: &Form) -> Result<(), Vec<Wrong>> {
    let mut reader = Reader { w, form, wrong: Vec::new() };
    let most = form.get("max_parallel").map(|_| reader.number("max_parallel"));
    let windows = form.all("windows").filter_map(|it| it.parse().ok()).collect();
    let hours = |text: &str| text.parse::<u64>().ok()?.checked_mul(HOUR_S);
    let minutes = |n: u64| n.saturating_mul(60);
    let permille = reader.list("min_updated", permille);
    let rules = SiteRules {
        windows,
        max_parallel: most,
        canary_per_ward: reader.number("canary_per_ward"),
        soak_s: reader.list("soak_h", hours),
        emergency_soak_s: minutes(reader.number("emergency_soak_min")),
        min_updated_permille: permille.first().copied().unwrap_or_default(),
        min_clinical_use_h: reader.list("min_clinical_use_h", |text| text.parse().ok()),
        halt_permille: reader.list("halt", self::permille),
        silent_after_s: minutes(reader.number("silent_after_min")),
        ..inventory.rules.clone()
    };
    let policy = SigningPolicy {
        routine_persons: reader.number("routine_persons"),
        standing_persons: reader.number("standing_persons"),
        emergency_persons: reader.number("emergency_persons"),
        rollback_persons: reader.number("rollback_persons"),
    };
    if !reader.wrong.is_empty() {
        return Err(reader.wrong);
    }
    form.get("tz").unwrap_or_default().clone_into(&mut inventory.tz);
    (inventory.rules, inventory.policy) = (rules, policy);
    Ok(())
}

/// `2.5` percent as thousandths.
fn permille(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches(['%', '%']).trim();
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let tenth = if tenth.len() == 1 { tenth.parse::<u32>().ok()? } else { return None };
    whole.parse::<u32>().ok()?.checked_mul(10)?.checked_add(tenth)
}

fn percent(permille: u32) -> String {
    match permille % 10 {
        0 => (permille / 10).to_string(),
        tenth => format!("{}.{tenth}", permille / 10),
    }
}

fn page(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (inventory, form): (&Inventory, &Form),
    wrong: &[Wrong],
) -> FormPage {
    let fields = fields(&Fields { w, form, texts: TEXTS, wrong }, inventory);
    let (to, back) = (at.path("settings/rules"), at.path("settings"));
    FormPage {
        intro: Some(w.t("settings-rules-intro")),
        ..FormPage::of((frame, w), (to, back), inventory.revision, fields, wrong)
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::pages::devices::list::list_samples::hospital;
    use crate::console::sample::{Sample, site_frame};
    let (at, _) = hospital(words, 10);
    let frame = || site_frame(words, Nav::Settings, "settings-rules-title");
    let now = &at.inventory;
    let good = page(frame(), words, &at, (now, &values(now)), &[]);
    let form = Form::of(vec![("tz".to_owned(), "Mars/Olympus".to_owned())]);
    let wrong = put(words, &mut (**now).clone(), &form).unwrap_err();
    let mut bad = page(frame(), words, &at, (now, &form), &wrong);
    bad.conflict = true;
    vec![
        Sample::of("settings/form.html", "rules", &good),
        Sample::of("settings/form.html", "rules-refused", &bad),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;
    use patchward_protocol::id::SiteId;

    #[test]
    fn what_the_form_shows_is_read_back_the_same() {
        let w = Words::of(Language::En);
        let mut inventory = Inventory::empty(SiteId::new("north").unwrap(), "Asia/Tokyo");
        inventory.rules.max_parallel = Some(4);
        inventory.rules.halt_permille = vec![0, 5, 25];
        inventory.rules.soak_s = vec![3600, 48 * 3600];
        let mut read = inventory.clone();
        put(w, &mut read, &values(&inventory)).unwrap();
        assert_eq!(read, inventory);
    }

    #[test]
    fn a_broken_rule_stands_at_its_field() {
        let w = Words::of(Language::En);
        let mut inventory = Inventory::empty(SiteId::new("north").unwrap(), "Asia/Tokyo");
        inventory.policy.emergency_persons = 1;
        inventory.rules.halt_permille = vec![2_000];
        let wrong = at_fields(problems(w, &inventory, "", 0));
        let fields: Vec<_> = wrong.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["halt", "emergency_persons"]);
    }

    #[test]
    fn percent_and_thousandths_are_the_same_thing() {
        for (text, value) in [("2", 20), ("2.5", 25), ("0", 0), ("100 %", 1000)] {
            assert_eq!(permille(text), Some(value), "{text}");
        }
        assert_eq!((permille("2.55"), permille("x"), percent(25)), (None, None, "2.5".to_owned()));
    }
}
