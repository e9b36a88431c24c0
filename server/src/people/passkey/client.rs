//! What the browser says it did (`clientDataJSON`, WebAuthn 3, 5.8.1).
//!
//! Not here: signatures. Invariant: unknown fields are let through, as the standard demands; of a field
//! that counts there is one.

use serde::Deserialize;

/// Most bytes of it.
pub const CLIENT_BYTES_MAX: usize = 4096;

/// What it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// A new passkey.
    Create,
    /// Signing in.
    Get,
}

/// The fields that count.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    #[serde(default)]
    top_origin: Option<String>,
}

/// Why it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClient {
    /// No JSON of this shape, or too long.
    #[error("what the browser says does not read")]
    Malformed,
    /// Asked for something else.
    #[error("the browser was asked for something else")]
    Ceremony,
    /// Another challenge.
    #[error("it answers another challenge")]
    Challenge,
    /// Another origin, or a page inside another one's.
    #[error("it was made for another origin")]
    Origin,
}

impl Client {
    /// Reads it, and checks all but the challenge, which [`Self::challenge`] gives.
    ///
    /// # Errors
    /// [`BadClient`].
    pub fn read(bytes: &[u8], ceremony: Ceremony, origin: &str) -> Result<Self, BadClient> {
        if bytes.len() > CLIENT_BYTES_MAX {
            return Err(BadClient::Malformed);
        }
        // serde refuses a known field that comes twice.
        let client: Self = serde_json::from_slice(bytes).map_err(|_| BadClient::Malformed)?;
        let kind = match ceremony {
            Ceremony::Create => "webauthn.create",
            Ceremony::Get => "webauthn.get",
        };
        if client.kind != kind {
            return Err(BadClient::Ceremony);
        }
        if client.origin != origin || client.cross_origin || client.top_origin.is_some() {
            return Err(BadClient::Origin);
        }
        Ok(client)
    }

    /// The challenge, base64url.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"type":"webauthn.get","challenge":"AAAA","origin":"https://patchward.example","crossOrigin":false,"other_keys_can_be_added_here":"x"}"#;

    fn read(text: &str) -> Result<Client, BadClient> {
        Client::read(text.as_bytes(), Ceremony::Get, "https://patchward.example")
    }

    #[test]
    fn what_a_browser_sends_is_read_and_nothing_from_elsewhere() {
        assert_eq!(read(GOOD).unwrap().challenge(), "AAAA");
        let told = |text: &str| read(text).unwrap_err();
        assert_eq!(told(&GOOD.replace("webauthn.get", "webauthn.create")), BadClient::Ceremony);
        assert_eq!(told(&GOOD.replace("https", "http")), BadClient::Origin);
        assert_eq!(told(&GOOD.replace(".example", ".example.evil")), BadClient::Origin);
        assert_eq!(told(&GOOD.replace("false", "true")), BadClient::Origin);
        let framed =
            GOOD.replace("\"crossOrigin\":false", "\"topOrigin\":\"https://evil.example\"");
        assert_eq!(told(&framed), BadClient::Origin);
        let twice = GOOD.replace("\"type\"", "\"origin\":\"https://patchward.example\",\"type\"");
        assert_eq!(told(&twice), BadClient::Malformed);
        assert_eq!(told(""), BadClient::Malformed);
        let long = GOOD.replace("\"x\"", &format!("\"{}\"", "x".repeat(CLIENT_BYTES_MAX)));
        assert_eq!(told(&long), BadClient::Malformed);
    }
}
