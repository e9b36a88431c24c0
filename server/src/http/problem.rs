//! A refusal or failure as an HTTP answer: problem+json (RFC 9457).
//!
//! A failure of ours is logged once, here, with its whole chain; the caller gets a code and a request
//! id and nothing else. Invariant: every error body has a code, a hint in two languages and the
//! request id, and every code that may be retried says when.

use super::request_id::RequestId;
use crate::error::{ApiError, Chain};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use patchward_protocol::api::error::{Problem, Retry};

/// Asked for when a code may be retried and nobody knows a better time, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// The answer; logs a failure of ours.
#[must_use]
pub fn problem(error: &ApiError, request_id: &RequestId) -> HttpResponse {
    let code = error.code();
    let (detail, after) = match error {
        ApiError::Refused { retry_after_s, .. } => (error.detail(), *retry_after_s),
        ApiError::NotDrafted(_) => (error.detail(), None),
        ApiError::Failed(cause) => {
            let cause = Chain(cause.as_ref()).to_string();
            tracing::error!(request.id = %request_id, error = %cause, "A request failed");
            (None, None)
        }
    };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store"));
    if code.retry() == Retry::Later {
        let seconds = after.unwrap_or(RETRY_AFTER_S);
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    let problem = Problem::new(code, detail, request_id.to_string());
    response.insert_header((CONTENT_TYPE, "application/problem+json"));
    response.body(serde_json::to_vec(&problem).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use patchward_protocol::api::error::ErrorCode;

    fn answer(error: &ApiError) -> (HttpResponse, String) {
        let id = RequestId::for_test("r-1");
        let body = problem(error, &id).into_body();
        let Ok(bytes) = actix_web::rt::System::new().block_on(to_bytes(body)) else {
            panic!("an error body is in memory");
        };
        (problem(error, &id), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_failure_of_ours_tells_the_caller_a_code_and_a_request_id_only() {
        let cause = std::io::Error::other("password of the database is hunter2");
        let (response, text) = answer(&ApiError::failed(cause));
        assert_eq!(response.status(), 500);
        assert!(!text.contains("hunter2"));
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!((problem.code, problem.request_id.as_str()), (ErrorCode::Internal, "r-1"));
        assert_eq!(problem.detail, None);
    }

    #[test]
    fn what_may_be_retried_says_when() {
        for code in ErrorCode::ALL {
            let (response, _) = answer(&ApiError::of(*code));
            let says = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(says, code.retry() == Retry::Later, "{code:?}");
        }
    }
}
