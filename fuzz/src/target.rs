//! What is tried: reading a container whole, as devices do.
//!
//! Invariant: whoever gets an image gets the one whose digest the header names.

use patchward_protocol::delta::apply::{ApplyError, Decoder, FrameError, head, whole};
use patchward_protocol::delta::format::FormatError;
use patchward_protocol::digest::Sha256Hasher;
use std::error::Error as _;
use std::io::Cursor;

/// How reading ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It gave its image.
    Image,
    /// Header or table were refused.
    Head(String),
    /// A payload was refused for its digest or its form.
    Payload(String),
    /// A window was made whole, and it was not the one of the table.
    Output,
    /// The windows are not the image of the header.
    Sum,
}

impl Outcome {
    /// Whether a window was decoded to its last byte.
    #[must_use]
    pub const fn is_deep(&self) -> bool {
        matches!(self, Self::Image | Self::Output | Self::Sum)
    }

    /// What distinguishes it, in few characters that may stand in a file's name.
    #[must_use]
    pub fn name(&self) -> String {
        let (kind, text) = match self {
            Self::Image => ("image", ""),
            Self::Head(text) => ("head", text.as_str()),
            Self::Payload(text) => ("payload", text.as_str()),
            Self::Output => ("output", ""),
            Self::Sum => ("sum", ""),
        };
        let letters = text.chars().filter(|letter| !letter.is_ascii_digit());
        let plain = letters.map(|letter| if letter.is_alphabetic() { letter } else { '-' });
        let words: String = plain.collect();
        let words = words.split('-').filter(|word| !word.is_empty());
        std::iter::once(kind).chain(words).collect::<Vec<_>>().join("-")
    }
}

/// Reads a container over an old image.
///
/// # Panics
/// When something came out that must not, or more memory was claimed than declared.
#[must_use]
pub fn read(file: &[u8], old: &[u8]) -> Outcome {
    let mut image = Sha256Hasher::new();
    let mut next = 0_u64;
    let mut write = |at: u64, window: &[u8]| {
        assert_eq!(at, next, "windows come in order");
        next = next.saturating_add(u64::try_from(window.len()).unwrap_or(u64::MAX));
        image.update(window);
        Ok(())
    };
    let mut file = Cursor::new(file);
    let said = whole(&mut file, None, &mut &*old, &mut write, &|_| ());
    if let Ok(head) = head(&mut file, None)
        && let Ok(decoder) = Decoder::new(&head.header)
    {
        let claimed = decoder.claimed_bytes().saturating_add(u64::from(head.header.comp_len_max));
        assert!(claimed <= head.header.memory_bytes(), "memory stays within the declared");
    }
    match said {
        Ok(head) => {
            assert_eq!(next, head.header.new.length, "an image is whole");
            assert_eq!(image.finish(), head.header.new.sha256, "an image is the named one");
            Outcome::Image
        }
        Err(ApplyError::Format(FormatError::Entry { rule, .. })) => Outcome::Head(rule.to_owned()),
        Err(ApplyError::Format(FormatError::Feature(_))) => Outcome::Head("feature".to_owned()),
        Err(ApplyError::Format(error)) => Outcome::Head(error.to_string()),
        Err(ApplyError::Read(_)) => Outcome::Head("cut short".to_owned()),
        Err(ApplyError::Length { .. }) => Outcome::Head("length".to_owned()),
        Err(ApplyError::Window { source: FrameError::Output, .. }) => Outcome::Output,
        Err(ApplyError::Window { source, .. }) => {
            let cause = source.source().map(|_| "old image unreadable".to_owned());
            Outcome::Payload(cause.unwrap_or_else(|| source.to_string()))
        }
        Err(ApplyError::Image) => Outcome::Sum,
        Err(error @ ApplyError::Write(_)) => Outcome::Payload(error.to_string()),
    }
}
