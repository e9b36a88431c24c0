//! Where notices go: a mailbox or a webhook, of a place or of one person there.
//!
//! Not here: sending. Invariant: quiet hours delay what can wait, and never what is urgent.

use super::subject::{NoticeId, Severity};
use crate::keys::MacSecret;
use crate::people::role::Place;
use crate::people::who::{AccountId, Language};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Minutes of a day.
pub const DAY_MIN: u16 = 24 * 60;
/// Stands before what a webhook's secret is made from, so that the key serves nothing else by mistake.
const SECRET_CONTEXT: &[u8] = b"patchward webhook secret v1|";
/// Stands before what a drill's code is made from.
const CODE_CONTEXT: &[u8] = b"patchward drill code v1|";
/// Letters of a drill's code; none that is read as another (Crockford).
const CODE_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in a drill's code.
const CODE_CHARS: usize = 8;

/// A way on which notices leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub id: NoticeId,
    /// Whose notices it carries.
    pub place: Place,
    /// The person whose it is; absent for one of the whole place.
    pub account: Option<AccountId>,
    /// How.
    pub kind: Kind,
    /// A mail address, or a URL.
    pub address: String,
    /// In which language its reader reads.
    pub language: Language,
    /// From which step on it is told.
    pub circle: Circle,
    /// What is less grave is not sent.
    pub least: Severity,
    /// When it is not disturbed by what can wait.
    pub quiet: Option<Quiet>,
    /// IANA zone of its reader.
    pub tz: String,
    /// When it was entered.
    pub created: Timestamp,
    /// By whom: the printed name.
    pub created_by: String,
    /// When it was removed.
    pub removed: Option<Timestamp>,
    /// How it does.
    pub health: Health,
}

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By mail.
    Mail,
    /// As a signed request to a program.
    Webhook,
}

/// From which step on somebody is told of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Circle {
    /// Of each notice at once: approvers; at a manufacturer, release and product security.
    First,
    /// Only of what was passed on: admins.
    Second,
    /// Of everything.
    All,
}

/// Hours in which only what is urgent is sent; over midnight when the end is before the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// From which minute of the day.
    pub from_min: u16,
    /// To which minute of the day; equal to the beginning: never quiet.
    pub to_min: u16,
}

/// How a channel does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// When a person last confirmed a drill that came through it.
    pub proven: Option<Timestamp>,
    /// When the other side last took a message.
    pub sent: Option<Timestamp>,
    /// Since when messages do not go through, and why.
    pub failing: Option<(Timestamp, String)>,
}

impl Circle {
    /// All, in the order of forms.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::All];

    /// The word in forms and texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::All => "all",
        }
    }

    /// The circle of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|circle| circle.word() == word)
    }

    /// Whether a notice at this step is told here: 0 is the beginning, 1 and 2 were passed on. Who was
    /// told at an earlier step is told again, because nobody has acknowledged it.
    #[must_use]
    pub const fn hears(self, step: u32) -> bool {
        match self {
            Self::First | Self::All => true,
            Self::Second => step >= 1,
        }
    }
}

impl Kind {
    /// The word in forms and texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Mail, Self::Webhook].into_iter().find(|kind| kind.word() == word)
    }
}

impl Channel {
    /// Whether it carries what is so grave, at this step.
    #[must_use]
    pub fn carries(&self, severity: Severity, step: u32) -> bool {
        severity >= self.least && self.circle.hears(step)
    }

    /// When a message of this severity may be sent: at once, or when quiet hours end.
    #[must_use]
    pub fn not_before(&self, severity: Severity, at: Timestamp) -> Timestamp {
        match self.quiet {
            Some(quiet) if severity < Severity::Urgent => quiet.end(at, &self.tz),
            Some(_) | None => at,
        }
    }

    /// The address as others may see it: enough to recognise, not enough to use.
    #[must_use]
    pub fn masked(&self) -> String {
        match self.kind {
            Kind::Webhook => {
                let host = url::Url::parse(&self.address).ok();
                host.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
            }
            Kind::Mail => {
                let (name, host) = self.address.split_once('@').unwrap_or((&self.address, ""));
                let first: String = name.chars().take(2).collect();
                format!("{first}…@{host}")
            }
        }
    }
}

