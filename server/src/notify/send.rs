//! Messages leave: taken from the outbox, carried, and settled.
//!
//! At least once, under the same id each time: whoever ends between carrying and settling leaves a claim
//! that another server takes over. Not here: which messages there are. Invariant: nothing waits for
//! this, neither publishing nor a STOP.

use super::channel::{self, Channel, Kind};
use super::mail::{BadRelay, Relay};
use super::raise;
use super::said::{self, Said};
use super::subject::NoticeId;
use super::webhook::{BadAuthorities, Webhooks};
use crate::app::App;
use crate::clock::{self, NoChance, Rng};
use crate::config::Notify;
use crate::console::words::Words;
use crate::db::outbox::{self, About, Message, State};
use crate::db::{Connection, DbError, channel as channels, notice};
use crate::error::Chain;
use crate::limits::MESSAGES_AT_ONCE_MAX;
use futures_util::future::join_all;
use patchward_protocol::time::Timestamp;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A claim lasts so many seconds: longer than any try.
pub const CLAIM_S: i64 = 300;
/// After so many tries in vain a channel counts as failing.
const FAILING_TRIES: u32 = 3;
/// Longest wait between two tries, in seconds: three hours.
const WAIT_S_MAX: i64 = 3 * 3600;
/// Most characters of why a try failed.
const FAILURE_CHARS_MAX: usize = 200;

/// What carries messages.
#[derive(Debug, Clone)]
pub struct Post {
    mail: Option<Relay>,
    webhooks: Webhooks,
    name: String,
    retry_s: i64,
    address: String,
}

