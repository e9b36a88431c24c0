//! The server as a whole, in this process and as a program: both databases, publishing, files, start.
#![allow(clippy::disallowed_methods, reason = "a test reads its surroundings and damages files")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, in its helpers too"
)]

mod board;
mod closing;
mod decisions;
mod delta_family;
mod delta_faults;
mod delta_worker;
mod deltas;
mod drafts;
mod files;
mod hospital;
mod hospital_devices;
mod http;
mod makers;
mod notices;
mod owner;
mod people;
mod place;
mod process;
mod publishing;
mod record;
mod record_search;
mod rollouts;
mod standing;
mod standing_approvals;
mod storage;
