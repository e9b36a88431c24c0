//! One contact with the server: check-in, time answer, both repositories, approvals.
//!
//! Nothing that the server says here starts anything: it can hold the device back, and bring
//! documents that verify by themselves. Not here: when to make contact.
//! Invariant: a time answer counts only for this contact's nonce and under the site root's keys.

use super::device::{Device, ServerWord, Unread};
use super::standing::{Asked, Says, WAIT_S};
use crate::clock::{ANSWER_MS_MAX, Heard, read_printed};
use crate::config::SystemClock;
use crate::edge::{Clock as _, Rng as _};
use crate::holds::Lifters;
use crate::ledger::refusals::Refusal;
use crate::link::error::LinkError;
use crate::link::http::Response;
use crate::trust::proofs;
use crate::trust::repository::chain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::device::{CheckIn, CheckInReply, Poll};
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::Directive;
use patchward_protocol::envelope::{Envelope, PayloadType, Seal};
use patchward_protocol::reason::Reason;
use patchward_protocol::receipt::{Nonce, TimeAnswer};
use patchward_protocol::slot::Slot;
use patchward_protocol::tuf::schema::TopLevel;
use std::time::Duration;

/// Most bytes of a check-in's reply.
const REPLY_BYTES_MAX: u64 = 256 * 1024;
/// Most open waves of one directive that are looked at.
const OPEN_MAX: usize = 64;
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
        let asked = self.question(None);
        let json = self.poll(&asked)?;
        let answer = self.client.post_json(CheckIn::PATH, json, None, REPLY_BYTES_MAX).await?;
        let reply = read_reply(&answer)?;
        let boot_ms = self.clock.boot_ms();
        self.hear(reply.directive.clone(), &asked);
        Ok(self.take_reply(reply, &asked, boot_ms).await)
    }

    /// Makes contact, notes how it went, and when the next one is due.
    pub async fn make_contact(&mut self) {
        let done = self.contact().await;
        self.note_contact(done);
        self.take_proofs().await;
    }

    /// Asks a question that the server may leave standing until it has news, if none stands that says
    /// how it is with the device.
    pub fn stand(&mut self) {
        let says = self.says();
        if !self.standing.must_be_sent(&says, self.clock.boot_ms()) {
            return;
        }
        let asked = self.question(Some(WAIT_S));
        match self.poll(&asked) {
            Ok(json) => {
                self.standing.send((asked, says), json, REPLY_BYTES_MAX, &self.client);
            }
            Err(error) => self.note_contact(Err(error)),
        }
    }

    /// Hears the standing poll's answer if it has come: what it says counts from this moment on. What
    /// else it brings is taken by [`Device::take_standing`], when nothing is under way.
    pub async fn overhear(&mut self) {
        let Some((asked, answer)) = self.standing.take().await else { return };
        let boot_ms = self.clock.boot_ms();
        let reply = answer.map_err(ContactError::from).and_then(|answer| read_reply(&answer));
        if let Ok(reply) = &reply {
            self.hear(reply.directive.clone(), &asked);
        }
        self.unread = Some(Unread { asked, boot_ms, reply: reply.map(Box::new) });
    }

    /// Takes everything that a standing poll's answer brought. Whether one had come.
    pub async fn take_standing(&mut self) -> bool {
        self.overhear().await;
        let Some(Unread { asked, boot_ms, reply }) = self.unread.take() else { return false };
        if reply.as_ref().is_err_and(|error| error.is_replayed() && asked.n < self.asked_n) {
            // A later question, on the other connection, was there first. No answer was lost.
            self.standing.reached(boot_ms);
            return false;
        }
        let done = match reply {
            Ok(reply) => Ok(self.take_reply(*reply, &asked, boot_ms).await),
            Err(error) => Err(error),
        };
        let heard = done.is_ok();
        self.note_contact(done);
        if heard {
            self.standing.answered(&asked, boot_ms, self.contact_due_ms);
        }
        self.take_proofs().await;
        true
    }

    fn note_contact(&mut self, done: Result<Contact, ContactError>) {
        let boot_ms = self.clock.boot_ms();
        let wait_ms = match done {
            Ok(contact) => {
                self.contact_failed = None;
                self.backoff.reset();
                self.ledger_stored_seq = Some(contact.ledger_stored_seq);
                self.standing.reached(boot_ms);
                contact.poll_after_s.saturating_mul(1000)
            }
            Err(error) => self.not_reached(&error),
        };
        self.contact_due_ms = boot_ms.saturating_add(wait_ms);
        if self.contact_failed.is_some() {
            self.standing.failed(self.contact_due_ms);
        }
        self.read_offers();
    }

    fn not_reached(&mut self, error: &ContactError) -> u64 {
        tracing::warn!(error = chain(error), code = error.reason().code(), "no contact");
        self.contact_failed = Some(error.reason());
        self.replayed = error.is_replayed();
        if error.reason() == Reason::ServerNotTrusted {
            self.refusals.push(Refusal {
                reason: Reason::ServerNotTrusted,
                document_sha256: None,
                detail: chain(error),
            });
        }
        let wait = self.backoff.next_ms(&mut self.rng);
        let asked = match error {
            ContactError::Refused { retry_after_s, .. } => *retry_after_s,
            ContactError::Seal(_)
            | ContactError::Write(_)
            | ContactError::Link(_)
            | ContactError::Reply(_) => None,
        };
        asked.map_or(wait, |s| s.min(24 * 3600).saturating_mul(1000).max(wait))
    }

    /// A question; its number rises with every one of this boot.
    fn question(&mut self, wait_s: Option<u32>) -> Asked {
        let boot_ms = self.clock.boot_ms();
        self.asked_n = boot_ms.max(self.asked_n.saturating_add(1));
        let nonce = Nonce::from_random(self.rng.sixteen());
        let heard = self.word.as_ref().and_then(|word| word.sha256);
        Asked { n: self.asked_n, nonce, boot_ms, heard, wait_s }
    }

    fn poll(&mut self, asked: &Asked) -> Result<Vec<u8>, ContactError> {
        let Says { state, reason, slot } = self.says();
        let known = &self.known;
        let poll = Poll {
            v: 1,
            site: self.membership.site.clone(),
            device: self.membership.device.clone(),
            boot_count: known.journal.boot.count,
            n: asked.n,
            nonce: asked.nonce,
            installed: known.running.clone(),
            state: state.to_owned(),
            reason,
            ledger_seq: known.ledger_seq,
            agent_version: AGENT_VERSION.to_owned(),
            family_timestamp: self.family.timestamp_version(),
            site_timestamp: self.site.timestamp_version(),
            slot,
            wait_s: asked.wait_s,
            directive_sha256: asked.heard,
        };
        let envelope = Envelope::seal(PayloadType::Poll, &poll, self.keys.link.as_ref())?;
        serde_json::to_vec(&envelope).map_err(ContactError::Write)
    }

    /// What a poll says of the device now.
    pub fn says(&mut self) -> Says {
        let slot = self.next_slot();
        let state = &self.known.journal.state;
        Says { state: state.name(), reason: state.reason(), slot }
    }

    /// The open or next slot of what is wanted.
    pub fn next_slot(&mut self) -> Option<Slot> {
        let utc = self.judged().utc?;
        let goal = self.known.journal.state.goal()?;
        let offered = self.offers.of(goal)?;
        offered.admitted.slots.iter().find(|slot| slot.end() > utc).copied()
    }

    /// The server's word counts from now on, and is as old as the question.
    fn hear(&mut self, directive: Directive, asked: &Asked) {
        let keys: Vec<_> = self
            .site
            .root()
            .ok()
            .and_then(|root| {
                let targets = root.authority(TopLevel::Targets).ok()?;
                Some(targets.public_keys().into_iter().collect())
            })
            .unwrap_or_default();
        let who = Lifters { site: &self.membership.site, keys: &keys };
        let refusals = self.holds.hear(&directive, who);
        self.refusals.extend(refusals);
        let sha256 = canonical::write(&directive).ok().map(|bytes| Sha256Digest::of(&bytes));
        self.word = Some(ServerWord { directive, sha256, asked_boot_ms: asked.boot_ms });
    }

    /// Takes time, token and documents of a reply that came at `boot_ms`.
    async fn take_reply(&mut self, reply: CheckInReply, asked: &Asked, boot_ms: u64) -> Contact {
        self.take_time(&reply.time, asked, boot_ms);
        let until = boot_ms.saturating_add(u64::from(reply.token_s).saturating_mul(900));
        self.token = Some((reply.token, until));
        self.take_documents(reply.site_timestamp, reply.family_timestamp).await;
        Contact {
            poll_after_s: u64::from(reply.poll_after_s).clamp(1, 24 * 3600),
            ledger_stored_seq: reply.ledger_stored_seq,
        }
    }

    /// Fetches and checks the proofs of what is open for this device and asks for one.
    async fn take_proofs(&mut self) {
        let bearer = self.bearer();
        let open = self.word.iter().flat_map(|word| word.directive.open.clone());
        for open in open.take(OPEN_MAX).collect::<Vec<_>>() {
            let Some(offered) = self.offers.opened(&open).cloned() else { continue };
            if !proofs::is_asked_for(&offered) {
                continue;
            }
            let Some(digest) = open.proof else {
                if offered.admitted.wave > 0 {
                    let detail = "the wave is said to be open, and no proof is named";
                    self.refusals.push(proofs::refusal(open.approval_sha256, detail));
                }
                continue;
            };
            let site = self.membership.site.clone();
            let fetched =
                self.proofs.fetch(&mut self.client, bearer.as_deref(), &site, digest).await;
            match fetched {
                Ok(refusal) => self.refusals.extend(refusal),
                Err(why) => tracing::warn!(%why, "the proof of an open wave could not be fetched"),
            }
            let refusal = self.proofs.check(digest, &offered, &self.membership.device);
            self.refusals.extend(refusal);
        }
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

    /// An answer that took long says little of the time now; the one before it goes on.
    fn take_time(&mut self, answer: &Envelope, asked: &Asked, boot_ms: u64) {
        let checked = self.check_time(answer, asked.nonce);
        match checked {
            Ok(answer) if boot_ms.saturating_sub(asked.boot_ms) <= ANSWER_MS_MAX => {
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
        let (at, expiry) = (self.now(), self.expiry());
        let bearer = self.bearer();
        if site.is_some() || self.site.is_stale(at) {
            let offered = site.and_then(|text| STANDARD.decode(text).ok());
            let done =
                self.site.refresh(&mut self.client, bearer.as_deref(), expiry, offered).await;
            self.note_refresh(done);
        }
        if family.is_some() || self.family.is_stale(at) {
            let offered = family.and_then(|text| STANDARD.decode(text).ok());
            let done =
                self.family.refresh(&mut self.client, bearer.as_deref(), expiry, offered).await;
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

fn read_reply(answer: &Response) -> Result<CheckInReply, ContactError> {
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
