//! What targets change against those that are published, in words.
//!
//! Not here: what the approvals among them say ([`super::statement`]).
//! Invariant: every change has its line; nothing is summed up away.

use crate::id::TargetPath;
use crate::key::PublicKey;
use crate::language::Language;
use crate::tuf::build::{DelegationSpec, KeySpec, RoleSpec, TargetSpec, TargetsSpec};
use crate::tuf::custom::Firmware;
use crate::tuf::delta_target::{DELTA_DIR, DELTAS_ROLE};
use crate::tuf::difference::{Change, TargetsDifference};
use crate::tuf::lookup::APPROVAL_DIR;
use serde_json::{Value, json};
use std::fmt::Display;

/// What targets change, line by line.
#[must_use]
pub fn lines(
    language: Language,
    published: Option<&TargetsSpec>,
    spec: &TargetsSpec,
) -> Vec<String> {
    let difference = &TargetsDifference::between(published, spec);
    let word = |en, ja| language.pick(en, ja);
    let mut lines = vec![change(word("expires", "有効期限"), &difference.expires)];
    for (path, spec) in &difference.added {
        lines.push(format!("+ {} {path} {}", word("added", "追加"), file_words(spec)));
        lines.extend(image_in_it(language, spec));
    }
    for (path, change) in &difference.changed {
        let kind = match difference.withdrawn.contains(path) {
            true => word("WITHDRAWN", "取り下げ"),
            false => word("changed", "変更"),
        };
        lines.push(format!("~ {kind} {path} {}", file_words(&change.to)));
        lines.extend(image_in_it(language, &change.to));
        if let Some(from) = &change.from {
            lines.push(format!("    {} {}", word("was", "変更前"), file_words(from)));
            lines.extend(image_in_it(language, from));
        }
    }
    for (path, spec) in &difference.removed {
        lines.push(format!("- {} {path} {}", word("removed", "削除"), file_words(spec)));
    }
    lines.extend(delegations(language, difference, published, spec));
    if lines.len() == 1 {
        lines.push(word("no file changes", "ファイルの変更はありません").to_owned());
    }
    lines
}

/// What is added or changed among the targets: what must be at hand and is hashed.
#[must_use]
pub fn new_files(
    published: Option<&TargetsSpec>,
    spec: &TargetsSpec,
) -> Vec<(TargetPath, TargetSpec)> {
    let difference = TargetsDifference::between(published, spec);
    let old = |path: &TargetPath| published.and_then(|old| old.targets.get(path));
    let changed = difference.changed.into_iter().map(|(path, change)| (path, change.to));
    difference
        .added
        .into_iter()
        .chain(changed)
        .filter(|(path, spec)| old(path).is_none_or(|old| !is_same_file(old, spec)))
        .collect()
}

/// The new approvals among them.
#[must_use]
pub fn new_approvals(
    published: Option<&TargetsSpec>,
    spec: &TargetsSpec,
) -> Vec<(TargetPath, TargetSpec)> {
    let new = new_files(published, spec).into_iter();
    new.filter(|(path, _)| path.parts().0 == APPROVAL_DIR).collect()
}

/// The same bytes, of which the same is said: a file that carries another image now than before must
/// be looked at again, though not one byte of it changed.
fn is_same_file(old: &TargetSpec, new: &TargetSpec) -> bool {
    let payload = |spec: &TargetSpec| spec.custom.get("fw")?.get("payload").cloned();
    old.sha256 == new.sha256 && old.length == new.length && payload(old) == payload(new)
}

/// What changes in who may list deltas.
#[must_use]
pub fn delegations(
    language: Language,
    difference: &TargetsDifference,
    published: Option<&TargetsSpec>,
    spec: &TargetsSpec,
) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let named = |spec: &TargetsSpec, role: &str| {
        spec.delegations.iter().find(|delegation| delegation.name == role).cloned()
    };
    let mut lines = Vec::new();
    for role in &difference.delegations_changed {
        let before = published.and_then(|published| named(published, role));
        let (sign, kind) = match before {
            Some(_) => ("~", word("delegated role changed:", "委任ロールの変更:")),
            None => ("+", word("delegated role added:", "委任ロールの追加:")),
        };
        lines.push(format!("{sign} {kind} {role}"));
        lines.extend(named(spec, role).iter().flat_map(|now| words(language, now)));
        for key in before.iter().flat_map(|before| &before.keys.keys) {
            let word = word("key before:", "変更前の鍵:");
            lines.push(format!("    {word} {}", key.public.fingerprint()));
        }
    }
    for role in &difference.delegations_removed {
        lines.push(format!("- {} {role}", word("delegated role removed:", "委任ロールの削除:")));
        lines.push(gone(language));
    }
    lines
}

