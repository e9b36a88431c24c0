//! Who the device is: its two keys, its ledger's name, and the site it joined.
//!
//! `keys/device.key` signs ledger and enrolment, `keys/link.key` signs polls and is certified by the
//! first. Made once, before the first contact. Not here: joining ([`crate::enrol`]).
//! Invariant: keys that others may read are refused, not repaired.

use crate::edge::Rng;
use crate::journal::write_durably;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, LedgerId, SiteId};
use patchward_protocol::key::{PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The keys of a device and the name of its ledger.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs the ledger.
    pub device: Rc<SecretKey>,
    /// Signs polls.
    pub link: Rc<SecretKey>,
    /// Its ledger.
    pub ledger_id: LedgerId,
}

/// The site that the device joined. Written last: with it, the device is enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// The site.
    pub site: SiteId,
    /// The device's name there.
    pub device: DeviceId,
    /// Where the server is.
    pub url: String,
    /// The server certificate's public key, when the pack pins it.
    pub tls_spki_sha256: Option<Sha256Digest>,
    /// PEM of a private certificate authority.
    pub tls_ca_pem: Option<String>,
    /// The key that signs receipts.
    pub record_key: PublicKey,
    /// Digest of the site root that was pinned.
    pub site_root_sha256: Sha256Digest,
}

/// Why the identity is not usable.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("writing {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error(
        "{path} has mode {mode:04o}: others may read it, so it may be known; make a new device key, or set mode 0600 if you are sure"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not what was written.
    #[error("{path} is not what this program wrote: {why}")]
    Spoilt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Keys {
    /// Reads the keys, or makes them when there are none.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn read_or_make(folder: &Path, rng: &mut impl Rng) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::Write { path: folder.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        for (name, length) in NAMES {
            let path = folder.join(name);
            if !path.exists() {
                let mut text = hex::encode(rng.thirty_two());
                text.truncate(length * 2);
                write_durably(&path, text.as_bytes())
                    .map_err(|source| IdentityError::Write { path, source })?;
            }
        }
        Self::read(folder)
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// [`IdentityError`]; keys that others may read are refused.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let [device, link, ledger] = NAMES.map(|(name, _)| folder.join(name));
        private(folder)?;
        Ok(Self {
            device: Rc::new(SecretKey::from_seed(&secret(&device)?)),
            link: Rc::new(SecretKey::from_seed(&secret(&link)?)),
            ledger_id: LedgerId::from_random(secret(&ledger)?),
        })
    }

    /// Draws a new name for the ledger, for a device that moves to another site.
    ///
    /// # Errors
    /// [`IdentityError::Write`].
    pub fn begin_ledger(folder: &Path, rng: &mut impl Rng) -> Result<(), IdentityError> {
        let path = folder.join(LEDGER);
        write_durably(&path, hex::encode(rng.sixteen()).as_bytes())
            .map_err(|source| IdentityError::Write { path, source })
    }
}

const LEDGER: &str = "ledger.id";
const NAMES: [(&str, usize); 3] = [("device.key", 32), ("link.key", 32), (LEDGER, 16)];

impl Membership {
    /// Reads it; none when the device is not enrolled.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn read(path: &Path) -> Result<Option<Self>, IdentityError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Read { path: path.to_owned(), source }),
        };
        private(path)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| IdentityError::Spoilt {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// [`IdentityError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), IdentityError> {
        let failed = |source| IdentityError::Write { path: path.to_owned(), source };
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| failed(io::Error::other(e)))?;
        write_durably(path, &bytes).map_err(failed)
    }
}

fn secret<const N: usize>(path: &Path) -> Result<[u8; N], IdentityError> {
    private(path)?;
    let text = std::fs::read_to_string(path)
        .map_err(|source| IdentityError::Read { path: path.to_owned(), source })?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|error| IdentityError::Spoilt {
        path: path.to_owned(),
        why: format!("{N} bytes in hexadecimal digits are expected: {error}"),
    })?;
    Ok(bytes)
}

fn private(path: &Path) -> Result<(), IdentityError> {
    let metadata = std::fs::metadata(path)
        .map_err(|source| IdentityError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(IdentityError::Mode { path: path.to_owned(), mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineRng;
    use patchward_protocol::key::Signer as _;

    #[test]
    fn keys_are_made_once_and_refused_when_others_may_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let made = Keys::read_or_make(&keys, &mut MachineRng).unwrap();
        let again = Keys::read_or_make(&keys, &mut MachineRng).unwrap();
        assert_eq!(made.device.public(), again.device.public());
        assert_ne!(made.device.public(), made.link.public());
        assert_eq!(made.ledger_id, again.ledger_id);
        for name in ["device.key", "link.key"] {
            let path = keys.join(name);
            for (mode, refused) in [(0o640, true), (0o604, true), (0o600, false)] {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
                assert_eq!(Keys::read(&keys).is_err(), refused, "{name} {mode:o}");
            }
        }
    }
}
