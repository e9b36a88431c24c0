//! A name for every request, so that a person can find in the log what an error body is about.
//!
//! It is made here, never taken from the caller: a caller could make two requests look like one.
//! Invariant: no two requests of one server run have the same id.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest, web};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Header that carries the id of every answer.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Name of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

/// Makes the ids of one server run.
#[derive(Debug)]
pub struct RequestIds {
    run: String,
    next: AtomicU64,
}

impl RequestIds {
    /// With four random bytes that tell this run from others.
    #[must_use]
    pub fn new(random: [u8; 4]) -> Self {
        Self { run: hex::encode(random), next: AtomicU64::new(1) }
    }

    fn draw(&self) -> RequestId {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{}-{n}", self.run).into())
    }
}

impl RequestId {
    /// The id of a request that went through [`name_requests`].
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self("unnamed".into()))
    }

    /// An id for a test.
    #[cfg(test)]
    pub(crate) fn for_test(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Middleware: names the request and writes the name into the answer's head.
///
/// # Errors
/// Whatever the services below it return.
pub async fn name_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let ids = request.app_data::<web::Data<RequestIds>>();
    let id = ids.map_or_else(|| RequestId("unnamed".into()), |ids| ids.draw());
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    tracing::debug!(
        request.id = %id, request.method = %response.request().method(),
        request.path = response.request().path(), response.status = response.status().as_u16(),
        "A request was answered"
    );
    Ok(response)
}
