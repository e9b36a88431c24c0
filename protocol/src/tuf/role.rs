//! The roles of a TUF repository: their names, file names and size limits.
//!
//! Not here: who may sign for a role ([`super::threshold::Authority`]).
//! Invariant: the file name of a role is one path segment, whatever the role is called.

use crate::limits::{ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX, TIMESTAMP_BYTES_MAX};
use std::fmt;

/// A role. A delegated role is named by the role that delegates to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Names the keys of the four top-level roles.
    Root,
    /// Says which snapshot is the newest; short-lived.
    Timestamp,
    /// Says which version of each targets file belongs together.
    Snapshot,
    /// Lists the files.
    Targets,
    /// Lists files on behalf of another targets role.
    Delegated(String),
}

impl Role {
    /// The role that is called `name` in metadata.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "root" => Self::Root,
            "timestamp" => Self::Timestamp,
            "snapshot" => Self::Snapshot,
            "targets" => Self::Targets,
            other => Self::Delegated(other.to_owned()),
        }
    }

    /// Its name in metadata.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Delegated(name) => name,
        }
    }

    /// Its name in the `meta` of a snapshot or timestamp.
    #[must_use]
    pub fn meta_name(&self) -> String {
        format!("{}.json", self.name())
    }

    /// Most bytes of its file.
    #[must_use]
    pub const fn bytes_max(&self) -> usize {
        match self {
            Self::Root => ROOT_BYTES_MAX,
            Self::Timestamp => TIMESTAMP_BYTES_MAX,
            Self::Snapshot => SNAPSHOT_BYTES_MAX,
            Self::Targets | Self::Delegated(_) => TARGETS_BYTES_MAX,
        }
    }

    /// Its file name below the metadata URL, percent-encoded (TUF specification 6.2).
    #[must_use]
    pub fn file(&self, version: u64, naming: Naming) -> String {
        match (self, naming) {
            (Self::Timestamp, _) => "timestamp.json".to_owned(),
            (Self::Root, _) => format!("{version}.root.json"),
            (role, Naming::Consistent) => format!("{version}.{}.json", encode(role.name())),
            (role, Naming::Plain) => format!("{}.json", encode(role.name())),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether file names carry a version or digest (TUF specification, `consistent_snapshot`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `7.targets.json`, `img/{sha256}.a.tar`.
    Consistent,
    /// `targets.json`, `img/a.tar`.
    Plain,
}

/// Percent-encodes all but RFC 3986's unreserved characters, so that a name is one path segment.
#[must_use]
pub fn encode(name: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    name.bytes()
        .map(|byte| match unreserved(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_name_of_an_odd_role_is_one_segment() {
        let odd = Role::named("../delegatedrole?#");
        assert_eq!(odd.file(1, Naming::Consistent), "1...%2Fdelegatedrole%3F%23.json");
        assert_eq!(Role::Root.file(4, Naming::Plain), "4.root.json");
    }
}
