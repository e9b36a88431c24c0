//! A site's record: every ledger entry, every human act, every act of the server, in one append-only
//! log that nobody can rewrite unnoticed.
//!
//! [`entry`] is what one leaf says, [`checkpoint`] is the server's signed word on size and root,
//! [`witness`] is the rule by which devices and people catch a server that tells two stories; an export
//! for auditors is made and checked behind the feature `export`. The tree itself is [`crate::merkle`]. Not here: storage, and what an entry permits (nothing).
//! Invariant: a leaf is the canonical bytes of one [`entry::RecordEntry`], and its position stands in it.

pub mod checkpoint;
pub mod entry;
#[cfg(feature = "export")]
pub mod export;
pub mod placement;
pub mod witness;
