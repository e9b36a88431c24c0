//! A small HTTP/1.1 client: one kept connection to one server.
//!
//! Redirects are errors, bodies are never unpacked, everything is bounded ([`super::limits`]). A
//! request that was not answered because a kept connection had gone is sent once more on a new one,
//! if it was never sent or is a GET. Not here: verification of anything but the server's certificate.
//! Invariant: a connection is kept only after its last answer was read to the end.

use super::body::{self, Speed};
use super::error::LinkError;
use super::limits::{
    ANSWER_S_MAX, CONNECT_S_MAX, HEAD_BYTES_MAX, HEADERS_MAX, PATH_BYTES_MAX, READ_AHEAD_BYTES_MAX,
};
use super::tls::{self, ServerTrust};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Whether bytes may travel in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Within this machine only.
    LoopbackOnly,
    /// To any machine. Weakens secrecy, not what is installed; the caller logs it.
    InsecureAnywhere,
}

/// Which server, and how to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The server's address; paths are asked for below it.
    pub base: Url,
    /// Whom to trust as the server.
    pub trust: ServerTrust,
    /// Whether bytes may travel in the clear.
    pub plain_http: PlainHttp,
    /// How fast bodies must come.
    pub speed: Speed,
}

/// An answer with its whole body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A piece of a file on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What follows begins at this byte of the file: where it was asked for, or at 0 when the
    /// server sends the whole file (it has changed). Comes once, first.
    From(u64),
    /// The next bytes.
    Bytes(&'a [u8]),
}

/// How a download went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The status: 200 and 206 brought bytes, any other none.
    pub status: u16,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
    /// How many bytes came.
    pub bytes: u64,
}

/// What is asked for: a file from a byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From<'a> {
    /// The first byte.
    pub byte: u64,
    /// The byte after the last; none = to the end of the file.
    pub end: Option<u64>,
    /// The `ETag` of what is there already: if the file has changed, it is sent from 0.
    pub if_etag: Option<&'a str>,
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    config: Config,
    tls: Option<Arc<rustls::ClientConfig>>,
    kept: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[derive(Debug, Clone)]
struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// A client; it connects when the first request is made.
    ///
    /// # Errors
    /// [`LinkError::Address`], [`LinkError::PlainHttp`], [`LinkError::Authorities`].
    pub fn new(config: Config) -> Result<Self, LinkError> {
        let base = &config.base;
        let host = base.host().ok_or_else(|| LinkError::Address(base.to_string()))?;
        let tls = match (base.scheme(), config.plain_http) {
            ("https", _) => Some(tls::client_config(&config.trust)?),
            ("http", PlainHttp::InsecureAnywhere) => None,
            ("http", PlainHttp::LoopbackOnly) if is_loopback(&host) => None,
            ("http", PlainHttp::LoopbackOnly) => {
                return Err(LinkError::PlainHttp(base.to_string()));
            }
            _ => return Err(LinkError::Address(base.to_string())),
        };
        Ok(Self { config, tls, kept: None })
    }

    /// A client of the same server with a connection of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { config: self.config.clone(), tls: self.tls.clone(), kept: None }
    }

    /// The server's address.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.config.base
    }

    /// Fetches a small document. Any status but a redirect is an answer.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn get(
        &mut self,
        path: &str,
        bytes_max: u64,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response, LinkError> {
        let ask = self.ask(Method::GET, path, headers, Bytes::new())?;
        self.whole(ask, bytes_max).await
    }

    /// Sends JSON and takes a small answer. Any status but a redirect is an answer.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn post_json(
        &mut self,
        path: &str,
        json: Vec<u8>,
        bearer: Option<&str>,
        bytes_max: u64,
    ) -> Result<Response, LinkError> {
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let mut headers = vec![(header::CONTENT_TYPE, "application/json")];
        headers.extend(bearer.as_deref().map(|value| (header::AUTHORIZATION, value)));
        let ask = self.ask(Method::POST, path, &headers, Bytes::from(json))?;
        self.whole(ask, bytes_max).await
    }

    /// Fetches a file from a byte on, in pieces; at most `bytes_max` bytes come. More than was asked
    /// for may come: a server need not know ranges.
    ///
    /// # Errors
    /// [`LinkError`]; what came before it was handed to `take`.
    pub async fn get_range(
        &mut self,
        path: &str,
        from: From<'_>,
        bytes_max: u64,
        headers: &[(HeaderName, &str)],
        mut take: impl FnMut(Piece<'_>) -> std::io::Result<()>,
    ) -> Result<Download, LinkError> {
        let last = from.end.map(|end| end.saturating_sub(1).to_string()).unwrap_or_default();
        let range = format!("bytes={}-{last}", from.byte);
        let mut headers = headers.to_vec();
        if from.byte > 0 || from.end.is_some() {
            headers.push((header::RANGE, range.as_str()));
            headers.extend(from.if_etag.map(|etag| (header::IF_RANGE, etag)));
        }
        let ask = self.ask(Method::GET, path, &headers, Bytes::new())?;
        let (answer, connection) = self.exchange(ask).await?;
        let (head, incoming) = answer.into_parts();
        let start = match head.status {
            StatusCode::OK => Some(0),
            StatusCode::PARTIAL_CONTENT => Some(begins_at(&head.headers, from.byte)?),
            _ => None,
        };
        let mut came = 0;
        if let Some(byte) = start {
            take(Piece::From(byte)).map_err(LinkError::Take)?;
            let speed = self.config.speed;
            came =
                body::read(incoming, bytes_max, speed, |piece| take(Piece::Bytes(piece))).await?;
            self.kept = Some(connection);
        }
        let (etag, retry_after_s) = (text(&head.headers, header::ETAG), retry_after(&head.headers));
        Ok(Download { status: head.status.as_u16(), etag, retry_after_s, bytes: came })
    }

    async fn whole(&mut self, ask: Ask, bytes_max: u64) -> Result<Response, LinkError> {
        let (answer, connection) = self.exchange(ask).await?;
        let (head, incoming) = answer.into_parts();
        let mut bytes = Vec::new();
        body::read(incoming, bytes_max, self.config.speed, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        self.kept = Some(connection);
        Ok(Response {
            status: head.status.as_u16(),
            etag: text(&head.headers, header::ETAG),
            retry_after_s: retry_after(&head.headers),
            content_type: text(&head.headers, header::CONTENT_TYPE),
            body: bytes,
        })
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Ask, LinkError> {
        let bad = || LinkError::Path(path.chars().take(200).collect());
        let path_only = path.split('?').next().unwrap_or(path);
        let climbs = path_only.split('/').any(|part| matches!(part, "." | ".."));
        if path.len() > PATH_BYTES_MAX || climbs {
            return Err(bad());
        }
        let below = self.config.base.path().trim_end_matches('/');
        let path = format!("{below}/{}", path.trim_start_matches('/'));
        path.parse::<hyper::http::uri::PathAndQuery>().map_err(|_| bad())?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.clone(), HeaderValue::from_str(value).map_err(|_| bad())?);
        }
        Ok(Ask { method, path, headers: map, body })
    }

    /// Sends a request and takes the head of the answer.
    async fn exchange(
        &mut self,
        ask: Ask,
    ) -> Result<(hyper::Response<Incoming>, Connection), LinkError> {
        let (answer, connection) = match self.kept.take() {
            Some(kept) if !kept.sender.is_closed() => match self.send(kept, &ask).await {
                Ok(done) => done,
                Err(Unanswered::Again(_)) => {
                    let fresh = self.connect().await?;
                    self.send(fresh, &ask).await.map_err(Unanswered::into_error)?
                }
                Err(Unanswered::Final(error)) => return Err(error),
            },
            _ => {
                let fresh = self.connect().await?;
                self.send(fresh, &ask).await.map_err(Unanswered::into_error)?
            }
        };
        let status = answer.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            return Err(LinkError::Redirect { status: status.as_u16() });
        }
        match text(answer.headers(), header::CONTENT_ENCODING) {
            Some(coding) if coding != "identity" => Err(LinkError::Encoding(coding)),
            _ => Ok((answer, connection)),
        }
    }

    async fn send(
        &self,
        mut connection: Connection,
        ask: &Ask,
    ) -> Result<(hyper::Response<Incoming>, Connection), Unanswered> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() =
            ask.path.parse().map_err(|_| Unanswered::Final(LinkError::Path(ask.path.clone())))?;
        *request.headers_mut() = ask.headers.clone();
        let host = HeaderValue::from_str(&authority(&self.config.base));
        request.headers_mut().insert(
            header::HOST,
            host.map_err(|_| Unanswered::Final(LinkError::Address(self.config.base.to_string())))?,
        );
        let exchange = async {
            connection.sender.ready().await?;
            connection.sender.send_request(request).await
        };
        let answer =
            within("the answer", ANSWER_S_MAX, exchange).await.map_err(Unanswered::Final)?;
        match answer {
            Ok(answer) => Ok((answer, connection)),
            Err(error) => {
                let gone = error.is_canceled()
                    || error.is_closed()
                    || (ask.method == Method::GET && error.is_incomplete_message());
                let error = LinkError::from_hyper(error);
                Err(if gone { Unanswered::Again(error) } else { Unanswered::Final(error) })
            }
        }
    }

    async fn connect(&self) -> Result<Connection, LinkError> {
        within("the connection", CONNECT_S_MAX, self.connect_now()).await?
    }

    async fn connect_now(&self) -> Result<Connection, LinkError> {
        let base = &self.config.base;
        let name = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = base.port_or_known_default().unwrap_or(443);
        let failed = |error| LinkError::from_connect(&authority(base), error);
        let stream = TcpStream::connect((name, port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else { return handshake(stream).await };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| LinkError::Address(base.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(tls));
        handshake(connector.connect(server, stream).await.map_err(failed)?).await
    }
}

/// Why a request was not answered, and whether to send it again on a new connection.
enum Unanswered {
    Again(LinkError),
    Final(LinkError),
}

impl Unanswered {
    fn into_error(self) -> LinkError {
        match self {
            Self::Again(error) | Self::Final(error) => error,
        }
    }
}

async fn handshake<S>(stream: S) -> Result<Connection, LinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(READ_AHEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(LinkError::from_hyper)?;
    // An error of the connection reaches whoever waits for an answer on it.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(Connection { sender, driver })
}

async fn within<T>(
    waiting_for: &'static str,
    seconds: u64,
    future: impl Future<Output = T>,
) -> Result<T, LinkError> {
    tokio::time::timeout(Duration::from_secs(seconds), future)
        .await
        .map_err(|_| LinkError::Timeout { waiting_for, seconds })
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn authority(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::RETRY_AFTER).and_then(|value| value.trim().parse().ok())
}

/// The first byte of a 206, which must be the one asked for.
fn begins_at(headers: &HeaderMap, asked: u64) -> Result<u64, LinkError> {
    let sent = text(headers, header::CONTENT_RANGE).unwrap_or_default();
    let first = sent
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(first, _)| first.parse::<u64>().ok());
    match first {
        Some(first) if first == asked => Ok(first),
        _ => Err(LinkError::WrongRange { asked, sent }),
    }
}
