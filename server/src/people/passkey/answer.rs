//! An authenticator's answer: a new passkey, or proof of one (WebAuthn 3, 7.1 and 7.2).
//!
//! The steps of the standard's lists that this server needs, in their order; what they mean stands in
//! docs/decisions/0011. Pure. Invariant: nothing is taken from an answer before everything was checked.

use super::client::{BadClient, Ceremony, Client};
use super::{CredentialId, Passkey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Most bytes of authenticator data; without extensions some hundreds.
const AUTHENTICATOR_BYTES_MAX: usize = 4096;
/// Most bytes of a signature.
const SIGNATURE_BYTES_MAX: usize = 512;
/// Where the flags stand in authenticator data, and how long its fixed part is.
const FLAGS_AT: usize = 32;
const HEAD_BYTES: usize = 37;
/// Bytes of the AAGUID, before the length of the credential id.
const AAGUID_BYTES: usize = 16;
const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

/// For which server an answer has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The domain, e.g. `patchward.example`.
    pub rp_id: String,
    /// The origin, e.g. `https://patchward.example`.
    pub origin: String,
}

/// What a page sends when a passkey was made; each part base64url.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The credential id.
    pub id: &'a str,
    /// `clientDataJSON`.
    pub client: &'a str,
    /// `getAuthenticatorData()`.
    pub authenticator: &'a str,
    /// `getPublicKey()`: SPKI in DER.
    pub public_key: &'a str,
}

/// What a page sends when somebody signs in; each part base64url.
#[derive(Debug, Clone, Copy)]
pub struct Asserted<'a> {
    /// The credential id.
    pub id: &'a str,
    /// `clientDataJSON`.
    pub client: &'a str,
    /// `authenticatorData`.
    pub authenticator: &'a str,
    /// `signature`.
    pub signature: &'a str,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Broken base64url, or too long.
    #[error("a part of the answer does not read")]
    Malformed,
    /// What the browser says.
    #[error(transparent)]
    Client(#[from] BadClient),
    /// For another server.
    #[error("it was made for another server")]
    RpId,
    /// Nobody touched it, or it did not verify who did.
    #[error("the person was not verified by their device")]
    Person,
    /// Flags that contradict each other.
    #[error("its flags contradict each other")]
    Flags,
    /// Another credential than the one that is named.
    #[error("it is for another passkey")]
    Credential,
    /// A key of another kind.
    #[error("its key is neither P-256 nor Ed25519")]
    Key,
    /// The signature.
    #[error("it is not signed by that passkey")]
    Signature,
    /// The counter fell or stood still: a copy of the passkey is in use.
    #[error("its counter did not rise: the passkey may have been copied")]
    Counter,
}

struct Authenticator<'a> {
    counter: u32,
    rest: &'a [u8],
}

impl Site {
    /// From the public address; nothing where passkeys cannot work: an address without a name, or
    /// plain HTTP to another machine.
    #[must_use]
    pub fn of(public_url: &str) -> Option<Self> {
        let url = url::Url::parse(public_url).ok()?;
        let name = match url.host()? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(_) | url::Host::Ipv6(_) => return None,
        };
        let is_safe = url.scheme() == "https" || name == "localhost";
        is_safe.then(|| Self { origin: url.origin().ascii_serialization(), rp_id: name })
    }
}

