//! Reads a software bill of materials: CycloneDX 1.3 to 1.7 and SPDX 2.3, both as JSON.
//!
//! Tolerant: of a component only its name is needed, and fields of any other shape are passed over.
//! Not here: writing one, checking it against a schema, vulnerabilities. Invariant: what is read stays
//! within the limits below, and how much was left out is said.

mod cyclone_dx;
mod spdx;

use serde_json::Value;
use std::collections::BTreeSet;

/// Most bytes of a bill that is read for people; longer ones are kept and carried as they are.
pub const SBOM_READ_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most components that are read.
pub const SBOM_COMPONENTS_MAX: usize = 20_000;
/// Most characters of a name, a version, an address or a licence.
pub const SBOM_TEXT_CHARS_MAX: usize = 300;
/// Deepest nesting of components.
const DEPTH_MAX: usize = 32;
const CYCLONE_DX: [&str; 5] = ["1.3", "1.4", "1.5", "1.6", "1.7"];

/// The form of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// CycloneDX 1.3 to 1.7 in JSON.
    CycloneDx,
    /// SPDX 2.3 in JSON.
    Spdx,
}

/// A bill of materials as far as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// Its form.
    pub form: Form,
    /// Version of the form, e.g. `1.6`.
    pub form_version: String,
    /// Its components, sorted, each once.
    pub components: Vec<Component>,
    /// How many were left out: without a name, or beyond the limit.
    pub left_out: usize,
}

/// A software component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Its name, with its group where it has one.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Package URL.
    pub purl: Option<String>,
    /// Its licences.
    pub licences: Vec<String>,
}

/// Why bytes are no bill that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSbom {
    /// Too long to be read.
    #[error("it has {bytes} bytes, at most {SBOM_READ_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON.
    #[error("no JSON: {0}")]
    NotJson(String),
    /// A version that is not known.
    #[error("{0:?}: CycloneDX 1.3 to 1.7 and SPDX-2.3 are known")]
    Version(String),
    /// Neither form.
    #[error("neither bomFormat CycloneDX nor spdxVersion")]
    NeitherForm,
}

impl Form {
    /// Which form a bill has, of the ones that are known.
    ///
    /// # Errors
    /// [`BadSbom`].
    pub fn of(bytes: &[u8]) -> Result<Self, BadSbom> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| BadSbom::NotJson(error.to_string()))?;
        form(&value).map(|(form, _)| form)
    }

    /// The end of its file name.
    #[must_use]
    pub const fn file_end(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
        }
    }

    /// How people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CycloneDx => "CycloneDX",
            Self::Spdx => "SPDX",
        }
    }
}

impl Sbom {
    /// Reads a bill.
    ///
    /// # Errors
    /// [`BadSbom`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadSbom> {
        if bytes.len() > SBOM_READ_BYTES_MAX {
            return Err(BadSbom::TooLong { bytes: bytes.len() });
        }
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| BadSbom::NotJson(error.to_string()))?;
        let (form, form_version) = form(&value)?;
        let mut found = Found::default();
        match form {
            Form::CycloneDx => cyclone_dx::collect(&value, &mut found),
            Form::Spdx => spdx::collect(&value, &mut found),
        }
        let components = found.components.into_iter().collect();
        Ok(Self { form, form_version, components, left_out: found.left_out })
    }
}

fn form(value: &Value) -> Result<(Form, String), BadSbom> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    match (text("bomFormat"), text("specVersion"), text("spdxVersion")) {
        (Some("CycloneDX"), Some(version), None) if CYCLONE_DX.contains(&version) => {
            Ok((Form::CycloneDx, version.to_owned()))
        }
        (Some("CycloneDX"), version, None) => {
            Err(BadSbom::Version(shortened(version.unwrap_or_default())))
        }
        (None, _, Some("SPDX-2.3")) => Ok((Form::Spdx, "2.3".to_owned())),
        (None, _, Some(version)) => Err(BadSbom::Version(shortened(version))),
        _ => Err(BadSbom::NeitherForm),
    }
}

/// What is collected, within the limits.
#[derive(Debug, Default)]
struct Found {
    components: BTreeSet<Component>,
    left_out: usize,
}

impl Found {
    fn add(&mut self, component: Option<Component>) {
        match component {
            Some(component) if self.components.len() < SBOM_COMPONENTS_MAX => {
                self.components.insert(component);
            }
            Some(component) if self.components.contains(&component) => {}
            Some(_) | None => self.leave_out(),
        }
    }

    fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }
}

/// A text that says something, without control characters, no longer than the limit.
fn text(value: Option<&Value>) -> Option<String> {
    let text = shortened(value?.as_str()?);
    (!text.is_empty()).then_some(text)
}

fn shortened(text: &str) -> String {
    let kept = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    kept.take(SBOM_TEXT_CHARS_MAX).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
#[path = "sbom/tests.rs"]
mod tests;
