//! Limits of the command line, with their units.

/// Least rounds of PBKDF2 in a key file.
pub const PBKDF2_ROUNDS_MIN: u32 = 600_000;
/// Most rounds of PBKDF2 in a key file that is opened: more is a file made to stall.
pub const PBKDF2_ROUNDS_MAX: u32 = 20_000_000;
/// Least characters of a new passphrase.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// Most bytes of a passphrase file.
pub const PASSPHRASE_BYTES_MAX: u64 = 4 * 1024;
/// Most bytes of a key file, of a `.pub` file, and of a signer's memory.
pub const KEY_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most bytes of a token file and of a certificate authority file.
pub const SMALL_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most bytes of the trusted state of one repository.
pub const STATE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most bytes of a staged file.
pub const STAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most bytes of a JSON answer of the server.
pub const REPLY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a connection may take to open, in seconds.
pub const CONNECT_S_MAX: u64 = 15;
/// How long the server may take to begin its answer, in seconds.
pub const ANSWER_S_MAX: u64 = 120;
/// Most bytes of a signer's memory.
pub const MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most entries of an exported record.
pub const RECORD_ENTRIES_MAX: u64 = 4_000_000;
/// Most bytes of the entries of an exported record.
pub const RECORD_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most bytes of an exported record: entries, tiles and pages.
pub const RECORD_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Most bytes of one tile: 256 entries, each at its limit.
pub const RECORD_BUNDLE_BYTES_MAX: u64 = 256 * (32 * 1024 + 2);
/// Most versions of a site's root in an exported record.
pub const RECORD_ROOTS_MAX: u32 = 4096;
