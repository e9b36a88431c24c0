//! Which kind of software bill of materials a file is. Its bytes are kept as they are.
//!
//! Not here: reading components. Invariant: only kinds and versions that are named here pass.

use serde_json::Value;

/// A kind of SBOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sbom {
    /// CycloneDX 1.3 to 1.7 in JSON.
    CycloneDx,
    /// SPDX 2.3 in JSON.
    Spdx,
}

const CYCLONE_DX: [&str; 5] = ["1.3", "1.4", "1.5", "1.6", "1.7"];

impl Sbom {
    /// Sniffs the kind.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn sniff(bytes: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("no JSON: {error}"))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match (text("bomFormat"), text("specVersion"), text("spdxVersion")) {
            (Some("CycloneDX"), Some(version), None) if CYCLONE_DX.contains(&version) => {
                Ok(Self::CycloneDx)
            }
            (Some("CycloneDX"), version, None) => {
                Err(format!("CycloneDX {version:?}, 1.3 to 1.7 are known"))
            }
            (None, _, Some("SPDX-2.3")) => Ok(Self::Spdx),
            (None, _, Some(version)) => Err(format!("{version}, SPDX-2.3 is known")),
            _ => Err("neither bomFormat CycloneDX nor spdxVersion".to_owned()),
        }
    }

    /// The end of its file name.
    #[must_use]
    pub const fn file_end(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_kinds_and_versions_pass() {
        let sniff = |text: &str| Sbom::sniff(text.as_bytes());
        assert_eq!(sniff(r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#), Ok(Sbom::CycloneDx));
        assert_eq!(sniff(r#"{"spdxVersion":"SPDX-2.3"}"#), Ok(Sbom::Spdx));
        for bad in [
            r#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","spdxVersion":"SPDX-2.3"}"#,
            r#"{"spdxVersion":"SPDX-3.0"}"#,
            "{}",
            "<bom/>",
        ] {
            assert!(sniff(bad).is_err(), "{bad}");
        }
    }
}
