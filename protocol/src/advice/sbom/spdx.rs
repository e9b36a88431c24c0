//! Packages of an SPDX 2.3 bill; the product that the document describes is none of its components.
//!
//! Not here: files, snippets, relationships other than that one. Invariant: `NOASSERTION` and `NONE`
//! say nothing.

use super::{Component, Found, list, text};
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn collect(bill: &Value, found: &mut Found) {
    let described = described(bill);
    for package in list(bill.get("packages")) {
        let id = package.get("SPDXID").and_then(Value::as_str);
        if !id.is_some_and(|id| described.contains(id)) {
            found.add(component(package));
        }
    }
}

/// The product: named by the document, where it names one and has other packages beside it.
fn described(bill: &Value) -> HashSet<&str> {
    let listed = list(bill.get("documentDescribes")).iter().filter_map(Value::as_str);
    let of_document = list(bill.get("relationships")).iter().filter(|relation| {
        let is =
            |field: &str, word: &str| relation.get(field).and_then(Value::as_str) == Some(word);
        is("relationshipType", "DESCRIBES") && is("spdxElementId", "SPDXRef-DOCUMENT")
    });
    let related = of_document
        .filter_map(|relation| relation.get("relatedSpdxElement").and_then(Value::as_str));
    let all: HashSet<&str> = listed.chain(related).collect();
    if list(bill.get("packages")).len() > all.len() { all } else { HashSet::new() }
}

fn component(package: &Value) -> Option<Component> {
    let of = |field: &str| {
        text(package.get(field)).filter(|text| text != "NOASSERTION" && text != "NONE")
    };
    let purl = list(package.get("externalRefs")).iter().find_map(|reference| {
        let kind = reference.get("referenceType").and_then(Value::as_str);
        (kind == Some("purl")).then(|| text(reference.get("referenceLocator"))).flatten()
    });
    let licence = of("licenseConcluded").or_else(|| of("licenseDeclared"));
    Some(Component {
        name: of("name")?,
        version: of("versionInfo"),
        purl,
        licences: licence.into_iter().collect(),
    })
}
