//! What a draft changes, in words: the text that people read before they sign.
//!
//! Not here: whether it may be signed ([`crate::sign`]).
//! Invariant: every change of the draft has its line; nothing is summed up away.

use crate::base::Base;
use crate::draft::{Content, Draft, file_in};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::{approval_text, delegation, disk, repository};
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::tuf::build::{KeySpec, RootSpec, TargetSpec, TargetsSpec};
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::difference::{Change, RootDifference, TargetsDifference};
use patchward_protocol::tuf::lookup::APPROVAL_DIR;
use patchward_protocol::tuf::stage::{Standing, Status};
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::Path;

/// The draft and its changes, line by line.
#[must_use]
pub fn lines(here: &Here, draft: &Draft, base: &Base) -> Vec<String> {
    let word = |en, ja| here.language.pick(en, ja);
    let mut lines = vec![format!(
        "{} {} {} {}",
        draft.repository,
        draft.staged.role(),
        word("version", "版"),
        draft.staged.version()
    )];
    match &draft.content {
        Content::Targets(spec) => {
            let difference = TargetsDifference::between(base.targets.as_ref(), spec);
            lines.extend(targets(here.language, &difference, base.targets.as_ref(), spec));
        }
        Content::Root(spec) => {
            let difference = RootDifference::between(base.root_spec().as_ref(), spec);
            lines.extend(root(here.language, &draft.repository, &difference));
        }
    }
    lines
}

/// What is added or changed among the targets: what must be at hand and is hashed.
#[must_use]
pub fn new_files(draft: &Draft, base: &Base) -> Vec<(TargetPath, TargetSpec)> {
    let Some(spec) = draft.targets() else { return Vec::new() };
    let difference = TargetsDifference::between(base.targets.as_ref(), spec);
    let old = |path: &TargetPath| base.targets.as_ref().and_then(|old| old.targets.get(path));
    let changed = difference.changed.into_iter().map(|(path, change)| (path, change.to));
    difference
        .added
        .into_iter()
        .chain(changed)
        .filter(|(path, spec)| old(path).is_none_or(|old| !is_same_file(old, spec)))
        .collect()
}

/// The same bytes, of which the same is said: a file that carries another image now than before must
/// be looked at again, though not one byte of it changed.
fn is_same_file(old: &TargetSpec, new: &TargetSpec) -> bool {
    let payload = |spec: &TargetSpec| spec.custom.get("fw")?.get("payload").cloned();
    old.sha256 == new.sha256 && old.length == new.length && payload(old) == payload(new)
}

/// The approvals among the new files, read from the folder.
///
/// # Errors
/// Failures of reading; an approval that breaks a rule.
pub fn new_approvals(
    draft: &Draft,
    base: &Base,
    folder: &Path,
) -> Outcome<Vec<(Approval, Sha256Digest)>> {
    let new = new_files(draft, base).into_iter();
    let approvals = new.filter(|(path, _)| path.parts().0 == APPROVAL_DIR);
    approvals
        .map(|(path, spec)| {
            let bytes_max = u64::try_from(patchward_protocol::limits::APPROVAL_BYTES_MAX);
            let bytes = disk::read(&file_in(folder, &path), bytes_max.unwrap_or(u64::MAX))?;
            let approval = approval_text::read(&path, &bytes)?;
            belongs(draft, &path, &approval)?;
            Ok((approval, spec.sha256))
        })
        .collect()
}

/// The whole text of new approvals.
///
/// # Errors
/// As [`new_approvals`].
pub fn approvals(here: &Here, draft: &Draft, base: &Base, folder: &Path) -> Outcome<Vec<String>> {
    let new = new_approvals(draft, base, folder)?;
    let mut lines = Vec::new();
    for (approval, sha256) in &new {
        lines.extend(approval_text::lines(here.language, approval, *sha256));
        let Some(release) = &approval.release else { continue };
        let id = RepositoryId::Family(release.family.clone());
        let known = repository::root(here, &id)?.is_some();
        let family = if known { repository::stored(here, &id)? } else { None };
        lines.extend(approval_text::release_lines(here.language, release, family.as_ref()));
    }
    Ok(lines)
}

/// An approval stands under its own name in the repository of its own site.
fn belongs(draft: &Draft, path: &TargetPath, approval: &Approval) -> Outcome<()> {
    let site = RepositoryId::Site(approval.site.clone());
    let name = format!("{APPROVAL_DIR}/{}.json", approval.id);
    if site == draft.repository && name == path.as_str() {
        return Ok(());
    }
    let what = format!("{path}: holds {} of {site}", approval.id);
    Err(Failure::new(Code::ApprovalRefused, what))
}

/// What is signed: the digest of the canonical bytes and its fingerprint.
#[must_use]
pub fn what_is_signed(language: Language, draft: &Draft) -> Vec<String> {
    let sha256 = draft.staged.message_sha256();
    vec![
        format!("{} {sha256}", language.pick("signed bytes, SHA-256:", "署名対象 SHA-256:")),
        format!("{} {}", language.pick("fingerprint:", "照合コード:"), sha256.fingerprint()),
    ]
}

