//! Device tokens: a keyed hash over site, device, family and an end, ten minutes ahead.
//!
//! Given at check-in, for the files that are not public. Nothing is stored; the key is a file of the
//! server, so that a restart or a replica does not break downloads. Not here: what the token lets a
//! device read (`reader`).
//! Invariant: a token whose MAC does not verify tells nothing about itself.

use crate::keys::MacSecret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use sha2::Sha256;
use std::fmt;

/// Stands before what is signed, so that the key serves nothing else by mistake.
const CONTEXT: &[u8] = b"patchward device token v1|";

/// The key of the MAC, set up once.
#[derive(Clone)]
pub struct DeviceTokens(Hmac<Sha256>);

/// What a valid device token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceBearer {
    /// The site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// The family of the device.
    pub family: FamilyId,
}

impl DeviceTokens {
    /// With the server's MAC secret.
    #[must_use]
    pub fn new(secret: &MacSecret) -> Self {
        // HMAC's own key is a block of SHA-256; a shorter secret is filled up with zeroes.
        let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
        key.iter_mut().zip(secret.bytes()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new(&key);
        mac.update(CONTEXT);
        Self(mac)
    }

    /// The token of a device, good for `life_s` seconds from `at`.
    #[must_use]
    pub fn issue(&self, bearer: &DeviceBearer, at: Timestamp, life_s: u32) -> String {
        let ends = at.plus_seconds(i64::from(life_s)).millis();
        let DeviceBearer { site, device, family } = bearer;
        let says = format!("{site}|{device}|{family}|{ends}");
        let mac = self.0.clone().chain_update(says.as_bytes()).finalize().into_bytes();
        format!("pd_{}.{}", URL_SAFE_NO_PAD.encode(says), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Checks a token; nothing when it is not one of ours, or has ended.
    #[must_use]
    pub fn check(&self, token: &str, at: Timestamp) -> Option<DeviceBearer> {
        let (says, mac) = token.strip_prefix("pd_")?.split_once('.')?;
        let says = URL_SAFE_NO_PAD.decode(says).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.0.clone().chain_update(&says).verify_slice(&mac).ok()?;
        let says = String::from_utf8(says).ok()?;
        let mut parts = says.split('|');
        let site = SiteId::new(parts.next()?).ok()?;
        let device = DeviceId::new(parts.next()?).ok()?;
        let family = FamilyId::new(parts.next()?).ok()?;
        let ends = Timestamp::from_millis(parts.next()?.parse().ok()?);
        (parts.next().is_none() && at < ends).then_some(DeviceBearer { site, device, family })
    }
}

impl fmt::Debug for DeviceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceTokens(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::keys::Keyring;

    fn bearer() -> DeviceBearer {
        DeviceBearer {
            site: SiteId::new("north").unwrap(),
            device: DeviceId::new("pump-1").unwrap(),
            family: FamilyId::new("acme.a").unwrap(),
        }
    }

    fn key(seed: u64) -> DeviceTokens {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keyring::create(&folder.path().join("keys"), &SeededRng::new(seed)).unwrap();
        DeviceTokens::new(keys.mac())
    }

    #[test]
    fn a_token_holds_for_ten_minutes_and_its_own_key() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let token = key(1).issue(&bearer(), at, 600);
        assert_eq!(key(1).check(&token, at.plus_seconds(599)), Some(bearer()));
        assert_eq!(key(1).check(&token, at.plus_seconds(600)), None);
        assert_eq!(key(2).check(&token, at), None);
    }

    #[test]
    fn a_changed_token_says_nothing() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let token = key(1).issue(&bearer(), at, 600);
        let (says, mac) = token.strip_prefix("pd_").unwrap().split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode("south|pump-1|acme.a|9999999999999");
        for bad in [
            format!("pd_{other}.{mac}"),
            format!("pd_{says}."),
            format!("pd_{says}.AAAA"),
            "pd_".into(),
            "pd_.".into(),
            String::new(),
        ] {
            assert_eq!(key(1).check(&bad, at), None, "{bad}");
        }
    }
}
