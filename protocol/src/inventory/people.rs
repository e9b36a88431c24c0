//! People by their printed names, and how many of them sign what.
//!
//! Not here: their keys; those stand in the signed root of the site.

use crate::id::PersonId;
use serde::{Deserialize, Serialize};

/// A person as printed beside a signature. Never a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The id that the site root gives to their keys.
    pub person: PersonId,
    /// Printed name.
    pub name: String,
    /// Role in the hospital, e.g. clinical engineer.
    pub role: String,
    /// Where notices go: a work e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices_to: Option<String>,
}

/// How many different persons must sign an approval, by its kind.
///
/// Devices enforce what the site root says; this is what the tools ask for before that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SigningPolicy {
    /// A routine installation.
    pub routine_persons: u32,
    /// A standing approval.
    pub standing_persons: u32,
    /// An emergency approval; at least 2.
    pub emergency_persons: u32,
    /// A way back to an older release.
    pub rollback_persons: u32,
}

impl Default for SigningPolicy {
    fn default() -> Self {
        Self { routine_persons: 1, standing_persons: 2, emergency_persons: 2, rollback_persons: 1 }
    }
}
