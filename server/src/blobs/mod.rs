//! Bytes named by their digest: images, documents, approvals.
//!
//! Not here: who may read or write them, and which are listed ([`crate::db::repository`]).
//! Invariant: a blob that can be opened is whole and has the digest of its name.

mod dir;
mod scratch;
mod stream;

pub use dir::{Blob, BlobDir, BlobError, Upload};
pub use scratch::Scratch;
pub use stream::{pieces, receive};
