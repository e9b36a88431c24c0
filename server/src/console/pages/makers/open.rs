//! A family is opened: its name, who may read it, and how long it is supported.
//!
//! Not here: signing its first root and targets, which is done on people's own machines; the page after
//! it shows the commands. Invariant: no family is opened here without days of its life, or a day until
//! which they are undecided.

use super::lifecycle::{self, Fields, in_words, is_theirs};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::lifecycle::dates::{SUPPORT_NOTICE_DAYS, UNDECIDED_DAYS_MAX};
use crate::lifecycle::{history, say};
use crate::people::role::MakerPower;
use crate::publish;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{OpenRepositoryRequest, Reading};
use patchward_protocol::id::{FamilyId, RepositoryId};

#[derive(Template)]
#[template(path = "makers/open.html")]
struct Page {
    frame: Frame,
    w: Words,
    maker: String,
    to: String,
    back: String,
    name: String,
    title_en: String,
    title_ja: String,
    restricted: bool,
    fields: Fields,
    notice: i64,
    undecided_max: i64,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/makers/{maker}/families/new";
    routes.get::<AtMaker, _, _>(path, MakerPower::Administer, ask);
    routes.post::<AtMaker, _, _>(path, MakerPower::Administer, open);
}

async fn ask(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    Answer::page(&page(&visit, lifecycle::fields(None)))
}

async fn open(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    match try_open(&visit).await {
        Ok(family) => {
            let to = visit.entry.path(&format!("families/{family}"));
            Ok(Answer::done(&to, "families-opened-done"))
        }
        Err(error) if is_theirs(&error) => {
            let wrong = Some(in_words(visit.words, &error));
            let fields = Fields { wrong, ..lifecycle::typed(&visit.form) };
            Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, fields))
        }
        Err(error) => Err(error.into()),
    }
}

async fn try_open(visit: &Visit<AtMaker>) -> Result<FamilyId, ApiError> {
    let form = &visit.form;
    let name = format!("{}.{}", visit.entry.maker, form.need("name")?);
    let wrong = |error| ApiError::because(ErrorCode::RequestInvalid, &error);
    let family = FamilyId::new(&name).map_err(wrong)?;
    let life = lifecycle::read(form)?;
    life.check(None, visit.at).map_err(say::refused)?;
    let id = RepositoryId::Family(family.clone());
    if visit.app.snapshot().get(&id).is_some() {
        return Err(ApiError::of(ErrorCode::RepositoryExists));
    }
    let restricted = form.get("reading") == Some("restricted");
    let request = OpenRepositoryRequest {
        title_en: form.need("title_en")?.to_owned(),
        title_ja: form.need("title_ja")?.to_owned(),
        reading: if restricted { Reading::Restricted } else { Reading::Public },
    };
    // The days come first: a family that is open without them must not be.
    let of = family.clone();
    let said = visit.app.db.read(move |conn| history(conn, &of)).await?;
    if said.first().is_none_or(|said| said.lifecycle != life) {
        let revision = said.first().map_or(0, |said| said.revision);
        say::say(&visit.app, &family, life, revision, &visit.entry.who).await?;
    }
    publish::open::open(&visit.app, id, request, visit.entry.who.by()).await?;
    Ok(family)
}

fn page(visit: &Visit<AtMaker>, fields: Fields) -> Page {
    let form = &visit.form;
    let field = |name| form.get(name).unwrap_or_default().to_owned();
    Page {
        frame: visit.frame(Nav::Families, visit.words.t("families-open-title")),
        w: visit.words,
        maker: visit.entry.maker.to_string(),
        to: visit.entry.path("families/new"),
        back: visit.entry.path("families"),
        name: field("name"),
        title_en: field("title_en"),
        title_ja: field("title_ja"),
        restricted: form.get("reading") == Some("restricted"),
        fields,
        notice: SUPPORT_NOTICE_DAYS,
        undecided_max: UNDECIDED_DAYS_MAX,
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame};
    let page = |name: &str, fields| Page {
        frame: maker_frame(w, Nav::Families, "families-open-title"),
        w,
        maker: "acme".to_owned(),
        to: "/console".to_owned(),
        back: "/console".to_owned(),
        name: name.to_owned(),
        title_en: String::new(),
        title_ja: String::new(),
        restricted: true,
        fields,
        notice: SUPPORT_NOTICE_DAYS,
        undecided_max: UNDECIDED_DAYS_MAX,
    };
    let code = ErrorCode::LifecycleMissing;
    let wrong = Some(w.pick(code.en(), code.ja()).to_owned());
    let refused = Fields { wrong, ..lifecycle::fields(None) };
    vec![
        Sample::of("makers/open.html", "new", &page("", lifecycle::fields(None))),
        Sample::of("makers/open.html", "refused", &page("infusion-c", refused)),
    ]
}