impl Made<'_> {
    /// Which challenge is answered, after all that needs none was checked.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn challenge(&self, site: &Site) -> Result<String, BadAnswer> {
        let client = Client::read(&decode(self.client)?, Ceremony::Create, &site.origin)?;
        Ok(client.challenge().to_owned())
    }

    /// The new passkey's id, key and counter, when the answer is good and answers `challenge`.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn check(
        &self,
        site: &Site,
        challenge: &str,
    ) -> Result<(CredentialId, PublicKey, u32), BadAnswer> {
        if self.challenge(site)? != challenge {
            return Err(BadClient::Challenge.into());
        }
        let id: CredentialId = self.id.parse().map_err(|_| BadAnswer::Malformed)?;
        let bytes = decode(self.authenticator)?;
        let authenticator = Authenticator::read(&bytes, site)?;
        if flags(&bytes) & ATTESTED == 0 {
            return Err(BadAnswer::Flags);
        }
        let attested = authenticator.rest.get(AAGUID_BYTES..);
        let attested = attested.ok_or(BadAnswer::Malformed)?;
        let (length, rest) = attested.split_at_checked(2).ok_or(BadAnswer::Malformed)?;
        let length: [u8; 2] = length.try_into().map_err(|_| BadAnswer::Malformed)?;
        let named = rest.get(..usize::from(u16::from_be_bytes(length)));
        if named != Some(id.bytes()) {
            return Err(BadAnswer::Credential);
        }
        let key = PublicKey::from_spki(&decode(self.public_key)?).ok_or(BadAnswer::Key)?;
        Ok((id, key, authenticator.counter))
    }
}

impl Asserted<'_> {
    /// The credential that is named.
    ///
    /// # Errors
    /// [`BadAnswer::Malformed`].
    pub fn credential(&self) -> Result<CredentialId, BadAnswer> {
        self.id.parse().map_err(|_| BadAnswer::Malformed)
    }

    /// Which challenge is answered, after all that needs none was checked.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn challenge(&self, site: &Site) -> Result<String, BadAnswer> {
        let client = Client::read(&decode(self.client)?, Ceremony::Get, &site.origin)?;
        Ok(client.challenge().to_owned())
    }

    /// The counter to keep, when the answer is of this passkey and answers `challenge`.
    ///
    /// # Errors
    /// [`BadAnswer`].
    pub fn check(&self, site: &Site, challenge: &str, passkey: &Passkey) -> Result<u32, BadAnswer> {
        if self.challenge(site)? != challenge {
            return Err(BadClient::Challenge.into());
        }
        if self.credential()? != passkey.id {
            return Err(BadAnswer::Credential);
        }
        let client = decode(self.client)?;
        let bytes = decode(self.authenticator)?;
        let authenticator = Authenticator::read(&bytes, site)?;
        let signature = decode(self.signature)?;
        if signature.len() > SIGNATURE_BYTES_MAX {
            return Err(BadAnswer::Malformed);
        }
        let signed = [bytes.as_slice(), &Sha256::digest(&client)].concat();
        if !passkey.key.signed(&signed, &signature) {
            return Err(BadAnswer::Signature);
        }
        let (before, now) = (passkey.counter, authenticator.counter);
        if (before, now) != (0, 0) && now <= before {
            return Err(BadAnswer::Counter);
        }
        Ok(now)
    }
}

impl<'a> Authenticator<'a> {
    fn read(bytes: &'a [u8], site: &Site) -> Result<Self, BadAnswer> {
        if bytes.len() > AUTHENTICATOR_BYTES_MAX {
            return Err(BadAnswer::Malformed);
        }
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(BadAnswer::Malformed)?;
        let (rp, after) = head.split_at_checked(FLAGS_AT).ok_or(BadAnswer::Malformed)?;
        if rp != Sha256::digest(site.rp_id.as_bytes()).as_slice() {
            return Err(BadAnswer::RpId);
        }
        let flags = flags(bytes);
        if flags & USER_PRESENT == 0 || flags & USER_VERIFIED == 0 {
            return Err(BadAnswer::Person);
        }
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(BadAnswer::Flags);
        }
        let counter = after.get(1..).and_then(|counter| counter.try_into().ok());
        let counter = counter.map(u32::from_be_bytes).ok_or(BadAnswer::Malformed)?;
        Ok(Self { counter, rest })
    }
}

fn flags(bytes: &[u8]) -> u8 {
    bytes.get(FLAGS_AT).copied().unwrap_or(0)
}

fn decode(text: &str) -> Result<Vec<u8>, BadAnswer> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadAnswer::Malformed)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
