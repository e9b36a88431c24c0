//! Which delta, or why none.
//!
//! Pure. What a delta's listing says is a hint: it must agree with the offline-signed image, and its
//! own head must agree with both. Invariant: whatever does not agree is refused here, before a payload
//! of it is fetched.

use super::bookmark::Chosen;
use super::table::Table;
use crate::edge::Content;
use crate::stage::FetchError;
use crate::stage::resume::Remote;
use patchward_protocol::delta::format::{FormatError, Header, Whole};
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::delta_target::DeltaTarget;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;

/// The smallest delta from what runs to the image; why there is none otherwise.
///
/// # Errors
/// The reason that stands in the ledger.
pub fn choose<'a>(
    deltas: &'a [Verified<DeltaTarget>],
    image: &ImageTarget,
    running: Content,
    memory_bytes_max: u64,
) -> Result<&'a Verified<DeltaTarget>, Reason> {
    let Content::Image(running) = running else { return Err(Reason::DeltaBaseUnknown) };
    let wanted = image.firmware.payload.image_sha256;
    let between = |delta: &&Verified<DeltaTarget>| {
        let facts = &delta.facts;
        facts.from.image_sha256 == running
            && (facts.to.image_sha256 == wanted || facts.to.path == image.path)
    };
    let mut why = Reason::DeltaNone;
    let mut best: Option<&Verified<DeltaTarget>> = None;
    for delta in deltas.iter().filter(between) {
        if !delta.leads_to(image) {
            why = Reason::DeltaDisagrees;
        } else if delta.facts.mem_bytes > memory_bytes_max {
            why = Reason::DeltaMemory;
        } else if delta.file.length < best.map_or(image.length, |best| best.file.length) {
            best = Some(delta);
        }
    }
    best.ok_or(why)
}

/// A delta as it is remembered; `url_path` is where its file is.
#[must_use]
pub fn chosen(delta: &DeltaTarget, url_path: String) -> Chosen {
    let (file, facts) = (&delta.file, &delta.facts);
    let remote = Remote { url_path, length: file.length, sha256: file.sha256 };
    let from = Whole { length: facts.from.length, sha256: facts.from.image_sha256 };
    Chosen::new(remote, facts.table_sha256, from)
}

/// Whether the head of a delta is what its listing and the signed image say.
///
/// # Errors
/// The reason that stands in the ledger.
pub fn agrees(
    delta: &Table,
    chosen: &Chosen,
    full: &Header,
    memory_bytes_max: u64,
) -> Result<(), Reason> {
    let header = delta.header();
    let from = Whole { length: chosen.from_length, sha256: chosen.from_sha256 };
    let same_grid = header.window == full.window && header.frames == full.frames;
    if header.old != Some(from) || header.new != full.new || !same_grid {
        return Err(Reason::DeltaDisagrees);
    }
    if header.memory_bytes() > memory_bytes_max {
        return Err(Reason::DeltaMemory);
    }
    Ok(())
}

/// What an error with the delta's file means: a reason to take the full file, or none when the line
/// or the disk failed, which says nothing of the delta.
#[must_use]
pub const fn refusal(error: &FetchError) -> Option<Reason> {
    match error {
        FetchError::Container(FormatError::Feature(_) | FormatError::Version(_)) => {
            Some(Reason::DeltaFeatureUnknown)
        }
        FetchError::Container(_)
        | FetchError::Mismatch(_)
        | FetchError::Release(_)
        | FetchError::Refused { status: 404 | 410 | 416 } => Some(Reason::DeltaMalformed),
        FetchError::Window { .. } | FetchError::Memory { .. } => Some(Reason::DeltaMemory),
        FetchError::Spool { .. }
        | FetchError::Refused { .. }
        | FetchError::Later { .. }
        | FetchError::NoProgress(_)
        | FetchError::Link(_) => None,
    }
}
