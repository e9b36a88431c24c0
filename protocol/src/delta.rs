//! The delta container, `.pwd`: one file format for full images and for deltas between two of them.
//!
//! The new image is cut into windows of equal length. A file is a header, a table with one entry for
//! each window ([`mod@format`]), and the payloads back to back. A device decodes one window at a time in
//! fixed memory ([`apply`]): it reads ranges of the old image, takes the next payload, and gets the
//! bytes of one window. A full image is the same container with the same windows and no old image,
//! so that any window that a delta does not bring comes from the full file instead.
//!
//! ```text
//! header 192 bytes | payloads | table
//! |<---- head ---->|          |<---->|   bound by a signed `table_sha256` over header and table
//! ```
//!
//! All numbers are little endian. The header, by the first byte of each field:
//!
//! | at | field | at | field |
//! |---|---|---|---|
//! | 0 | `PWDELTA1` | 40, 48 | length of the old image (0: none) and of the new one, 64 bits |
//! | 8 | layout version, 2 | 56, 88 | SHA-256 of the old image (zeros: none) and of the new one |
//! | 12 | required features, none yet | 120 | SHA-256 of the table |
//! | 16 | window | 152 | length of all payloads, 64 bits |
//! | 20, 24 | length of the table, number of windows | 160 | 32 zeros |
//! | 28, 32 | longest payload, most bytes of streams; then 4 zeros | 192 | the payloads |
//!
//! An entry of the table, each part only where its kind has it; numbers of seven bits a byte, lowest
//! first, the high bit says that more follow:
//!
//! | part | which kinds |
//! |---|---|
//! | kind, a byte: 0 copy, 1 zeros, 2 and 3 differences as bytes and as 32-bit words (`streams`, `diff`), 4 packed (`stream`), 5 `bsdiff`, 6 and 7 words counted in places of code for x86-64 and 64-bit Arm (`aim`) | all |
//! | length of the payload; they follow each other without gap | 2 to 7 |
//! | length of the list of stream lengths | 2, 3, 6, 7 |
//! | where the old image is read, beyond where the window would stand if the last copy went on; signed, in bytes | 0 |
//! | the same in blocks of 4 KiB, and the number of blocks that may be read | 2, 3, 5, 6, 7 |
//! | SHA-256 of the payload | 2 to 7 |
//! | SHA-256 of the window | all, in full containers only |
//!
//! Trust: a head is believed when its digest is the signed one ([`format::Head`]); a payload is
//! unpacked when its digest is the one of the table; a window is believed when its digest is the one
//! that the full container's offline-signed table names for it. A delta names none: what it promised
//! would prove nothing. The digest of the whole image, offline-signed and computed over what was read
//! back, decides. Not here: files, devices, networks ([`apply::Base`] is the one edge).
//! Invariant: memory is claimed once, from figures that were checked against limits.

mod ahead;
mod aim;
pub mod apply;
mod bsdiff;
#[cfg(feature = "delta-build")]
pub mod build;
mod diff;
pub mod format;
mod number;
pub mod stream;
mod streams;
mod table;
mod whole;
