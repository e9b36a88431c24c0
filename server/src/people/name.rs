//! The names of an account: the one it signs in with, the one that is printed, the role in words.
//!
//! Not here: roles that give powers ([`super::role`]). Invariant: a value of these types can stand in a
//! record, a page and a log line without being cut or escaped.

use patchward_protocol::api::error::ErrorCode;
use std::fmt;

/// Fewest and most characters of a login name.
const LOGIN_CHARS: std::ops::RangeInclusive<usize> = 2..=64;
/// Most characters of a printed name, and of a role in words.
const PRINTED_CHARS_MAX: usize = 100;
/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 300;

/// The name that a person signs in with: lower-case ASCII, so that nobody can look like another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginName(String);

/// A name or a role as it is printed: any script, no control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed(String);

/// Why something was done to an account: one line for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl LoginName {
    /// Reads a login name; upper case becomes lower case, blanks around it go.
    ///
    /// # Errors
    /// [`ErrorCode::LoginMalformed`].
    pub fn read(text: &str) -> Result<Self, ErrorCode> {
        let name = text.trim().to_ascii_lowercase();
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| letter(byte) || matches!(byte, b'.' | b'_' | b'-' | b'@');
        let bytes = name.as_bytes();
        let edges = [bytes.first(), bytes.last()];
        let good = LOGIN_CHARS.contains(&bytes.len())
            && bytes.iter().all(|byte| inner(*byte))
            && edges.into_iter().all(|edge| edge.is_some_and(|byte| letter(*byte)));
        if good { Ok(Self(name)) } else { Err(ErrorCode::LoginMalformed) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Printed {
    /// Reads a printed name.
    ///
    /// # Errors
    /// [`ErrorCode::NameMalformed`].
    pub fn read(text: &str) -> Result<Self, ErrorCode> {
        let text = text.trim();
        let length = text.chars().count();
        let good =
            (1..=PRINTED_CHARS_MAX).contains(&length) && !text.chars().any(|c| c.is_control());
        if good { Ok(Self(text.to_owned())) } else { Err(ErrorCode::NameMalformed) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reason {
    /// Reads a reason.
    ///
    /// # Errors
    /// [`ErrorCode::ReasonMalformed`].
    pub fn read(text: &str) -> Result<Self, ErrorCode> {
        let text = text.trim();
        let length = text.chars().count();
        let good =
            (1..=REASON_CHARS_MAX).contains(&length) && !text.chars().any(|c| c.is_control());
        if good { Ok(Self(text.to_owned())) } else { Err(ErrorCode::ReasonMalformed) }
    }

    /// The reason as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for LoginName {
    type Err = ErrorCode;

    fn from_str(text: &str) -> Result<Self, ErrorCode> {
        Self::read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_has_one_spelling() {
        assert_eq!(LoginName::read(" Tanaka.H ").unwrap().as_str(), "tanaka.h");
        for bad in
            ["", "a", "田中", ".tanaka", "tanaka-", "ta naka", "ta\u{0}naka", &"a".repeat(65)]
        {
            assert_eq!(LoginName::read(bad), Err(ErrorCode::LoginMalformed), "{bad:?}");
        }
    }

    #[test]
    fn a_printed_name_may_be_japanese_but_not_empty_or_broken() {
        assert_eq!(Printed::read(" 田中 花子 ").unwrap().as_str(), "田中 花子");
        for bad in ["", "  ", "a\nb", &"あ".repeat(101)] {
            assert_eq!(Printed::read(bad), Err(ErrorCode::NameMalformed), "{bad:?}");
        }
    }
}
