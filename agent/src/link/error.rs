//! What goes wrong on the way to the server.
//!
//! Invariant: a code, once released, is never given another meaning.

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The base address is no http or https URL with a host.
    #[error("{0:?} is no address of a server: write it like https://patchward.example:8443")]
    Address(String),
    /// Plain HTTP to another machine.
    #[error("{0}: plain http is for this machine only; use https")]
    PlainHttp(String),
    /// The path of a request is not one that may be asked for.
    #[error("{0:?} is no path below the server's address")]
    Path(String),
    /// The certificate authorities do not read.
    #[error("the certificate authorities do not read: {0}")]
    Authorities(String),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    TlsSetup(#[source] rustls::Error),
    /// No connection.
    #[error("no connection to {host}")]
    Connect {
        /// The host and port.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server's certificate is not the expected one.
    #[error("{host} does not show the expected certificate")]
    NotTrusted {
        /// The host and port.
        host: String,
        /// Why.
        source: rustls::Error,
    },
    /// No connection, or no answer, in time.
    #[error("{waiting_for} took more than {seconds} s")]
    Timeout {
        /// What was waited for.
        waiting_for: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The body comes too slowly.
    #[error("fewer than {bytes_min} bytes came in {seconds} s")]
    TooSlow {
        /// How many should have come.
        bytes_min: u64,
        /// In which time.
        seconds: u64,
    },
    /// The answer is no HTTP, or its head is longer than the limit.
    #[error("the answer is no HTTP, or its head is longer than the limit")]
    Malformed(#[source] hyper::Error),
    /// The body is longer than the limit.
    #[error("the answer is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: u64,
    },
    /// The server sends elsewhere; that is never followed.
    #[error("the server answered {status}: redirects are not followed")]
    Redirect {
        /// The status.
        status: u16,
    },
    /// The body is packed, though that was not asked for.
    #[error("the body has the encoding {0:?}, which was not asked for")]
    Encoding(String),
    /// The part that came is not the part that was asked for.
    #[error("asked for bytes from {asked}, the server sent {sent:?}")]
    WrongRange {
        /// The first byte asked for.
        asked: u64,
        /// The `Content-Range` of the answer.
        sent: String,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Http(#[source] hyper::Error),
    /// The receiver of the bytes failed (a full disk).
    #[error("the bytes could not be taken")]
    Take(#[source] std::io::Error),
}

impl LinkError {
    /// The stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "link_address",
            Self::PlainHttp(_) => "link_plain_http",
            Self::Path(_) => "link_path",
            Self::Authorities(_) => "link_authorities",
            Self::TlsSetup(_) => "link_tls_setup",
            Self::Connect { .. } => "link_connect",
            Self::NotTrusted { .. } => "link_server_not_trusted",
            Self::Timeout { .. } => "link_timeout",
            Self::TooSlow { .. } => "link_too_slow",
            Self::Malformed(_) => "link_malformed",
            Self::TooLong { .. } => "link_too_long",
            Self::Redirect { .. } => "link_redirect",
            Self::Encoding(_) => "link_encoding",
            Self::WrongRange { .. } => "link_wrong_range",
            Self::Http(_) => "link_broken",
            Self::Take(_) => "link_take",
        }
    }

    /// Sorts an error of the HTTP library.
    pub(super) fn from_hyper(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Malformed(error) } else { Self::Http(error) }
    }

    /// Sorts an error of a connection attempt to `host`.
    pub(super) fn from_connect(host: &str, source: std::io::Error) -> Self {
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let host = host.to_owned();
        match inner {
            Some(error) => Self::NotTrusted { host, source: error.clone() },
            None => Self::Connect { host, source },
        }
    }
}
