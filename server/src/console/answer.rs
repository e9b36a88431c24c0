//! What a handler answers: a page, a way on, a file, a stream of events; with the headers that keep
//! foreign script, frames and caches out.
//!
//! Not here: what stands in it. Invariant: every answer of the console carries [`POLICY`].

use super::done;
use super::turned::Turned;
use crate::error::ApiError;
use crate::keys::MacSecret;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use bytes::Bytes;
use futures_util::Stream;
use patchward_protocol::time::Timestamp;
use std::pin::Pin;

/// Nothing from elsewhere, nothing inline, no frame around it, forms go home only.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Pieces of a stream.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, std::convert::Infallible>>>>;

/// An answer.
pub struct Answer {
    body: Body,
    cookies: Vec<Cookie<'static>>,
}

enum Body {
    Page(StatusCode, String),
    Go(String),
    Done { to: String, id: &'static str },
    File { name: Option<String>, kind: &'static str, bytes: Bytes },
    Events(Pieces),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.body {
            Body::Page(status, _) => format!("page {status}"),
            Body::Go(to) => format!("go {to}"),
            Body::Done { to, id } => format!("go {to} {id}"),
            Body::File { name, .. } => format!("file {name:?}"),
            Body::Events(_) => "events".to_owned(),
        };
        f.debug_tuple("Answer").field(&kind).finish()
    }
}

impl Answer {
    /// A page.
    ///
    /// # Errors
    /// A failure of ours when the template cannot be rendered.
    pub fn page(page: &impl Template) -> Result<Self, Turned> {
        Self::page_as(StatusCode::OK, page)
    }

    /// A page with another status, e.g. 422 for a form that is shown again.
    ///
    /// # Errors
    /// A failure of ours when the template cannot be rendered.
    pub fn page_as(status: StatusCode, page: &impl Template) -> Result<Self, Turned> {
        let html = page.render().map_err(ApiError::failed)?;
        Ok(Self::from(Body::Page(status, html)))
    }

    /// Elsewhere, after a form was taken (303).
    #[must_use]
    pub fn go(to: impl Into<String>) -> Self {
        Self::from(Body::Go(to.into()))
    }

    /// Elsewhere, with a word about what was done: a Fluent id that ends in `-done`.
    #[must_use]
    pub fn done(to: &str, id: &'static str) -> Self {
        Self::from(Body::Done { to: to.to_owned(), id })
    }

    /// With the word about what was done under the server's seal ([`super::done`]).
    #[must_use]
    pub(super) fn sealed(mut self, secret: &MacSecret, at: Timestamp) -> Self {
        if let Body::Done { to, id } = &self.body {
            self.body = Body::Go(done::sealed(secret, to, id, at));
        }
        self
    }

    /// A file to keep, under this name.
    #[must_use]
    pub fn file(name: &str, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        let name = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c));
        Self::from(Body::File { name: Some(name.collect()), kind, bytes: bytes.into() })
    }

    /// A table for a spreadsheet, under this name.
    #[must_use]
    pub fn table(name: &str, table: String) -> Self {
        Self::file(name, "text/csv; charset=utf-8", table)
    }

    /// Bytes to be shown, e.g. `text/calendar`.
    #[must_use]
    pub fn bytes(kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::from(Body::File { name: None, kind, bytes: bytes.into() })
    }

    /// A stream of server-sent events (WHATWG HTML 9.2).
    #[must_use]
    pub fn events(pieces: Pieces) -> Self {
        Self::from(Body::Events(pieces))
    }

    /// With a cookie.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.cookies.push(cookie);
        self
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = match &self.body {
            Body::Page(status, _) => HttpResponse::build(*status),
            Body::Go(_) | Body::Done { .. } => HttpResponse::SeeOther(),
            Body::File { .. } | Body::Events(_) => HttpResponse::Ok(),
        };
        guard(&mut response);
        response.insert_header((CACHE_CONTROL, "no-store"));
        for cookie in &self.cookies {
            response.cookie(cookie.clone());
        }
        match self.body {
            Body::Page(_, html) => response.content_type("text/html; charset=utf-8").body(html),
            // Without a seal, nothing is said.
            Body::Go(to) | Body::Done { to, .. } => match HeaderValue::from_str(&to) {
                Ok(to) => response.insert_header((LOCATION, to)).finish(),
                Err(_) => response.insert_header((LOCATION, "/console")).finish(),
            },
            Body::File { name, kind, bytes } => {
                if let Some(name) = name {
                    let keep = format!("attachment; filename=\"{name}\"");
                    response.insert_header((CONTENT_DISPOSITION, keep));
                }
                response.content_type(kind).body(bytes)
            }
            Body::Events(pieces) => {
                response.insert_header((HeaderName::from_static("x-accel-buffering"), "no"));
                response.content_type("text/event-stream").streaming(pieces)
            }
        }
    }
}

impl From<Body> for Answer {
    fn from(body: Body) -> Self {
        Self { body, cookies: Vec::new() }
    }
}

/// Puts the headers on that every answer carries.
pub(super) fn guard(response: &mut HttpResponseBuilder) {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((OPENER, "same-origin"))
        .insert_header((RESOURCE, "same-origin"))
        .insert_header((PERMISSIONS, "camera=(), microphone=(), geolocation=(), payment=()"));
}
