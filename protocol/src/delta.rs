//! The delta container, `.pwd`: one file format for full images and for deltas between two of them.
//!
//! The new image is cut into windows of equal length. A file is a header, a table with one entry for
//! each window ([`format`]), and the payloads back to back. A device decodes one window at a time in
//! fixed memory ([`apply`]): it reads ranges of the old image, takes the next payload, and gets the
//! bytes of one window. A full image is the same container with the same windows and no old image,
//! so that any window that a delta does not bring comes from the full file instead.
//!
//! ```text
//! header 192 bytes | table 104 bytes for each window | payloads
//! |<------- head, bound by a signed `table_sha256` ------>|
//! ```
//! Trust: a head is believed when its digest is the signed one ([`format::Head`]); a payload is
//! unpacked when its digest is the one of the table; a window is given out when its digest is the one
//! of the table. The digest of the whole image, offline-signed and computed over what was read back,
//! decides. Not here: files, devices, networks ([`apply::Base`] is the one edge).
//! Invariant: memory is claimed once, from figures that were checked against limits.

mod ahead;
pub mod apply;
mod bsdiff;
#[cfg(feature = "delta-build")]
pub mod build;
mod diff;
pub mod format;
mod number;
pub mod stream;
mod streams;
mod whole;
