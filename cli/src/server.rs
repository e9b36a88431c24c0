//! The connection to a server: JSON endpoints as types, metadata and target files, uploads.
//!
//! HTTPS with the machine's certificate authorities or those of `--ca-file`; plain HTTP only to this
//! machine. Redirects are not followed. What comes back is trusted for nothing but its own word:
//! metadata is verified by [`crate::repository`]. Not here: which token ([`crate::login`]).
//! Invariant: the token is sent to the server it was given for, and to no other.

use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::{ANSWER_S_MAX, CONNECT_S_MAX, REPLY_BYTES_MAX, SMALL_FILE_BYTES_MAX};
use crate::progress::Progress;
use patchward_protocol::api::endpoint::{Caller, Endpoint, Method, Who};
use patchward_protocol::api::error::Problem;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::tuf::refresh::Answer;
use serde::de::DeserializeOwned;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, AsSendBody, Body, SendBody};
use url::Url;
use zeroize::Zeroizing;

/// Where the certificate authorities of common systems stand.
const SYSTEM_CA_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How to reach a server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Reach {
    /// Address of the server, e.g. `https://patchward.example:8443` (default: the one logged in to)
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// PEM file of the certificate authority that signed the server's certificate
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Allow plain HTTP to another machine: for laboratories only
    #[arg(long)]
    pub insecure_plain_http: bool,
}

/// A server's address: scheme, host and port, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Who pays for plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only to this machine.
    LoopbackOnly,
    /// To anywhere.
    InsecureAnywhere,
}

