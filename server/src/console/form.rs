//! What a form sent: fields, and files where the form has some.
//!
//! Bounded in bytes, fields and time. Not here: what the fields mean. Invariant: a form that a
//! signed-in person sends carries the token of the session, or nothing is done ([`super::door`]).

use crate::error::ApiError;
use crate::limits::{BODY_S_MAX, FORM_BYTES_MAX, FORM_FIELDS_MAX};
use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use patchward_protocol::api::error::ErrorCode;
use std::str::FromStr;
use std::time::Duration;

/// Name of the field with the session's token.
pub const TOKEN_FIELD: &str = "_token";

/// Most bytes around the parts of a form.
const AROUND_BYTES_MAX: usize = 64 * 1024;
/// How a stream says that it was longer.
const TOO_LONG: &str = "the form is too long";

/// A form.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    files: Vec<Sent>,
}

/// A file in a form.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Name of the field.
    pub field: String,
    /// Name of the file on the sender's machine, for people.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Form {
    /// Of these fields.
    #[must_use]
    pub fn of(fields: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { fields: fields.collect(), files: Vec::new() }
    }

    /// The first value of a field, trimmed; nothing when it is empty or missing.
    #[must_use]
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).map(str::trim).find(|value| !value.is_empty())
    }

    /// A field as it was typed, spaces included: for passwords.
    #[must_use]
    pub fn raw<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All fields but the session's token, for a page that shows them again.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        fields.filter(|(name, _)| *name != TOKEN_FIELD)
    }

    /// A file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Sent> {
        self.files.iter().find(|file| file.field == name && !file.bytes.is_empty())
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// `request_invalid` with the field's name.
    pub fn need<'a>(&'a self, name: &'a str) -> Result<&'a str, ApiError> {
        self.get(name).ok_or_else(|| invalid(name, "it is empty"))
    }

    /// A field that must be there, on one line: a box with several lines is read as one.
    ///
    /// # Errors
    /// `request_invalid` with the field's name.
    pub fn line(&self, name: &str) -> Result<String, ApiError> {
        self.need(name).map(one_line)
    }

    /// A field that must be there and read.
    ///
    /// # Errors
    /// `request_invalid` with the field's name and why.
    pub fn read<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, ApiError> {
        self.need(name)?.parse().map_err(|error: T::Err| invalid(name, &error.to_string()))
    }

    /// A field that may be empty, and must read when it is not.
    ///
    /// # Errors
    /// `request_invalid` with the field's name and why.
    pub fn maybe<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ApiError> {
        self.get(name).map(|_| self.read(name)).transpose()
    }

    /// Reads a form from a request, of at most so many bytes.
    ///
    /// # Errors
    /// `body_too_long`, `body_malformed`.
    pub(super) async fn receive(
        request: &HttpRequest,
        payload: Payload,
        bytes_max: usize,
    ) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let read = async {
            match multer::parse_boundary(&kind) {
                Ok(boundary) => Self::parts(boundary, payload, bytes_max).await,
                Err(_) => Self::urlencoded(payload, bytes_max).await,
            }
        };
        let slow = |_| malformed(&format!("it did not arrive within {BODY_S_MAX} s"));
        tokio::time::timeout(Duration::from_secs(BODY_S_MAX), read).await.map_err(slow)?
    }

    async fn urlencoded(mut payload: Payload, bytes_max: usize) -> Result<Self, ApiError> {
        let mut bytes = Vec::new();
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|error| malformed(&error.to_string()))?;
            if bytes.len().saturating_add(piece.len()) > bytes_max {
                return Err(too_long());
            }
            bytes.extend_from_slice(&piece);
        }
        // None is left out: what somebody unticked, or the last of a long list, would be another wish.
        if url::form_urlencoded::parse(&bytes).nth(FORM_FIELDS_MAX).is_some() {
            return Err(too_long());
        }
        Ok(Self::of(url::form_urlencoded::parse(&bytes)))
    }

    async fn parts(boundary: String, payload: Payload, bytes_max: usize) -> Result<Self, ApiError> {
        let mut left = bytes_max;
        // Counted before it is taken apart: what stands before, between and after the parts is held in
        // memory too, and nobody has signed in yet.
        let mut whole = bytes_max.saturating_add(AROUND_BYTES_MAX);
        let payload = payload.map(move |piece| {
            let piece = piece.map_err(|error| error.to_string())?;
            whole = whole.checked_sub(piece.len()).ok_or_else(|| TOO_LONG.to_owned())?;
            Ok(piece)
        });
        // Parts are read on one thread; multer wants a stream that could move.
        let (sender, receiver) = futures_channel(payload);
        let mut parts = multer::Multipart::new(receiver, boundary);
        let read = async {
            let mut form = Self::default();
            while let Some(mut part) = parts.next_field().await.map_err(broken)? {
                let field = part.name().unwrap_or_default().to_owned();
                let name = part.file_name().map(str::to_owned);
                let mut bytes = Vec::new();
                while let Some(piece) = part.chunk().await.map_err(broken)? {
                    left = left.checked_sub(piece.len()).ok_or_else(too_long)?;
                    bytes.extend_from_slice(&piece);
                }
                if form.fields.len().saturating_add(form.files.len()) >= FORM_FIELDS_MAX {
                    return Err(too_long());
                }
                match name {
                    Some(name) => form.files.push(Sent { field, name, bytes }),
                    None => {
                        let text = String::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
                        form.fields.push((field, text));
                    }
                }
            }
            Ok(form)
        };
        // Whoever reads may end first: what is too long is answered then, and not when it ends.
        match select(std::pin::pin!(read), std::pin::pin!(sender)).await {
            Either::Left((form, _)) => form,
            Either::Right(((), read)) => read.await,
        }
    }
}

/// A text on one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Brings a stream that cannot leave its thread to a reader that wants one that could.
fn futures_channel<S>(
    mut stream: S,
) -> (
    impl Future<Output = ()>,
    impl futures_util::Stream<Item = Result<bytes::Bytes, String>> + Send + 'static,
)
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, String>> + Unpin,
{
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    let feed = async move {
        while let Some(piece) = stream.next().await {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    };
    (feed, futures_util::stream::poll_fn(move |context| receiver.poll_recv(context)))
}

fn invalid(name: &str, why: &str) -> ApiError {
    ApiError::with(ErrorCode::RequestInvalid, format!("{name}: {why}"))
}

fn malformed(why: &str) -> ApiError {
    ApiError::with(ErrorCode::BodyMalformed, why)
}

fn too_long() -> ApiError {
    let rule = format!("at most {FORM_BYTES_MAX} bytes and {FORM_FIELDS_MAX} fields");
    ApiError::with(ErrorCode::BodyTooLong, rule)
}

fn broken(error: multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(told) = &error
        && told.to_string() == TOO_LONG
    {
        return too_long();
    }
    malformed(&error.to_string())
}
