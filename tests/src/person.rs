//! A person who uses the console: name, password, and the telephone with the one-time codes.
//!
//! Not here: a browser ([`crate::browser`]) or plain requests ([`crate::visitor`]). Invariant: a code is
//! said once, as on a telephone that waits for the next one.

use crate::clock::{now, until};
use crate::running::{Said, succeed};
use crate::server::Server;
use anyhow::{Context as _, Result, ensure};
use patchward_protocol::time::Timestamp;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use totp_rs::{Builder, Secret};

/// Seconds of a code.
const STEP_S: u64 = 30;
/// Longest wait for the next code.
const NEXT_CODE: Duration = Duration::from_secs(45);
/// Password and secret of accounts for demonstrations, as the server prints them.
const DEMO_PASSWORD: &str = "only for demonstrations";
const DEMO_SECRET: &str = "PATCHWARDDEMOPATCHWARDDEMOPATCHW";

/// Who somebody is at a place.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// Place and role: `site:city-hospital:approver`.
    pub role: &'a str,
    /// Which person of the site's root it is, if any.
    pub person: Option<&'a str>,
    /// Printed name.
    pub name: &'a str,
    /// Role in words.
    pub title: &'a str,
    /// `ja` or `en`.
    pub language: &'a str,
}

/// A person.
#[derive(Debug)]
pub struct Person {
    /// The name that is typed.
    pub login: String,
    /// The password.
    pub password: String,
    telephone: Mutex<Telephone>,
}

#[derive(Debug, Default)]
struct Telephone {
    secret: Option<String>,
    last_step: u64,
}

impl Person {
    /// Somebody without a second factor yet.
    #[must_use]
    pub fn new(login: &str) -> Self {
        let password = format!("a long password of {login} 2026");
        Self { login: login.to_owned(), password, telephone: Mutex::default() }
    }

    /// The same person with another password; the telephone is told anew or goes on where it was.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        let telephone = self.telephone();
        let (secret, last_step) = (telephone.secret.clone(), telephone.last_step);
        let telephone = Mutex::new(Telephone { secret, last_step });
        Self { login: self.login.clone(), password: password.to_owned(), telephone }
    }

    /// An account for demonstrations, made by the command line of whoever runs the server; only a server
    /// that was started for demonstrations lets it in.
    ///
    /// # Errors
    /// When the server's command refuses.
    pub fn demo(server: &Server, login: &str, role: &Role<'_>) -> Result<Self> {
        let mut command = server.people("insecure-demo");
        command.args(["--login", login]);
        succeed(with_role(&mut command, role))?;
        let telephone =
            Mutex::new(Telephone { secret: Some(DEMO_SECRET.to_owned()), last_step: 0 });
        let password = DEMO_PASSWORD.to_owned();
        Ok(Self { login: login.to_owned(), password, telephone })
    }

    /// Keeps the secret that a page shows, spaces and all.
    pub fn scan(&self, text: &str) {
        let secret: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut telephone = self.telephone();
        telephone.secret = Some(secret);
        telephone.last_step = 0;
    }

    /// The next code; waits for one when the last one was said already.
    ///
    /// # Errors
    /// When no secret was scanned.
    pub fn code(&self) -> Result<String> {
        let last = self.telephone().last_step;
        // A code is also taken half a minute early.
        let step = until("the next code", NEXT_CODE, || {
            let step = step_of(now())?;
            let next = step.max(last.saturating_add(1));
            Ok((next <= step.saturating_add(1)).then_some(next))
        })?;
        let mut telephone = self.telephone();
        telephone.last_step = step;
        let secret = telephone.secret.as_deref().context("no secret was scanned")?;
        let secret = Secret::try_from_base32(secret).ok().context("a secret in base32")?;
        let codes = Builder::new().with_secret(secret).build_noncompliant();
        let code = codes.generate(step.saturating_mul(STEP_S)).to_string();
        ensure!(code.len() == 6, "a code has six digits: {code}");
        Ok(code)
    }

    /// The code that was said last, as long as a server takes it at all; else the next one. For whoever
    /// tries once more after a refusal that took no code.
    ///
    /// # Errors
    /// As [`Self::code`].
    pub fn code_again(&self) -> Result<String> {
        let now = step_of(now())?;
        let mut telephone = self.telephone();
        // A code of now is taken for half a minute yet, and longer.
        if telephone.last_step >= now {
            telephone.last_step = telephone.last_step.saturating_sub(1);
        }
        drop(telephone);
        self.code()
    }

    fn telephone(&self) -> std::sync::MutexGuard<'_, Telephone> {
        self.telephone.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The path of a one-time link with which somebody joins, made by the command line of whoever runs the
/// server.
///
/// # Errors
/// When the server's command refuses.
pub fn invited(server: &Server, role: &Role<'_>) -> Result<String> {
    let Said { out, .. } = succeed(with_role(&mut server.people("invite"), role))?;
    let at = out.find("/console/claim/").with_context(|| format!("no link in {out}"))?;
    Ok(out.get(at..).unwrap_or_default().trim().to_owned())
}

fn with_role<'a>(command: &'a mut Command, role: &Role<'_>) -> &'a mut Command {
    command.args(["--role", role.role, "--name", role.name, "--title", role.title]);
    if let Some(person) = role.person {
        command.args(["--person", person]);
    }
    command.args(["--language", role.language])
}

fn step_of(at: Timestamp) -> Result<u64> {
    let seconds = u64::try_from(at.seconds()).context("after 1970")?;
    Ok(seconds.checked_div(STEP_S).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_says_another_code_each_time() {
        let person = Person::new("tanaka");
        assert!(person.code().is_err(), "a code without a secret");
        person.scan("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let (one, two) = (person.code().unwrap(), person.code().unwrap());
        assert_ne!(one, two);
        assert_eq!(person.code_again().unwrap(), two, "it was not taken: said once more");
    }
}
