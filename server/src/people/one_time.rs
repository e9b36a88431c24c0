//! One-time codes (TOTP, RFC 6238) of the second factor, and the codes for when the phone is lost.
//!
//! Not here: where they are kept. Invariant: a code of a step counts once, and never after a later one.

use crate::clock::{self, NoChance, Rng};
use patchward_protocol::time::Timestamp;
use qrcode::{EcLevel, QrCode};
use std::fmt::Write as _;
use totp_rs::{Builder, Secret, Totp};

/// Bytes of a secret: 160 bits, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Recovery codes of an account.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 50 bits.
const RECOVERY_CHARS: usize = 10;
/// No letters that look alike.
const RECOVERY_LETTERS: &[u8; 32] = b"ABCDEFGHJKMNPQRSTUVWXYZ023456789";
/// Empty modules around a QR code (ISO/IEC 18004).
const QUIET: usize = 4;

/// The secret that a phone and this server share.
pub struct OneTime(Totp);

/// Text that is no secret of one-time codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret of one-time codes does not read")]
pub struct BadSecret;

impl OneTime {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn draw(rng: &dyn Rng) -> Result<Self, NoChance> {
        Ok(Self::of(clock::random::<SECRET_BYTES>(rng)?))
    }

    /// With a given secret.
    #[must_use]
    pub fn of(secret: [u8; SECRET_BYTES]) -> Self {
        // SHA-1, six digits, 30 seconds: what every authenticator app can do, and some only that.
        Self(Builder::new().with_secret(Secret::new_stack(secret)).build_noncompliant())
    }

    /// Reads the secret as it is shown.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn read(text: &str) -> Result<Self, BadSecret> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let secret = Secret::try_from_base32(&compact).map_err(|_| BadSecret)?;
        secret.as_bytes().try_into().map(Self::of).map_err(|_| BadSecret)
    }

    /// The secret as text, for typing it into a phone.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.secret().to_base32().trim_end_matches('=').to_owned()
    }

    /// What the QR code says (Key Uri Format).
    #[must_use]
    pub fn uri(&self, login: &str) -> String {
        let account: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
        format!("otpauth://totp/Patchward:{account}?secret={}&issuer=Patchward", self.text())
    }

    /// The step of a code, when it is one of now or its neighbours, and later than `taken`.
    #[must_use]
    pub fn step(&self, code: &str, at: Timestamp, taken: u64) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let seconds = u64::try_from(at.seconds()).ok()?;
        self.0.check(&code, seconds).filter(|step| *step > taken)
    }

    /// The code of an instant.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> String {
        self.0.generate(u64::try_from(at.seconds()).unwrap_or(0)).to_string()
    }
}

impl std::fmt::Debug for OneTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTime(…)")
    }
}

/// A text as a QR code: an SVG of one path, without styles; nothing when it is too long.
#[must_use]
pub fn qr_svg(text: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        for (x, colour) in row.iter().enumerate() {
            if *colour == qrcode::Color::Dark {
                let _ = write!(
                    path,
                    "M{} {}h1v1h-1z",
                    x.saturating_add(QUIET),
                    y.saturating_add(QUIET)
                );
            }
        }
    }
    let side = width.saturating_add(QUIET.saturating_mul(2));
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// New recovery codes, `ABCDE-FGHJK`.
///
/// # Errors
/// [`NoChance`].
pub fn recovery_codes(rng: &dyn Rng) -> Result<Vec<String>, NoChance> {
    let draw = |_| {
        let bytes: [u8; RECOVERY_CHARS] = clock::random(rng)?;
        let letters = bytes.iter().filter_map(|byte| RECOVERY_LETTERS.get(usize::from(byte % 32)));
        let code: String = letters.map(|letter| char::from(*letter)).collect();
        let (front, back) = code.split_at(RECOVERY_CHARS / 2);
        Ok(format!("{front}-{back}"))
    };
    (0..RECOVERY_CODES).map(draw).collect()
}

/// A recovery code as it was typed, in its one spelling; nothing when it cannot be one.
#[must_use]
pub fn recovery_code(typed: &str) -> Option<String> {
    let upper = typed.to_ascii_uppercase();
    let letters: String = upper.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    // There is no O: who reads one means the digit.
    let letters = letters.replace('O', "0");
    let good = letters.len() == RECOVERY_CHARS
        && letters.bytes().all(|byte| RECOVERY_LETTERS.contains(&byte));
    good.then(|| {
        let (front, back) = letters.split_at(RECOVERY_CHARS / 2);
        format!("{front}-{back}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1; the last six of eight digits.
        let shared = OneTime::of(*b"12345678901234567890");
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(shared.code(at(seconds)), code);
            assert_eq!(shared.step(code, at(seconds), 0), Some(seconds.unsigned_abs() / 30));
        }
    }

    #[test]
    fn a_code_counts_once_and_never_after_a_later_one() {
        let shared = OneTime::of([7; 20]);
        let (now, code) = (at(1_000_000), shared.code(at(1_000_000)));
        let step = shared.step(&code, now, 0).unwrap();
        assert_eq!(shared.step(&code, now, step), None);
        assert_eq!(shared.step(&code, now, step + 1), None);
        let next = shared.code(at(1_000_030));
        assert_eq!(shared.step(&next, now, step), Some(step + 1));
        assert_eq!(shared.step(&code, at(1_000_090), 0), None, "three steps later it is old");
    }

    #[test]
    fn a_secret_is_typed_back_as_it_is_shown() {
        let shared = OneTime::draw(&SeededRng::new(5)).unwrap();
        let again = OneTime::read(&shared.text()).unwrap();
        assert_eq!(again.code(at(99)), shared.code(at(99)));
        assert!(OneTime::read("JBSW").is_err());
        assert!(shared.uri("a@b").starts_with("otpauth://totp/Patchward:a%40b?secret="));
    }

    #[test]
    fn a_qr_code_has_no_style_and_no_script() {
        let svg = qr_svg("otpauth://totp/Patchward:tanaka?secret=ABC", "a \"<b>\" & c").unwrap();
        assert!(svg.contains("aria-label=\"a &quot;&lt;b>&quot; &amp; c\""));
        assert!(!svg.contains("style"));
        assert!(qr_svg(&"x".repeat(5000), "").is_none());
    }

    #[test]
    fn recovery_codes_are_ten_different_ones_and_read_back_however_they_are_typed() {
        let codes = recovery_codes(&SeededRng::new(6)).unwrap();
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), RECOVERY_CODES);
        for code in &codes {
            assert_eq!(recovery_code(&format!(" {} ", code.to_lowercase())).as_ref(), Some(code));
            assert_eq!(recovery_code(&code.replace('-', "")).as_ref(), Some(code));
        }
        assert_eq!(recovery_code("123456"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading_of_codes(text in ".{0,40}") {
            let _ = recovery_code(&text);
            let _ = OneTime::of([1; 20]).step(&text, at(5), 0);
        }
    }
}
