//! The delta container, `.pwd`: one file format for full images and for deltas between two of them.
//!
//! The new image is cut into windows of equal length. A file is a header, a table with one entry for
//! each window ([`mod@format`]), and the payloads back to back. A device decodes one window at a time in
//! fixed memory ([`apply`]): it reads ranges of the old image, takes the next payload, and gets the
//! bytes of one window. A full image is the same container with the same windows and no old image,
//! so that any window that a delta does not bring comes from the full file instead.
//!
//! ```text
//! header 192 bytes | table 104 bytes for each window | payloads
//! |<------- head, bound by a signed `table_sha256` ------>|
//! ```
//!
//! All numbers are little endian. The header, by the first byte of each field:
//!
//! | at | field | at | field |
//! |---|---|---|---|
//! | 0 | `PWDELTA1` | 40, 48 | length of the old image (0: none) and of the new one, 64 bits |
//! | 8 | layout version, 1 | 56, 88 | SHA-256 of the old image (zeros: none) and of the new one |
//! | 12 | required features, none yet | 120 | SHA-256 of the table |
//! | 16 | window | 152 | length of all payloads, 64 bits |
//! | 20, 24 | length of an entry (104), number of windows | 160 | 32 zeros |
//! | 28, 32 | longest payload, most bytes of streams; then 4 zeros | 192 | the table |
//!
//! An entry: kind, codec (1 with a payload, else 0), 2 zeros; lengths of window, payload and list of
//! stream lengths, 32 bits each; 16: place of the payload, 24: place of a copy, 64 bits each; 32 and
//! 64: SHA-256 of payload and window; 96: first block of 4 KiB and number of blocks of the old image
//! that may be read. Kinds: 0 copy, 1 zeros, 2 and 3 differences as bytes and as 32-bit words
//! (`streams`, `diff`), 4 packed (`stream`), 5 `bsdiff`.
//!
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
