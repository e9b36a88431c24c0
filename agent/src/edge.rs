//! The edges of the agent: what it asks of the machine it runs on.
//!
//! Clock and chance, what an installer sees, and the one error of every edge; the installer itself
//! is [`crate::installer`]. Not here: any implementation.
//! Invariant: nothing else in the crate asks a clock or draws a random number.

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;

/// Something at the edge did not work.
#[derive(Debug, thiserror::Error)]
#[error("{during}")]
pub struct Failure {
    /// What people are told.
    pub reason: Reason,
    /// What was being done, in English, with the path or name; for ledger and log.
    pub during: String,
    /// What it came from.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure without an underlying error.
    #[must_use]
    pub fn new(reason: Reason, during: impl Into<String>) -> Self {
        Self { reason, during: during.into(), source: None }
    }

    /// A failure that came from `source`.
    #[must_use]
    pub fn from_source(
        reason: Reason,
        during: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { reason, during: during.into(), source: Some(source.into()) }
    }

    /// A failure of the disk: full, or broken.
    #[must_use]
    pub fn of_disk(during: impl Into<String>, source: std::io::Error) -> Self {
        let full = matches!(
            source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        );
        let reason = if full { Reason::DiskFull } else { Reason::StorageFailed };
        Self::from_source(reason, during, source)
    }

    /// The whole chain on one line, for ledger and log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.during.clone();
        let mut next: Option<&dyn std::error::Error> =
            self.source.as_deref().map(|source| -> &dyn std::error::Error { source });
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}

/// The clocks of the machine. Nothing else in the crate asks them.
pub trait Clock {
    /// Milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    fn boot_ms(&self) -> u64;
    /// The system's wall clock, right or wrong.
    fn wall(&self) -> Timestamp;
}

/// Chance.
pub trait Rng {
    /// Sixteen random bytes.
    fn sixteen(&mut self) -> [u8; 16];
    /// Thirty-two random bytes, fit for a secret key.
    fn thirty_two(&mut self) -> [u8; 32];
}

/// What stands where images stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An image, by its digest.
    Image(Sha256Digest),
    /// It cannot be told.
    Unknown,
}

/// What an installer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// What runs now.
    pub running: Content,
    /// What runs after the next restart.
    pub next: Content,
}

/// How a restart goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It is done: what runs now is what was activated (a service was restarted).
    Done,
    /// The machine is going down; the agent will be killed and started again.
    GoingDown,
}
