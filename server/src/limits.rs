//! The limits of the server that no configuration changes, with their units in their names.
//!
//! Not here: limits of the protocol (`protocol::limits`) and what an operator chooses (`config`).

/// Shortest life of a token of any kind, in seconds.
pub const TOKEN_LIFE_S_MIN: u32 = 60;
/// Longest life of an API token, in seconds: a year.
pub const TOKEN_LIFE_S_MAX: u32 = 366 * 24 * 3600;
/// Life of the first administrator's token, in seconds: 30 days.
pub const FIRST_TOKEN_LIFE_S: u32 = 30 * 24 * 3600;
/// Longest life of an enrolment token, in seconds: 30 days.
pub const ENROLMENT_LIFE_S_MAX: u32 = 30 * 24 * 3600;
/// Most characters of a token's label.
pub const LABEL_CHARS_MAX: usize = 100;
/// Most characters of a bearer.
pub const BEARER_CHARS_MAX: usize = 512;
/// Most families in one scope.
pub const SCOPE_FAMILIES_MAX: usize = 1_000;
/// Most families in one enrolment pack.
pub const PACK_FAMILIES_MAX: usize = 64;

/// A JSON body arrives within this time, in seconds.
pub const BODY_S_MAX: u64 = 60;
/// What a person says beside a signature is signed within this time, in seconds; then it is said anew.
pub const PREPARED_S_MAX: i64 = 3600;
/// After so many seconds without having followed the database a server calls no wave open.
pub const BLIND_S: i64 = 60;
/// Most characters of an agent's version.
pub const AGENT_VERSION_CHARS_MAX: usize = 64;
/// Most characters of the name of a machine's state.
pub const STATE_CHARS_MAX: usize = 32;

/// Most reports that wait for the writer.
pub const REPORTS_WAITING_MAX: usize = 4_096;
/// Most ledger entries in one transaction; one report more may go beyond it.
pub const BATCH_ENTRIES_MAX: usize = 512;
/// Up to so many signatures are checked on the thread that took the request.
pub const SIGNATURES_IN_PLACE_MAX: usize = 8;
/// Most alarms kept for one device; more of the same say nothing new.
pub const FORKS_KEPT_MAX: i64 = 256;
/// Most entries in one page of a ledger.
pub const LEDGER_PAGE_ENTRIES_MAX: i64 = 256;
/// Most devices whose marks are written by one statement.
pub const MARKS_AT_ONCE_MAX: usize = 5_000;
/// Most API tokens in a list.
pub const TOKENS_LISTED_MAX: i64 = 10_000;

/// Most characters of who sees to a hold.
pub const HOLD_OWNER_CHARS_MAX: usize = 100;
/// Latest review of a hold, in seconds after it was set: 90 days.
pub const HOLD_REVIEW_S_MAX: i64 = 90 * 24 * 3600;
/// Lifted holds are listed for this long, in seconds: 90 days.
pub const HOLD_LISTED_S: i64 = 90 * 24 * 3600;
/// Most characters of a name, a role or a zone in a signed act.
pub const ACT_NAME_CHARS_MAX: usize = 200;
/// Most characters of a reason or a control in a signed act.
pub const ACT_TEXT_CHARS_MAX: usize = 2_000;
/// Most lifted holds of which one device is told, in bytes of their acts as JSON; the newest.
pub const LIFTS_TOLD_BYTES_MAX: usize = 64 * 1024;
/// Most standing holds of which one device is told; the oldest. One is enough to hold it.
pub const HOLDS_TOLD_MAX: usize = 32;
/// Most open waves of which one device is told.
pub const OPEN_TOLD_MAX: usize = 64;
/// Most images of a family that one standing approval follows at a time; the newest.
pub const STANDING_IMAGES_MAX: usize = 16;
/// Most deltas that one family's list holds, so that it stays below the limit of its document; those to
/// the newest images.
pub const DELTAS_LISTED_MAX: usize = 1_024;
/// Most devices that are counted as silent in one transaction.
pub const SILENT_AT_ONCE_MAX: i64 = 256;

/// Longest form of the console with its files, in bytes.
pub const FORM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most bytes of a form of somebody who is not signed in.
pub const STRANGER_BYTES_MAX: usize = 64 * 1024;
/// Most fields of a form.
pub const FORM_FIELDS_MAX: usize = 10_000;

/// Most channels of one place.
pub const CHANNELS_MAX: usize = 64;
/// Most characters of a mail address or of a webhook's URL.
pub const CHANNEL_ADDRESS_CHARS_MAX: usize = 500;
/// So many messages wait for a channel before what is not urgent stays on the page only.
pub const CHANNEL_WAITING_MAX: u64 = 200;
/// Most messages that one server sends at once.
pub const MESSAGES_AT_ONCE_MAX: i64 = 16;
/// Most notices that are passed on in one transaction.
pub const STEPS_AT_ONCE_MAX: i64 = 256;
/// Most devices whose trouble is told at a time.
pub const TROUBLES_AT_ONCE_MAX: i64 = 10_000;
/// Latest date to which an answer may be put off, in seconds: 180 days.
pub const ANSWER_PUT_OFF_S_MAX: i64 = 180 * 24 * 3600;
/// Most characters of a question, and of what is written below it.
pub const QUESTION_CHARS_MAX: usize = 4_000;
/// Most that both sides write below one question.
pub const QUESTION_WORDS_MAX: usize = 200;
/// A drill is confirmed within so many seconds: two days.
pub const DRILL_LIFE_S: i64 = 2 * 24 * 3600;
/// Between two drills of a place, in seconds.
pub const DRILL_EVERY_S: i64 = 60;
/// Most characters of a typed code.
pub const DRILL_CODE_CHARS_MAX: usize = 16;
/// Closed notices on a page.
pub const NOTICES_CLOSED_LISTED_MAX: i64 = 50;

/// Longest record that the console exports, in bytes of its entries; a longer one is for the command
/// line.
pub const EXPORT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most bytes of the entries that the sheet of a rollback is made of: the device's own, people's and the
/// server's; other devices' entries do not count.
pub const SHEET_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries that an export reads in one statement.
pub const EXPORT_ENTRIES_AT_ONCE: u64 = 1_024;
/// Most versions of a site's root in an export.
pub const EXPORT_ROOTS_MAX: u64 = 4_096;
/// Most exports that are made at a time.
pub const EXPORTS_AT_ONCE_MAX: usize = 2;
/// Most exports that are kept ready.
pub const EXPORTS_KEPT_MAX: usize = 8;
/// An export is kept ready for so many seconds: a quarter of an hour.
pub const EXPORT_KEPT_S: i64 = 15 * 60;
/// Entries of a record on one page.
pub const RECORD_LISTED_MAX: usize = 50;
/// Most entries among whose words a page looks for those that it shows.
pub const RECORD_LOOKED_MAX: u64 = 100_000;
/// Most keys of devices that are kept ready for lists: about 5 MiB.
pub const KNOWN_KEYS_MAX: usize = 16_384;
