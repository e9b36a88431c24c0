//! An export of a site's record: what stands in it, how it is checked, and its readable pages.
//!
//! Bytes in, bytes out: whoever makes an export (command line, console) and whoever checks one run the
//! same [`audit`]. Not here: fetching the record, which keys to trust, files. Invariant: the same given
//! things make the same export, byte for byte.

pub mod archive;
pub mod audit;
pub mod consent;
pub mod contents;
pub mod csv;
pub mod html;
pub mod keys;
pub mod releases;
pub mod rollback;
pub mod spreadsheet;
pub mod words;

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
