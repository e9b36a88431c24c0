//! Keys of devices that lists show again and again, read once: finding the point on the curve behind 64
//! digits takes longer than reading everything else of a device.
//!
//! Bounded. Not here: whose key it is, or whether it counts. Invariant: the same digits always give the
//! same key, so one memory serves everybody.

use crate::limits::KNOWN_KEYS_MAX;
use patchward_protocol::key::{BadKey, PublicKey};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

static KNOWN: LazyLock<Mutex<HashMap<Box<str>, PublicKey>>> = LazyLock::new(Mutex::default);

/// The key of these digits.
///
/// # Errors
/// [`BadKey::PublicKey`] when they name none.
pub fn read(digits: &str) -> Result<PublicKey, BadKey> {
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known().get(digits) {
        return Ok(*key);
    }
    // Not under the lock: others go on meanwhile.
    let key: PublicKey = digits.parse()?;
    let mut known = known();
    if known.len() >= KNOWN_KEYS_MAX {
        known.clear();
    }
    known.insert(digits.into(), key);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::key::{SecretKey, Signer as _};

    #[test]
    fn the_second_time_gives_the_same_key_and_bad_digits_stay_bad() {
        let key = SecretKey::from_seed(&[7; 32]).public();
        let digits = key.to_string();
        assert_eq!(read(&digits), Ok(key));
        assert_eq!(read(&digits), Ok(key));
        assert_eq!(read("00"), Err(BadKey::PublicKey));
        assert_eq!(read(&digits.to_uppercase()), Err(BadKey::PublicKey));
    }
}
