//! The only way in: an endpoint type and a handler become a route.
//!
//! Before the handler runs, the path is read, the caller is proven ([`Prove`]) and the body is read as
//! strict JSON within the endpoint's limit. A handler for a caller kind without a proof does not
//! compile. Not here: what a handler does.
//! Invariant: token holders are proven before a byte of the body is read.

use super::problem::problem;
use super::request_id::RequestId;
use crate::app::App;
use crate::auth::caller::Prove;
use crate::error::ApiError;
use crate::limits::BODY_S_MAX;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderMap};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use patchward_protocol::api::endpoint::{Endpoint, Method};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::canonical::{self, Charset, ReadJson};
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// What a handler receives: the caller as a proof, the path, the body.
#[derive(Debug)]
pub struct Call<E: Endpoint, P> {
    /// The server.
    pub app: Arc<App>,
    /// Who calls, proven.
    pub caller: P,
    /// Path parameters.
    pub path: E::Path,
    /// The body.
    pub body: E::Body,
}

/// The proof that an endpoint's caller kind gives.
pub type ProofOf<E> = <<E as Endpoint>::Caller as Prove<E>>::Proof;

/// A request whose body has not been read.
pub struct Incoming<'a, E> {
    app: &'a App,
    request: &'a HttpRequest,
    payload: Payload,
    endpoint: PhantomData<E>,
}

/// Makes `handler` the answer to the endpoint.
///
/// The handler receives the proof of the endpoint's own caller kind:
///
/// ```
/// use patchward_protocol::api::token::{ListTokens, TokenView};
/// use patchward_server::auth::caller::AdministratorHolder;
/// use patchward_server::error::ApiError;
/// use patchward_server::http::mount::{Call, mount};
///
/// async fn list(_: Call<ListTokens, AdministratorHolder>) -> Result<Vec<TokenView>, ApiError> {
///     Ok(Vec::new())
/// }
/// let _ = |services: &mut actix_web::web::ServiceConfig| mount::<ListTokens, _, _>(services, list);
/// ```
///
/// With the proof of another kind it does not compile:
///
/// ```compile_fail,E0631
/// use patchward_protocol::api::token::{ListTokens, TokenView};
/// use patchward_server::auth::caller::AnyHolder;
/// use patchward_server::error::ApiError;
/// use patchward_server::http::mount::{Call, mount};
///
/// async fn list(_: Call<ListTokens, AnyHolder>) -> Result<Vec<TokenView>, ApiError> {
///     Ok(Vec::new())
/// }
/// let _ = |services: &mut actix_web::web::ServiceConfig| mount::<ListTokens, _, _>(services, list);
/// ```
pub fn mount<E, H, F>(services: &mut ServiceConfig, handler: H)
where
    E: Endpoint + 'static,
    E::Caller: Prove<E>,
    H: Fn(Call<E, ProofOf<E>>) -> F + Clone + 'static,
    F: Future<Output = Result<E::Reply, ApiError>> + 'static,
{
    let route = match E::METHOD {
        Method::Get => web::get(),
        Method::Post => web::post(),
        Method::Put => web::put(),
        Method::Delete => web::delete(),
    };
    let answer = move |app: web::Data<App>, request: HttpRequest, payload: Payload| {
        let handler = handler.clone();
        async move {
            let result = call::<E, H, F>(&app.into_inner(), &request, payload, &handler).await;
            result.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
        }
    };
    services.route(E::PATH, route.to(answer));
}

async fn call<E, H, F>(
    app: &Arc<App>,
    request: &HttpRequest,
    payload: Payload,
    handler: &H,
) -> Result<HttpResponse, ApiError>
where
    E: Endpoint + 'static,
    E::Caller: Prove<E>,
    H: Fn(Call<E, ProofOf<E>>) -> F,
    F: Future<Output = Result<E::Reply, ApiError>>,
{
    let path = web::Path::<E::Path>::extract(request).await;
    let path = path.map_err(|error| ApiError::with(ErrorCode::PathMalformed, error.to_string()))?;
    let path = path.into_inner();
    let incoming = Incoming { app, request, payload, endpoint: PhantomData };
    let (caller, body) = E::Caller::prove(incoming, &path).await?;
    let reply = handler(Call { app: Arc::clone(app), caller, path, body }).await?;
    let bytes = serde_json::to_vec(&reply).map_err(ApiError::failed)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if bytes == b"null" {
        return Ok(response.status(actix_web::http::StatusCode::NO_CONTENT).finish());
    }
    Ok(response.content_type("application/json").body(bytes))
}

impl<'a, E: Endpoint> Incoming<'a, E> {
    /// The server.
    #[must_use]
    pub const fn app(&self) -> &'a App {
        self.app
    }

    /// The head of the request.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// Reads the body as strict JSON within the endpoint's limit.
    ///
    /// # Errors
    /// `body_too_long` and `body_malformed`.
    pub async fn read(self) -> Result<E::Body, ApiError> {
        let arrived = tokio::time::timeout(Duration::from_secs(BODY_S_MAX), self.receive()).await;
        let slow = || format!("it did not arrive within {BODY_S_MAX} s");
        let bytes = arrived.map_err(|_| ApiError::with(ErrorCode::BodyMalformed, slow()))??;
        let length_max = E::BODY_BYTES_MAX;
        // No body is the one way to write "nothing".
        let json = if bytes.is_empty() { b"null" } else { bytes.as_slice() };
        canonical::read(json, length_max.max(4), Charset::Unicode).map_err(|error| match error {
            ReadJson::TooLong { .. } => too_long(length_max),
            ReadJson::Strict(_) | ReadJson::Shape(_) => {
                ApiError::because(ErrorCode::BodyMalformed, &error)
            }
        })
    }

    async fn receive(mut self) -> Result<Vec<u8>, ApiError> {
        let told = self.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let told = told.and_then(|text| text.parse::<u64>().ok());
        let length_max = E::BODY_BYTES_MAX;
        if told.is_some_and(|length| usize::try_from(length).map_or(true, |l| l > length_max)) {
            return Err(too_long(length_max));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = self.payload.next().await {
            let piece = piece
                .map_err(|error| ApiError::with(ErrorCode::BodyMalformed, error.to_string()))?;
            if bytes.len().saturating_add(piece.len()) > length_max {
                return Err(too_long(length_max));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

fn too_long(length_max: usize) -> ApiError {
    ApiError::with(ErrorCode::BodyTooLong, format!("at most {length_max} bytes"))
}
