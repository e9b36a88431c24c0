//! Routes of the console: method, path, who may come in, handler.
//!
//! They are listed before they are mounted, so that a test can knock at every one of them as
//! everybody who must not come in. Not here: the check itself ([`super::door`]).
//! Invariant: there is no way in but [`Routes::get`] and [`Routes::post`].

use super::answer::Answer;
use super::asked::{Asked, language_cookie};
use super::door::{Entry, Visit};
use super::form::Form;
use super::turned::Turned;
use crate::app::App;
use crate::http::request_id::RequestId;
use crate::limits::{FORM_BYTES_MAX, STRANGER_BYTES_MAX};
use crate::people::session;
use crate::people::who::Who;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use std::future::Future;
use std::sync::Arc;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path with its parts in braces.
    pub path: &'static str,
    /// [`Entry::KIND`].
    pub entry: &'static str,
    /// The power that is asked for.
    pub power: String,
}

/// What mounts one route.
type Mount = Box<dyn FnOnce(&mut ServiceConfig)>;

/// All routes.
#[derive(Default)]
pub struct Routes {
    listed: Vec<Route>,
    mounts: Vec<Mount>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.listed).finish()
    }
}

impl Routes {
    /// A page.
    pub fn get<E, H, F>(&mut self, path: &'static str, power: E::Power, handler: H)
    where
        E: Entry,
        H: Fn(Visit<E>) -> F + Clone + 'static,
        F: Future<Output = Result<Answer, Turned>> + 'static,
    {
        self.list::<E>("GET", path, power);
        let answer = move |app: web::Data<App>, request: HttpRequest| {
            let handler = handler.clone();
            async move { serve::<E, H, F>(app.into_inner(), request, None, power, handler).await }
        };
        self.mounts.push(Box::new(move |services| {
            services.route(path, web::get().to(answer));
        }));
    }

    /// What a form does.
    pub fn post<E, H, F>(&mut self, path: &'static str, power: E::Power, handler: H)
    where
        E: Entry,
        H: Fn(Visit<E>) -> F + Clone + 'static,
        F: Future<Output = Result<Answer, Turned>> + 'static,
    {
        self.list::<E>("POST", path, power);
        let answer = move |app: web::Data<App>, request: HttpRequest, payload: Payload| {
            let handler = handler.clone();
            async move {
                serve::<E, H, F>(app.into_inner(), request, Some(payload), power, handler).await
            }
        };
        self.mounts.push(Box::new(move |services| {
            services.route(path, web::post().to(answer));
        }));
    }

    /// The list.
    #[must_use]
    pub fn listed(&self) -> &[Route] {
        &self.listed
    }

    pub(super) fn mount(self, services: &mut ServiceConfig) {
        self.mounts.into_iter().for_each(|mount| mount(services));
    }

    fn list<E: Entry>(&mut self, method: &'static str, path: &'static str, power: E::Power) {
        self.listed.push(Route { method, path, entry: E::KIND, power: format!("{power:?}") });
    }
}

async fn serve<E, H, F>(
    app: Arc<App>,
    request: HttpRequest,
    payload: Option<Payload>,
    power: E::Power,
    handler: H,
) -> HttpResponse
where
    E: Entry,
    H: Fn(Visit<E>) -> F,
    F: Future<Output = Result<Answer, Turned>>,
{
    let server = Arc::clone(&app);
    let (secret, at) = (server.keys.mac(), server.clock.now());
    let asked = Asked::of(&request).knocking(&request, &server.config).sealed(secret, at);
    let mut who = None;
    let answer = async {
        who = visitor(&app, &request).await?;
        let form = match payload {
            Some(payload) => {
                let bytes_max = if who.is_some() { FORM_BYTES_MAX } else { STRANGER_BYTES_MAX };
                Some(Form::receive(&request, payload, bytes_max).await?)
            }
            None => None,
        };
        let visit = Visit::<E>::enter(app, asked.clone(), form, who.clone(), power).await?;
        handler(visit).await
    };
    let result = answer.await;
    let id = RequestId::of(&request).to_string();
    let answer = result.unwrap_or_else(|turned| turned.answer(&asked, who.as_ref(), &id));
    let kept = asked.switched.map(|language| language_cookie(language, &server.config));
    let answer = answer.sealed(secret, server.clock.now());
    kept.into_iter().fold(answer, Answer::cookie).into_response()
}

async fn visitor(app: &Arc<App>, request: &HttpRequest) -> Result<Option<Who>, Turned> {
    let name = session::cookie_name(&app.config);
    match request.cookie(name) {
        // What an open page asks by itself is no click: it keeps no session alive.
        Some(cookie) if request.path().ends_with("/events") => {
            Ok(session::glance(app, cookie.value()).await?)
        }
        Some(cookie) => Ok(session::who(app, cookie.value()).await?),
        None => Ok(None),
    }
}
