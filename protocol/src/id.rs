//! The names of things: one type per kind of name, so that a site cannot stand where a device is meant.
//!
//! Every name is ASCII, has a length limit and one fallible constructor; Japanese names for people
//! are display names elsewhere. Invariant: a value of these types is always well formed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct BadId {
    kind: &'static str,
    rule: &'static str,
    text: String,
}

impl BadId {
    fn new(kind: &'static str, rule: &'static str, text: &str) -> Self {
        Self { kind, rule, text: text.chars().take(80).collect() }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads the name from text.
            ///
            /// # Errors
            /// [`BadId`], with the rule that the text breaks.
            pub fn new(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId::new($kind, $rule, text))
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

fn slug(text: &str, length_max: usize) -> bool {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    bytes.len() <= length_max
        && bytes.iter().all(inner)
        && edge(bytes.first())
        && edge(bytes.last())
}

text_id!(
    /// A manufacturer, e.g. `acme`: up to 32 of `[a-z0-9-]`.
    MakerId, "manufacturer id", "1 to 32 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 32)
);
text_id!(
    /// A device family, e.g. `acme.infusion-a`: manufacturer, dot, name.
    FamilyId, "family id", "MAKER.NAME, each 1 to 32 characters of a-z, 0-9 and '-'",
    |text| text.split_once('.').is_some_and(|(maker, name)| slug(maker, 32) && slug(name, 32))
);
text_id!(
    /// A hospital site, e.g. `city-hospital`.
    SiteId, "site id", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A device within its site, e.g. `pump-07`.
    DeviceId, "device id", "1 to 64 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 64)
);
text_id!(
    /// An approval within its site, e.g. `2026-11-22-infusion-a-2`.
    ApprovalId, "approval id", "1 to 64 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 64)
);
text_id!(
    /// A person who signs, as the hospital or manufacturer calls them, e.g. `tanaka`. Never a patient.
    PersonId, "person id", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A ward or department of a site, e.g. `5-east`.
    WardId, "ward id", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A kind of equipment as wards count it, e.g. `infusion-pump`.
    KindId, "equipment kind", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A usual window of a site, e.g. `weekday-nights`.
    WindowId, "window id", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A freeze of a site, e.g. `new-year-2027`.
    FreezeId, "freeze id", "1 to 48 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 48)
);
text_id!(
    /// A hold, e.g. `north-2026-11-22-3`. Given by the server, never used twice.
    HoldId, "hold id", "1 to 64 characters of a-z, 0-9 and '-', no '-' at either end",
    |text| slug(text, 64)
);
text_id!(
    /// A hardware model that an image fits, e.g. `infusion-a.rev2`.
    HardwareId, "hardware id", "1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
    |text| file_name(text, 64)
);
text_id!(
    /// A version as people read it, e.g. `2.4.1`. Order comes from [`Seq`], never from this text.
    Version, "version", "1 to 48 characters of a-z, 0-9, '.', '_', '+' and '-'",
    |text| (1..=48).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+-".contains(&b))
);
text_id!(
    /// A TUF target path, exactly one directory deep: `img/infusion-a-2.4.1.tar`.
    TargetPath, "target path", "DIR/NAME, each of a-z, 0-9, '.', '_' and '-', not starting with '.'",
    |text| text.split_once('/').is_some_and(|(dir, name)| file_name(dir, 32) && file_name(name, 160))
);

fn file_name(text: &str, length_max: usize) -> bool {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=length_max).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('.')
}

impl FamilyId {
    /// The manufacturer half of the name.
    #[must_use]
    pub fn maker(&self) -> MakerId {
        MakerId(self.0.split_once('.').map_or_else(String::new, |(maker, _)| maker.to_owned()))
    }
}

impl TargetPath {
    /// The directory and the file name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

/// A TUF repository: `family:acme.infusion-a` or `site:city-hospital`.
///
/// It stands as `x-repository` in every signed part, because TUF metadata does not name its own
/// repository and the same keys may sign for several.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RepositoryId {
    /// What may run: images, deltas, documents of a device family.
    Family(FamilyId),
    /// When and where it may run: approvals of a hospital.
    Site(SiteId),
}

impl RepositoryId {
    /// `("family", name)` or `("site", name)`, as they stand in URLs.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Family(id) => ("family", id.as_str()),
            Self::Site(id) => ("site", id.as_str()),
        }
    }

    /// Reads the two halves as they stand in URLs.
    ///
    /// # Errors
    /// [`BadId`] for an unknown kind or a bad name.
    pub fn from_parts(kind: &str, name: &str) -> Result<Self, BadId> {
        match kind {
            "family" => FamilyId::new(name).map(Self::Family),
            "site" => SiteId::new(name).map(Self::Site),
            _ => Err(BadId::new("repository id", "family:MAKER.NAME or site:NAME", kind)),
        }
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind}:{name}")
    }
}

impl fmt::Debug for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RepositoryId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (kind, name) = text
            .split_once(':')
            .ok_or_else(|| BadId::new("repository id", "family:MAKER.NAME or site:NAME", text))?;
        Self::from_parts(kind, name)
    }
}

impl TryFrom<String> for RepositoryId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<RepositoryId> for String {
    fn from(id: RepositoryId) -> Self {
        id.to_string()
    }
}

/// The rank of a release within its family; rises with every release and is what "newer" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A device's ledger: 16 random bytes drawn when the ledger is begun, 32 hexadecimal digits as text.
///
/// A cloned or restored device continues an old ledger with other entries, which is how it is found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LedgerId([u8; 16]);

impl LedgerId {
    /// From 16 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for LedgerId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| BadId::new("ledger id", "32 hexadecimal digits", &text))?;
        Ok(Self(bytes))
    }
}

impl From<LedgerId> for String {
    fn from(id: LedgerId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_refused_with_the_rule() {
        for bad in ["", "-a", "a-", "A", "a b", "ä", "a/b", "..", "a\u{0}", &"a".repeat(65)] {
            assert!(DeviceId::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["acme", "acme.", ".x", "acme.a.b", "acme.a/../b"] {
            assert!(FamilyId::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["a", "a/b/c", "../b", "img/..", "img/.x", "img/A", "/b", "a/"] {
            assert!(TargetPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn repository_is_read_back() {
        let id: RepositoryId = "family:acme.infusion-a".parse().unwrap();
        assert_eq!(id.to_string(), "family:acme.infusion-a");
        assert!("ward:5e".parse::<RepositoryId>().is_err());
    }
}
