//! Why a visitor does not get what was asked: sign in first, or a refusal in words.
//!
//! Not here: the codes (`protocol::api::error`). Invariant: a failure of ours shows a request id and
//! nothing else; the cause goes to the log.

use super::answer::Answer;
use super::asked::Asked;
use super::frame::Frame;
use super::invalid::{Invalid, invalid};
use super::pages::approvals::reasons;
use super::words::Words;
use crate::error::{ApiError, Chain};
use crate::people::who::Who;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::error::{ErrorCode, Retry};

/// Why not.
#[derive(Debug)]
pub enum Turned {
    /// Sign in first, then come back here.
    SignIn {
        /// Path and query.
        back: String,
    },
    /// A row of the code table.
    Refused(ApiError),
}

impl<E: Into<ApiError>> From<E> for Turned {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// The page of a refusal.
#[derive(Template)]
#[template(path = "frame/turned.html")]
struct TurnedPage<'a> {
    frame: Frame,
    w: Words,
    hint: &'a str,
    detail: Option<String>,
    exact: Option<String>,
    code: &'static str,
    again: bool,
    request_id: &'a str,
}

impl Turned {
    /// What the visitor sees.
    #[must_use]
    pub fn answer(self, asked: &Asked, who: Option<&Who>, request_id: &str) -> Answer {
        match self {
            Self::SignIn { back } => {
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                Answer::go(format!("/console/login?{}", query.append_pair("back", &back).finish()))
            }
            Self::Refused(error) => refused(&error, asked, who, request_id),
        }
    }
}

fn refused(error: &ApiError, asked: &Asked, who: Option<&Who>, request_id: &str) -> Answer {
    let code = error.code();
    if let ApiError::Failed(_) = error {
        tracing::error!(request.id = %request_id, error = %Chain(error), "A page failed");
    }
    let words = asked.words(who.map(|who| who.language));
    let (detail, exact) = match error {
        ApiError::NotDrafted(why) => (Some(reasons::draft(words, "Etc/UTC", why)), None),
        ApiError::Refused { .. } | ApiError::Failed(_) => particulars(words, error),
    };
    let frame = Frame::bare(asked, who, words, words.t("frame-turned-title"));
    let page = TurnedPage {
        frame,
        w: words,
        hint: words.pick(code.en(), code.ja()),
        detail,
        exact,
        code: code.code(),
        again: code.retry() == Retry::Later,
        request_id,
    };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A page is no API: a missing session is a page like others, without a challenge.
    Answer::page_as(status, &page).unwrap_or_else(|_| Answer::bytes("text/plain", code.code()))
}

/// The particulars of a refusal: in words where they are known, and as programs are told them.
fn particulars(w: Words, error: &ApiError) -> (Option<String>, Option<String>) {
    match (error.code(), error.detail()) {
        (ErrorCode::RequestInvalid, Some(detail)) => {
            let Invalid { words, exact } = invalid(w, &detail);
            (Some(words), exact)
        }
        (_, detail) => (None, detail),
    }
}

/// There is no such thing, or it is not the visitor's.
#[must_use]
pub const fn not_found() -> Turned {
    Turned::Refused(ApiError::of(ErrorCode::NotFound))
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked};
    let page = |detail: Option<&str>, code: ErrorCode| {
        let (detail, exact) = match detail {
            Some(detail) => particulars(words, &ApiError::with(code, detail)),
            None => (None, None),
        };
        TurnedPage {
            frame: Frame::bare(&asked(words), None, words, words.t("frame-turned-title")),
            w: words,
            hint: words.pick(code.en(), code.ja()),
            detail,
            exact,
            code: code.code(),
            again: code.retry() == Retry::Later,
            request_id: "1a2b3c4d-7",
        }
    };
    vec![
        Sample::of(
            "frame/turned.html",
            "refused",
            &page(Some("reason: it is empty"), ErrorCode::RequestInvalid),
        ),
        Sample::of(
            "frame/turned.html",
            "exact",
            &page(Some("targets: rule 7 is broken"), ErrorCode::PublishRefused),
        ),
        Sample::of("frame/turned.html", "failed", &page(None, ErrorCode::Internal)),
    ]
}
