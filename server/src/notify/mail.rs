//! A message leaves by mail: plain text, UTF-8, the same Message-ID each time it is tried.
//!
//! Blocks its thread. Not here: what it says, and when. Invariant: without TLS only to this machine.

use super::said::Said;
use super::send::{NotSent, Outcome};
use super::subject::NoticeId;
use crate::config::{MailSecurity, NotifyMail};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};
use patchward_protocol::time::Timestamp;
use std::time::{Duration, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Longest wait for each answer of the mail server, in seconds.
const ANSWER_S_MAX: u64 = 20;
/// Most bytes of a password file or of authorities.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The mail server.
#[derive(Clone)]
pub struct Relay {
    transport: SmtpTransport,
    from: Mailbox,
}

/// Why mail cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BadRelay {
    /// A file that the configuration names.
    #[error("{path} cannot be read")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A value of the configuration.
    #[error("{key}: {rule}")]
    Value {
        /// Dotted key.
        key: &'static str,
        /// What it must be.
        rule: String,
    },
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({})", self.from.email)
    }
}

impl Relay {
    /// As configured. Reads the files that are named.
    ///
    /// # Errors
    /// [`BadRelay`].
    pub fn of(config: &NotifyMail) -> Result<Self, BadRelay> {
        let from = config.from.parse::<Mailbox>().map_err(|error| BadRelay::Value {
            key: "notify.mail.from",
            rule: error.to_string(),
        })?;
        let (host, port) = config.host_and_port().ok_or_else(|| BadRelay::Value {
            key: "notify.mail.relay",
            rule: "HOST:PORT".to_owned(),
        })?;
        let tls = match config.security {
            MailSecurity::Plain => Tls::None,
            MailSecurity::Starttls => Tls::Required(parameters(config, &host)?),
            MailSecurity::Tls => Tls::Wrapper(parameters(config, &host)?),
        };
        let wait = Some(Duration::from_secs(ANSWER_S_MAX));
        let mut builder = SmtpTransport::builder_dangerous(host).port(port).tls(tls).timeout(wait);
        if let (Some(user), Some(file)) = (&config.user, &config.password_file) {
            let password = Zeroizing::new(text(file)?);
            let password = password.trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends once. Blocks its thread.
    #[must_use]
    pub fn send(&self, to: &str, id: &NoticeId, said: &Said, at: Timestamp) -> Outcome {
        let Ok(to) = to.parse::<Mailbox>() else {
            return Outcome::Never(NotSent::new("the address is no mail address"));
        };
        let message = match self.message(to, id, said, at) {
            Ok(message) => message,
            Err(error) => return Outcome::Never(NotSent::because(&error)),
        };
        match self.transport.send(&message) {
            Ok(_) => Outcome::Taken,
            Err(error) if error.is_permanent() => Outcome::Never(NotSent::because(&error)),
            Err(error) => Outcome::Later(NotSent::because(&error)),
        }
    }

    fn message(
        &self,
        to: Mailbox,
        id: &NoticeId,
        said: &Said,
        at: Timestamp,
    ) -> Result<Message, lettre::error::Error> {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        let domain = self.from.email.domain();
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(said.title.clone())
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(header::MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentTransferEncoding::Base64)
            .body(said.body.clone())
    }
}

fn parameters(config: &NotifyMail, host: &str) -> Result<TlsParameters, BadRelay> {
    let bad = |error: lettre::transport::smtp::Error| BadRelay::Value {
        key: "notify.mail.authority_file",
        rule: error.to_string(),
    };
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = &config.authority_file {
        let pem = text(file)?;
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(bad)?);
    }
    builder.build().map_err(bad)
}

fn text(path: &std::path::Path) -> Result<String, BadRelay> {
    use std::io::Read as _;
    let refused = |source| BadRelay::Read { path: path.display().to_string(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(refused)?;
    Ok(text)
}
