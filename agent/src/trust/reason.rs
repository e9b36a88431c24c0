//! How a refusal of metadata is told to people and written in the ledger.

use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::error::TufError;

/// The reason for an error of the trusted set.
#[must_use]
pub const fn of(error: &TufError) -> Reason {
    match error {
        TufError::TooLong { .. }
        | TufError::TooManySignatures { .. }
        | TufError::ByteBudget { .. }
        | TufError::EndlessRoot { .. }
        | TufError::EndlessDelegation { .. } => Reason::MetadataTooLong,
        TufError::NotStrictJson { .. }
        | TufError::Shape { .. }
        | TufError::HouseRule { .. }
        | TufError::DuplicateSignature { .. } => Reason::MetadataMalformed,
        TufError::WrongRepository { .. } => Reason::MetadataOtherRepository,
        TufError::SignatureThreshold { .. } | TufError::UnknownRole { .. } => {
            Reason::MetadataSignature
        }
        TufError::Rollback { .. } | TufError::RoleRemoved { .. } => Reason::MetadataRollback,
        TufError::RootGap { .. } => Reason::RootChain,
        TufError::Expired { .. } => Reason::MetadataExpired,
        TufError::AheadOfTime { .. } => Reason::MetadataAhead,
        TufError::VersionMismatch { .. }
        | TufError::HashMismatch { .. }
        | TufError::LengthMismatch { .. }
        | TufError::NotListed { .. } => Reason::MetadataMismatch,
        TufError::MissingFile { .. } | TufError::OutOfTurn { .. } => Reason::ServerUnreachable,
        TufError::HeldUnreadable { .. } => Reason::HeldStateUnreadable,
    }
}
