//! The key file: an Ed25519 key as PKCS#8 in `ENCRYPTED PRIVATE KEY` PEM.
//!
//! PBES2 with PBKDF2-HMAC-SHA256 of at least 600,000 rounds and AES-256-CBC, because `openssl` and
//! a browser's WebCrypto read exactly that. The scheme has no integrity check of its own: what
//! comes out is checked against the public key in the `.pub` file ([`crate::public_file`]).
//! Not here: asking for passphrases, writing files.
//! Invariant: a key leaves [`open`] only in memory that is wiped.

use crate::error::{Code, Failure, Outcome};
use crate::limits::{PBKDF2_ROUNDS_MAX, PBKDF2_ROUNDS_MIN};
use patchward_protocol::key::SecretKey;
use pkcs8::der::{Decode as _, SecretDocument, asn1::OctetStringRef};
use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Parameters, Pbkdf2Prf};
use pkcs8::pkcs5::{EncryptionScheme, Error as Pkcs5Error};
use pkcs8::{EncryptedPrivateKeyInfoRef, Error, LineEnding, ObjectIdentifier, PrivateKeyInfoRef};
use std::fmt::Display;
use zeroize::Zeroizing;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const PLAIN_LABEL: &str = "PRIVATE KEY";
/// PKCS#8 version 1 of an Ed25519 seed (RFC 8410, section 7), up to the 32 bytes of the seed.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Key files of this program: PBKDF2-HMAC-SHA256 of enough rounds and AES-256-CBC.
    House,
    /// Anything that can be read, for bringing a key in.
    Import,
}

/// Chance that goes into a key file.
#[derive(Debug)]
pub struct Salting {
    /// Salt of PBKDF2.
    pub salt: Zeroizing<[u8; 16]>,
    /// Initialisation vector of AES-CBC.
    pub iv: Zeroizing<[u8; 16]>,
}

/// Encrypts a key; the result is the text of the key file.
///
/// # Errors
/// [`Code::KeyFileKind`] when the encoder fails, which it does not for 32-byte keys.
pub fn seal(key: &SecretKey, passphrase: &str, salting: &Salting) -> Outcome<Zeroizing<String>> {
    let mut plain = Zeroizing::new(PKCS8_HEAD.to_vec());
    plain.extend_from_slice(key.seed().as_slice());
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(
        PBKDF2_ROUNDS_MIN,
        &*salting.salt,
        *salting.iv,
    )
    .map_err(other)?;
    let info = PrivateKeyInfoRef::try_from(plain.as_slice()).map_err(other)?;
    let sealed = info.encrypt_with_params(parameters, passphrase.as_bytes()).map_err(other)?;
    sealed.to_pem(ENCRYPTED_LABEL, LineEnding::LF).map_err(other)
}

/// Opens the text of a key file.
///
/// # Errors
/// [`Code::KeyFileCorrupt`], [`Code::KeyFileKind`], [`Code::KeyFileWeak`] or
/// [`Code::PassphraseWrong`].
pub fn open(text: &str, passphrase: &str, strength: Strength) -> Outcome<SecretKey> {
    let (label, document) = pem(text)?;
    if label != ENCRYPTED_LABEL {
        return Err(Failure::new(Code::KeyFileKind, format!("a PEM of kind {label:?}")));
    }
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(corrupt)?;
    strong_enough(&info.encryption_algorithm, strength)?;
    let wrong = || {
        let what = "the decrypted bytes are no key".to_owned();
        Failure::new(Code::PassphraseWrong, what)
    };
    let plain = info.decrypt(passphrase.as_bytes()).map_err(|error| {
        if let Error::EncryptedPrivateKey(Pkcs5Error::UnsupportedAlgorithm { oid }) = error {
            return Failure::new(Code::KeyFileKind, format!("encrypted by the algorithm {oid}"));
        }
        wrong()
    })?;
    // A wrong passphrase passes the padding check in one of 256 cases and then gives no PKCS#8.
    let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|_| wrong())?;
    ed25519(&info)
}

/// Opens a PEM that is not encrypted: only to bring a key in.
///
/// # Errors
/// [`Code::KeyFileCorrupt`] or [`Code::KeyFileKind`].
pub fn insecure_open_plain(text: &str) -> Outcome<SecretKey> {
    let (label, document) = pem(text)?;
    if label != PLAIN_LABEL {
        return Err(Failure::new(Code::KeyFileKind, format!("a PEM of kind {label:?}")));
    }
    ed25519(&PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(corrupt)?)
}

/// Whether the text says that it is encrypted.
///
/// # Errors
/// [`Code::KeyFileCorrupt`] when it is no PEM.
pub fn is_encrypted(text: &str) -> Outcome<bool> {
    pem(text).map(|(label, _)| label == ENCRYPTED_LABEL)
}

fn pem(text: &str) -> Outcome<(&str, SecretDocument)> {
    SecretDocument::from_pem(text).map_err(corrupt)
}

fn ed25519(info: &PrivateKeyInfoRef<'_>) -> Outcome<SecretKey> {
    let kind = |what: String| Failure::new(Code::KeyFileKind, what);
    if info.algorithm.oid != ED25519 {
        return Err(kind(format!("a key of algorithm {}", info.algorithm.oid)));
    }
    let inner = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(corrupt)?;
    let seed = <&[u8; 32]>::try_from(inner.as_bytes());
    seed.map(SecretKey::from_seed).map_err(|_| kind("an Ed25519 key of another length".to_owned()))
}

fn strong_enough(scheme: &EncryptionScheme, strength: Strength) -> Outcome<()> {
    let weak = |what: String| Err(Failure::new(Code::KeyFileWeak, what));
    let EncryptionScheme::Pbes2(Parameters { kdf, encryption }) = scheme else {
        return weak("encrypted by PBES1".to_owned());
    };
    if let Kdf::Pbkdf2(pbkdf2) = kdf {
        let rounds = pbkdf2.iteration_count;
        if rounds > PBKDF2_ROUNDS_MAX {
            let what = format!("{rounds} rounds of PBKDF2, at most {PBKDF2_ROUNDS_MAX} are run");
            return Err(Failure::new(Code::KeyFileCorrupt, what));
        }
        if strength == Strength::House && rounds < PBKDF2_ROUNDS_MIN {
            return weak(format!("{rounds} rounds of PBKDF2, at least {PBKDF2_ROUNDS_MIN}"));
        }
    }
    let house = matches!(kdf, Kdf::Pbkdf2(pbkdf2) if pbkdf2.prf == Pbkdf2Prf::HmacWithSha256)
        && matches!(encryption, Cipher::Aes256Cbc { .. });
    if strength == Strength::House && !house {
        return weak("not PBKDF2-HMAC-SHA256 with AES-256-CBC".to_owned());
    }
    Ok(())
}

fn corrupt(error: impl Display) -> Failure {
    Failure::new(Code::KeyFileCorrupt, format!("the key file does not read: {error}"))
}

fn other(error: impl Display) -> Failure {
    Failure::new(Code::KeyFileKind, format!("the key cannot be written: {error}"))
}
