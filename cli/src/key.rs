//! `key new|import|show`: making keys, bringing them in, looking at them; and opening one to sign.
//!
//! A key is two files: `NAME.key` (secret, encrypted, 0600) and `NAME.pub` (whose and how).
//! Invariant: neither is ever overwritten; a key is used only when it matches its `.pub` file.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::{ExampleKeys, Here};
use crate::key_file::{self, Salting, Strength};
use crate::limits::KEY_FILE_BYTES_MAX;
use crate::passphrase;
use crate::public_file::PublicFile;
use crate::said::Said;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::example_keys;
use patchward_protocol::id::PersonId;
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::tuf::schema::Method;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Arguments of `key new` and `key import`.
#[derive(Debug, clap::Args)]
pub struct Owner {
    /// Whose key it is, e.g. tanaka
    #[arg(long, value_name = "PERSON")]
    pub person: PersonId,
    /// How it signs
    #[arg(long, value_enum, default_value = "offline")]
    pub method: MethodWord,
    /// File whose first line is the passphrase (asked for when absent)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Where the key file goes; the .pub file goes beside it
    #[arg(long, value_name = "NAME.key")]
    pub out: PathBuf,
}

/// How a key signs, as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MethodWord {
    /// On the signer's own machine
    Offline,
    /// In the page
    Console,
    /// By the server, which holds the key
    Custodial,
}

impl From<MethodWord> for Method {
    fn from(word: MethodWord) -> Self {
        match word {
            MethodWord::Offline => Self::Offline,
            MethodWord::Console => Self::Console,
            MethodWord::Custodial => Self::Custodial,
        }
    }
}

/// `key new`.
///
/// # Errors
/// Failures of passphrase, chance and writing.
pub fn new(here: &Here, owner: &Owner) -> Outcome<Said> {
    free(&owner.out)?;
    let passphrase = passphrase::new(here, owner.passphrase_file.as_deref())?;
    let key = SecretKey::from_seed(&*here.chance::<32>()?);
    keep(here, &key, &passphrase, owner)
}

/// `key import`: any PKCS#8 PEM of an Ed25519 key, encrypted anew.
///
/// # Errors
/// Failures of opening the old file, of passphrase, chance and writing.
pub fn import(
    here: &Here,
    from: &Path,
    from_passphrase: Option<&Path>,
    owner: &Owner,
) -> Outcome<Said> {
    free(&owner.out)?;
    let text = key_text(from)?;
    let key = if key_file::is_encrypted(&text).map_err(|failure| at(from, failure))? {
        let old = passphrase::known(here, from_passphrase, from)?;
        key_file::open(&text, &old, Strength::Import)
    } else {
        key_file::insecure_open_plain(&text)
    };
    let key = key.map_err(|failure| at(from, failure))?;
    let passphrase = passphrase::new(here, owner.passphrase_file.as_deref())?;
    keep(here, &key, &passphrase, owner)
}

/// `key show`: from the `.pub` file; nothing is opened.
///
/// # Errors
/// [`Code::PublicFileBad`] and failures of reading.
pub fn show(here: &Here, path: &Path) -> Outcome<Said> {
    let public = match path.extension() {
        Some(extension) if extension == "pub" => PublicFile::read(path)?,
        _ => PublicFile::read(&PublicFile::beside(path))?,
    };
    Ok(describe(here, &public))
}

/// A key that is open for signing, and what its `.pub` file says.
#[derive(Debug)]
pub struct OpenKey {
    /// The key.
    pub secret: SecretKey,
    /// Its `.pub` file.
    pub public: PublicFile,
    /// Where the key file is: the signer's memory stands beside it.
    pub path: PathBuf,
}

