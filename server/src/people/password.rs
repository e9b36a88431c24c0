//! Passwords: which are taken, and the slow hash that is all that is kept of one.
//!
//! No rules of composition (they make people write passwords down); long enough, not among those that
//! everybody tries first, and not the name itself. Hashing runs off the threads that answer requests,
//! a few at a time: each takes 64 MiB. Not here: how often one may try ([`super::lockout`]).
//! Invariant: a password is never stored, logged or sent back.

use super::name::LoginName;
use super::vault::Vault;
use crate::clock::{self, NoChance, Rng};
use crate::error::ApiError;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use patchward_protocol::api::error::ErrorCode;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Fewest characters (NIST SP 800-63B asks for 8, or 15 without a second factor).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters: a sentence fits, and hashing it costs nothing more.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Fewest different characters.
const DIFFERENT_CHARS_MIN: usize = 5;
/// How many hash at once: two fill the smallest server that we support, and 128 MiB.
const AT_ONCE: usize = 2;
/// How many may wait for that; more are told to come back.
const WAITING_MAX: usize = 32;
/// Seconds after which they come back.
const BUSY_S: u32 = 5;
const HASH_BYTES: usize = 32;

/// What a hash costs whoever computes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
}

/// RFC 9106's second recommendation (64 MiB, three passes) on one lane: some tenths of a second here,
/// and memory that graphics cards do not have for thousands at once.
pub const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3 };

static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// A password as it was typed.
pub struct Password(Zeroizing<String>);

/// Hashes, a few at a time.
pub struct Hasher {
    vault: Arc<Vault>,
    cost: Cost,
    lanes: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// What a password of nobody is compared with, so that it takes as long.
    nobody: String,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The function refused.
    #[error("a password cannot be hashed: {0}")]
    Hash(argon2::Error),
    /// What is stored is no hash of ours.
    #[error("a stored hash does not read")]
    Read,
}

impl Password {
    /// As it was typed: nothing is trimmed.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Whether it may be chosen by whoever signs in with `login`.
    ///
    /// # Errors
    /// `password_length` and `password_common`.
    pub fn check(&self, login: &LoginName) -> Result<(), ErrorCode> {
        let length = self.0.chars().count();
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length) {
            return Err(ErrorCode::PasswordLength);
        }
        let lower = self.0.to_lowercase();
        let different: HashSet<char> = lower.chars().collect();
        let without = lower.replace(login.as_str(), "");
        let is_name = without.len() < lower.len() && without.chars().count() < PASSWORD_CHARS_MIN;
        let common = COMMON.contains(lower.as_str())
            || different.len() < DIFFERENT_CHARS_MIN
            || is_run(&lower)
            || is_name;
        if common { Err(ErrorCode::PasswordCommon) } else { Ok(()) }
    }
}

impl Hasher {
    /// With the server's vault.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn new(vault: Arc<Vault>, cost: Cost, rng: &dyn Rng) -> Result<Self, NoChance> {
        // No password is known to have it; computing one against it costs what any costs.
        let nobody = text(cost, &clock::random::<16>(rng)?, &clock::random::<HASH_BYTES>(rng)?);
        let (lanes, queue) = (Semaphore::new(AT_ONCE), Semaphore::new(WAITING_MAX));
        Ok(Self { vault, cost, lanes: Arc::new(lanes), queue: Arc::new(queue), nobody })
    }

    /// The hash to store.
    ///
    /// # Errors
    /// `busy`, or a failure of ours.
    pub async fn hash(&self, password: Password, rng: &dyn Rng) -> Result<String, ApiError> {
        let salt: [u8; 16] = clock::random(rng)?;
        let (vault, cost) = (Arc::clone(&self.vault), self.cost);
        self.run(move || hash(&vault, cost, password.0.as_bytes(), &salt)).await
    }

    /// Whether a password is the one of a stored hash. Without one it takes as long, and is not.
    ///
    /// # Errors
    /// `busy`, or a failure of ours.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, ApiError> {
        let (vault, is_there) = (Arc::clone(&self.vault), stored.is_some());
        let against = stored.unwrap_or_else(|| self.nobody.clone());
        let same = self.run(move || verify(&vault, password.0.as_bytes(), &against)).await?;
        Ok(same && is_there)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = |_| ApiError::busy(BUSY_S);
        let _waiting = self.queue.try_acquire().map_err(busy)?;
        let lane = Arc::clone(&self.lanes).acquire_owned().await.map_err(ApiError::failed)?;
        // The lane is kept by the work itself: a visitor who goes away does not free it early.
        let work = move || {
            let _lane = lane;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(ApiError::failed)?.map_err(ApiError::failed)
    }
}

