//! Why metadata is not trusted.
//!
//! Every variant keeps the role and the numbers that decided; [`TufError::code`] is the stable name
//! that goes into ledgers and hints. Invariant: a code, once released, is never given another meaning.

use super::role::Role;
use crate::canonical::ReadJson;
use crate::digest::Sha256Digest;
use crate::time::Timestamp;

/// Why metadata, or a target file, was refused.
#[allow(missing_docs, reason = "fields are named like what they are: role, version, length")]
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// More bytes than the role may have, or than the listing says.
    #[error("{role}: {length} bytes, at most {length_max} are read")]
    TooLong { role: Role, length: u64, length_max: u64 },
    /// Broken JSON, a duplicate key, a float, or text that is not allowed.
    #[error("{role}: not strict JSON")]
    NotStrictJson { role: Role, source: serde_json::Error },
    /// Strict JSON that is not this role's document.
    #[error("{role}: not the shape of this role")]
    Shape { role: Role, source: serde_json::Error },
    /// Against a rule of Patchward's profile.
    #[error("{role}: {rule}")]
    HouseRule { role: Role, rule: &'static str },
    /// Signed for another repository, or for none.
    #[error("{role}: is for repository {found}, not {expected}")]
    WrongRepository { role: Role, expected: String, found: String },
    /// Too few distinct keys signed.
    #[error("{role}: {valid} valid signatures of distinct keys, {needed} needed")]
    SignatureThreshold { role: Role, needed: u64, valid: u64 },
    /// One key id stands twice among the signatures (TUF specification 4.2).
    #[error("{role}: key id {key_id} signed twice")]
    DuplicateSignature { role: Role, key_id: String },
    /// More signatures than are ever checked.
    #[error("{role}: {count} signatures, at most {count_max} are checked")]
    TooManySignatures { role: Role, count: usize, count_max: usize },
    /// No keys are listed for the role.
    #[error("{role}: the delegating role lists no keys for it")]
    UnknownRole { role: Role },
    /// The document is not the version that was asked for.
    #[error("{role}: version {found} where version {expected} was asked for")]
    VersionMismatch { role: Role, expected: u64, found: u64 },
    /// Older than what is already trusted, or below a floor.
    #[error("{role}: version {offered} is older than version {held}")]
    Rollback { role: Role, held: u64, offered: u64 },
    /// A root that is not the next one.
    #[error("root: version {found} where version {expected} must follow")]
    RootGap { expected: u64, found: u64 },
    /// More new roots than one refresh takes; what was reached is kept and the next goes on.
    #[error("root: {steps} new versions in one refresh (now {reached}); the next goes on")]
    EndlessRoot { steps: u32, reached: u64 },
    /// Not valid any more.
    #[error("{role}: expired {expires}, it is {at}")]
    Expired { role: Role, expires: Timestamp, at: Timestamp },
    /// Not the bytes that were listed.
    #[error("{name}: digest {found}, listed is {expected}")]
    HashMismatch { name: String, expected: Sha256Digest, found: Sha256Digest },
    /// Not the length that was listed.
    #[error("{name}: {found} bytes, listed are {expected}")]
    LengthMismatch { name: String, expected: u64, found: u64 },
    /// A role that the held snapshot lists is gone from the offered one.
    #[error("snapshot: role {name} is not listed any more")]
    RoleRemoved { name: String },
    /// The snapshot does not list this role, or the timestamp no snapshot.
    #[error("{role}: not listed")]
    NotListed { role: Role },
    /// An online key signed it for a time that lies ahead of the known time.
    #[error("{role}: issued {issued}, and it is {at}")]
    AheadOfTime { role: Role, issued: Timestamp, at: Timestamp },
    /// The server has no such file.
    #[error("the repository has no {file}")]
    MissingFile { file: String },
    /// The refresh has taken as many bytes as one may.
    #[error("the refresh has taken {taken} bytes, at most {bytes_max} are read")]
    ByteBudget { taken: usize, bytes_max: usize },
    /// A search visited as many roles as one may.
    #[error("the search for {path} visited {roles} roles and stopped")]
    EndlessDelegation { path: String, roles: usize },
    /// A stored document does not read; it is never taken for "absent".
    #[error("stored {role} metadata does not read: restore the previous generation")]
    HeldUnreadable { role: Role, source: Box<TufError> },
    /// Called out of turn: nothing was asked for, or a role below is not yet trusted.
    #[error("{role}: called out of turn")]
    OutOfTurn { role: Role },
}

impl TufError {
    /// The stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "tuf_too_long",
            Self::NotStrictJson { .. } => "tuf_not_strict_json",
            Self::Shape { .. } => "tuf_shape",
            Self::HouseRule { .. } => "tuf_house_rule",
            Self::WrongRepository { .. } => "tuf_wrong_repository",
            Self::SignatureThreshold { .. } => "tuf_signature_threshold",
            Self::DuplicateSignature { .. } => "tuf_duplicate_signature",
            Self::TooManySignatures { .. } => "tuf_too_many_signatures",
            Self::UnknownRole { .. } => "tuf_unknown_role",
            Self::VersionMismatch { .. } => "tuf_version_mismatch",
            Self::Rollback { .. } => "tuf_rollback",
            Self::RootGap { .. } => "tuf_root_gap",
            Self::EndlessRoot { .. } => "tuf_endless_root",
            Self::Expired { .. } => "tuf_expired",
            Self::HashMismatch { .. } => "tuf_hash_mismatch",
            Self::LengthMismatch { .. } => "tuf_length_mismatch",
            Self::RoleRemoved { .. } => "tuf_role_removed",
            Self::NotListed { .. } => "tuf_not_listed",
            Self::AheadOfTime { .. } => "tuf_ahead_of_time",
            Self::MissingFile { .. } => "tuf_missing_file",
            Self::ByteBudget { .. } => "tuf_byte_budget",
            Self::EndlessDelegation { .. } => "tuf_endless_delegation",
            Self::HeldUnreadable { .. } => "tuf_held_unreadable",
            Self::OutOfTurn { .. } => "tuf_out_of_turn",
        }
    }

    /// The same error of a stored file: one that does not read is never "absent".
    pub(crate) fn if_held(self, role: &Role) -> Self {
        let unreadable =
            matches!(self, Self::TooLong { .. } | Self::NotStrictJson { .. } | Self::Shape { .. });
        if !unreadable {
            return self;
        }
        Self::HeldUnreadable { role: role.clone(), source: Box::new(self) }
    }

    /// Sorts a reading error of `role`.
    pub(crate) fn from_read(role: &Role, error: ReadJson) -> Self {
        let role = role.clone();
        match error {
            ReadJson::TooLong { length, length_max } => Self::TooLong {
                role,
                length: u64::try_from(length).unwrap_or(u64::MAX),
                length_max: u64::try_from(length_max).unwrap_or(u64::MAX),
            },
            ReadJson::Strict(source) => Self::NotStrictJson { role, source },
            ReadJson::Shape(source) => Self::Shape { role, source },
        }
    }
}