impl Quiet {
    /// The end of the quiet hours in which `at` lies; `at` itself outside them.
    #[must_use]
    pub fn end(self, at: Timestamp, tz: &str) -> Timestamp {
        let zone = TimeZoneDatabase::bundled().get(tz).unwrap_or(TimeZone::UTC);
        let local = at.to_jiff().to_zoned(zone);
        let hour = i64::from(local.hour());
        let now = hour.saturating_mul(60).saturating_add(i64::from(local.minute()));
        let (from, to) = (i64::from(self.from_min), i64::from(self.to_min));
        let day = i64::from(DAY_MIN);
        let quiet = if from <= to { from <= now && now < to } else { now >= from || now < to };
        if !quiet {
            return at;
        }
        let left_min = (to.saturating_sub(now).saturating_add(day)) % day;
        at.plus_seconds(left_min.saturating_mul(60).saturating_sub(i64::from(local.second())))
    }
}

/// The secret by which a webhook's receiver knows us, as Standard Webhooks writes it. It follows from
/// the server's own secret, so that the database holds none.
#[must_use]
pub fn webhook_secret(mac: &MacSecret, channel: &NoticeId) -> Zeroizing<String> {
    let key = derive(mac, SECRET_CONTEXT, channel.as_str());
    Zeroizing::new(format!("whsec_{}", STANDARD.encode(key)))
}

/// The key in such a secret.
#[must_use]
pub fn webhook_key(mac: &MacSecret, channel: &NoticeId) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(derive(mac, SECRET_CONTEXT, channel.as_str()))
}

/// What stands in a drill's message: whoever types it has received it. It follows from the server's
/// own secret, so that a message that is sent twice says the same.
#[must_use]
pub fn drill_code(mac: &MacSecret, drill: &NoticeId, channel: &NoticeId) -> String {
    let key = derive(mac, CODE_CONTEXT, &format!("{drill}|{channel}"));
    let letter = |byte: &u8| CODE_LETTERS.get(usize::from(byte % 32)).copied().map(char::from);
    key.iter().take(CODE_CHARS).filter_map(letter).collect()
}

fn derive(mac: &MacSecret, context: &[u8], says: &str) -> [u8; 32] {
    let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
    key.iter_mut().zip(mac.bytes()).for_each(|(to, from)| *to = *from);
    let mac = Hmac::<Sha256>::new(&key).chain_update(context).chain_update(says.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn channel(quiet: Quiet) -> Channel {
        Channel {
            id: NoticeId::digest("c"),
            place: Place::Server,
            account: None,
            kind: Kind::Mail,
            address: "tanaka@hospital.example".into(),
            language: Language::Ja,
            circle: Circle::First,
            least: Severity::Important,
            quiet: Some(quiet),
            tz: "Asia/Tokyo".into(),
            created: at("2026-11-22T05:00:00Z"),
            created_by: "Tanaka".into(),
            removed: None,
            health: Health::default(),
        }
    }

    #[test]
    fn quiet_hours_over_midnight_end_in_the_morning_of_the_zone() {
        let nights = channel(Quiet { from_min: 21 * 60, to_min: 7 * 60 });
        let late = at("2026-11-22T13:30:20Z");
        let morning = at("2026-11-22T22:00:00Z");
        assert_eq!(nights.not_before(Severity::Important, late), morning);
        let noon = at("2026-11-22T03:00:00Z");
        assert_eq!(nights.not_before(Severity::Normal, noon), noon);
        assert_eq!(nights.not_before(Severity::Normal, morning), morning, "the end is not quiet");
    }

    #[test]
    fn what_is_urgent_is_sent_in_quiet_hours() {
        let nights = channel(Quiet { from_min: 21 * 60, to_min: 7 * 60 });
        let late = at("2026-11-22T13:30:20Z");
        assert_eq!(nights.not_before(Severity::Urgent, late), late);
    }

    #[test]
    fn equal_ends_are_never_quiet() {
        let never = channel(Quiet { from_min: 600, to_min: 600 });
        let ten = at("2026-11-22T01:00:00Z");
        assert_eq!(never.not_before(Severity::Normal, ten), ten);
    }

    #[test]
    fn the_second_circle_hears_only_what_was_passed_on() {
        assert!(Circle::First.hears(0) && Circle::All.hears(0) && !Circle::Second.hears(0));
        assert!(Circle::ALL.iter().all(|circle| circle.hears(1) && circle.hears(2)));
    }

    #[test]
    fn what_is_less_grave_than_the_channel_asks_for_is_not_carried() {
        let channel = channel(Quiet { from_min: 0, to_min: 0 });
        assert!(!channel.carries(Severity::Normal, 0));
        assert!(channel.carries(Severity::Important, 0) && channel.carries(Severity::Urgent, 0));
    }

    #[test]
    fn others_see_an_address_that_they_cannot_use() {
        assert_eq!(channel(Quiet { from_min: 0, to_min: 0 }).masked(), "ta…@hospital.example");
    }
}