/// The hash of a password on this thread: for the command line.
///
/// # Errors
/// A failure of ours.
pub fn hash_now(
    vault: &Vault,
    cost: Cost,
    password: &Password,
    rng: &dyn Rng,
) -> Result<String, ApiError> {
    let salt: [u8; 16] = clock::random(rng)?;
    hash(vault, cost, password.0.as_bytes(), &salt).map_err(ApiError::failed)
}

/// Letters or digits in a row (`abcdefghijkl`, `987654321098`).
fn is_run(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let steps = codes.windows(2).filter(|pair| matches!(pair, [a, b] if a.abs_diff(*b) <= 1));
    steps.count().saturating_add(2) >= codes.len()
}

fn hash(vault: &Vault, cost: Cost, password: &[u8], salt: &[u8]) -> Result<String, HashError> {
    Ok(text(cost, salt, digest(vault, cost, password, salt)?.as_slice()))
}

fn text(cost: Cost, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("argon2id:m={}:t={}:{salt}:{hash}", cost.memory_kib, cost.passes)
}

fn verify(vault: &Vault, password: &[u8], stored: &str) -> Result<bool, HashError> {
    let (cost, salt, expected) = read(stored).ok_or(HashError::Read)?;
    let out = digest(vault, cost, password, &salt)?;
    Ok(out.as_slice().ct_eq(&expected).into())
}

fn digest(
    vault: &Vault,
    cost: Cost,
    password: &[u8],
    salt: &[u8],
) -> Result<Zeroizing<[u8; HASH_BYTES]>, HashError> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(HASH_BYTES));
    let params = params.map_err(HashError::Hash)?;
    let version = Version::V0x13;
    let argon = Argon2::new_with_secret(vault.pepper(), Algorithm::Argon2id, version, params);
    let mut out = Zeroizing::new([0; HASH_BYTES]);
    let hashed =
        argon.and_then(|argon| argon.hash_password_into(password, salt, out.as_mut_slice()));
    hashed.map_err(HashError::Hash)?;
    Ok(out)
}

fn read(stored: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = stored.strip_prefix("argon2id:")?.split(':');
    let memory_kib = parts.next()?.strip_prefix("m=")?.parse().ok()?;
    let passes = parts.next()?.strip_prefix("t=")?.parse().ok()?;
    let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
    parts.next().is_none().then_some((Cost { memory_kib, passes }, salt, hash))
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::people::vault::tests::vault;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    fn check(text: &str) -> Result<(), ErrorCode> {
        Password::typed(text).check(&LoginName::read("tanaka").unwrap())
    }

    #[test]
    fn a_long_sentence_in_any_script_is_a_password() {
        for good in ["green pump quiet night", "みどりのポンプとしずかなよる", "xK4 . .. ......"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for bad in [
            "password1234",
            "PassWord1234",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "987654321098",
            "tanaka12345678",
            "Tanaka-tanaka-",
        ] {
            assert_eq!(check(bad), Err(ErrorCode::PasswordCommon), "{bad}");
        }
        assert_eq!(check("short but ok"), Ok(()));
        assert_eq!(check("elevenchars"), Err(ErrorCode::PasswordLength));
        assert_eq!(check(&"long one ".repeat(30)), Err(ErrorCode::PasswordLength));
    }

    #[test]
    fn the_list_of_common_passwords_holds_only_such_as_would_be_long_enough() {
        for line in include_str!("common_passwords.txt").lines() {
            assert_eq!(line, line.to_lowercase());
            assert!(line.chars().count() >= PASSWORD_CHARS_MIN - 1, "{line}");
        }
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_nobody_elses() {
        let rng = SeededRng::new(3);
        let hasher = Hasher::new(Arc::new(vault(1)), CHEAP, &rng).unwrap();
        let stored = hasher.hash(Password::typed("green pump"), &rng).await.unwrap();
        assert!(!stored.contains("green"));
        let verify =
            |text: &str, stored: Option<String>| hasher.verify(Password::typed(text), stored);
        assert!(verify("green pump", Some(stored.clone())).await.unwrap());
        assert!(!verify("green pumq", Some(stored.clone())).await.unwrap());
        assert!(!verify("green pump", None).await.unwrap());
        let other = Hasher::new(Arc::new(vault(2)), CHEAP, &rng).unwrap();
        let stolen = other.verify(Password::typed("green pump"), Some(stored)).await;
        assert!(!stolen.unwrap(), "a stolen database is of no use without the server's key");
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_back() {
        let rng = SeededRng::new(3);
        let hasher = Hasher::new(Arc::new(vault(1)), CHEAP, &rng).unwrap();
        let all = hasher.queue.clone().acquire_many_owned(32).await.unwrap();
        let refused = hasher.verify(Password::typed("x"), None).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Busy);
        drop(all);
        assert!(hasher.verify(Password::typed("x"), None).await.is_ok());
    }
}
