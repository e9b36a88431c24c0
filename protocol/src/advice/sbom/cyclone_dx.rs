//! Components of a CycloneDX bill, nested ones too; the product itself (`metadata.component`) is none.
//!
//! Not here: services, vulnerabilities, dependencies. Invariant: nesting is walked without recursion.

use super::{Component, DEPTH_MAX, Found, list, text};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn collect(bill: &Value, found: &mut Found) {
    let mut left: Vec<(&Value, usize)> =
        list(bill.get("components")).iter().map(|component| (component, 0)).collect();
    while let Some((value, depth)) = left.pop() {
        found.add(component(value));
        let inner = list(value.get("components"));
        if depth < DEPTH_MAX {
            left.extend(inner.iter().map(|component| (component, depth.saturating_add(1))));
        } else {
            inner.iter().for_each(|_| found.leave_out());
        }
    }
}

fn component(value: &Value) -> Option<Component> {
    let name = text(value.get("name"))?;
    let name = match text(value.get("group")) {
        Some(group) => format!("{group}/{name}"),
        None => name,
    };
    let licences: BTreeSet<String> =
        list(value.get("licenses")).iter().filter_map(licence).collect();
    Some(Component {
        name,
        version: text(value.get("version")),
        purl: text(value.get("purl")),
        licences: licences.into_iter().collect(),
    })
}

/// An id, a name, or an expression.
fn licence(value: &Value) -> Option<String> {
    let named = value.get("license");
    text(named.and_then(|of| of.get("id")))
        .or_else(|| text(named.and_then(|of| of.get("name"))))
        .or_else(|| text(value.get("expression")))
}
