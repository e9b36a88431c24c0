//! What a notice is about, and how grave it is.
//!
//! Not here: when it comes up ([`super::survey`]) and what is said of it ([`super::said`]).
//! Invariant: a subject names one matter for ever: the same one again has the same [`Subject::key`],
//! another one never has.

use crate::people::role::Place;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, HoldId, RepositoryId, Seq, SiteId, Version};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How grave a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// To know.
    Normal,
    /// To be done by its date.
    Important,
    /// Now: it is passed on when nobody acknowledges it.
    Urgent,
}

/// A notice's name: 32 hex digits that follow from place and matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(String);

/// A question's name: 32 hex digits.
pub type QuestionId = NoticeId;

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subject {
    /// A site: a release waits for an answer.
    Release {
        /// Of which family.
        family: FamilyId,
        /// Which image.
        image_sha256: Sha256Digest,
        /// Version for people.
        version: Version,
        /// Its rank.
        seq: Seq,
        /// Until when the site had put it off, when it had.
        put_off: Option<Timestamp>,
    },
    /// A site: a wave has halted and a person must look.
    Halt {
        /// Of which family.
        family: FamilyId,
        /// The approval.
        approval_sha256: Sha256Digest,
        /// The image.
        image_sha256: Sha256Digest,
        /// The wave.
        wave: u32,
        /// How often this wave has halted.
        halts: u64,
        /// Why, as the gate codes it.
        because: String,
    },
    /// A site: a device needs a look.
    Device {
        /// Its family.
        family: FamilyId,
        /// Which.
        device: DeviceId,
        /// What is the matter with it.
        trouble: Trouble,
        /// What tells this time from another: an image, or a ledger entry.
        mark: Sha256Digest,
    },
    /// A hold should have been looked at.
    Hold {
        /// Which.
        hold: HoldId,
        /// Of which family, where it holds a release.
        family: Option<FamilyId>,
        /// Since when.
        review_at: Timestamp,
    },
    /// A site: a draft waits for a signature.
    Draft {
        /// Its name.
        draft: String,
        /// Of which family.
        family: Option<FamilyId>,
    },
    /// A document that people sign runs out.
    Metadata {
        /// Of which repository.
        repository: RepositoryId,
        /// `root` or `targets`.
        role: String,
        /// When.
        expires: Timestamp,
    },
    /// Support of a family comes to an end.
    Support {
        /// Which.
        family: FamilyId,
        /// When.
        ends: Timestamp,
    },
    /// Messages do not arrive.
    Delivery {
        /// The channel.
        channel: String,
        /// Since when.
        since: Timestamp,
    },
    /// A site: the manufacturer answered a question.
    Answered {
        /// The question.
        question: String,
        /// About which family.
        family: FamilyId,
        /// Position of the answer among what was written.
        n: u32,
    },
    /// A manufacturer: a site asks.
    Question {
        /// The question.
        question: String,
        /// Who asks.
        site: SiteId,
        /// About which family.
        family: FamilyId,
        /// Position among what was written.
        n: u32,
    },
    /// A manufacturer: a site has not answered.
    Unacknowledged {
        /// Which.
        site: SiteId,
        /// Of which family.
        family: FamilyId,
        /// The image.
        image_sha256: Sha256Digest,
        /// Version for people.
        version: Version,
    },
    /// A manufacturer: a release has halted in the field.
    FieldHalt {
        /// Where.
        site: SiteId,
        /// Of which family.
        family: FamilyId,
        /// The image.
        image_sha256: Sha256Digest,
        /// Version for people.
        version: Version,
        /// The wave.
        wave: u32,
        /// How often it has halted.
        halts: u64,
    },
    /// A manufacturer: a site could not act in an emergency.
    NotReady {
        /// Which.
        site: SiteId,
    },
    /// An account of the place was closed, opened, or lost its second factor.
    Account {
        /// The name it signs in with.
        account: String,
        /// What became of it.
        turn: Turn,
        /// Who did it, as in records.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody of the place was given a role, or lost one.
    Role {
        /// The name of the account with which it signs in.
        account: String,
        /// The role, as [`crate::people::role::Grant::word`] has it at the notice's place.
        role: String,
        /// Given or taken.
        turn: RoleTurn,
        /// Who did it, as in records.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Whoever runs the server: a certificate runs out.
    Certificate {
        /// What it is for.
        part: Part,
        /// Its first name, or its subject's.
        name: String,
        /// When.
        expires: Timestamp,
    },
}

/// What became of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// It is let in no more.
    Disabled,
    /// It is let in again.
    Enabled,
    /// Its second factor is set up anew.
    SecondReset,
}

/// What became of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleTurn {
    /// Somebody has it now.
    Given,
    /// Somebody has it no more.
    Taken,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// This server's own, or one of its chain.
    Server,
    /// The private authority that stands in enrolment packs.
    Packs,
    /// A private authority of the mail server.
    Mail,
    /// A private authority of webhooks.
    Webhooks,
}

