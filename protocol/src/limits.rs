//! Every limit of the protocol, with its unit in its name.
//!
//! Limits are checked before parsing. Not here: limits of one program (each crate has its own).

/// Most bytes of a `root.json`.
pub const ROOT_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of a `timestamp.json`.
pub const TIMESTAMP_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of a `snapshot.json`.
pub const SNAPSHOT_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of `targets.json` and of a delegated role.
pub const TARGETS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most bytes of an approval.
pub const APPROVAL_BYTES_MAX: usize = 1024 * 1024;
/// Most root versions walked in one refresh; the next refresh goes on from there.
pub const ROOT_STEPS_MAX: u32 = 64;
/// Most bytes taken in one refresh of a repository, all files together.
pub const REFRESH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most delegated roles visited in one search.
pub const SEARCH_ROLES_MAX: usize = 32;
/// Longest life of a root, in seconds (two years and a day).
pub const ROOT_LIFE_S_MAX: i64 = 731 * 24 * 3600;
/// Longest life of a family's targets, in seconds (a year and a day).
pub const FAMILY_TARGETS_LIFE_S_MAX: i64 = 366 * 24 * 3600;
/// Longest life of a site's targets, in seconds.
pub const SITE_TARGETS_LIFE_S_MAX: i64 = 90 * 24 * 3600;
/// Longest life of a snapshot or a delegated role, in seconds.
pub const SNAPSHOT_LIFE_S_MAX: i64 = 30 * 24 * 3600;
/// Longest life of a timestamp, in seconds.
pub const TIMESTAMP_LIFE_S_MAX: i64 = 7 * 24 * 3600;
/// How far ahead of the publisher's clock `x-issued` may be, in seconds.
pub const ISSUED_AHEAD_S_MAX: i64 = 600;
/// Most delegations in one role.
pub const DELEGATIONS_MAX: usize = 8;
/// Most signatures on one document.
pub const SIGNATURES_MAX: usize = 64;
/// Most keys in one root or delegation.
pub const KEYS_MAX: usize = 64;
/// Most targets in one role.
pub const TARGETS_MAX: usize = 10_000;

/// Most bytes of a dossier.
pub const DOSSIER_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of a dossier, a note, and of an SBOM.
pub const DOCUMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Most bytes of an image.
pub const IMAGE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Most devices in one approval; the planner splits beyond.
pub const APPROVAL_DEVICES_MAX: usize = 2_000;
/// Most alternative slots of one device in one approval.
pub const SLOTS_PER_DEVICE_MAX: usize = 8;
/// Most waves in one approval.
pub const WAVES_MAX: usize = 32;
/// Longest slot, in seconds.
pub const SLOT_S_MAX: i64 = 24 * 3600;
/// Longest life of an emergency approval, in seconds.
pub const EMERGENCY_LIFE_S_MAX: i64 = 24 * 3600;
/// Longest life of a routine approval, in seconds.
pub const ROUTINE_LIFE_S_MAX: i64 = 30 * 24 * 3600;
/// Longest life of a standing approval, in seconds.
pub const STANDING_LIFE_S_MAX: i64 = 90 * 24 * 3600;

/// Most bytes of one envelope (poll, ledger entry, receipt, time answer) as JSON.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of one payload inside an envelope.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024;
/// Most ledger entries in one report.
pub const REPORT_ENTRIES_MAX: usize = 256;
/// Most bytes of one report request.
pub const REPORT_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of free text in a ledger entry.
pub const DETAIL_BYTES_MAX: usize = 1024;
/// Most bytes of an enrolment pack.
pub const PACK_BYTES_MAX: usize = 512 * 1024;

/// How long a directive's "open" is good for, in seconds, counted from when it was asked for.
pub const OPEN_VALID_S: u32 = 120;
/// How far two time sources may be apart and still agree, in seconds.
pub const TIME_AGREE_S: i64 = 120;
/// Kept free at the end of a slot, in seconds.
pub const SLOT_RESERVE_S: u64 = 120;

/// Most entries of a tree archive.
pub const TREE_ENTRIES_MAX: u64 = 200_000;
/// Most bytes of a path or a link target in a tree archive.
pub const TREE_PATH_BYTES_MAX: usize = 1024;
/// Most bytes of one part of a path in a tree archive.
pub const TREE_NAME_BYTES_MAX: usize = 255;
