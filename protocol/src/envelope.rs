//! Signed statements outside TUF: polls, ledger entries, receipts, time answers, human acts.
//!
//! One form for all: a DSSE envelope (Dead Simple Signing Envelope v1.0.2) around canonical JSON.
//! The payload type is signed with the payload, so that one kind of statement never passes for
//! another. Invariant: bytes leave [`Envelope::verify`] only after a strict signature check.

use crate::canonical::{self, Charset, ReadJson};
use crate::digest::Sha256Digest;
use crate::key::{PublicKey, SignError, Signature, Signer};
use crate::limits::{ENVELOPE_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::verified::Verified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What kind of statement an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PayloadType {
    /// A device asks to be enrolled; signed by its device key.
    #[serde(rename = "application/vnd.patchward.enrolment.v1+json")]
    Enrolment,
    /// A device key certifies the link key beside it.
    #[serde(rename = "application/vnd.patchward.link-certificate.v1+json")]
    LinkCertificate,
    /// A device asks for news; signed by its link key.
    #[serde(rename = "application/vnd.patchward.poll.v1+json")]
    Poll,
    /// One ledger entry; signed by the device key.
    #[serde(rename = "application/vnd.patchward.ledger-entry.v1+json")]
    LedgerEntry,
    /// The server has stored a device's ledger up to an entry; signed by the server's record key.
    #[serde(rename = "application/vnd.patchward.receipt.v1+json")]
    Receipt,
    /// The server's time for a nonce; signed by a timestamp key of the site repository.
    #[serde(rename = "application/vnd.patchward.time.v1+json")]
    TimeAnswer,
    /// What a person did (approved, co-signed, …); signed by that person's key.
    #[serde(rename = "application/vnd.patchward.act.v1+json")]
    Act,
}

impl PayloadType {
    /// The media type as it is signed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "application/vnd.patchward.enrolment.v1+json",
            Self::LinkCertificate => "application/vnd.patchward.link-certificate.v1+json",
            Self::Poll => "application/vnd.patchward.poll.v1+json",
            Self::LedgerEntry => "application/vnd.patchward.ledger-entry.v1+json",
            Self::Receipt => "application/vnd.patchward.receipt.v1+json",
            Self::TimeAnswer => "application/vnd.patchward.time.v1+json",
            Self::Act => "application/vnd.patchward.act.v1+json",
        }
    }
}

/// A DSSE envelope with one signature. As JSON:
/// `{"payload": BASE64, "payloadType": TYPE, "signatures": [{"keyid": HEX, "sig": BASE64}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: PayloadType,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: Sha256Digest,
    sig: String,
}