/// A server that can be asked.
#[derive(Debug)]
pub struct Server {
    address: Address,
    agent: Agent,
    token: Option<Zeroizing<String>>,
    ca_pem: Option<Vec<u8>>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Code::ValueBad`] or [`Code::PlainHttp`].
    pub fn read(text: &str, plain: PlainHttp) -> Outcome<Self> {
        let bad = |why: &str| Failure::new(Code::ValueBad, format!("{text:?}: {why}"));
        let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        let host = url.host_str().ok_or_else(|| bad("no host"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
            return Err(bad("an address is scheme, host and port, e.g. https://patchward.example"));
        }
        let loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        match (url.scheme(), plain) {
            ("https", _) | ("http", PlainHttp::InsecureAnywhere) => Ok(Self(url)),
            ("http", PlainHttp::LoopbackOnly) if loopback => Ok(Self(url)),
            ("http", PlainHttp::LoopbackOnly) => {
                Err(Failure::new(Code::PlainHttp, format!("{text}: not this machine")))
            }
            _ => Err(bad("https://… is asked for")),
        }
    }

    /// As text without a slash at the end.
    #[must_use]
    pub fn as_text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// A file name for what belongs to this address.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let host = self.0.host_str().unwrap_or_default().replace([':', '[', ']'], "_");
        format!("{}-{host}-{}", self.0.scheme(), self.0.port_or_known_default().unwrap_or(0))
    }

    fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl Reach {
    /// Which plain HTTP is allowed.
    #[must_use]
    pub const fn plain_http(&self) -> PlainHttp {
        if self.insecure_plain_http { PlainHttp::InsecureAnywhere } else { PlainHttp::LoopbackOnly }
    }
}

impl Server {
    /// A server at an address, with the certificate authorities that count for it (PEM).
    ///
    /// # Errors
    /// [`Code::ServerNotTrusted`] when no certificate authority can be read.
    pub fn new(
        address: Address,
        ca_pem: Option<&[u8]>,
        token: Option<Zeroizing<String>>,
    ) -> Outcome<Self> {
        let seconds = |s| Some(Duration::from_secs(s));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(seconds(CONNECT_S_MAX))
            .timeout_recv_response(seconds(ANSWER_S_MAX))
            .user_agent(concat!("patchward/", env!("CARGO_PKG_VERSION")));
        if address.is_https() {
            config = config.https_only(true).tls_config(tls(ca_pem)?);
        } else {
            config = config.proxy(None);
        }
        let ca_pem = ca_pem.map(<[u8]>::to_vec);
        Ok(Self { address, agent: config.build().new_agent(), token, ca_pem })
    }

    /// The certificate authority (PEM) that was given for this server, if one was.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&[u8]> {
        self.ca_pem.as_deref()
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Calls a JSON endpoint; `path` fills the braces in order.
    ///
    /// # Errors
    /// [`Code::NotLoggedIn`], [`Code::ServerRefused`], [`Code::ServerUnreachable`] and their likes.
    pub fn call<E: Endpoint>(&self, path: &[&str], body: &E::Body) -> Outcome<E::Reply> {
        if E::Caller::WHO != Who::Anyone && self.token.is_none() {
            return Err(Failure::new(Code::NotLoggedIn, self.address.as_text()));
        }
        let json =
            serde_json::to_vec(body).map_err(|error| Failure::new(Code::ReplyUnreadable, error))?;
        let target = fill(E::PATH, path);
        let answer = match E::METHOD {
            Method::Get => self.send("GET", &target, ()),
            Method::Delete => self.send("DELETE", &target, ()),
            Method::Post => self.send("POST", &target, json.as_slice()),
            Method::Put => self.send("PUT", &target, json.as_slice()),
        }?;
        let bytes = whole(answer, REPLY_BYTES_MAX)?;
        if bytes.is_empty() { read_reply(b"null") } else { read_reply(&bytes) }
    }

    /// Fetches a metadata file of a repository; [`Answer::NotFound`] only for 404 and 410.
    ///
    /// # Errors
    /// As [`Server::call`].
    pub fn metadata(
        &self,
        repository: &RepositoryId,
        file: &str,
        bytes_max: usize,
    ) -> Outcome<Answer> {
        let (kind, name) = repository.parts();
        let target = format!("/tuf/{kind}/{name}/metadata/{file}");
        match self.send("GET", &target, ()) {
            Ok(answer) => {
                whole(answer, u64::try_from(bytes_max).unwrap_or(u64::MAX)).map(Answer::Bytes)
            }
            Err(failure) if is_absent(&failure) => Ok(Answer::NotFound),
            Err(failure) => Err(failure),
        }
    }

    /// Fetches a target's file by its consistent name, at most `bytes_max` bytes.
    ///
    /// # Errors
    /// As [`Server::call`].
    pub fn target(
        &self,
        repository: &RepositoryId,
        file: &str,
        bytes_max: u64,
    ) -> Outcome<Vec<u8>> {
        let (kind, name) = repository.parts();
        whole(self.send("GET", &format!("/tuf/{kind}/{name}/targets/{file}"), ())?, bytes_max)
    }

    /// Fetches a file that needs a token, by its path, at most `bytes_max` bytes.
    ///
    /// # Errors
    /// As [`Server::call`].
    pub fn file(&self, path: &str, bytes_max: u64) -> Outcome<Vec<u8>> {
        if self.token.is_none() {
            return Err(Failure::new(Code::NotLoggedIn, self.address.as_text()));
        }
        whole(self.send("GET", path, ())?, bytes_max)
    }

    /// Sends a target's bytes, streaming; repeating it is harmless.
    ///
    /// # Errors
    /// As [`Server::call`], and failures of reading the file.
    pub fn upload(
        &self,
        here: &Here,
        repository: &RepositoryId,
        sha256: Sha256Digest,
        file: &Path,
    ) -> Outcome<()> {
        if self.token.is_none() {
            return Err(Failure::new(Code::NotLoggedIn, self.address.as_text()));
        }
        let (kind, name) = repository.parts();
        let target = format!("/v1/repositories/{kind}/{name}/blobs/{sha256}");
        let open = disk::open(file)?;
        let length = open.metadata().map_err(|error| disk::unreadable(file, &error))?.len();
        let word = here.language.pick("uploading", "送信中");
        let progress = Progress::begin(here, word, Some(length));
        let mut reader = progress.reader(open);
        let body = SendBody::from_reader(&mut reader);
        self.send_long("PUT", &target, body, Some(length)).map(drop)
    }

    fn send(&self, method: &str, target: &str, body: impl AsSendBody) -> Outcome<Response<Body>> {
        self.send_long(method, target, body, None)
    }

    /// `length` in bytes, of a body that does not know its own.
    fn send_long(
        &self,
        method: &str,
        target: &str,
        body: impl AsSendBody,
        length: Option<u64>,
    ) -> Outcome<Response<Body>> {
        let url = format!("{}{target}", self.address.as_text());
        let mut request = Request::builder().method(method).uri(&url);
        if method == "POST" {
            request = request.header("content-type", "application/json");
        }
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.as_str()));
        }
        let request = request.body(body);
        let request =
            request.map_err(|error| Failure::new(Code::ValueBad, format!("{url}: {error}")))?;
        let answer = self.agent.run(request).map_err(|error| self.unreached(&error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refused(target, answer)) }
    }

    fn unreached(&self, error: &ureq::Error) -> Failure {
        let text = crate::error::chain(error);
        let tls = matches!(error, ureq::Error::Tls(_) | ureq::Error::Rustls(_))
            || text.contains("certificate");
        let code = if tls { Code::ServerNotTrusted } else { Code::ServerUnreachable };
        Failure::new(code, format!("{}: {text}", self.address.as_text()))
    }

    fn refused(&self, target: &str, answer: Response<Body>) -> Failure {
        let status = answer.status();
        let what = format!("{}{target} answered {status}", self.address.as_text());
        let bytes = whole(answer, SMALL_FILE_BYTES_MAX).unwrap_or_default();
        let problem: Option<Problem> = serde_json::from_slice(&bytes).ok();
        let detail = problem.as_ref().and_then(|problem| problem.detail.clone());
        let what = detail.map_or(what.clone(), |detail| format!("{what}: {detail}"));
        // 404 without the server's own form may be any web server: it never means "absent" then.
        let code = if problem.is_some() { Code::ServerRefused } else { Code::ReplyUnreadable };
        Failure { server: problem.map(Box::new), ..Failure::new(code, what) }
    }
}

/// Whether the server itself says that there is no such thing.
#[must_use]
pub fn is_absent(failure: &Failure) -> bool {
    failure.server.as_ref().is_some_and(|problem| matches!(problem.status, 404 | 410))
}

fn whole(answer: Response<Body>, bytes_max: u64) -> Outcome<Vec<u8>> {
    let unread = |error: &dyn std::error::Error| {
        Failure::because(Code::ServerUnreachable, "the answer broke off", error)
    };
    let mut bytes = Vec::new();
    let reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
    let mut reader = reader.take(bytes_max.saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(|error| unread(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        let what = format!("the answer has more than {bytes_max} bytes");
        return Err(Failure::new(Code::ReplyUnreadable, what));
    }
    Ok(bytes)
}

fn read_reply<T: DeserializeOwned>(bytes: &[u8]) -> Outcome<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(Code::ReplyUnreadable, format!("the answer: {error}")))
}

/// Puts names into the braces of a path. Names of this program hold no character to encode.
fn fill(path: &str, names: &[&str]) -> String {
    let mut names = names.iter();
    let part = |part: &str| match part.starts_with('{') {
        true => names.next().copied().unwrap_or_default().to_owned(),
        false => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn tls(ca_pem: Option<&[u8]>) -> Outcome<TlsConfig> {
    let none = |what: &str| Failure::new(Code::ServerNotTrusted, what);
    let system = || SYSTEM_CA_FILES.iter().find_map(|path| std::fs::read(path).ok());
    let pem = match ca_pem {
        Some(pem) => pem.to_vec(),
        None => system().ok_or_else(|| none("this machine lists no certificate authorities"))?,
    };
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    });
    let certificates: Vec<Certificate<'static>> = certificates.collect();
    if certificates.is_empty() {
        return Err(none("the certificate authority file holds no certificate"));
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        Address::read(text, PlainHttp::LoopbackOnly).err().map(|failure| failure.code)
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in
            ["http://127.0.0.1:8080", "http://[::1]:80", "http://localhost", "https://a.example/"]
        {
            assert_eq!(code(good), None, "{good}");
        }
        assert_eq!(code("http://patchward.example"), Some(Code::PlainHttp));
        assert_eq!(code("http://localhost.example"), Some(Code::PlainHttp));
        for bad in ["ftp://a", "patchward.example", "https://a/x", "https://u:p@a", "https://a?b"] {
            assert_eq!(code(bad), Some(Code::ValueBad), "{bad}");
        }
        assert!(Address::read("http://a.example", PlainHttp::InsecureAnywhere).is_ok());
    }

    #[test]
    fn braces_are_filled_in_order() {
        assert_eq!(
            fill("/v1/repositories/{kind}/{name}/publish", &["site", "a"]),
            "/v1/repositories/site/a/publish"
        );
        assert_eq!(fill("/v1/tokens", &[]), "/v1/tokens");
    }
}
