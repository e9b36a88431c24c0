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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, Container};
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::tuf::custom::Kind;
    use patchward_protocol::tuf::delta_target::{DELTAS_ROLE, DeltaFacts};

    const OLD: &[u8] = b"old image";
    const NEW: &[u8] = b"new image";

    fn container(text: &str) -> Container {
        let file = text.as_bytes().to_vec();
        Container { table_sha256: Sha256Digest::of(&file), file }
    }

    /// How the listing of a delta is spoilt.
    type Change = fn(&mut DeltaFacts);

    /// What a device with the old image says to these deltas.
    fn say(deltas: &[(Change, &str)], most: u64) -> Result<String, Reason> {
        let full = container("a full container, which is long");
        let image = samples::contained(Kind::Slots, 2, NEW, &full);
        let files: Vec<Container> = deltas.iter().map(|(_, text)| container(text)).collect();
        let listed = deltas.iter().zip(&files).map(|((change, _), file)| {
            let mut facts = samples::delta_facts(OLD, &image, file);
            change(&mut facts);
            (facts, file)
        });
        let listed: Vec<_> = listed.collect();
        let (mut set, published) = samples::family_with_deltas(NEW, &full, &listed);
        assert!(set.has_deltas());
        set.take_delegated(DELTAS_ROLE, published.deltas.as_deref().unwrap()).unwrap();
        let running = Content::Image(Sha256Digest::of(OLD));
        let deltas = set.deltas().unwrap();
        let best = choose(&deltas, &image, running, most)?;
        Ok(chosen(best, "/there".into()).remote().length.to_string())
    }

    fn as_it_is(_facts: &mut DeltaFacts) {}

    #[test]
    fn the_smallest_delta_that_agrees_is_chosen_and_none_that_is_longer_than_the_image() {
        let most = 1024 * 1024;
        assert_eq!(say(&[(as_it_is, "longer"), (as_it_is, "long")], most), Ok("4".to_owned()));
        let long = "a delta that is longer than the full container";
        assert_eq!(say(&[(as_it_is, long)], most), Err(Reason::DeltaNone));
        assert_eq!(say(&[], most), Err(Reason::DeltaNone));
    }

    #[test]
    fn a_delta_that_says_something_else_of_the_image_is_refused_before_it_is_fetched() {
        let changes: [Change; 5] = [
            |facts| facts.to.image_sha256 = Sha256Digest::of(b"other"),
            |facts| facts.to.length += 1,
            |facts| facts.to.seq.0 += 1,
            |facts| facts.v = 2,
            |facts| facts.format = patchward_protocol::tuf::custom::Format::Raw,
        ];
        for change in changes {
            assert_eq!(say(&[(change, "x")], 1 << 20), Err(Reason::DeltaDisagrees));
            let beside = say(&[(change, "x"), (as_it_is, "yy")], 1 << 20);
            assert_eq!(beside, Ok("2".to_owned()), "one that agrees is still good");
        }
    }

    #[test]
    fn a_delta_from_another_image_or_beyond_the_memory_is_not_taken() {
        let from: Change = |facts| facts.from.image_sha256 = Sha256Digest::of(b"another old image");
        assert_eq!(say(&[(from, "x")], 1 << 20), Err(Reason::DeltaNone));
        assert_eq!(say(&[(as_it_is, "x")], (1 << 20) - 1), Err(Reason::DeltaMemory));
    }

    #[test]
    fn with_an_unknown_old_image_there_is_no_choice() {
        let full = container("full");
        let image = samples::contained(Kind::Slots, 2, NEW, &full);
        let said = choose(&[], &image, Content::Unknown, 1 << 20);
        assert_eq!(said.map(drop), Err(Reason::DeltaBaseUnknown));
    }

    #[test]
    fn what_says_nothing_of_the_delta_is_no_reason_to_leave_it() {
        let status = |status| FetchError::Refused { status };
        assert_eq!(refusal(&status(404)), Some(Reason::DeltaMalformed));
        assert_eq!(refusal(&status(401)), None);
        assert_eq!(refusal(&FetchError::NoProgress(None)), None);
        let feature = FetchError::Container(FormatError::Feature(2));
        assert_eq!(refusal(&feature), Some(Reason::DeltaFeatureUnknown));
        assert_eq!(
            refusal(&FetchError::Container(FormatError::Digest)),
            Some(Reason::DeltaMalformed)
        );
    }
}
