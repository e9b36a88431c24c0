//! Until when certificates last: read from their DER, and nothing else of it.
//!
//! The path to a certificate's validity is fixed (RFC 5280, 4.1): no general reader of ASN.1 is needed.
//! Not here: whether a certificate is trusted. Invariant: bytes that do not read give nothing, and are
//! told where they are read.

use super::{TlsError, certificates};
use crate::config::Config;
use crate::notify::subject::Part;
use patchward_protocol::time::Timestamp;
use std::path::Path;

/// A file with more certificates than this is a bundle of public authorities, whose ends are nobody's
/// here to prevent.
const OWN_MAX: usize = 20;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// When a certificate runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What it is for.
    pub part: Part,
    /// The name of its file.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

/// The first to run out of each file of certificates that the configuration names.
#[must_use]
pub fn of_config(config: &Config) -> Vec<Expiry> {
    let tls = config.tls.as_ref();
    let mail = config.notify.mail.as_ref();
    let files = [
        (Part::Server, tls.map(|tls| &tls.certificate_file)),
        (Part::Packs, tls.and_then(|tls| tls.authority_file.as_ref())),
        (Part::Mail, mail.and_then(|mail| mail.authority_file.as_ref())),
        (Part::Webhooks, config.notify.webhook_authority_file.as_ref()),
    ];
    let named = files.into_iter().filter_map(|(part, path)| Some((part, path?)));
    named.filter_map(|(part, path)| first(part, path)).collect()
}

fn first(part: Part, path: &Path) -> Option<Expiry> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    match of_file(path) {
        Ok(at) => Some(Expiry { part, name: file.unwrap_or_default(), at: at? }),
        Err(error) => {
            let error = crate::error::Chain(&error).to_string();
            tracing::warn!(%error, "It cannot be told until when certificates last");
            None
        }
    }
}

fn of_file(path: &Path) -> Result<Option<Timestamp>, TlsError> {
    let all = certificates(path)?;
    if all.len() > OWN_MAX {
        return Ok(None);
    }
    let known: Option<Vec<_>> = all.iter().map(|certificate| not_after(certificate)).collect();
    let known = known.ok_or_else(|| TlsError::Unreadable(path.to_owned()))?;
    Ok(known.into_iter().min())
}

/// The end of a certificate's validity.
#[must_use]
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = element(rest, VERSION)?;
    }
    // Serial number, algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = element(rest, tag)?;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, after) = time(validity)?;
    time(after).map(|(at, _)| at)
}

/// What stands in the element of this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = length(rest)?;
    rest.split_at_checked(length)
}

/// A definite length of at most four bytes (X.690, 10.1).
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = der.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(count)?;
    let value = bytes.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Some((usize::try_from(value).ok()?, rest))
}

/// A time as RFC 5280, 4.1.2.5 writes it: to the second, in UTC.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tag = *der.first()?;
    let (text, rest) = element(der, tag)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        UTC_TIME => {
            let year: u8 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { "20" } else { "19" })
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let digits = text.strip_suffix('Z').filter(|text| text.len() == 14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, until: usize| digits.get(from..until).unwrap_or_default();
    let day = format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8));
    let iso = format!("{day}T{}:{}:{}Z", part(8, 10), part(10, 12), part(12, 14));
    Some((iso.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(tag: u8, inner: &[u8]) -> Vec<u8> {
        let length = u8::try_from(inner.len()).unwrap();
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, inner.to_vec()].concat()
    }

    fn certificate(before: (u8, &str), after: (u8, &str)) -> Vec<u8> {
        let each = [before, after].map(|(tag, text)| wrapped(tag, text.as_bytes())).concat();
        let parts = [
            wrapped(VERSION, &[2, 1, 2]),
            wrapped(INTEGER, &[7]),
            wrapped(SEQUENCE, &[6, 3, 43, 101, 112]),
            wrapped(SEQUENCE, &[]),
            wrapped(SEQUENCE, &each),
            wrapped(SEQUENCE, &[]),
        ];
        wrapped(SEQUENCE, &wrapped(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_of_its_spellings() {
        let der = certificate((UTC_TIME, "261101000000Z"), (UTC_TIME, "270131235959Z"));
        assert_eq!(not_after(&der), "2027-01-31T23:59:59Z".parse().ok());
        let der = certificate((UTC_TIME, "991101000000Z"), (GENERALIZED_TIME, "20510131235959Z"));
        assert_eq!(not_after(&der), "2051-01-31T23:59:59Z".parse().ok());
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for text in ["20510131235959", "2051013123595Z", "20511331235959Z", "２０510131235959Z"] {
            let der = certificate((UTC_TIME, "261101000000Z"), (GENERALIZED_TIME, text));
            assert_eq!(not_after(&der), None, "{text}");
        }
        let der = certificate((UTC_TIME, "261101000000Z"), (UTC_TIME, "270131235959Z"));
        for length in 0..der.len() {
            assert_eq!(not_after(&der[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = not_after(&bytes);
        }
    }
}