/// Why messages cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum BadPost {
    /// Mail.
    #[error(transparent)]
    Relay(#[from] BadRelay),
    /// Webhooks.
    #[error(transparent)]
    Authorities(#[from] BadAuthorities),
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has it.
    Taken,
    /// It may be taken later.
    Later(NotSent),
    /// It never will.
    Never(NotSent),
}

/// Why a try failed: one line, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent(String);

/// A message that this server is about to send.
#[derive(Debug)]
pub struct Parcel {
    message: Message,
    address: String,
    load: Load,
}

#[derive(Debug)]
enum Load {
    Mail(Said),
    Webhook(Vec<u8>, Zeroizing<[u8; 32]>),
}

impl NotSent {
    /// In these words.
    #[must_use]
    pub fn new(why: &str) -> Self {
        let line = why.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self(line.take(FAILURE_CHARS_MAX).collect())
    }

    /// For this error.
    #[must_use]
    pub fn because(error: &dyn std::error::Error) -> Self {
        Self::new(&Chain(error).to_string())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Post {
    /// As configured; `address` is where people find this server.
    ///
    /// # Errors
    /// [`BadPost`].
    pub fn of(config: &Notify, address: &str, rng: &dyn Rng) -> Result<Self, BadPost> {
        Ok(Self {
            mail: config.mail.as_ref().map(Relay::of).transpose()?,
            webhooks: Webhooks::of(config)?,
            name: hex::encode(clock::random::<16>(rng)?),
            retry_s: config.retry_s,
            address: address.trim_end_matches('/').to_owned(),
        })
    }

    /// Carries a message once.
    pub async fn carry(&self, parcel: &Arc<Parcel>, at: Timestamp) -> Outcome {
        let (post, parcel) = (self.clone(), Arc::clone(parcel));
        let sent = tokio::task::spawn_blocking(move || {
            let Parcel { message, address, load } = &*parcel;
            match load {
                Load::Mail(said) => match &post.mail {
                    Some(relay) => relay.send(address, &message.id, said, at),
                    None => Outcome::Later(NotSent::new("no mail server is configured")),
                },
                Load::Webhook(body, key) => post.webhooks.send(address, key, &message.id, body, at),
            }
        });
        sent.await.unwrap_or_else(|error| Outcome::Later(NotSent::because(&error)))
    }

    /// How long to wait after so many tries, in seconds: doubling, with jitter.
    fn wait_s(&self, tries: u32, rng: &dyn Rng) -> i64 {
        let doubled = 2_i64.saturating_pow(tries.saturating_sub(1).min(30));
        let most = self.retry_s.saturating_mul(doubled).clamp(1, WAIT_S_MAX);
        let half = most / 2;
        let drawn = clock::jitter(rng, u64::try_from(most.saturating_sub(half)).unwrap_or(0));
        half.saturating_add(i64::try_from(drawn).unwrap_or(0)).max(1)
    }
}

/// Sends what is due now; returns how many messages were tried.
///
/// # Errors
/// [`DbError`]; what was taken is sent again when its claim ends.
pub async fn round(app: &Arc<App>, post: &Post) -> Result<usize, DbError> {
    let parcels = take(app, post).await?;
    let at = app.clock.now();
    let carried = join_all(parcels.iter().map(|parcel| post.carry(parcel, at))).await;
    for (parcel, outcome) in parcels.iter().zip(carried) {
        settle(app, post, parcel, outcome).await?;
    }
    Ok(parcels.len())
}

/// Takes what is due: from now on, for five minutes, no other server sends it.
///
/// # Errors
/// [`DbError`].
pub async fn take(app: &Arc<App>, post: &Post) -> Result<Vec<Arc<Parcel>>, DbError> {
    let at = app.clock.now();
    let due = app.db.read(move |conn| outbox::due(conn, at, MESSAGES_AT_ONCE_MAX)).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let (world, post) = (Arc::clone(app), post.clone());
    let taken = app.db.write(move |conn| {
        let mut parcels = Vec::new();
        for message in due {
            let until = at.plus_seconds(CLAIM_S);
            if !outbox::claim(conn, &message, &post.name, at, until)? {
                continue;
            }
            match pack(&world, &post, conn, &message)? {
                Some(parcel) => parcels.push(Arc::new(parcel)),
                None => {
                    outbox::end(conn, &message.id, &post.name, State::Dropped, at, None)?;
                }
            }
        }
        Ok::<_, DbError>(parcels)
    });
    taken.await
}

/// Stores what came of a try.
///
/// # Errors
/// [`DbError`].
pub async fn settle(
    app: &Arc<App>,
    post: &Post,
    parcel: &Parcel,
    outcome: Outcome,
) -> Result<(), DbError> {
    let (at, by, message) = (app.clock.now(), post.name.clone(), parcel.message.clone());
    let tries = message.tries.saturating_add(1);
    let next = at.plus_seconds(post.wait_s(tries, &*app.rng));
    let settled = app.db.write(move |conn| {
        let (id, channel) = (&message.id, &message.channel);
        let why = match outcome {
            Outcome::Taken => {
                outbox::end(conn, id, &by, State::Sent, at, None)?;
                return channels::note_sent(conn, channel, at);
            }
            Outcome::Later(why) if next <= message.give_up => {
                let mine = outbox::later(conn, id, &by, next, why.as_str())?;
                if !mine || tries < FAILING_TRIES {
                    return Ok(());
                }
                why
            }
            Outcome::Later(why) | Outcome::Never(why) => {
                outbox::end(conn, id, &by, State::Failed, at, Some(why.0.clone()))?;
                why
            }
        };
        if channels::note_failing(conn, channel, at, why.as_str())? {
            tracing::error!(channel.id = %channel, "Notices do not go through a channel");
        }
        Ok(())
    });
    settled.await
}

/// What a message says now; nothing when nobody needs it any more.
fn pack(
    app: &App,
    post: &Post,
    conn: &mut Connection,
    message: &Message,
) -> Result<Option<Parcel>, DbError> {
    let known = match &message.about {
        About::Notice(id) => notice::get(conn, id)?,
        About::Drill(_) => None,
    };
    let subject = known.as_ref().map(|notice| &notice.subject);
    let hearing = raise::hearing(conn, &message.place, subject)?;
    let Some(channel) = hearing.into_iter().find(|channel| channel.id == message.channel) else {
        return Ok(None);
    };
    let snapshot = app.snapshot();
    let (words, address) = (Words::of(channel.language), post.address.as_str());
    let load = match &message.about {
        About::Notice(_) => {
            let Some(notice) = known else { return Ok(None) };
            if notice.closed.is_some() || notice.acknowledged.is_some() {
                return Ok(None);
            }
            // Of the step at which it was written, also when it was passed on meanwhile.
            let notice = notice::Notice { step: message.step, ..notice };
            match channel.kind {
                Kind::Mail => {
                    Load::Mail(said::mail(words, &snapshot, &notice, &channel.tz, address))
                }
                Kind::Webhook => {
                    webhook(app, &channel, &said::webhook(&snapshot, &notice, &message.id, address))
                }
            }
        }
        About::Drill(drill) => {
            let code = channel::drill_code(app.keys.mac(), drill, &channel.id);
            let place = &message.place;
            match channel.kind {
                Kind::Mail => Load::Mail(said::drill_mail(words, &snapshot, place, &code, address)),
                Kind::Webhook => {
                    let body = said::drill_webhook(place, &code, &message.id, address);
                    webhook(app, &channel, &body)
                }
            }
        }
    };
    Ok(Some(Parcel { message: message.clone(), address: channel.address, load }))
}

fn webhook(app: &App, channel: &Channel, body: &serde_json::Value) -> Load {
    let key = channel::webhook_key(app.keys.mac(), &channel.id);
    Load::Webhook(body.to_string().into_bytes(), key)
}

impl Parcel {
    /// The id that its receiver tells repetitions by.
    #[must_use]
    pub const fn id(&self) -> &NoticeId {
        &self.message.id
    }
}