/// What is the matter with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The update failed, or the device went back by itself.
    Failed,
    /// Not heard since its activation.
    Silent,
    /// Its ledger contradicts what it reported before.
    Forked,
}

impl Severity {
    /// All, the gravest first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Important, Self::Normal];

    /// The word in the database, in URLs and in webhooks.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Important => "important",
            Self::Urgent => "urgent",
        }
    }

    /// The severity of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

impl Turn {
    /// The stable code; the end of ids of texts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::SecondReset => "second-reset",
        }
    }

    /// How records call it.
    #[must_use]
    pub const fn act(self) -> &'static str {
        match self {
            Self::Disabled => "disable-account",
            Self::Enabled => "enable-account",
            Self::SecondReset => "reset-second-factor",
        }
    }
}

impl RoleTurn {
    /// The stable code; the end of ids of texts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Taken => "taken",
        }
    }

    /// How records call it.
    #[must_use]
    pub const fn act(self) -> &'static str {
        match self {
            Self::Given => "grant-role",
            Self::Taken => "revoke-role",
        }
    }
}

impl Part {
    /// The stable code; the end of ids of texts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Packs => "packs",
            Self::Mail => "mail",
            Self::Webhooks => "webhooks",
        }
    }
}

impl Trouble {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Silent => "silent",
            Self::Forked => "forked",
        }
    }
}

impl NoticeId {
    /// The name of a matter at a place.
    #[must_use]
    pub fn of(place: &Place, subject: &Subject) -> Self {
        Self::digest(&format!("{place}|{}", subject.key()))
    }

    /// A name that follows from a text.
    #[must_use]
    pub fn digest(text: &str) -> Self {
        let digest = Sha256Digest::of(text.as_bytes()).to_string();
        Self(digest.chars().take(32).collect())
    }

    /// Reads a name.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == 32 && text.chars().all(hex)).then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 hex digits")]
pub struct BadNoticeId;

impl std::str::FromStr for NoticeId {
    type Err = BadNoticeId;

    fn from_str(text: &str) -> Result<Self, BadNoticeId> {
        Self::read(text).ok_or(BadNoticeId)
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Subject {
    /// The stable code of its kind; the middle of ids of texts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Release { .. } => "release",
            Self::Halt { .. } => "halt",
            Self::Device { .. } => "device",
            Self::Hold { .. } => "hold",
            Self::Draft { .. } => "draft",
            Self::Metadata { .. } => "metadata",
            Self::Support { .. } => "support",
            Self::Delivery { .. } => "delivery",
            Self::Answered { .. } => "answered",
            Self::Question { .. } => "question",
            Self::Unacknowledged { .. } => "unacknowledged",
            Self::FieldHalt { .. } => "field-halt",
            Self::NotReady { .. } => "not-ready",
            Self::Account { .. } => "account",
            Self::Role { .. } => "role",
            Self::Certificate { .. } => "certificate",
        }
    }

    /// The family that it speaks of, when it does.
    #[must_use]
    pub fn family(&self) -> Option<FamilyId> {
        match self {
            Self::Release { family, .. }
            | Self::Halt { family, .. }
            | Self::Device { family, .. }
            | Self::Support { family, .. }
            | Self::Answered { family, .. }
            | Self::Question { family, .. }
            | Self::Unacknowledged { family, .. }
            | Self::FieldHalt { family, .. } => Some(family.clone()),
            Self::Hold { family, .. } | Self::Draft { family, .. } => family.clone(),
            Self::Metadata { repository, .. } => match repository {
                RepositoryId::Family(family) => Some(family.clone()),
                RepositoryId::Site(_) => None,
            },
            Self::Delivery { .. }
            | Self::NotReady { .. }
            | Self::Account { .. }
            | Self::Role { .. }
            | Self::Certificate { .. } => None,
        }
    }

    /// The other side's site, for a manufacturer.
    #[must_use]
    pub fn site(&self) -> Option<&SiteId> {
        match self {
            Self::Question { site, .. }
            | Self::Unacknowledged { site, .. }
            | Self::FieldHalt { site, .. }
            | Self::NotReady { site } => Some(site),
            Self::Release { .. }
            | Self::Halt { .. }
            | Self::Device { .. }
            | Self::Hold { .. }
            | Self::Draft { .. }
            | Self::Metadata { .. }
            | Self::Support { .. }
            | Self::Delivery { .. }
            | Self::Answered { .. }
            | Self::Account { .. }
            | Self::Role { .. }
            | Self::Certificate { .. } => None,
        }
    }

