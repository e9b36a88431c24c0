//! Bills of every version, and bytes that nobody meant.

use super::*;
use proptest::prelude::*;

fn fixture(name: &str) -> &'static str {
    match name {
        "cdx-1.3" => include_str!("../fixtures/bom-1.3.cdx.json"),
        "cdx-1.4" => include_str!("../fixtures/bom-1.4.cdx.json"),
        "cdx-1.5" => include_str!("../fixtures/bom-1.5.cdx.json"),
        "cdx-1.6" => include_str!("../fixtures/bom-1.6.cdx.json"),
        "cdx-1.7" => include_str!("../fixtures/bom-1.7.cdx.json"),
        _ => include_str!("../fixtures/bom-2.3.spdx.json"),
    }
}

const FIXTURES: [&str; 6] = ["cdx-1.3", "cdx-1.4", "cdx-1.5", "cdx-1.6", "cdx-1.7", "spdx-2.3"];

#[test]
fn the_same_product_in_every_form_has_the_same_components() {
    for name in FIXTURES {
        let bill = Sbom::read(fixture(name).as_bytes()).unwrap();
        let seen: Vec<_> = bill
            .components
            .iter()
            .map(|it| (it.name.as_str(), it.version.as_deref(), it.licences.join(" ")))
            .collect();
        let expected = [
            ("busybox", Some("1.36.1"), "GPL-2.0-only".to_owned()),
            ("libexample", Some("1.2.4"), "MIT".to_owned()),
            ("mbedtls", Some("3.6.2"), "Apache-2.0 OR GPL-2.0-or-later".to_owned()),
        ];
        assert_eq!(seen, expected, "{name}");
        assert!(bill.components.iter().all(|it| it.purl.is_some()), "{name}");
        assert_eq!(bill.left_out, 0, "{name}");
    }
}

#[test]
fn only_known_forms_and_versions_pass() {
    let form = |text: &str| Form::of(text.as_bytes());
    assert_eq!(form(r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#), Ok(Form::CycloneDx));
    assert_eq!(form(r#"{"spdxVersion":"SPDX-2.3"}"#), Ok(Form::Spdx));
    for bad in [
        r#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#,
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6","spdxVersion":"SPDX-2.3"}"#,
        r#"{"spdxVersion":"SPDX-3.0"}"#,
        "{}",
        "[]",
        "<bom/>",
    ] {
        assert!(form(bad).is_err(), "{bad}");
    }
}

#[test]
fn nested_components_count_and_nameless_ones_are_said_to_be_left_out() {
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
        {"name":"os","version":7,"components":[{"name":"kernel","version":"6.1"},{"version":"1"}]},
        "nonsense", {"name":"os"}, {"group":"org.example","name":"lib"}]}"#;
    let bill = Sbom::read(text.as_bytes()).unwrap();
    let names: Vec<_> = bill.components.iter().map(|it| it.name.as_str()).collect();
    assert_eq!((names, bill.left_out), (vec!["kernel", "org.example/lib", "os"], 2));
}

#[test]
fn deep_nesting_and_long_lists_end_at_the_limits() {
    let mut deep = r#"{"name":"x"}"#.to_owned();
    for n in 0..50 {
        deep = format!(r#"{{"name":"n{n}","components":[{deep}]}}"#);
    }
    let bill = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{deep}]}}"#);
    let read = Sbom::read(bill.as_bytes()).unwrap();
    assert_eq!((read.components.len(), read.left_out), (DEPTH_MAX + 1, 1));
    let many: Vec<String> =
        (0..SBOM_COMPONENTS_MAX + 3).map(|n| format!(r#"{{"name":"n{n}"}}"#)).collect();
    let bill = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}}"#,
        many.join(",")
    );
    let read = Sbom::read(bill.as_bytes()).unwrap();
    assert_eq!((read.components.len(), read.left_out), (SBOM_COMPONENTS_MAX, 3));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let field = prop_oneof![
        Just("components".to_owned()),
        Just("packages".to_owned()),
        Just("name".to_owned()),
        Just("version".to_owned()),
        Just("licenses".to_owned()),
        Just("license".to_owned()),
        Just("externalRefs".to_owned()),
        Just("documentDescribes".to_owned()),
        Just("relationships".to_owned()),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field.clone(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_shape_of_json_is_read_within_the_limits(parts in json(), more in json()) {
        for head in [
            serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.7"}),
            serde_json::json!({"spdxVersion": "SPDX-2.3"}),
        ] {
            let mut bill = head;
            for (name, value) in [("components", &parts), ("packages", &parts), ("relationships", &more),
                ("documentDescribes", &more)] {
                bill.as_object_mut().unwrap().insert(name.to_owned(), value.clone());
            }
            let read = Sbom::read(bill.to_string().as_bytes()).unwrap();
            for component in &read.components {
                prop_assert!(!component.name.is_empty());
                prop_assert!(component.name.chars().count() <= 2 * SBOM_TEXT_CHARS_MAX + 1);
                prop_assert!(!component.name.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn damaged_bills_are_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(),
        which in 0..FIXTURES.len())
    {
        let mut bytes = fixture(FIXTURES[which]).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Sbom::read(&bytes);
        let _ = Sbom::read(&bytes[..at]);
    }
}
