//! What changed between the bills of two releases: added, removed, another version or licence.
//!
//! Components are the same when their package URLs are, without version; where one bill has none, when
//! their names are. Not here: what a change means. Invariant: a bill does not differ from itself, and
//! changing the direction swaps added and removed.

use super::sbom::{Component, Sbom};
use std::collections::{BTreeMap, BTreeSet};

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the newer bill only.
    pub added: Vec<Component>,
    /// In the older bill only.
    pub removed: Vec<Component>,
    /// In both, and not the same.
    pub changed: Vec<Change>,
    /// How many are the same.
    pub same: usize,
}

/// A component that is in both bills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Versions in the older bill.
    pub from: BTreeSet<String>,
    /// Versions in the newer bill.
    pub to: BTreeSet<String>,
    /// Licences in the older bill, when they are others now.
    pub licences_from: BTreeSet<String>,
    /// Licences in the newer bill, when they were others before.
    pub licences_to: BTreeSet<String>,
}

type Groups<'a> = BTreeMap<String, Vec<&'a Component>>;

impl Difference {
    /// From an older bill to a newer one.
    #[must_use]
    pub fn between(older: &Sbom, newer: &Sbom) -> Self {
        let (mut before, mut after) = (groups(older), groups(newer));
        let mut difference = Self::default();
        let both: Vec<String> =
            before.keys().filter(|key| after.contains_key(*key)).cloned().collect();
        for key in both {
            if let (Some(from), Some(to)) = (before.remove(&key), after.remove(&key)) {
                difference.compare(&from, &to);
            }
        }
        // One of the bills may name its packages by URL and the other not.
        let (mut before, mut after) = (by_name(before), by_name(after));
        let both: Vec<String> =
            before.keys().filter(|name| after.contains_key(*name)).cloned().collect();
        for name in both {
            if let (Some(from), Some(to)) = (before.remove(&name), after.remove(&name)) {
                difference.compare(&from, &to);
            }
        }
        let rest = |groups: Groups<'_>| {
            let mut rest: Vec<_> = groups.into_values().flatten().cloned().collect();
            rest.sort();
            rest
        };
        (difference.removed, difference.added) = (rest(before), rest(after));
        difference.changed.sort();
        difference
    }

    /// Whether nothing did.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn compare(&mut self, from: &[&Component], to: &[&Component]) {
        let versions = |of: &[&Component]| -> BTreeSet<String> {
            of.iter().filter_map(|component| component.version.clone()).collect()
        };
        let licences = |of: &[&Component]| -> BTreeSet<String> {
            of.iter().flat_map(|component| component.licences.clone()).collect()
        };
        let (older, newer) = (versions(from), versions(to));
        let (licences_from, licences_to) = (licences(from), licences(to));
        let same_licences = licences_from == licences_to;
        if older == newer && same_licences {
            self.same = self.same.saturating_add(1);
            return;
        }
        let name = to.iter().chain(from).map(|component| component.name.clone()).min();
        let (licences_from, licences_to) =
            if same_licences { Default::default() } else { (licences_from, licences_to) };
        let name = name.unwrap_or_default();
        self.changed.push(Change { name, from: older, to: newer, licences_from, licences_to });
    }
}

fn groups(bill: &Sbom) -> Groups<'_> {
    let mut groups = Groups::new();
    for component in &bill.components {
        groups.entry(key(component)).or_default().push(component);
    }
    groups
}

fn by_name(groups: Groups<'_>) -> Groups<'_> {
    let mut named = Groups::new();
    for component in groups.into_values().flatten() {
        let name = component.name.rsplit('/').next().unwrap_or(&component.name).to_lowercase();
        named.entry(name).or_default().push(component);
    }
    named
}

/// The package URL without version, qualifiers and subpath; else the name.
fn key(component: &Component) -> String {
    let Some(purl) = &component.purl else { return component.name.to_lowercase() };
    let plain = purl.split(['?', '#']).next().unwrap_or(purl);
    let (before, last) = plain.rsplit_once('/').unwrap_or(("", plain));
    let last = last.split('@').next().unwrap_or(last);
    format!("{before}/{last}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::sbom::Form;
    use proptest::prelude::*;

    fn part(name: &str, version: &str, purl: Option<&str>) -> Component {
        Component {
            name: name.to_owned(),
            version: Some(version.to_owned()),
            purl: purl.map(str::to_owned),
            licences: vec!["MIT".to_owned()],
        }
    }

    fn bill(components: Vec<Component>) -> Sbom {
        Sbom { form: Form::Spdx, form_version: "2.3".to_owned(), components, left_out: 0 }
    }

    #[test]
    fn a_component_with_another_version_has_changed_and_is_neither_added_nor_removed() {
        let older = bill(vec![
            part("libexample", "1.2.3", Some("pkg:generic/libexample@1.2.3?arch=arm")),
            part("gone", "1", None),
        ]);
        let newer = bill(vec![
            part("libexample", "1.2.4", Some("pkg:generic/libexample@1.2.4")),
            part("new", "7", None),
        ]);
        let difference = Difference::between(&older, &newer);
        let names = |of: &[Component]| of.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&difference.added), ["new"]);
        assert_eq!(names(&difference.removed), ["gone"]);
        let change = difference.changed.first().unwrap();
        assert_eq!((change.name.as_str(), difference.changed.len()), ("libexample", 1));
        assert_eq!((change.from.first().unwrap().as_str(), change.licences_to.len()), ("1.2.3", 0));
    }

    #[test]
    fn bills_of_two_tools_are_matched_by_name() {
        let older = bill(vec![part("zlib", "1.3", Some("pkg:generic/zlib@1.3"))]);
        let newer = bill(vec![part("Zlib", "1.3", None)]);
        assert!(Difference::between(&older, &newer).is_empty());
    }

    #[test]
    fn a_new_licence_is_a_change() {
        let older = bill(vec![part("a", "1", None)]);
        let newer = bill(vec![Component {
            licences: vec!["GPL-3.0-only".to_owned()],
            ..part("a", "1", None)
        }]);
        let difference = Difference::between(&older, &newer);
        assert!(difference.changed.first().unwrap().licences_to.contains("GPL-3.0-only"));
    }

    fn some_bill() -> impl Strategy<Value = Sbom> {
        let purl = prop::option::of("pkg:(a|b)/[a-c]{1,2}(@[0-9])?");
        let component =
            ("[a-c]{1,2}", prop::option::of("[0-9]"), purl).prop_map(|(name, version, purl)| {
                Component { name, version, purl, licences: Vec::new() }
            });
        prop::collection::btree_set(component, 0..8)
            .prop_map(|components| bill(components.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_bill_does_not_differ_from_itself_and_directions_are_mirrored(
            one in some_bill(), other in some_bill()
        ) {
            prop_assert!(Difference::between(&one, &one).is_empty());
            let there = Difference::between(&one, &other);
            let back = Difference::between(&other, &one);
            prop_assert_eq!(there.added, back.removed);
            prop_assert_eq!(there.removed, back.added);
            prop_assert_eq!(there.changed.len(), back.changed.len());
        }
    }
}