    /// The name with which somebody signs in to whose account something was done.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account { account, .. } | Self::Role { account, .. } => Some(account),
            Self::Release { .. }
            | Self::Halt { .. }
            | Self::Device { .. }
            | Self::Hold { .. }
            | Self::Draft { .. }
            | Self::Metadata { .. }
            | Self::Support { .. }
            | Self::Delivery { .. }
            | Self::Answered { .. }
            | Self::Question { .. }
            | Self::Unacknowledged { .. }
            | Self::FieldHalt { .. }
            | Self::NotReady { .. }
            | Self::Certificate { .. } => None,
        }
    }

    /// What tells this matter from every other at the same place.
    #[must_use]
    pub fn key(&self) -> String {
        let kind = self.kind();
        match self {
            Self::Release { family, image_sha256, put_off, .. } => {
                let round = put_off.map_or(0, Timestamp::millis);
                format!("{kind}|{family}|{image_sha256}|{round}")
            }
            Self::Halt { approval_sha256, image_sha256, wave, halts, .. } => {
                format!("{kind}|{approval_sha256}|{image_sha256}|{wave}|{halts}")
            }
            Self::Device { device, trouble, mark, .. } => {
                format!("{kind}|{device}|{}|{mark}", trouble.code())
            }
            Self::Hold { hold, review_at, .. } => format!("{kind}|{hold}|{}", review_at.millis()),
            Self::Draft { draft, .. } => format!("{kind}|{draft}"),
            Self::Metadata { repository, role, expires } => {
                format!("{kind}|{repository}|{role}|{}", expires.millis())
            }
            Self::Support { family, ends } => format!("{kind}|{family}|{}", ends.millis()),
            Self::Delivery { channel, since } => format!("{kind}|{channel}|{}", since.millis()),
            Self::Answered { question, n, .. } | Self::Question { question, n, .. } => {
                format!("{kind}|{question}|{n}")
            }
            Self::Unacknowledged { site, family, image_sha256, .. } => {
                format!("{kind}|{site}|{family}|{image_sha256}")
            }
            Self::FieldHalt { site, image_sha256, wave, halts, family, .. } => {
                format!("{kind}|{site}|{family}|{image_sha256}|{wave}|{halts}")
            }
            Self::NotReady { site } => format!("{kind}|{site}"),
            Self::Account { account, turn, at, .. } => {
                format!("{kind}|{account}|{}|{}", turn.code(), at.millis())
            }
            Self::Role { account, role, turn, at, .. } => {
                format!("{kind}|{account}|{role}|{}|{}", turn.code(), at.millis())
            }
            Self::Certificate { part, name, expires } => {
                format!("{kind}|{}|{name}|{}", part.code(), expires.millis())
            }
        }
    }

    /// Whether it is about this question.
    #[must_use]
    pub fn is_about_question(&self, id: &QuestionId) -> bool {
        matches!(
            self,
            Self::Question { question, .. } | Self::Answered { question, .. }
                if question == id.as_str()
        )
    }

    /// Whether it says that this channel does not deliver.
    #[must_use]
    pub fn is_of_channel(&self, id: &NoticeId) -> bool {
        matches!(self, Self::Delivery { channel, .. } if channel == id.as_str())
    }

    /// Whether the survey finds it by itself; the others are raised and closed where they happen.
    #[must_use]
    pub const fn is_surveyed(&self) -> bool {
        match self {
            Self::Release { .. }
            | Self::Halt { .. }
            | Self::Hold { .. }
            | Self::Draft { .. }
            | Self::Metadata { .. }
            | Self::Support { .. }
            | Self::Delivery { .. }
            | Self::Unacknowledged { .. }
            | Self::FieldHalt { .. }
            | Self::NotReady { .. }
            | Self::Certificate { .. } => true,
            Self::Device { trouble, .. } => !matches!(trouble, Trouble::Forked),
            Self::Answered { .. }
            | Self::Question { .. }
            | Self::Account { .. }
            | Self::Role { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(review_at: i64) -> Subject {
        Subject::Hold {
            hold: HoldId::new("north-1").unwrap(),
            family: None,
            review_at: Timestamp::from_millis(review_at),
        }
    }

    #[test]
    fn the_same_matter_has_the_same_name_and_another_time_another() {
        let place = Place::Site(SiteId::new("north").unwrap());
        assert_eq!(NoticeId::of(&place, &hold(1)), NoticeId::of(&place, &hold(1)));
        assert_ne!(NoticeId::of(&place, &hold(1)), NoticeId::of(&place, &hold(2)));
        assert_ne!(NoticeId::of(&place, &hold(1)), NoticeId::of(&Place::Server, &hold(1)));
    }

    #[test]
    fn a_name_reads_back_and_nothing_else_does() {
        let id = NoticeId::of(&Place::Server, &hold(1));
        assert_eq!(NoticeId::read(id.as_str()), Some(id));
        for other in ["", "0", &"G".repeat(32), &"A".repeat(32), &"a".repeat(33)] {
            assert_eq!(NoticeId::read(other), None, "{other}");
        }
    }

    #[test]
    fn urgent_is_the_gravest() {
        assert!(Severity::Urgent > Severity::Important && Severity::Important > Severity::Normal);
        for severity in Severity::ALL {
            assert_eq!(Severity::of(severity.word()), Some(severity));
        }
    }
}
