//! The days of a family's life: what is said now, what was said before, and saying something new.
//!
//! Not here: which days are taken (`crate::lifecycle`). Invariant: who says something has seen what is
//! said now, and what was said before stays on the page.

use super::{family_of, title, tz};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::invalid::invalid;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::lifecycle::dates::{SUPPORT_NOTICE_DAYS, UNDECIDED_DAYS_MAX};
use crate::lifecycle::{self, Dates, Lifecycle, Said, Stage};
use crate::people::role::MakerPower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::civil::CivilDate;
use patchward_protocol::time::Timestamp;

/// A statement as a page shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where the family stands by it, in words.
    pub stage: String,
    /// What is said: name and day.
    pub days: Vec<(String, String)>,
    /// When it was said.
    pub at: When,
    /// By whom.
    pub name: String,
}

/// What was typed into the fields.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// `dates` or `undecided`.
    pub kind: String,
    /// The four days and the day of a decision, as typed.
    pub days: Vec<(&'static str, String)>,
    /// What is wrong with it, in words.
    pub wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "makers/lifecycle.html")]
struct Page {
    frame: Frame,
    w: Words,
    title: String,
    back: String,
    to: String,
    revision: u64,
    now: Option<Line>,
    before: Vec<Line>,
    fields: Fields,
    notice: i64,
    undecided_max: i64,
    may: bool,
}

/// The four days, by field.
const DAYS: [&str; 4] = ["supported-until", "limited-until", "end-of-support", "end-of-life"];
/// The day of a decision.
const UNTIL: &str = "undecided-until";

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/makers/{maker}/families/{family}/lifecycle";
    routes.get::<AtMaker, _, _>(path, MakerPower::See, show);
    routes.post::<AtMaker, _, _>(path, MakerPower::Administer, say);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let page = page(&visit, None).await?;
    Answer::page(&page)
}

async fn say(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, _) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let revision = visit.form.read("revision")?;
    let said = match read(&visit.form) {
        Ok(lifecycle) => {
            lifecycle::say::say(&visit.app, &family, lifecycle, revision, &visit.entry.who).await
        }
        Err(error) => Err(error),
    };
    match said {
        Ok(_) => {
            let to = visit.entry.path(&format!("families/{family}"));
            Ok(Answer::done(&to, "families-lifecycle-done"))
        }
        Err(error) if is_theirs(&error) => {
            let wrong = in_words(visit.words, &error);
            let page = page(&visit, Some(wrong)).await?;
            Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error.into()),
    }
}

async fn page(visit: &Visit<AtMaker>, wrong: Option<String>) -> Result<Page, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let (w, at, of) = (visit.words, visit.at, family.clone());
    let history = visit.app.db.read(move |conn| lifecycle::history(conn, &of)).await?;
    let fields = match wrong {
        Some(wrong) => Fields { wrong: Some(wrong), ..typed(&visit.form) },
        None => fields(history.first()),
    };
    let may = visit.entry.may(MakerPower::Administer);
    let frame = visit.frame(Nav::Families, w.t("families-lifecycle-title"));
    let paths = (
        visit.entry.path(&format!("families/{family}")),
        visit.entry.path(&format!("families/{family}/lifecycle")),
    );
    Ok(view(frame, w, (title(w, &current), paths), &history, fields, may, at))
}

fn view(
    frame: Frame,
    w: Words,
    (title, (back, to)): (String, (String, String)),
    history: &[Said],
    fields: Fields,
    may: bool,
    at: Timestamp,
) -> Page {
    let mut lines = history.iter().map(|said| line(w, said, at));
    let now = lines.next();
    Page {
        frame,
        w,
        title,
        back,
        to,
        revision: history.first().map_or(0, |said| said.revision),
        now,
        before: lines.collect(),
        fields,
        notice: SUPPORT_NOTICE_DAYS,
        undecided_max: UNDECIDED_DAYS_MAX,
        may,
    }
}

/// A statement as a page shows it.
pub(super) fn line(w: Words, said: &Said, at: Timestamp) -> Line {
    let name = |field: &str| w.t(&format!("families-{field}"));
    let days = match &said.lifecycle {
        Lifecycle::Dates(dates) => {
            let days = in_order(dates).into_iter().zip(DAYS);
            days.map(|(day, field)| (name(field), day_words(w, day))).collect()
        }
        Lifecycle::Undecided { until } => vec![(name(UNTIL), day_words(w, *until))],
    };
    Line {
        stage: stage_words(w, said.lifecycle.stage(at)),
        days,
        at: w.instant(said.at, tz(w)),
        name: said.name.clone(),
    }
}

/// Where a family stands, in words.
pub(super) fn stage_words(w: Words, stage: Stage) -> String {
    w.t(&format!("families-stage-{}", stage.word()))
}

/// A day in words: it belongs to no zone.
pub(super) fn day_words(w: Words, day: CivilDate) -> String {
    w.day(day.end_utc().plus_seconds(-43_200), "Etc/UTC").words().to_owned()
}

const fn in_order(dates: &Dates) -> [CivilDate; 4] {
    [dates.supported_until, dates.limited_until, dates.end_of_support, dates.end_of_life]
}

