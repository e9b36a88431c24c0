//! What a hospital writes down of itself, one thing at a time: a list, a form for one, removing one.
//!
//! Not here: which things there are and what they consist of. Invariant: an inventory is replaced by
//! compare-and-swap on the revision that the form was made of, and nothing of a refused one is stored.

use super::field::{Field, Fields, Wrong};
use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::inventory::Inventory;

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says, in a line.
    pub text: String,
}

/// A kind of thing in the inventory.
pub trait Thing: 'static {
    /// The word in addresses and in ids of texts.
    const WORD: &'static str;
    /// Beginning of its texts.
    const TEXTS: &'static str;
    /// Its list in the inventory, e.g. `wards`.
    const LIST: &'static str;
    /// Where its list is.
    const LIST_PATH: &'static str;
    /// Where its form is.
    const FORM_PATH: &'static str;
    /// Where one is removed.
    const REMOVE_PATH: &'static str;

    /// All of them, in lines.
    fn lines(w: Words, inventory: &Inventory) -> Vec<Line>;

    /// What stands in the form of one; of a new one when there is no id.
    fn values(inventory: &Inventory, id: Option<&str>) -> Option<Form>;

    /// Its fields.
    fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field>;

    /// Puts what the form says in the place of the one with this id, or behind the others. Returns its
    /// position in the list.
    ///
    /// # Errors
    /// What does not read.
    fn put(
        w: Words,
        inventory: &mut Inventory,
        id: Option<&str>,
        form: &Form,
    ) -> Result<usize, Vec<Wrong>>;

    /// Takes one away; whether there was one.
    fn remove(inventory: &mut Inventory, id: &str) -> bool;
}

/// The list.
#[derive(Template)]
#[template(path = "settings/list.html")]
pub struct ListPage {
    frame: Frame,
    w: Words,
    intro: String,
    none: String,
    lines: Vec<(Line, Option<String>)>,
    add: Option<(String, String)>,
    back: String,
}

/// The form.
#[derive(Template)]
#[template(path = "settings/form.html")]
pub struct FormPage {
    /// Around it.
    pub frame: Frame,
    /// The texts.
    pub w: Words,
    /// What it is for.
    pub intro: Option<String>,
    /// Where it is sent.
    pub to: String,
    /// The revision that it was made of.
    pub revision: u64,
    /// Id of what is changed; empty for a new one.
    pub id: String,
    /// The fields.
    pub fields: Vec<Field>,
    /// What is wrong elsewhere.
    pub elsewhere: Vec<String>,
    /// Whether somebody else changed the inventory meanwhile.
    pub conflict: bool,
    /// Where it is removed.
    pub remove: Option<String>,
    /// The page before.
    pub back: String,
}

/// Adds the routes of a kind of thing.
pub fn routes<T: Thing>(routes: &mut Routes) {
    routes.get::<AtSite, _, _>(T::LIST_PATH, SitePower::See, list::<T>);
    routes.get::<AtSite, _, _>(T::FORM_PATH, SitePower::Administer, show::<T>);
    routes.post::<AtSite, _, _>(T::FORM_PATH, SitePower::Administer, save::<T>);
    routes.post::<AtSite, _, _>(T::REMOVE_PATH, SitePower::Administer, remove::<T>);
}

async fn list<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let title = visit.words.t(&format!("{}-title", T::TEXTS));
    let frame = visit.frame(Nav::Settings, title);
    Answer::page(&list_page::<T>(frame, visit.words, &visit.entry))
}

async fn show<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let inventory = inventory::read(&visit.app, &visit.entry.site).await?;
    let id = visit.asked.query("id");
    let form = T::values(&inventory, id).ok_or_else(not_found)?;
    let frame = frame::<T>(&visit, id);
    Answer::page(&form_page::<T>(frame, visit.words, &visit.entry, &inventory, id, &form, &[]))
}

