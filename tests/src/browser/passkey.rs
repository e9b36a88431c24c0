//! A passkey without a finger: a virtual authenticator (W3C Web Authentication 3, 11).
//!
//! Invariant: it says "a person is there" only while it belongs to a browser.

use super::session::Browser;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// An authenticator that is plugged into a browser.
#[derive(Debug)]
pub struct Authenticator<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    /// Plugs one in that keeps passkeys and verifies its person.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn plug_in(&self) -> Result<Authenticator<'_>> {
        let kind = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserConsenting": true, "isUserVerified": true,
        });
        let id = self.must("POST", "/webauthn/authenticator", &kind)?;
        let id = id.as_str().context("an authenticator has an id")?.to_owned();
        Ok(Authenticator { browser: self, id })
    }
}

impl Authenticator<'_> {
    /// What it keeps.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn credentials(&self) -> Result<Vec<Value>> {
        let path = format!("/webauthn/authenticator/{}/credentials", self.id);
        let said = self.browser.ask("GET", &path, None)??;
        said.as_array().cloned().context("a list of credentials")
    }

    /// The person is not the one it knows, from now on.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn somebody_else(&self) -> Result<()> {
        let path = format!("/webauthn/authenticator/{}/uv", self.id);
        self.browser.must("POST", &path, &json!({ "isUserVerified": false })).map(|_| ())
    }
}
