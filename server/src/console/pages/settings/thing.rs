//! What a hospital writes down of itself, one thing at a time: a list, a form for one, removing one.
//!
//! Not here: which things there are and what they consist of, and writing ([`change`]). Invariant: one
//! takes the place of the one with the same id, whatever kind it is.

use super::change::{self, Change};
use super::field::{Field, Fields, Wrong};
use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
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

/// Values of fields by name; a field of several values stands there several times.
pub type Values = Vec<(&'static str, String)>;

/// A kind of thing in the inventory.
pub trait Thing: 'static {
    /// One of them.
    type One: Clone;
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

    /// All of them.
    fn all(inventory: &Inventory) -> &[Self::One];

    /// All of them, to be changed.
    fn all_mut(inventory: &mut Inventory) -> &mut Vec<Self::One>;

    /// Its id.
    fn id(one: &Self::One) -> &str;

    /// One in a list: its name and what it says.
    fn words(w: Words, inventory: &Inventory, one: &Self::One) -> (String, String);

    /// What stands in the form of one.
    fn values(inventory: &Inventory, one: &Self::One) -> Values;

    /// What stands in the form of a new one.
    fn blank() -> Values {
        Vec::new()
    }

    /// Its fields.
    fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field>;

    /// What a form says.
    ///
    /// # Errors
    /// What does not read.
    fn read(w: Words, inventory: &Inventory, form: &Form) -> Result<Self::One, Vec<Wrong>>;

    /// Lets the rest of the inventory follow when one took the place of another.
    fn follow(_: &mut Inventory, _before: &Self::One, _now: &Self::One) {}
}

/// All of them, in lines.
pub(super) fn lines<T: Thing>(w: Words, inventory: &Inventory) -> Vec<Line> {
    let line = |one: &T::One| {
        let (name, text) = T::words(w, inventory, one);
        Line { id: T::id(one).to_owned(), name, text }
    };
    T::all(inventory).iter().map(line).collect()
}

/// The form of one, or of a new one when there is no id.
pub(super) fn filled<T: Thing>(inventory: &Inventory, id: Option<&str>) -> Option<Form> {
    let Some(id) = id else { return Some(Form::of(T::blank())) };
    let one = T::all(inventory).iter().find(|one| T::id(one) == id)?;
    Some(Form::of(T::values(inventory, one)))
}

/// Puts what the form says in the place of the one with this id, or behind the others. Returns its
/// position in the list.
pub(super) fn put<T: Thing>(
    w: Words,
    inventory: &mut Inventory,
    id: Option<&str>,
    form: &Form,
) -> Result<usize, Vec<Wrong>> {
    let one = T::read(w, inventory, form)?;
    let all = T::all_mut(inventory);
    let held = all.iter_mut().enumerate().find(|(_, held)| Some(T::id(held)) == id);
    if let Some((at, held)) = held {
        let before = std::mem::replace(held, one.clone());
        T::follow(inventory, &before, &one);
        return Ok(at);
    }
    all.push(one);
    Ok(all.len().saturating_sub(1))
}

/// Takes one away; whether there was one.
pub(super) fn take<T: Thing>(inventory: &mut Inventory, id: &str) -> bool {
    let all = T::all_mut(inventory);
    let before = all.len();
    all.retain(|one| T::id(one) != id);
    before != all.len()
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

impl FormPage {
    /// A form with these fields of the inventory in this revision; what is wrong where no field is
    /// stands above them.
    #[must_use]
    pub fn of(
        (frame, w): (Frame, Words),
        (to, back): (String, String),
        revision: u64,
        fields: Vec<Field>,
        wrong: &[Wrong],
    ) -> Self {
        let known = |name: &str| fields.iter().any(|field| field.name == name);
        let elsewhere = wrong.iter().filter(|(field, _)| !known(field));
        Self {
            elsewhere: elsewhere.map(|(_, text)| text.clone()).collect(),
            intro: None,
            id: String::new(),
            conflict: false,
            remove: None,
            frame,
            w,
            to,
            back,
            revision,
            fields,
        }
    }
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
    let form = filled::<T>(&inventory, id).ok_or_else(not_found)?;
    let frame = frame::<T>(&visit, id);
    Answer::page(&form_page::<T>(frame, visit.words, &visit.entry, &inventory, id, &form, &[]))
}

async fn save<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (entry, form) = (&visit.entry, &visit.form);
    let id = form.get("_id");
    let now = inventory::read(&visit.app, &entry.site).await?;
    let mut inventory = now.clone();
    let wrong = match put::<T>(visit.words, &mut inventory, id, form) {
        Ok(at) => problems(visit.words, &inventory, T::LIST, at),
        Err(wrong) => wrong,
    };
    let change = change::write(&visit, inventory, &wrong).await?;
    if change == Change::Written {
        return Ok(Answer::done(&path(entry, T::LIST_PATH), "settings-saved-done"));
    }
    let frame = frame::<T>(&visit, id);
    let mut page = form_page::<T>(frame, visit.words, entry, &now, id, form, &wrong);
    page.conflict = change == Change::Overtaken;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn remove<T: Thing>(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let entry = &visit.entry;
    let id = visit.form.need("_id")?;
    let now = inventory::read(&visit.app, &entry.site).await?;
    let form = filled::<T>(&now, Some(id)).ok_or_else(not_found)?;
    let mut inventory = now.clone();
    if !take::<T>(&mut inventory, id) {
        return Err(not_found());
    }
    let wrong = problems(visit.words, &inventory, "", 0);
    let change = change::write(&visit, inventory, &wrong).await?;
    if change == Change::Written {
        return Ok(Answer::done(&path(entry, T::LIST_PATH), "settings-removed-done"));
    }
    let frame = frame::<T>(&visit, Some(id));
    let mut page = form_page::<T>(frame, visit.words, entry, &now, Some(id), &form, &wrong);
    page.conflict = change == Change::Overtaken;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The address of a route at this site.
fn path(at: &AtSite, route: &str) -> String {
    route.replace("{site}", at.site.as_str())
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
    let form = path(at, T::FORM_PATH);
    let may = at.may(SitePower::Administer);
    let link = |id: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        may.then(|| format!("{form}?{}", query.append_pair("id", id).finish()))
    };
    let lines = lines::<T>(w, &at.inventory).into_iter();
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
    let (to, back) = (path(at, T::FORM_PATH), path(at, T::LIST_PATH));
    FormPage {
        id: id.unwrap_or_default().to_owned(),
        remove: id.map(|_| path(at, T::REMOVE_PATH)),
        ..FormPage::of((frame, w), (to, back), inventory.revision, fields, wrong)
    }
}

/// A value that does not read, with the text of its rule.
#[must_use]
pub fn unread(w: Words, field: &str, id: &str) -> Wrong {
    (field.to_owned(), w.t(id))
}
