//! A word about what was done, carried from a form to the page after it.
//!
//! It stands in the address, so that the page works without a script and without a cookie, under a seal
//! of this server: over the address, the word and an end two minutes ahead. Not here: what it says (the
//! Fluent files). Invariant: a page says that something was done only when this server has just done it
//! and led there; anybody can send a link that claims to be that.

use crate::keys::MacSecret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use patchward_protocol::time::Timestamp;
use sha2::Sha256;

/// The field of the query.
pub(super) const FIELD: &str = "done";
/// How every id of such a word ends.
const ENDING: &str = "-done";
/// It is said for so many seconds: long enough for a slow network, and a page that is opened again later
/// says what is true then.
const SAID_S: i64 = 120;
/// Stands before what is sealed, so that the key serves nothing else by mistake.
const CONTEXT: &[u8] = b"patchward console done v1|";

/// The address of the page after a form, with the word sealed onto it.
pub(super) fn sealed(secret: &MacSecret, to: &str, id: &str, at: Timestamp) -> String {
    let ends = at.plus_seconds(SAID_S).millis();
    let mac = mac(secret, to, id, ends).finalize().into_bytes();
    let joint = if to.contains('?') { '&' } else { '?' };
    format!("{to}{joint}{FIELD}={id}.{ends}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// The id of the word that an address carries, where this server put it there just now.
pub(super) fn read(secret: &MacSecret, here: &str, at: Timestamp) -> Option<String> {
    // No id and no seal has an equals sign, so that the last one is the field's.
    let (before, said) = here.rsplit_once('=')?;
    let to = before.strip_suffix(FIELD)?.strip_suffix(['?', '&'])?;
    let mut parts = said.split('.');
    let (id, ends, seal) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !id.ends_with(ENDING) {
        return None;
    }
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    let ends: i64 = ends.parse().ok()?;
    mac(secret, to, id, ends).verify_slice(&seal).ok()?;
    let ends = Timestamp::from_millis(ends);
    (at < ends && ends <= at.plus_seconds(SAID_S)).then(|| id.to_owned())
}

fn mac(secret: &MacSecret, to: &str, id: &str, ends: i64) -> Hmac<Sha256> {
    // HMAC's own key is a block of SHA-256; a shorter secret is filled up with zeroes.
    let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
    key.iter_mut().zip(secret.bytes()).for_each(|(to, from)| *to = *from);
    Hmac::<Sha256>::new(&key)
        .chain_update(CONTEXT)
        .chain_update(format!("{id}|{ends}|{to}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::keys::Keyring;

    fn keys(seed: u64) -> Keyring {
        let folder = tempfile::tempdir().unwrap();
        Keyring::create(&folder.path().join("keys"), &SeededRng::new(seed)).unwrap()
    }

    #[test]
    fn a_word_is_said_where_and_when_it_was_given_and_nowhere_else() {
        let (keys, at) = (keys(1), Timestamp::from_millis(1_800_000_000_000));
        for to in ["/console/sites/north/holds/n-1", "/console/sites/north/devices?ward=5-east"] {
            let here = sealed(keys.mac(), to, "stop-set-done", at);
            let read = |here: &str, at| read(keys.mac(), here, at);
            assert_eq!(read(&here, at.plus_seconds(119)).as_deref(), Some("stop-set-done"));
            assert_eq!(read(&here, at.plus_seconds(120)), None, "over");
            assert_eq!(read(&here, at.plus_seconds(-1)), None, "of a clock that was ahead");
            assert_eq!(read(&here.replace("north", "south"), at), None);
            assert_eq!(read(&here.replace("stop-set", "stop-lifted"), at), None);
            assert_eq!(read(&format!("{here}&a=b"), at), None);
        }
    }

    #[test]
    fn a_link_that_somebody_made_up_says_nothing() {
        let (ours, theirs) = (keys(1), keys(2));
        let (at, to) = (Timestamp::from_millis(1_800_000_000_000), "/console/sites/north");
        let ends = at.plus_seconds(60).millis();
        for here in [
            sealed(theirs.mac(), to, "stop-set-done", at),
            sealed(ours.mac(), to, "stop-set", at),
            format!("{to}?done=stop-set-done"),
            format!("{to}?done=stop-set-done.{ends}."),
            format!("{to}?done=stop-set-done.{ends}.AAAA"),
            format!("{to}?undone=stop-set-done.{ends}.AAAA"),
            format!("{to}?done="),
            "done".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(ours.mac(), &here, at), None, "{here}");
        }
    }
}
