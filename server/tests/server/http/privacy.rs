//! No patient stands in the database or in the interface: their words are searched for such.

use patchward_server::db::MIGRATIONS;
use patchward_server::openapi;
use serde_json::Value;
use std::collections::BTreeSet;

/// Parts of names that speak of a patient, or of a person beyond a work name.
const DENIED: &[&str] = &[
    "patient",
    "mrn",
    "birth",
    "dob",
    "diagnosis",
    "disease",
    "icd",
    "allergy",
    "insurance",
    "insured",
    "gender",
    "sex",
    "ethnicity",
    "religion",
    "blood",
    "weight",
    "height",
    "bed",
    "admission",
    "ssn",
    "mynumber",
    "passport",
    "surname",
    "firstname",
    "lastname",
    "fullname",
    "phone",
    "email",
    "postal",
    "street",
    "photo",
    "face",
    "voice",
    "kanja",
    "karte",
    "患者",
    "診断",
    "氏名",
    "病名",
    "生年月日",
];

fn parts(name: &str) -> BTreeSet<String> {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    words.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
}

fn denied(name: &str) -> bool {
    let parts = parts(name);
    DENIED.iter().any(|word| parts.contains(*word) || (!word.is_ascii() && name.contains(word)))
}

#[test]
fn no_column_of_the_database_can_hold_a_patient() {
    let mut names = 0;
    for migration in MIGRATIONS {
        for sql in [migration.sqlite, migration.postgres] {
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            for word in
                code.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_')))
            {
                names += 1;
                assert!(!denied(word), "{}: {word}", migration.name);
            }
        }
    }
    assert!(names > 200, "the migrations were read");
}

#[test]
fn no_field_of_the_interface_can_hold_a_patient() {
    let mut names = BTreeSet::new();
    collect(&openapi::document(), &mut names);
    assert!(names.len() > 80, "{names:?}");
    for name in names {
        assert!(!denied(&name), "{name}");
    }
}

/// Names of properties, parameters and schemas.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "properties" | "schemas")
                    && let Value::Object(properties) = value
                {
                    names.extend(properties.keys().cloned());
                }
                if key == "name"
                    && let Value::String(name) = value
                {
                    names.insert(name.clone());
                }
                collect(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for name in ["patient_id", "patientName", "bed", "date_of_birth", "患者番号"] {
        assert!(denied(name), "{name}");
    }
    for name in ["device", "embedded", "sexagesimal", "site"] {
        assert!(!denied(name), "{name}");
    }
}
