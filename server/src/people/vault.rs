//! What people's secrets are kept with: keys drawn from the server's own, which is not in the database.
//!
//! Whoever steals the database alone reads no secret of one-time codes, and cannot try passwords or
//! recovery codes offline. Not here: the secrets. Invariant: a key serves one use, and a sealed text
//! opens only for the use and the account that it was sealed for.

use super::who::AccountId;
use crate::clock::{self, NoChance, Rng};
use crate::keys::MacSecret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

/// Stands before the name of each use.
const CONTEXT: &[u8] = b"patchward people v1|";

/// What a sealed text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The secret of one-time codes.
    Second,
    /// What the next page of a session shows.
    Pending,
}

/// The keys.
pub struct Vault {
    seal: Option<LessSafeKey>,
    pepper: [u8; 32],
    codes: [u8; 32],
    known: [u8; 32],
    challenges: [u8; 32],
    unknown: [u8; 32],
}

/// A sealed text does not open: another key, another account, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret does not open with this server's key")]
pub struct Closed;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The cipher.
    #[error("a secret cannot be sealed")]
    Cipher,
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

impl Vault {
    /// From the server's MAC secret.
    #[must_use]
    pub fn new(secret: &MacSecret) -> Self {
        let derive = |name: &str| keyed(secret.bytes(), &[CONTEXT, name.as_bytes()]);
        let seal = UnboundKey::new(&AES_256_GCM, &derive("seal")).ok().map(LessSafeKey::new);
        Self {
            seal,
            pepper: derive("pepper"),
            codes: derive("recovery codes"),
            known: derive("known browsers"),
            challenges: derive("challenges"),
            unknown: derive("unknown names"),
        }
    }

    /// Mixed into every hash of a password.
    #[must_use]
    pub const fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    /// What is stored of a recovery code.
    #[must_use]
    pub fn code(&self, account: AccountId, code: &str) -> String {
        hex::encode(keyed(&self.codes, &[&account.0.to_be_bytes(), code.as_bytes()]))
    }

    /// Marks the cookie of a known browser.
    #[must_use]
    pub fn known(&self, says: &[u8]) -> [u8; 32] {
        keyed(&self.known, &[says])
    }

    /// Marks a challenge.
    #[must_use]
    pub fn challenge(&self, says: &[&[u8]]) -> [u8; 32] {
        keyed(&self.challenges, says)
    }

    /// One of 65,536 buckets for a name that nobody has; nobody outside can tell which.
    #[must_use]
    pub fn unknown(&self, login: &str) -> u16 {
        let [first, second, ..] = keyed(&self.unknown, &[login.as_bytes()]);
        u16::from_be_bytes([first, second])
    }

    /// Seals a text for one use and one account.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        &self,
        rng: &dyn Rng,
        (purpose, account): (Use, AccountId),
        text: &str,
    ) -> Result<String, SealError> {
        let key = self.seal.as_ref().ok_or(SealError::Cipher)?;
        let nonce: [u8; NONCE_LEN] = clock::random(rng)?;
        let mut bytes = text.as_bytes().to_vec();
        let about = Aad::from(about(purpose, account));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut bytes)
            .map_err(|_| SealError::Cipher)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn open(
        &self,
        (purpose, account): (Use, AccountId),
        sealed: &str,
    ) -> Result<String, Closed> {
        let key = self.seal.as_ref().ok_or(Closed)?;
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Closed)?;
        let (nonce, cipher) = bytes.split_at_checked(NONCE_LEN).ok_or(Closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Closed)?;
        let mut cipher = cipher.to_vec();
        let about = Aad::from(about(purpose, account));
        let text = key.open_in_place(nonce, about, &mut cipher).map_err(|_| Closed)?;
        String::from_utf8(text.to_vec()).map_err(|_| Closed)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

fn about(purpose: Use, account: AccountId) -> Vec<u8> {
    let name = match purpose {
        Use::Second => "second",
        Use::Pending => "pending",
    };
    format!("{name}|{}", account.0).into_bytes()
}

/// HMAC-SHA-256 over parts, each with its length before it.
#[must_use]
pub fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block);
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::keys::Keyring;

    /// A vault of a key made for the test.
    pub(in crate::people) fn vault(seed: u64) -> Vault {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keyring::create(&folder.path().join("keys"), &SeededRng::new(seed)).unwrap();
        Vault::new(keys.mac())
    }

    #[test]
    fn a_sealed_text_opens_for_its_use_and_account_alone() {
        let (vault, rng) = (vault(1), SeededRng::new(2));
        let mine = (Use::Second, AccountId(7));
        let sealed = vault.seal(&rng, mine, "JBSWY3DP").unwrap();
        assert_eq!(vault.open(mine, &sealed).unwrap(), "JBSWY3DP");
        assert_eq!(vault.open((Use::Pending, AccountId(7)), &sealed), Err(Closed));
        assert_eq!(vault.open((Use::Second, AccountId(8)), &sealed), Err(Closed));
        assert_eq!(super::tests::vault(9).open(mine, &sealed), Err(Closed));
        for at in 0..sealed.len() {
            let mut broken = sealed.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            let broken = String::from_utf8(broken).unwrap();
            assert!(vault.open(mine, &broken) != Ok("JBSWY3DP".to_owned()), "byte {at}");
        }
        assert_eq!(vault.open(mine, ""), Err(Closed));
    }

    #[test]
    fn the_same_text_is_never_sealed_to_the_same_bytes() {
        let (vault, rng) = (vault(1), SeededRng::new(2));
        let mine = (Use::Second, AccountId(7));
        assert_ne!(vault.seal(&rng, mine, "a").unwrap(), vault.seal(&rng, mine, "a").unwrap());
    }

    #[test]
    fn two_accounts_with_the_same_recovery_code_store_different_digests() {
        let vault = vault(1);
        assert_ne!(vault.code(AccountId(1), "ABCD"), vault.code(AccountId(2), "ABCD"));
    }
}
