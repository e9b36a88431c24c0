//! The components of a release as people search for them: kept by the digest of the bill.
//!
//! Bounded: the bills that were searched last, without what a search does not need. Not here: reading a
//! bill (`protocol::advice`). Invariant: what cannot be read is said to be unknown, never to be empty.

use super::dossiers::Shelf;
use crate::app::App;
use crate::error::ApiError;
use patchward_protocol::advice::sbom::{Component, Sbom};
use patchward_protocol::digest::Sha256Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most components that are kept of all bills together.
const PARTS_KEPT_MAX: usize = 200_000;

/// A component that can be searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its version; empty when the bill says none.
    pub version: String,
    /// Its package URL; empty when the bill says none.
    pub purl: String,
    /// Everything that a search looks at, in small letters.
    text: String,
}

/// The components of one bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The components.
    pub all: Vec<Part>,
    /// How many the bill has beyond what was read.
    pub left_out: usize,
}

/// Bills as they are searched.
#[derive(Debug, Default)]
pub struct PartsShelf(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    clock: u64,
    known: HashMap<Sha256Digest, (u64, Arc<Parts>)>,
}

impl PartsShelf {
    /// The components of a bill; none when it is not here or cannot be read.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn of(
        &self,
        app: &Arc<App>,
        sha256: Sha256Digest,
    ) -> Result<Option<Arc<Parts>>, ApiError> {
        if let Some(held) = self.held(&sha256) {
            return Ok(Some(held));
        }
        let bill = Shelf::read_bill(app, sha256).await?;
        let Some(bill) = bill else { return Ok(None) };
        let parts = Arc::new(Parts::of(bill));
        self.keep(sha256, &parts);
        Ok(Some(parts))
    }

    fn held(&self, sha256: &Sha256Digest) -> Option<Arc<Parts>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock = kept.clock.saturating_add(1);
        let now = kept.clock;
        let (used, parts) = kept.known.get_mut(sha256)?;
        *used = now;
        Some(Arc::clone(parts))
    }

    fn keep(&self, sha256: Sha256Digest, parts: &Arc<Parts>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.clock;
        kept.known.insert(sha256, (now, Arc::clone(parts)));
        let sum =
            |kept: &Kept| kept.known.values().map(|(_, parts)| parts.all.len()).sum::<usize>();
        while sum(&kept) > PARTS_KEPT_MAX && kept.known.len() > 1 {
            let oldest = kept.known.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(sha256, _)| *sha256) else { break };
            kept.known.remove(&oldest);
        }
    }
}

impl Parts {
    fn of(bill: Sbom) -> Self {
        let left_out = bill.left_out;
        Self { all: bill.components.into_iter().map(Part::of).collect(), left_out }
    }
}

impl Part {
    fn of(component: Component) -> Self {
        let Component { name, version, purl, .. } = component;
        let (version, purl) = (version.unwrap_or_default(), purl.unwrap_or_default());
        let text = format!("{name} {version} {purl}").to_lowercase();
        Self { name, version, purl, text }
    }

    /// Whether every word, in small letters, stands in its name, version or package URL.
    #[must_use]
    pub fn has(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.text.contains(word.as_str()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn parts(names: &[(&str, &str)]) -> Parts {
        let part = |(name, version): &(&str, &str)| {
            format!(
                r#"{{"name":"{name}","version":"{version}","purl":"pkg:deb/debian/{name}@{version}"}}"#
            )
        };
        let parts = names.iter().map(part).collect::<Vec<_>>().join(",");
        let text =
            format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{parts}]}}"#);
        Parts::of(Sbom::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_part_is_found_by_name_version_and_package_url_in_any_letters() {
        let parts = parts(&[("OpenSSL", "3.0.13"), ("zlib", "1.3")]);
        let found = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_lowercase).collect();
            parts.all.iter().filter(|part| part.has(&words)).count()
        };
        assert_eq!(
            (found("openssl"), found("SSL 3.0"), found("pkg:deb"), found("log4j")),
            (1, 1, 2, 0)
        );
        assert_eq!(found("zlib 3.0"), 0, "all words belong to the same component");
    }

    #[test]
    fn bills_that_were_not_searched_for_longest_make_room() {
        let shelf = PartsShelf::default();
        let big = Arc::new(Parts {
            all: parts(&[("a", "1")]).all.into_iter().cycle().take(PARTS_KEPT_MAX / 2).collect(),
            left_out: 0,
        });
        let name = |n: u8| Sha256Digest::of(&[n]);
        shelf.keep(name(0), &big);
        shelf.keep(name(1), &big);
        assert!(shelf.held(&name(0)).is_some());
        shelf.keep(name(2), &big);
        assert!(shelf.held(&name(0)).is_some() && shelf.held(&name(1)).is_none());
    }
}