async fn save<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry, form) = (&visit.app, &visit.entry, &visit.form);
    let (id, revision) = (form.get("_id"), form.read::<u64>("_revision")?);
    let mut inventory = inventory::read(app, &entry.site).await?;
    let now = inventory.clone();
    let wrong = match T::put(visit.words, &mut inventory, id, form) {
        Ok(at) => problems(visit.words, &inventory, T::LIST, at),
        Err(wrong) => wrong,
    };
    let mut conflict = revision != now.revision;
    if wrong.is_empty() && !conflict {
        match inventory::write_by(app, &entry.site, inventory, entry.who.by()).await {
            Ok(_) => {
                let to = entry.path(&T::LIST_PATH.replace("/console/sites/{site}/", ""));
                return Ok(Answer::done(&to, "settings-saved-done"));
            }
            Err(error) if error.code() == ErrorCode::InventoryConflict => conflict = true,
            Err(error) => return Err(error.into()),
        }
    }
    let frame = frame::<T>(&visit, id);
    let mut page = form_page::<T>(frame, visit.words, entry, &now, id, form, &wrong);
    page.conflict = conflict;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn remove<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry, form) = (&visit.app, &visit.entry, &visit.form);
    let (id, revision) = (form.need("_id")?, form.read::<u64>("_revision")?);
    let now = inventory::read(app, &entry.site).await?;
    let mut inventory = now.clone();
    if !T::remove(&mut inventory, id) {
        return Err(not_found());
    }
    let wrong = problems(visit.words, &inventory, "", 0);
    if wrong.is_empty() && revision == now.revision {
        inventory::write_by(app, &entry.site, inventory, entry.who.by()).await?;
        let to = entry.path(&T::LIST_PATH.replace("/console/sites/{site}/", ""));
        return Ok(Answer::done(&to, "settings-removed-done"));
    }
    let values = T::values(&now, Some(id)).ok_or_else(not_found)?;
    let frame = frame::<T>(&visit, Some(id));
    let mut page = form_page::<T>(frame, visit.words, entry, &now, Some(id), &values, &wrong);
    page.conflict = revision != now.revision;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn frame<T: Thing>(visit: &Visit<AtSite>, id: Option<&str>) -> Frame {
    let title = match id {
        Some(id) => visit.words.t1(&format!("{}-one", T::TEXTS), "id", id),
        None => visit.words.t(&format!("{}-new", T::TEXTS)),
    };
    visit.frame(Nav::Settings, title)
}

/// What the rules of the inventory say, at the fields of the thing at this position of a list.
#[must_use]
pub fn problems(w: Words, inventory: &Inventory, list: &str, at: usize) -> Vec<Wrong> {
    let here = format!("{list}[{at}]");
    let wrong = |problem: patchward_protocol::inventory::Problem| {
        let text = w.pick(problem.rule.en(), problem.rule.ja()).to_owned();
        match problem.path.strip_prefix(&here) {
            Some("") => ("id".to_owned(), text),
            Some(rest) => (field_of(rest), text),
            None => (String::new(), format!("{}: {text} ({})", problem.path, problem.value)),
        }
    };
    inventory.check().into_iter().map(wrong).collect()
}

/// The field of a place such as `.rule.days` or `.windows[0]`.
fn field_of(rest: &str) -> String {
    let rest = rest.trim_start_matches('.');
    let rest = rest.strip_prefix("rule.").unwrap_or(rest);
    rest.split(['.', '[']).next().unwrap_or_default().to_owned()
}

pub(super) fn list_page<T: Thing>(frame: Frame, w: Words, at: &AtSite) -> ListPage {
    let form = at.path(&T::FORM_PATH.replace("/console/sites/{site}/", ""));
    let may = at.may(SitePower::Administer);
    let link = |id: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        may.then(|| format!("{form}?{}", query.append_pair("id", id).finish()))
    };
    let lines = T::lines(w, &at.inventory).into_iter();
    let texts = T::TEXTS;
    ListPage {
        intro: w.t(&format!("{texts}-intro")),
        none: w.t(&format!("{texts}-none")),
        lines: lines.map(|line| (line.clone(), link(&line.id))).collect(),
        add: may.then(|| (form.clone(), w.t(&format!("{texts}-new")))),
        back: at.path("settings"),
        frame,
        w,
    }
}

pub(super) fn form_page<T: Thing>(
    frame: Frame,
    w: Words,
    at: &AtSite,
    inventory: &Inventory,
    id: Option<&str>,
    form: &Form,
    wrong: &[Wrong],
) -> FormPage {
    let fields = T::fields(&Fields { w, form, texts: T::TEXTS, wrong }, inventory);
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let elsewhere = wrong.iter().filter(|(field, _)| !known(field));
    let elsewhere = elsewhere.map(|(_, text)| text.clone()).collect();
    let path = |path: &str| at.path(&path.replace("/console/sites/{site}/", ""));
    FormPage {
        intro: None,
        to: path(T::FORM_PATH),
        revision: inventory.revision,
        id: id.unwrap_or_default().to_owned(),
        elsewhere,
        conflict: false,
        remove: id.map(|_| path(T::REMOVE_PATH)),
        back: path(T::LIST_PATH),
        fields,
        frame,
        w,
    }
}

/// A value that does not read, with the text of its rule.
#[must_use]
pub fn unread(w: Words, field: &str, id: &str) -> Wrong {
    (field.to_owned(), w.t(id))
}

/// What a refusal says in words.
#[must_use]
pub fn refusal(w: Words, error: &ApiError) -> String {
    let code = error.code();
    w.pick(code.en(), code.ja()).to_owned()
}