/// Opens a key file and compares it with its `.pub` file.
///
/// # Errors
/// Everything that can be wrong with a key file; [`Code::ExampleKeys`].
pub fn open(here: &Here, path: &Path, passphrase_file: Option<&Path>) -> Outcome<OpenKey> {
    let public = PublicFile::read(&PublicFile::beside(path))?;
    refuse_example(here, &public.public)?;
    let text = key_text(path)?;
    let passphrase = passphrase::known(here, passphrase_file, path)?;
    let opened = key_file::open(&text, &passphrase, Strength::House);
    let secret = opened.map_err(|failure| at(path, told_apart(failure, &text, &public)))?;
    if secret.public() != public.public {
        let what = format!(
            "{}: opens to {}, the .pub file names {}",
            path.display(),
            secret.public().fingerprint(),
            public.fingerprint
        );
        return Err(Failure::new(Code::KeyMismatch, what));
    }
    Ok(OpenKey { secret, public, path: path.to_path_buf() })
}

/// Refuses the public example keys.
///
/// # Errors
/// [`Code::ExampleKeys`].
pub fn refuse_example(here: &Here, key: &PublicKey) -> Outcome<()> {
    match here.example_keys {
        ExampleKeys::InsecureAllowed => Ok(()),
        ExampleKeys::Refused if example_keys::is_example(key) => {
            Err(Failure::new(Code::ExampleKeys, format!("key {}", key.fingerprint())))
        }
        ExampleKeys::Refused => Ok(()),
    }
}

/// AES-CBC cannot tell a wrong passphrase from changed bytes; the digest in the `.pub` file can.
fn told_apart(failure: Failure, text: &str, public: &PublicFile) -> Failure {
    let changed = Sha256Digest::of(text.as_bytes()) != public.key_file_sha256;
    if failure.code == Code::PassphraseWrong && changed {
        let what = "the key file is not the one that its .pub file was written for";
        return Failure::new(Code::KeyFileCorrupt, what);
    }
    failure
}

fn at(path: &Path, failure: Failure) -> Failure {
    Failure { detail: format!("{}: {}", path.display(), failure.detail), ..failure }
}

fn key_text(path: &Path) -> Outcome<Zeroizing<String>> {
    let bytes = Zeroizing::new(disk::read(path, KEY_FILE_BYTES_MAX)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::new(Code::KeyFileCorrupt, format!("{}: no text", path.display())))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Both names must be free before anybody is asked for a passphrase.
fn free(key_file: &Path) -> Outcome<()> {
    for path in [key_file, &PublicFile::beside(key_file)] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Failure::new(Code::FileExists, format!("{} exists", path.display())));
        }
    }
    match key_file.extension() {
        Some(extension) if extension == "pub" => {
            Err(Failure::new(Code::ValueBad, "--out names the key file, e.g. tanaka.key"))
        }
        _ => Ok(()),
    }
}

fn keep(here: &Here, key: &SecretKey, passphrase: &str, owner: &Owner) -> Outcome<Said> {
    let salting = Salting { salt: here.chance()?, iv: here.chance()? };
    let text = key_file::seal(key, passphrase, &salting)?;
    let public =
        PublicFile::new(key.public(), owner.person.clone(), owner.method.into(), text.as_bytes());
    disk::write(&owner.out, text.as_bytes(), Readers::Owner, Place::New)?;
    let beside = PublicFile::beside(&owner.out);
    public.write(&beside)?;
    // Written keys are opened once, so that a bad disk is found now and not on the day of need.
    let read_back = key_text(&owner.out)?;
    key_file::open(&read_back, passphrase, Strength::House)?;
    let wrote = here.language.pick("wrote", "作成しました:");
    Ok(describe(here, &public).line(format!(
        "{wrote} {} (0600), {}",
        owner.out.display(),
        beside.display()
    )))
}

fn describe(here: &Here, public: &PublicFile) -> Said {
    let word = |en, ja| here.language.pick(en, ja);
    let method = serde_json::to_value(public.method).unwrap_or_default();
    let method = method.as_str().unwrap_or_default();
    Said::new(json!({
        "public": public.public, "fingerprint": public.fingerprint,
        "x-person": public.person, "x-method": public.method,
    }))
    .line(format!("{} {}", word("person      ", "署名者    "), public.person))
    .line(format!("{} {method}", word("method      ", "署名方法  ")))
    .line(format!("{} {}", word("public key  ", "公開鍵    "), public.public))
    .line(format!("{} {}", word("fingerprint ", "照合コード"), public.fingerprint))
}
