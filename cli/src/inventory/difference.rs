//! What changed between two inventories, line by line: shown before it is written, and shown to a
//! signer since the last signature.
//!
//! It compares the documents as they are written, so that a field added later is never left out.
//! Changes that the planner goes by are marked. Not here: whether a change is wise.
//! Invariant: inventories that differ give at least one line; equal ones (but for the revision) none.

use crate::here::Language;
use patchward_protocol::inventory::Inventory;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Lists of the document: name, the field that names an entry, words.
const LISTS: [(&str, &str, &str, &str); 5] = [
    ("wards", "id", "ward", "病棟"),
    ("windows", "id", "window", "保守時間帯"),
    ("freezes", "id", "freeze", "変更凍結期間"),
    ("people", "person", "person", "担当者"),
    ("devices", "id", "device", "機器"),
];
/// Fields that no plan depends on.
const FOR_PEOPLE: [&str; 7] =
    ["name", "name_en", "name_ja", "role", "notices_to", "udi", "serial_number"];

/// Every change, in words; lines that begin with `!` concern what plans go by.
#[must_use]
pub fn lines(language: Language, old: &Inventory, new: &Inventory) -> Vec<String> {
    let value = |inventory| serde_json::to_value(inventory).unwrap_or_default();
    let (old, new): (Value, Value) = (value(old), value(new));
    let mut lines = Vec::new();
    for field in ["site", "tz"] {
        lines.extend(field_line(field, old.get(field), new.get(field), "!"));
    }
    for (section, en, ja) in
        [("rules", "rules", "施設の規則"), ("policy", "signing policy", "署名方針")]
    {
        for (field, from, to) in changed_fields(old.get(section), new.get(section)) {
            let name = format!("{}: {field}", language.pick(en, ja));
            lines.extend(field_line(&name, from, to, "!"));
        }
    }
    for (section, key, en, ja) in LISTS {
        let word = language.pick(en, ja);
        lines.extend(list_lines(language, word, key, old.get(section), new.get(section)));
    }
    lines
}

fn list_lines(
    language: Language,
    word: &str,
    key: &str,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Vec<String> {
    let (old, new) = (entries(key, old), entries(key, new));
    let ids: BTreeSet<_> = old.iter().chain(&new).map(|(id, _)| *id).collect();
    let find = |list: &[(&str, &Value)], id: &str| {
        list.iter().find(|(other, _)| *other == id).map(|(_, value)| (*value).clone())
    };
    let mut lines = Vec::new();
    for id in ids {
        match (find(&old, id), find(&new, id)) {
            (None, Some(entry)) => {
                let added = language.pick("added", "追加");
                lines.push(format!("! + {added}: {word} {id} {}", without(&entry, key)));
            }
            (Some(entry), None) => {
                let removed = language.pick("removed", "削除");
                lines.push(format!("! - {removed}: {word} {id} {}", without(&entry, key)));
            }
            (Some(from), Some(to)) => {
                for (field, from, to) in changed_fields(Some(&from), Some(&to)) {
                    let mark = if FOR_PEOPLE.contains(&field) { " " } else { "!" };
                    lines.extend(field_line(&format!("{word} {id}: {field}"), from, to, mark));
                }
            }
            (None, None) => {}
        }
    }
    lines
}

fn entries<'a>(key: &str, list: Option<&'a Value>) -> Vec<(&'a str, &'a Value)> {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some((entry.get(key)?.as_str()?, entry))).collect()
}

type Changed<'a> = (&'a str, Option<&'a Value>, Option<&'a Value>);

fn changed_fields<'a>(old: Option<&'a Value>, new: Option<&'a Value>) -> Vec<Changed<'a>> {
    let fields = |value: Option<&'a Value>| value.and_then(Value::as_object);
    let names: BTreeSet<&str> = [fields(old), fields(new)]
        .into_iter()
        .flatten()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let get = |value: Option<&'a Value>, name: &str| value.and_then(|value| value.get(name));
    let both = names.into_iter().map(|name| (name, get(old, name), get(new, name)));
    both.filter(|(_, from, to)| from != to).collect()
}

fn field_line(name: &str, from: Option<&Value>, to: Option<&Value>, mark: &str) -> Option<String> {
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    (from != to).then(|| format!("{mark} {name}: {} -> {}", text(from), text(to)))
}

fn without(entry: &Value, key: &str) -> Value {
    let mut entry = entry.clone();
    if let Some(fields) = entry.as_object_mut() {
        fields.remove(key);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::SiteId;
    use serde_json::json;

    fn inventory(wards: Value, devices: Value, rules: Value) -> Inventory {
        let mut value = serde_json::to_value(Inventory::empty(
            SiteId::new("city-hospital").unwrap(),
            "Asia/Tokyo",
        ))
        .unwrap();
        value["wards"] = wards;
        value["devices"] = devices;
        value["rules"] = rules;
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_change_has_its_line_and_rules_are_marked() {
        let ward = |count: u32, name: &str| {
            json!([{"id": "icu", "name_en": name, "name_ja": "集中治療室",
                    "min_in_service": [{"kind": "pump", "count": count}]}])
        };
        let old = inventory(ward(3, "ICU"), json!([]), json!({}));
        let device = json!([{"id": "pump-01", "kind": "pump"}]);
        let new = inventory(ward(1, "ICU 1"), device, json!({"max_parallel": 5}));
        let lines = lines(Language::En, &old, &new);
        for line in [
            "! rules: max_parallel: - -> 5",
            "  ward icu: name_en: ICU -> ICU 1",
            "! + added: device pump-01",
        ] {
            assert!(lines.iter().any(|found| found.starts_with(line)), "{line}\n{lines:#?}");
        }
        assert!(lines.iter().any(|line| line.starts_with("! ward icu: min_in_service:")
            && line.contains("\"count\":3")
            && line.contains("\"count\":1")));
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn the_revision_alone_is_no_change() {
        let old = inventory(json!([]), json!([]), json!({}));
        let new = Inventory { revision: 7, ..old.clone() };
        assert!(lines(Language::Ja, &old, &new).is_empty());
    }
}