/// Who signed and who is missing.
#[must_use]
pub fn status(language: Language, statuses: &[Status]) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = Vec::new();
    for status in statuses {
        let under = match status.standing {
            Standing::Published => word("keys that sign it", "署名者の鍵"),
            Standing::Own => word("keys of this root itself", "このルート自身の鍵"),
        };
        let mark = if status.is_met() {
            word("complete", "充足")
        } else {
            word("NOT complete", "不足")
        };
        lines.push(format!(
            "{under}: {} / {} {} ({mark})",
            status.signers.count(),
            status.threshold,
            word("signatures", "署名")
        ));
        for key in status.signers.keys() {
            lines.push(format!("  + {}", key_words(key.person.as_ref(), key.public())));
        }
        for key in &status.missing {
            lines.push(format!("  - {}", key_words(key.person.as_ref(), key.public())));
        }
    }
    lines
}

/// The same for machines.
#[must_use]
pub fn status_value(statuses: &[Status]) -> Value {
    let key = |key: &patchward_protocol::tuf::schema::RoleKey| {
        let fingerprint = key.public().map(|key| key.fingerprint());
        json!({"person": key.person, "method": key.method, "fingerprint": fingerprint})
    };
    let one = |status: &Status| {
        json!({
            "own": status.standing == Standing::Own,
            "threshold": status.threshold,
            "signed": status.signers.keys().iter().map(key).collect::<Vec<_>>(),
            "missing": status.missing.iter().map(key).collect::<Vec<_>>(),
            "complete": status.is_met(),
        })
    };
    Value::Array(statuses.iter().map(one).collect())
}

fn key_words(
    person: Option<&patchward_protocol::id::PersonId>,
    key: Option<patchward_protocol::key::PublicKey>,
) -> String {
    let person = person.map_or("?", |person| person.as_str());
    format!("{person} ({})", key.map(|key| key.fingerprint()).unwrap_or_default())
}

fn targets(
    language: Language,
    difference: &TargetsDifference,
    published: Option<&TargetsSpec>,
    spec: &TargetsSpec,
) -> Vec<String> {
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

/// The roles that a draft delegates to.
#[must_use]
pub fn delegation_names(draft: &Draft) -> Vec<&str> {
    let delegations = draft.targets().map_or(&[][..], |spec| &spec.delegations);
    delegations.iter().map(|delegation| delegation.name.as_str()).collect()
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
        lines.extend(named(spec, role).iter().flat_map(|now| delegation::words(language, now)));
        for key in before.iter().flat_map(|before| &before.keys.keys) {
            let word = word("key before:", "変更前の鍵:");
            lines.push(format!("    {word} {}", key.public.fingerprint()));
        }
    }
    for role in &difference.delegations_removed {
        lines.push(format!("- {} {role}", word("delegated role removed:", "委任ロールの削除:")));
        lines.push(delegation::gone(language));
    }
    lines
}

fn root(language: Language, id: &RepositoryId, difference: &RootDifference) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = vec![change(word("expires", "有効期限"), &difference.expires)];
    for role in &difference.roles {
        let name = role.role.role();
        lines.push(change(&format!("{name} {}", word("threshold", "必要署名数")), &role.threshold));
        let key = |sign: &str, key: &KeySpec| {
            let method = key.method.map(|method| json!(method)).unwrap_or_default();
            let words = key_words(key.person.as_ref(), Some(key.public));
            format!("  {sign} {name} {words} {}", method.as_str().unwrap_or_default())
        };
        lines.extend(role.added.iter().map(|spec| key("+", spec)));
        lines.extend(role.removed.iter().map(|spec| key("-", spec)));
    }
    let method = |method| json!(method).as_str().unwrap_or_default().to_owned();
    let weakest =
        Change { from: difference.weakest.from.map(method), to: method(difference.weakest.to) };
    if matches!(id, RepositoryId::Site(_)) {
        lines.push(change(word("weakest way to sign approvals", "承認署名の最弱方式"), &weakest));
    }
    let time = |sign: &str, key: &patchward_protocol::key::PublicKey| {
        format!("  {sign} {} {}", word("time key", "時刻の鍵"), key.fingerprint())
    };
    lines.extend(difference.time_keys_added.iter().map(|key| time("+", key)));
    lines.extend(difference.time_keys_removed.iter().map(|key| time("-", key)));
    lines
}

fn change<T: Display + PartialEq>(name: &str, change: &Change<T>) -> String {
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

/// The published root in plain values, where a caller has only bytes.
#[must_use]
pub fn root_words(language: Language, spec: &RootSpec) -> Vec<String> {
    root(language, &spec.repository, &RootDifference::between(None, spec))
}

/// What a root changes, line by line.
#[must_use]
pub fn root_difference(
    language: Language,
    id: &RepositoryId,
    difference: &RootDifference,
) -> Vec<String> {
    root(language, id, difference)
}
