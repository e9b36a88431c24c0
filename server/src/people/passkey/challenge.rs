//! Challenges: what an authenticator signs so that yesterday's answer is of no use today.
//!
//! A challenge carries its end and a mark of this server, so that a page that nobody answers stores
//! nothing; the answer that was taken is remembered until the challenge would have ended anyway.
//! Invariant: a challenge is good for its purpose alone.

use crate::clock::{self, NoChance, Rng};
use crate::people::vault::Vault;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use subtle::ConstantTimeEq as _;

/// Life of a challenge, in seconds: WebAuthn recommends up to ten minutes.
pub const CHALLENGE_S: i64 = 600;
const RANDOM: usize = 16;
const ENDS: usize = 8;

/// What a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Signing in.
    SignIn,
    /// A new passkey of a session, named by the session's form token.
    Register(&'a str),
}

/// A challenge of this server that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    bytes: Vec<u8>,
    ends: Timestamp,
}

impl Challenge {
    /// A new one.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn draw(
        vault: &Vault,
        rng: &dyn Rng,
        purpose: Purpose<'_>,
        at: Timestamp,
    ) -> Result<Self, NoChance> {
        let ends = at.plus_seconds(CHALLENGE_S);
        let random: [u8; RANDOM] = clock::random(rng)?;
        let mut bytes = [random.as_slice(), &ends.millis().to_be_bytes()].concat();
        let mark = mark(vault, purpose, &bytes);
        bytes.extend_from_slice(&mark);
        Ok(Self { bytes, ends })
    }

    /// Reads one as it came back; nothing when it is not ours, of another purpose, or has ended.
    #[must_use]
    pub fn read(vault: &Vault, purpose: Purpose<'_>, text: &str, at: Timestamp) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, marked) = bytes.split_at_checked(RANDOM.saturating_add(ENDS))?;
        let good: bool = mark(vault, purpose, said).ct_eq(marked).into();
        let ends = said.get(RANDOM..)?.try_into().ok().map(i64::from_be_bytes)?;
        let ends = Timestamp::from_millis(ends);
        (good && at < ends).then_some(Self { bytes, ends })
    }

    /// As it is sent.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.bytes)
    }

    /// What is remembered of it when its answer was taken.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256Digest::of(&self.bytes).to_string()
    }

    /// When it ends.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }
}

fn mark(vault: &Vault, purpose: Purpose<'_>, said: &[u8]) -> [u8; 32] {
    match purpose {
        Purpose::SignIn => vault.challenge(&[b"sign in", said]),
        Purpose::Register(session) => vault.challenge(&[b"register", session.as_bytes(), said]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::people::vault::tests::vault;

    #[test]
    fn a_challenge_is_good_for_its_purpose_and_its_time() {
        let (vault, at) = (vault(1), Timestamp::from_millis(1_000_000));
        let rng = SeededRng::new(1);
        let made = Challenge::draw(&vault, &rng, Purpose::Register("a"), at).unwrap();
        let text = made.text();
        let read = |purpose, at| Challenge::read(&vault, purpose, &text, at);
        assert_eq!(read(Purpose::Register("a"), at), Some(made.clone()));
        assert_eq!(read(Purpose::Register("b"), at), None);
        assert_eq!(read(Purpose::SignIn, at), None);
        assert_eq!(read(Purpose::Register("a"), at.plus_seconds(CHALLENGE_S)), None);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at_byte in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at_byte] ^= 1;
            let broken = URL_SAFE_NO_PAD.encode(broken);
            let read = Challenge::read(&vault, Purpose::Register("a"), &broken, at);
            assert_eq!(read, None, "byte {at_byte}");
        }
        assert_eq!(Challenge::read(&vault, Purpose::SignIn, "", at), None);
    }
}
