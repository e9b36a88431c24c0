//! Passphrases: from a file for scripts, from the terminal for people.
//!
//! Never from an argument or the environment, where others may see them.
//! Invariant: what is returned is wiped when dropped.

use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::{PASSPHRASE_BYTES_MAX, PASSPHRASE_CHARS_MIN};
use std::path::Path;
use zeroize::Zeroizing;

/// The passphrase of an existing key file.
///
/// # Errors
/// [`Code::PassphraseMissing`] and failures of reading the file.
pub fn known(here: &Here, file: Option<&Path>, key_file: &Path) -> Outcome<Zeroizing<String>> {
    match file {
        Some(file) => from_file(file),
        None => {
            let question = here.language.pick("Passphrase for", "パスフレーズ:");
            here.ask_secret(&format!("{question} {}", key_file.display()))
        }
    }
}

/// A passphrase for a new key file, typed twice at a terminal.
///
/// # Errors
/// [`Code::PassphraseShort`], [`Code::PassphraseDiffers`] or [`Code::PassphraseMissing`].
pub fn new(here: &Here, file: Option<&Path>) -> Outcome<Zeroizing<String>> {
    let passphrase = match file {
        Some(file) => from_file(file)?,
        None => {
            let once =
                here.ask_secret(here.language.pick("New passphrase", "新しいパスフレーズ"))?;
            let again = here.ask_secret(here.language.pick("Once more", "もう一度入力"))?;
            if once != again {
                return Err(Failure::new(Code::PassphraseDiffers, "typed twice, not the same"));
            }
            once
        }
    };
    let count = passphrase.chars().count();
    if count < PASSPHRASE_CHARS_MIN {
        let what = format!("{count} characters, at least {PASSPHRASE_CHARS_MIN}");
        return Err(Failure::new(Code::PassphraseShort, what));
    }
    Ok(passphrase)
}

/// The first line of a file.
fn from_file(path: &Path) -> Outcome<Zeroizing<String>> {
    let bytes = Zeroizing::new(disk::read(path, PASSPHRASE_BYTES_MAX)?);
    let not_text =
        |_| Failure::new(Code::PassphraseMissing, format!("{}: no UTF-8", path.display()));
    let text = std::str::from_utf8(&bytes).map_err(not_text)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let what = format!("{}: the first line is empty", path.display());
        return Err(Failure::new(Code::PassphraseMissing, what));
    }
    Ok(Zeroizing::new(line.to_owned()))
}