/// Why an envelope could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Seal {
    /// The statement cannot be written as canonical JSON.
    #[error("the statement cannot be written as canonical JSON")]
    Write(#[source] serde_json::Error),
    /// The statement is over the limit.
    #[error("the statement has {length} bytes, the limit is {PAYLOAD_BYTES_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The key would not sign.
    #[error("the statement was not signed")]
    Sign(#[source] SignError),
}

/// Why an envelope was refused.
#[derive(Debug, thiserror::Error)]
pub enum Open {
    /// The envelope or its payload is not what it should be.
    #[error("the envelope cannot be read")]
    Read(#[source] ReadJson),
    /// The payload or signature is not base64 of a possible length.
    #[error("the envelope's base64 is broken or too long")]
    Base64,
    /// Another kind of statement.
    #[error("a statement of type {} where {} is expected", got.as_str(), want.as_str())]
    WrongType {
        /// What it says it is.
        got: PayloadType,
        /// What is expected here.
        want: PayloadType,
    },
    /// Not exactly one signature.
    #[error("an envelope holds exactly one signature, this has {0}")]
    SignatureCount(usize),
    /// Signed by a key that does not count here.
    #[error("signed by key {0}, which does not count here")]
    OtherKey(Sha256Digest),
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
}

impl Envelope {
    /// Writes `statement` in canonical form and signs it.
    ///
    /// # Errors
    /// [`Seal`] when it is too long, cannot be written or cannot be signed.
    pub fn seal<T: Serialize>(
        payload_type: PayloadType,
        statement: &T,
        signer: &dyn Signer,
    ) -> Result<Self, Seal> {
        let payload = canonical::write(statement).map_err(Seal::Write)?;
        Self::seal_bytes(payload_type, &payload, signer)
    }

    /// Signs payload bytes as they are.
    ///
    /// # Errors
    /// [`Seal`] when they are too long or cannot be signed.
    pub fn seal_bytes(
        payload_type: PayloadType,
        payload: &[u8],
        signer: &dyn Signer,
    ) -> Result<Self, Seal> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Seal::TooLong { length: payload.len() });
        }
        let sig = signer.sign(&pre_authentication(payload_type, payload)).map_err(Seal::Sign)?;
        let signature = EnvelopeSignature {
            keyid: signer.public().key_id(),
            sig: STANDARD.encode(sig.as_bytes()),
        };
        Ok(Self { payload: STANDARD.encode(payload), payload_type, signatures: vec![signature] })
    }

    /// Reads an envelope from JSON; nothing is trusted yet.
    ///
    /// # Errors
    /// [`Open::Read`] when it is no envelope.
    pub fn read(bytes: &[u8]) -> Result<Self, Open> {
        canonical::read(bytes, ENVELOPE_BYTES_MAX, Charset::Ascii).map_err(Open::Read)
    }

    /// Reads the payload **without checking anything**: only to learn whose key to check with.
    ///
    /// # Errors
    /// [`Open`] when the payload is no statement of this shape.
    pub fn insecure_peek<T: DeserializeOwned>(&self) -> Result<T, Open> {
        read_payload(&self.payload_bytes()?)
    }

    /// Checks the type and the signature by `key`; returns the payload bytes.
    ///
    /// # Errors
    /// [`Open`] says what does not hold.
    pub fn verify(&self, want: PayloadType, key: &PublicKey) -> Result<Verified<Vec<u8>>, Open> {
        self.verify_any(want, std::slice::from_ref(key)).map(|(payload, _)| payload)
    }

    /// Checks the type and the signature by one of `keys`; returns the payload and the key.
    ///
    /// # Errors
    /// [`Open`] says what does not hold.
    pub fn verify_any(
        &self,
        want: PayloadType,
        keys: &[PublicKey],
    ) -> Result<(Verified<Vec<u8>>, PublicKey), Open> {
        if self.payload_type != want {
            return Err(Open::WrongType { got: self.payload_type, want });
        }
        let [signature] = self.signatures.as_slice() else {
            return Err(Open::SignatureCount(self.signatures.len()));
        };
        let key = keys.iter().find(|key| key.key_id() == signature.keyid);
        let key = key.ok_or(Open::OtherKey(signature.keyid))?;
        let payload = self.payload_bytes()?;
        let sig = STANDARD.decode(&signature.sig).map_err(|_| Open::Base64)?;
        let sig = Signature::from_bytes(sig.try_into().map_err(|_| Open::Base64)?);
        key.verify(&pre_authentication(want, &payload), &sig).map_err(|_| Open::Signature)?;
        Ok((Verified::new(payload), *key))
    }

    /// Checks as [`Envelope::verify`] does and reads the statement.
    ///
    /// # Errors
    /// [`Open`] says what does not hold.
    pub fn open<T: DeserializeOwned>(
        &self,
        want: PayloadType,
        key: &PublicKey,
    ) -> Result<Verified<T>, Open> {
        self.verify(want, key)?.try_map(|payload| read_payload(&payload))
    }

    /// The digest of the payload bytes: how chains and receipts name this statement.
    ///
    /// # Errors
    /// [`Open::Base64`].
    pub fn payload_sha256(&self) -> Result<Sha256Digest, Open> {
        Ok(Sha256Digest::of(&self.payload_bytes()?))
    }

    fn payload_bytes(&self) -> Result<Vec<u8>, Open> {
        if self.payload.len() > PAYLOAD_BYTES_MAX * 4 / 3 + 4 {
            return Err(Open::Base64);
        }
        STANDARD.decode(&self.payload).map_err(|_| Open::Base64)
    }
}

fn read_payload<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Open> {
    canonical::read(payload, PAYLOAD_BYTES_MAX, Charset::Unicode).map_err(Open::Read)
}

/// DSSE's pre-authentication encoding: `DSSEv1 LEN TYPE LEN BODY`.
fn pre_authentication(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let kind = payload_type.as_str();
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Word {
        word: String,
    }

    fn sealed(key: &SecretKey) -> Envelope {
        Envelope::seal(PayloadType::Poll, &Word { word: "待機".into() }, key).unwrap()
    }

    #[test]
    fn a_sealed_statement_is_opened_by_its_key_and_type_only() {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let envelope = sealed(&key);
        let word: Verified<Word> = envelope.open(PayloadType::Poll, &key.public()).unwrap();
        assert_eq!(word.word, "待機");
        assert!(matches!(
            envelope.open::<Word>(PayloadType::Receipt, &key.public()),
            Err(Open::WrongType { .. })
        ));
        assert!(matches!(
            envelope.open::<Word>(PayloadType::Poll, &other.public()),
            Err(Open::OtherKey(_))
        ));
    }

    #[test]
    fn relabelled_or_changed_envelopes_are_refused() {
        let key = SecretKey::from_seed(&[1; 32]);
        let mut relabelled = sealed(&key);
        relabelled.payload_type = PayloadType::Receipt;
        assert!(relabelled.open::<Word>(PayloadType::Receipt, &key.public()).is_err());
        let mut changed = sealed(&key);
        changed.payload = STANDARD.encode(br#"{"word":"go"}"#);
        assert!(matches!(
            changed.open::<Word>(PayloadType::Poll, &key.public()),
            Err(Open::Signature)
        ));
    }

    #[test]
    fn an_envelope_survives_json() {
        let key = SecretKey::from_seed(&[1; 32]);
        let envelope = sealed(&key);
        let json = serde_json::to_vec(&envelope).unwrap();
        assert_eq!(Envelope::read(&json).unwrap(), envelope);
        assert!(Envelope::read(b"{}").is_err());
    }
}
