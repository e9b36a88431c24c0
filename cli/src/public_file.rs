//! The `.pub` file beside a key file: the public half, whose it is, how it signs.
//!
//! It is what `repo init` reads, and what an opened key is compared with. It also holds the digest
//! of the key file, so that a damaged file is told from a wrong passphrase. Not secret.
//! Invariant: fingerprint and key id in the file belong to its public key.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::limits::KEY_FILE_BYTES_MAX;
use patchward_protocol::canonical::{self, Charset};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::PersonId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::tuf::schema::Method;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A `.pub` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicFile {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The public key.
    pub public: PublicKey,
    /// Twelve digits of it for people.
    pub fingerprint: String,
    /// Whose key it is.
    #[serde(rename = "x-person")]
    pub person: PersonId,
    /// How it signs.
    #[serde(rename = "x-method")]
    pub method: Method,
    /// Digest of the key file when it was written.
    pub key_file_sha256: Sha256Digest,
}

impl PublicFile {
    /// For a key and the bytes of its key file.
    #[must_use]
    pub fn new(public: PublicKey, person: PersonId, method: Method, key_file: &[u8]) -> Self {
        let (fingerprint, key_file_sha256) = (public.fingerprint(), Sha256Digest::of(key_file));
        Self { v: 1, public, fingerprint, person, method, key_file_sha256 }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Code::FileMissing`] or [`Code::PublicFileBad`].
    pub fn read(path: &Path) -> Outcome<Self> {
        let bad =
            |what: String| Failure::new(Code::PublicFileBad, format!("{}: {what}", path.display()));
        let bytes = disk::read(path, KEY_FILE_BYTES_MAX)?;
        let file: Self = canonical::read(&bytes, bytes.len(), Charset::Ascii)
            .map_err(|error| bad(crate::error::chain(&error)))?;
        if file.v != 1 {
            return Err(bad(format!("version {}, this software knows 1", file.v)));
        }
        if file.fingerprint != file.public.fingerprint() {
            return Err(bad("the fingerprint does not belong to the key".to_owned()));
        }
        Ok(file)
    }

    /// Writes it under a new name.
    ///
    /// # Errors
    /// [`Code::FileExists`] and other failures of writing.
    pub fn write(&self, path: &Path) -> Outcome<()> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new(Code::WriteFailed, error))?;
        bytes.push(b'\n');
        disk::write(path, &bytes, Readers::Everybody, Place::New)
    }

    /// Where it stands beside a key file: `tanaka.key` has `tanaka.pub`.
    #[must_use]
    pub fn beside(key_file: &Path) -> PathBuf {
        key_file.with_extension("pub")
    }
}
