//! The part of the configuration about notices.
//!
//! Not here: who gets what; people enter that in the console. Invariant: a password stands in a file of
//! its own, and without TLS mail goes only to this machine.

use super::ConfigError;
use serde::Deserialize;
use std::path::PathBuf;

/// Whether and how notices leave this server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Whether this server looks for what needs a person, and sends.
    pub enabled: bool,
    /// How often it is looked and sent without anything that wakes it, in seconds.
    pub check_s: u64,
    /// What is urgent and not acknowledged goes to the second circle after so many seconds.
    pub second_circle_s: i64,
    /// And to the manufacturer after so many seconds.
    pub third_circle_s: i64,
    /// Wait after the first try in vain, in seconds; it doubles.
    pub retry_s: i64,
    /// A message is given up after so many seconds.
    pub give_up_s: i64,
    /// Lets webhooks go to private networks, and without TLS to this machine.
    pub private_webhooks: bool,
    /// PEM with the authorities that count for webhooks. Absent: those of the machine.
    pub webhook_authority_file: Option<PathBuf>,
    /// The mail server; absent: no mail is sent.
    pub mail: Option<Mail>,
}

/// The mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// `HOST:PORT`.
    pub relay: String,
    /// How the connection is protected.
    #[serde(default)]
    pub security: MailSecurity,
    /// Who it is from, e.g. `Patchward <patchward@hospital.example>`.
    pub from: String,
    /// Name of the account there.
    pub user: Option<String>,
    /// File with its password.
    pub password_file: Option<PathBuf>,
    /// PEM with a private authority that counts beside those of the machine.
    pub authority_file: Option<PathBuf>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS after the greeting, or nothing is sent.
    #[default]
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// None: only for a mail server on this machine.
    Plain,
}

const DAY_S: i64 = 24 * 3600;

impl Default for Notify {
    fn default() -> Self {
        Self {
            enabled: true,
            check_s: 30,
            second_circle_s: DAY_S,
            third_circle_s: 2 * DAY_S,
            retry_s: 30,
            give_up_s: DAY_S,
            private_webhooks: false,
            webhook_authority_file: None,
            mail: None,
        }
    }
}

impl Mail {
    /// The two parts of `relay`.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        let (host, port) = self.relay.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
    }

    fn is_here(&self) -> bool {
        let here = |host: &str| {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        };
        self.host_and_port().is_some_and(|(host, _)| here(&host))
    }
}

impl Notify {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let must = |holds: bool, key, rule| {
            if holds { Ok(()) } else { Err(ConfigError::Value { key, rule }) }
        };
        must(self.check_s >= 1, "notify.check_s", "at least 1")?;
        must(self.second_circle_s >= 1, "notify.second_circle_s", "at least 1")?;
        must(
            self.third_circle_s > self.second_circle_s,
            "notify.third_circle_s",
            "longer than notify.second_circle_s",
        )?;
        must((1..=3600).contains(&self.retry_s), "notify.retry_s", "1 to 3600")?;
        must(
            (60..=7 * DAY_S).contains(&self.give_up_s),
            "notify.give_up_s",
            "60 to 604800 (7 days)",
        )?;
        let Some(mail) = &self.mail else { return Ok(()) };
        must(mail.host_and_port().is_some(), "notify.mail.relay", "HOST:PORT")?;
        must(
            mail.from.parse::<lettre::message::Mailbox>().is_ok(),
            "notify.mail.from",
            "a mail address, e.g. Patchward <patchward@hospital.example>",
        )?;
        must(
            mail.user.is_some() == mail.password_file.is_some(),
            "notify.mail.user",
            "together with notify.mail.password_file, or neither",
        )?;
        must(
            mail.security != MailSecurity::Plain || mail.is_here(),
            "notify.mail.security",
            "plain only for a mail server on this machine (loopback)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(relay: &str, security: MailSecurity) -> Notify {
        let mail = Mail {
            relay: relay.into(),
            security,
            from: "Patchward <patchward@hospital.example>".into(),
            user: None,
            password_file: None,
            authority_file: None,
        };
        Notify { mail: Some(mail), ..Notify::default() }
    }

    #[test]
    fn mail_without_tls_goes_to_this_machine_only() {
        assert!(mail("127.0.0.1:25", MailSecurity::Plain).check().is_ok());
        assert!(mail("[::1]:25", MailSecurity::Plain).check().is_ok());
        let told = mail("mail.example:25", MailSecurity::Plain).check().unwrap_err().to_string();
        assert!(told.starts_with("notify.mail.security"), "{told}");
        assert!(mail("mail.example:587", MailSecurity::Starttls).check().is_ok());
    }

    #[test]
    fn the_third_circle_comes_after_the_second() {
        let wrong = Notify { second_circle_s: 10, third_circle_s: 10, ..Notify::default() };
        assert!(wrong.check().is_err());
        assert!(Notify::default().check().is_ok());
    }
}