/// Reads what a form says of a family's life.
///
/// # Errors
/// `lifecycle_missing` when it says nothing, `request_invalid` for what is no day.
pub(super) fn read(form: &Form) -> Result<Lifecycle, ApiError> {
    let missing = || ApiError::of(ErrorCode::LifecycleMissing);
    match form.get("life").ok_or_else(missing)? {
        "undecided" => {
            form.get(UNTIL).ok_or_else(missing)?;
            Ok(Lifecycle::Undecided { until: form.read(UNTIL)? })
        }
        _ => {
            if DAYS.iter().any(|field| form.get(field).is_none()) {
                return Err(missing());
            }
            let [supported, limited, support, life] = DAYS;
            Ok(Lifecycle::Dates(Dates {
                supported_until: form.read(supported)?,
                limited_until: form.read(limited)?,
                end_of_support: form.read(support)?,
                end_of_life: form.read(life)?,
            }))
        }
    }
}

/// What was typed, to be shown again.
pub(super) fn typed(form: &Form) -> Fields {
    let each = DAYS.into_iter().chain([UNTIL]);
    let days = each.map(|field| (field, form.get(field).unwrap_or_default().to_owned())).collect();
    Fields { kind: form.get("life").unwrap_or("dates").to_owned(), days, wrong: None }
}

/// The fields with what is said now.
pub(super) fn fields(said: Option<&Said>) -> Fields {
    let mut fields = Fields { kind: "dates".to_owned(), ..Fields::default() };
    let mut days: Vec<String> = vec![String::new(); 5];
    match said.map(|said| &said.lifecycle) {
        Some(Lifecycle::Dates(dates)) => {
            days = in_order(dates).iter().map(ToString::to_string).collect();
            days.push(String::new());
        }
        Some(Lifecycle::Undecided { until }) => {
            fields.kind = "undecided".to_owned();
            days = vec![String::new(); 4];
            days.push(until.to_string());
        }
        None => {}
    }
    fields.days = DAYS.into_iter().chain([UNTIL]).zip(days).collect();
    fields
}

/// Whether the form is shown again with what is wrong.
pub(super) fn is_theirs(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::Refused {
            code: ErrorCode::LifecycleRefused
                | ErrorCode::LifecycleMissing
                | ErrorCode::RepositoryExists
                | ErrorCode::RequestInvalid,
            ..
        }
    )
}

/// A refusal in the visitor's language, with its detail.
pub(super) fn in_words(w: Words, error: &ApiError) -> String {
    let code = error.code();
    let hint = w.pick(code.en(), code.ja());
    match error {
        ApiError::Refused { code: ErrorCode::RequestInvalid, detail: Some(detail), .. } => {
            invalid(w, detail).words
        }
        ApiError::Refused { detail: Some(detail), .. } => format!("{hint} ({detail})"),
        ApiError::Refused { .. } | ApiError::NotDrafted(_) | ApiError::Failed(_) => hint.to_owned(),
    }
}

impl Fields {
    /// What a field holds.
    #[must_use]
    pub fn value(&self, field: &str) -> &str {
        self.days.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value)
    }

    /// Whether the four days are chosen.
    #[must_use]
    pub fn is_dates(&self) -> bool {
        self.kind != "undecided"
    }
}

#[cfg(test)]
pub(super) fn sample_history(w: Words) -> Vec<Said> {
    use crate::console::sample::noon;
    let day = |text: &str| text.parse().unwrap();
    let said = |revision, lifecycle| Said {
        revision,
        lifecycle,
        at: noon().plus_seconds(-86_400 * 90),
        by: "account:ito".to_owned(),
        name: w.pick("Ito Hana", "伊藤 花").to_owned(),
    };
    let dates = Dates {
        supported_until: day("2031-03-31"),
        limited_until: day("2033-03-31"),
        end_of_support: day("2033-03-31"),
        end_of_life: day("2029-03-31"),
    };
    vec![
        said(2, Lifecycle::Dates(dates)),
        said(1, Lifecycle::Undecided { until: day("2026-12-31") }),
    ]
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    let page = |history: &[Said], fields: Fields, may| {
        let frame = maker_frame(w, Nav::Families, "families-lifecycle-title");
        let title = w.pick("Infusion pump A", "輸液ポンプA").to_owned();
        let paths = ("/console".to_owned(), "/console".to_owned());
        view(frame, w, (title, paths), history, fields, may, noon())
    };
    let history = sample_history(w);
    let wrong = Fields { wrong: Some(w.t("families-empty")), ..fields(history.last()) };
    let template = "makers/lifecycle.html";
    vec![
        Sample::of(template, "said", &page(&history, fields(history.first()), true)),
        Sample::of(template, "refused", &page(&history, wrong, true)),
        Sample::of(template, "unsaid", &page(&[], fields(None), true)),
        Sample::of(template, "reading", &page(&history, fields(None), false)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::of(fields.iter().copied())
    }

    #[test]
    fn a_form_without_days_says_that_they_are_missing() {
        for fields in [
            &[][..],
            &[("life", "dates")][..],
            &[("life", "dates"), ("supported-until", "2031-03-31")][..],
            &[("life", "undecided")][..],
        ] {
            let error = read(&form(fields)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::LifecycleMissing, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_day_is_refused_with_its_field() {
        let error = read(&form(&[("life", "undecided"), ("undecided-until", "soon")])).unwrap_err();
        let said = |language| in_words(Words::of(language), &error);
        use crate::people::who::Language;
        assert_eq!(said(Language::En), "“Undecided until” is no day of the calendar.");
        assert!(said(Language::Ja).contains("「決定期日(未定の場合)」"), "{}", said(Language::Ja));
    }
}
