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
/// Most slots of one device in a standing approval.
pub const STANDING_SLOTS_PER_DEVICE_MAX: usize = 32;
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

/// Most bytes of a wave proof: two ledger entries of each of 2000 devices.
pub const WAVE_PROOF_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most characters of the reason of a hold.
pub const HOLD_REASON_CHARS_MAX: usize = 400;
/// When somebody must look at a hold again, in seconds after it was set.
pub const HOLD_REVIEW_S: i64 = 72 * 3600;
/// Longest time that a poll may stand, in seconds.
pub const POLL_WAIT_S_MAX: u32 = 60;
/// Most bytes of a site's inventory: 10,000 devices.
pub const INVENTORY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most devices of a site's inventory.
pub const INVENTORY_DEVICES_MAX: usize = 10_000;
/// Most wards, people, windows or freezes of a site.
pub const INVENTORY_LIST_MAX: usize = 1_000;
/// Most kinds, windows, dates or hours in one list of an inventory.
pub const INVENTORY_PART_MAX: usize = 400;
/// Most bytes of a name or a reason in an inventory.
pub const INVENTORY_TEXT_BYTES_MAX: usize = 400;
/// Longest window, in minutes.
pub const WINDOW_MINUTES_MAX: u32 = 24 * 60;
/// Longest soak of a wave, in seconds.
pub const SOAK_S_MAX: u64 = 90 * 24 * 3600;

/// Most bytes of one entry of a site's record.
pub const RECORD_ENTRY_BYTES_MAX: usize = 32 * 1024;
/// Most bytes of a checkpoint with its signatures.
pub const CHECKPOINT_BYTES_MAX: usize = 16 * 1024;
/// Most days for which windows are expanded at once.
pub const WINDOW_SPAN_DAYS_MAX: i64 = 800;

/// Most bytes of a message on the clinical socket.
pub const CLINICAL_MESSAGE_BYTES_MAX: usize = 1024;
/// Most characters of the words that explain why a device is in use.
pub const CLINICAL_WHY_CHARS_MAX: usize = 200;
/// Longest lease of an application that is idle, in seconds.
pub const LEASE_S_MAX: u32 = 15;
/// Longest deferral at the device, in minutes.
pub const DEFER_MINUTES_MAX: u32 = 24 * 60;
/// Longest time that a person counts as present at the device after saying so, in minutes.
pub const PRESENT_MINUTES_MAX: u32 = 30;
/// Most connections to the clinical socket.
pub const CLINICAL_CONNECTIONS_MAX: usize = 16;
/// Most connections of one application to the clinical socket.
pub const CLINICAL_CONNECTIONS_PER_APP_MAX: usize = 4;
/// How soon a connection to the clinical socket must say who it is, in milliseconds.
pub const CLINICAL_HELLO_MS_MAX: u64 = 5_000;
/// Most messages of one connection to the clinical socket at once.
pub const CLINICAL_BURST_MAX: u64 = 20;
/// Beyond a burst, least milliseconds between two messages of one connection.
pub const CLINICAL_MESSAGE_MS_MIN: u64 = 50;
/// Most bytes of an imported iCalendar or CSV file.
pub const CALENDAR_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most occurrences that an imported rule may count.
pub const CALENDAR_COUNT_MAX: u32 = 2_000;

/// Least bytes of a window of a delta container; a power of two.
pub const DELTA_WINDOW_BYTES_MIN: u32 = 64 * 1024;
/// Most bytes of a window of a delta container; a power of two.
pub const DELTA_WINDOW_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Bytes of a window unless somebody asks for another length.
pub const DELTA_WINDOW_BYTES: u32 = 1024 * 1024;
/// Most windows of a delta container.
pub const DELTA_FRAMES_MAX: u32 = 1 << 20;
/// Most memory that a device gives to unpacking unless it is configured otherwise, in bytes.
pub const DELTA_MEMORY_BYTES: u64 = 8 * 1024 * 1024;

/// Longest draft of a site that travels as one file, in bytes.
pub const CARRIED_DRAFT_BYTES_MAX: usize = 16 << 20;
