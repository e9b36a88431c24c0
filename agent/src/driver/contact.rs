//! One contact with the server: check-in, time answer, both repositories, approvals.
//!
//! Nothing that the server says here starts anything: it can hold the device back, and bring
//! documents that verify by themselves. Not here: when to make contact.
//! Invariant: a time answer counts only for this contact's nonce and under the site root's keys.

use super::device::{Device, ServerWord};
use crate::clock::{ANSWER_MS_MAX, Heard, read_printed};
use crate::config::SystemClock;
use crate::edge::{Clock as _, Rng as _};
use crate::ledger::refusals::Refusal;
use crate::link::error::LinkError;
use crate::trust::repository::chain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::device::{CheckIn, CheckInReply, Poll};
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType, Seal};
use patchward_protocol::reason::Reason;
use patchward_protocol::receipt::{Nonce, TimeAnswer};
use std::time::Duration;

/// Most bytes of a check-in's reply.
const REPLY_BYTES_MAX: u64 = 256 * 1024;
/// Longest wait for the hospital's time command.
const TIME_COMMAND_S_MAX: u64 = 5;
/// Version of this agent, as polls say it.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a contact failed.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// The poll could not be made.
    #[error("the poll could not be made")]
    Seal(#[from] Seal),
    /// The poll could not be written.
    #[error("the poll could not be written")]
    Write(#[source] serde_json::Error),
    /// The server could not be asked.
    #[error("the server could not be asked")]
    Link(#[from] LinkError),
    /// The server refused.
    #[error("the server answered {status} {code}: {hint}")]
    Refused {
        /// The status.
        status: u16,
        /// The code, where the answer had one.
        code: String,
        /// What to do, where the code is known.
        hint: String,
        /// When to come again, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The reply is not one.
    #[error("the server's reply does not read")]
    Reply(#[source] serde_json::Error),
}

impl ContactError {
    /// What people are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Link(LinkError::NotTrusted { .. }) => Reason::ServerNotTrusted,
            Self::Seal(_)
            | Self::Write(_)
            | Self::Link(_)
            | Self::Refused { .. }
            | Self::Reply(_) => Reason::ServerUnreachable,
        }
    }

    /// Whether the server has seen this poll's number before.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == ErrorCode::PollReplayed.code())
    }
}

/// What a contact brought besides documents.
#[derive(Debug, Clone, Copy)]
pub struct Contact {
    /// When the server wants to be asked again, in seconds.
    pub poll_after_s: u64,
    /// Up to where the server has this device's ledger.
    pub ledger_stored_seq: u64,
}

impl Device {
    /// Makes contact. Trouble with documents is refused and recorded, and is no error here.
    ///
    /// # Errors
    /// [`ContactError`] when there was no answer to the check-in.
    pub async fn contact(&mut self) -> Result<Contact, ContactError> {
        self.ask_own_clock().await;
        let nonce = Nonce::from_random(self.rng.sixteen());
        let asked_boot_ms = self.clock.boot_ms();
        let reply = self.check_in(nonce, asked_boot_ms).await?;
        self.take_time(&reply.time, nonce, asked_boot_ms);
        let boot_ms = self.clock.boot_ms();
        let until = boot_ms.saturating_add(u64::from(reply.token_s).saturating_mul(900));
        self.token = Some((reply.token, until));
        self.word = Some(ServerWord { directive: reply.directive, asked_boot_ms });
        self.take_documents(reply.site_timestamp, reply.family_timestamp).await;
        Ok(Contact {
            poll_after_s: u64::from(reply.poll_after_s).clamp(1, 24 * 3600),
            ledger_stored_seq: reply.ledger_stored_seq,
        })
    }

    /// Makes contact, notes how it went, and when the next one is due.
    pub async fn make_contact(&mut self) {
        let done = self.contact().await;
        let boot_ms = self.clock.boot_ms();
        let wait_ms = match done {
            Ok(contact) => {
                self.contact_failed = None;
                self.backoff.reset();
                self.ledger_stored_seq = Some(contact.ledger_stored_seq);
                contact.poll_after_s.saturating_mul(1000)
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), code = error.reason().code(), "no contact");
                self.contact_failed = Some(error.reason());
                self.replayed = error.is_replayed();
                if error.reason() == Reason::ServerNotTrusted {
                    self.refusals.push(Refusal {
                        reason: Reason::ServerNotTrusted,
                        document_sha256: None,
                        detail: chain(&error),
                    });
                }
                let wait = self.backoff.next_ms(&mut self.rng);
                let asked = match &error {
                    ContactError::Refused { retry_after_s, .. } => *retry_after_s,
                    ContactError::Seal(_)
                    | ContactError::Write(_)
                    | ContactError::Link(_)
                    | ContactError::Reply(_) => None,
                };
                asked.map_or(wait, |s| s.min(24 * 3600).saturating_mul(1000).max(wait))
            }
        };
        self.contact_due_ms = boot_ms.saturating_add(wait_ms);
        self.read_offers();
    }

    async fn check_in(
        &mut self,
        nonce: Nonce,
        asked_boot_ms: u64,
    ) -> Result<CheckInReply, ContactError> {
        let known = &self.known;
        let poll = Poll {
            v: 1,
            site: self.membership.site.clone(),
            device: self.membership.device.clone(),
            boot_count: known.journal.boot.count,
            n: asked_boot_ms,
            nonce,
            installed: known.running.clone(),
            state: known.journal.state.name().to_owned(),
            reason: known.journal.state.reason(),
            ledger_seq: known.ledger_seq,
            agent_version: AGENT_VERSION.to_owned(),
            family_timestamp: self.family.timestamp_version(),
            site_timestamp: self.site.timestamp_version(),
            slot: None,
            wait_s: None,
            directive_sha256: None,
        };
        let envelope = Envelope::seal(PayloadType::Poll, &poll, self.keys.link.as_ref())?;
        let json = serde_json::to_vec(&envelope).map_err(ContactError::Write)?;
        let answer = self.client.post_json(CheckIn::PATH, json, None, REPLY_BYTES_MAX).await?;
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body).map_err(ContactError::Reply);
        }
        let code = serde_json::from_slice::<Problem>(&answer.body).map(|problem| problem.code);
        Err(ContactError::Refused {
            status: answer.status,
            code: code.as_ref().map_or_else(|_| String::new(), |code| code.code().to_owned()),
            hint: code.map_or_else(|_| String::new(), |code| code.en().to_owned()),
            retry_after_s: answer.retry_after_s,
        })
    }

    /// Asks the clock that the server has no say in.
    pub async fn ask_own_clock(&mut self) {
        let printed = match self.config.time.command.clone() {
            Some(argv) => {
                let limit = Duration::from_secs(TIME_COMMAND_S_MAX);
                let ended =
                    crate::child::run(&argv, limit, crate::child::After::KillChildren).await;
                let ended = ended.ok().filter(|ended| ended.status.success());
                ended.and_then(|ended| read_printed(&String::from_utf8_lossy(&ended.stdout)))
            }
            None => match self.config.time.system_clock {
                SystemClock::Independent => Some(self.clock.wall()),
                SystemClock::Ignored => None,
            },
        };
        let boot_ms = self.clock.boot_ms();
        self.sources.own = printed.map(|utc| Heard { utc, boot_ms });
    }

    fn take_time(&mut self, answer: &Envelope, nonce: Nonce, asked_boot_ms: u64) {
        let boot_ms = self.clock.boot_ms();
        let checked = self.check_time(answer, nonce);
        match checked {
            Ok(answer) if boot_ms.saturating_sub(asked_boot_ms) <= ANSWER_MS_MAX => {
                self.sources.server = Some(Heard { utc: answer.utc, boot_ms });
            }
            Ok(_late) => {}
            Err(detail) => {
                self.sources.server = None;
                self.refusals.push(Refusal {
                    reason: Reason::TimeAnswerWrong,
                    document_sha256: Some(Sha256Digest::of(b"time answer")),
                    detail,
                });
            }
        }
    }

    fn check_time(&self, answer: &Envelope, nonce: Nonce) -> Result<TimeAnswer, String> {
        let root = self.site.root().map_err(|error| chain(&error))?;
        let mut why = "the site root names no timestamp key".to_owned();
        for key in root.timestamp_keys() {
            match answer.open::<TimeAnswer>(PayloadType::TimeAnswer, &key) {
                Ok(answer) if answer.nonce == nonce => return Ok(answer.into_inner()),
                Ok(_other) => return Err("it answers another question".to_owned()),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }

    /// Takes new timestamps, and asks for what is missing or stale.
    async fn take_documents(&mut self, site: Option<String>, family: Option<String>) {
        let at = self.now();
        let bearer = self.bearer();
        if site.is_some() || self.site.is_stale(at) {
            let offered = site.and_then(|text| STANDARD.decode(text).ok());
            let done = self.site.refresh(&mut self.client, bearer.as_deref(), at, offered).await;
            self.note_refresh(done);
        }
        if family.is_some() || self.family.is_stale(at) {
            let offered = family.and_then(|text| STANDARD.decode(text).ok());
            let done = self.family.refresh(&mut self.client, bearer.as_deref(), at, offered).await;
            self.note_refresh(done);
        }
        if let Some(set) = self.site.set() {
            let id = self.site.id();
            match self.approvals.fetch(&mut self.client, bearer.as_deref(), id, set).await {
                Ok(refusals) => self.refusals.extend(refusals),
                Err(why) => tracing::warn!(%why, "approvals could not be fetched"),
            }
        }
    }

    fn note_refresh(&mut self, done: Result<(), crate::trust::repository::RefreshError>) {
        let Err(error) = done else { return };
        tracing::warn!(error = chain(&error), code = error.reason().code(), "not refreshed");
        self.refusals.extend(error.refusal());
    }
}