/// The delegation to the server's key.
#[must_use]
pub fn to_server(public: PublicKey) -> DelegationSpec {
    let key = KeySpec { public, person: None, method: None };
    DelegationSpec {
        name: DELTAS_ROLE.to_owned(),
        keys: RoleSpec { keys: vec![key], threshold: 1 },
        paths: vec![format!("{DELTA_DIR}/*")],
    }
}

/// A delegation that is new or changed, as a signer must understand it.
#[must_use]
pub fn words(language: Language, now: &DelegationSpec) -> Vec<String> {
    let keys: Vec<_> = now.keys.keys.iter().map(|key| key.public.fingerprint()).collect();
    let facts = format!(
        "{}/{} [{}] {}",
        now.keys.threshold,
        now.keys.keys.len(),
        keys.join(", "),
        now.paths.join(" ")
    );
    let word = |en, ja| language.pick(en, ja);
    let known = now.keys.keys.first().is_some_and(|key| *now == to_server(key.public));
    let meaning = if known {
        word(
            "the server may list deltas; it cannot list images. What a delta makes is compared with the image that people signed",
            "サーバーは差分を掲載できますが、更新イメージは掲載できません。差分から作られた内容は、人が署名した更新イメージと照合されます",
        )
    } else {
        word(
            "NOT the delegation that `repo deltas` makes. It cannot list images; ask its author what it is for before you sign",
            "repo deltas が作る委任とは異なります。更新イメージは掲載できませんが、署名する前に作成者に目的を確認してください",
        )
    };
    vec![
        format!("    {}", meaning),
        format!("    {} {facts}", word("keys and files:", "鍵とファイル:")),
    ]
}

/// A delegation that is gone.
#[must_use]
pub fn gone(language: Language) -> String {
    let text = language.pick(
        "the server may list no deltas any more: devices take full images",
        "サーバーは今後差分を掲載できません。機器は更新イメージ全体を受け取ります",
    );
    format!("    {text}")
}

/// Before and after, in one line.
#[must_use]
pub fn change<T: Display + PartialEq>(name: &str, change: &Change<T>) -> String {
    match &change.from {
        Some(from) if *from != change.to => format!("{name}: {from} -> {}", change.to),
        Some(_) | None => format!("{name}: {}", change.to),
    }
}

/// Of a container: the image that stands on devices afterwards, which is what is approved.
fn image_in_it(language: Language, spec: &TargetSpec) -> Option<String> {
    let firmware = spec.custom.get("fw").and_then(|fw| Firmware::from_custom(fw).ok())?;
    let payload = firmware.payload;
    let table = payload.table_sha256?;
    let name = language.pick("image in it:", "収められた更新イメージ:");
    let (length, sha256) = (payload.image_length, payload.image_sha256);
    Some(format!("    {name} {length} bytes sha256 {sha256}, table_sha256 {table}"))
}

fn file_words(spec: &TargetSpec) -> String {
    let firmware = spec.custom.get("fw").map(Firmware::from_custom);
    let firmware = match firmware {
        Some(Ok(fw)) => {
            let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
            let (class, state) = (word(json!(fw.class)), word(json!(fw.state)));
            let severity = word(json!(fw.severity));
            format!(
                " [{} {} seq {} {class} {severity} {state} {}]",
                fw.family,
                fw.version,
                fw.seq,
                fw.cves.join(" ")
            )
        }
        Some(Err(error)) => format!(" [{error}]"),
        None => String::new(),
    };
    format!("{} bytes sha256 {}{firmware}", spec.length, spec.sha256)
}
