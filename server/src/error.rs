//! Why something is refused or fails, in the words of the one code table.
//!
//! A refusal names its row and says what is wrong in this case; a failure of ours carries its cause
//! for the log. Not here: how it becomes an HTTP answer (`http::problem`).
//! Invariant: what a refusal says, the caller may know; what a failure says, it may not.

use crate::clock::NoChance;
use crate::db::DbError;
use crate::keys::KeyError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::draft::BadDraft;
use patchward_protocol::language::Language;
use std::error::Error;
use std::fmt;

/// When to ask again where the database has too much to do, in seconds.
const BUSY_S: u32 = 2;

/// Why a request was not answered as asked.
#[derive(Debug)]
pub enum ApiError {
    /// The caller's doing, or a moment that is not right.
    Refused {
        /// Row of the code table.
        code: ErrorCode,
        /// Particulars of this case, in English; nothing that the caller may not know.
        detail: Option<String>,
        /// When to ask again, in seconds, where the code allows it.
        retry_after_s: Option<u32>,
    },
    /// No approval was drafted, with every device and rule that stands against it.
    NotDrafted(Box<BadDraft>),
    /// Ours. The cause goes to the log, never to the caller.
    Failed(Box<dyn Error + Send + Sync>),
}

impl ApiError {
    /// A refusal with nothing to add to the table's words.
    #[must_use]
    pub const fn of(code: ErrorCode) -> Self {
        Self::Refused { code, detail: None, retry_after_s: None }
    }

    /// A refusal with particulars.
    #[must_use]
    pub fn with(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::Refused { code, detail: Some(detail.into()), retry_after_s: None }
    }

    /// A refusal with particulars taken from an error that is the caller's doing: its whole chain.
    #[must_use]
    pub fn because(code: ErrorCode, error: &dyn Error) -> Self {
        Self::with(code, Chain(error).to_string())
    }

    /// Too much at once; nothing was lost.
    #[must_use]
    pub const fn busy(retry_after_s: u32) -> Self {
        Self::Refused { code: ErrorCode::Busy, detail: None, retry_after_s: Some(retry_after_s) }
    }

    /// A failure of ours.
    #[must_use]
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// Particulars of this case, in English; none where there is nothing to add.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Refused { detail, .. } => detail.clone(),
            Self::NotDrafted(why) => {
                let first = std::iter::once(Chain(why.as_ref()).to_string());
                Some(first.chain(why.particulars(Language::En)).collect::<Vec<_>>().join("\n"))
            }
            Self::Failed(_) => None,
        }
    }

    /// The row of the code table.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { code, .. } => *code,
            Self::NotDrafted(_) => ErrorCode::DraftRefused,
            Self::Failed(_) => ErrorCode::Internal,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, detail: Some(detail), .. } => {
                write!(f, "{}: {detail}", code.code())
            }
            Self::Refused { code, detail: None, .. } => f.write_str(code.code()),
            Self::NotDrafted(_) => f.write_str(self.code().code()),
            Self::Failed(_) => f.write_str("the server failed"),
        }
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { .. } => None,
            Self::NotDrafted(why) => Some(why.as_ref()),
            Self::Failed(error) => Some(error.as_ref()),
        }
    }
}

/// An error and everything below it, in one line.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_storage_full() {
            Self::of(ErrorCode::StorageFull)
        } else if matches!(error, DbError::Busy | DbError::Begin(_)) {
            // Not begun: the queue is full, or another writer took too long.
            Self::busy(BUSY_S)
        } else {
            Self::failed(error)
        }
    }
}

impl From<BadDraft> for ApiError {
    fn from(why: BadDraft) -> Self {
        Self::NotDrafted(Box::new(why))
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        Self::failed(error)
    }
}

impl From<NoChance> for ApiError {
    fn from(error: NoChance) -> Self {
        Self::failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = ApiError::failed(std::io::Error::other("disk on fire"));
        assert_eq!(Chain(&error).to_string(), "the server failed: disk on fire");
    }

    #[test]
    fn a_full_queue_is_no_failure_of_ours() {
        assert_eq!(ApiError::from(DbError::Busy).code(), ErrorCode::Busy);
        assert_eq!(ApiError::from(DbError::Stopped).code(), ErrorCode::Internal);
    }
}
