//! What a draft changes, in words: the text that people read before they sign.
//!
//! Not here: whether it may be signed ([`crate::sign`]).
//! Invariant: every change of the draft has its line; nothing is summed up away.

use crate::base::Base;
use crate::draft::{Content, Draft, file_in};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::{approval_text, disk, repository};
use patchward_protocol::draft::changes::{self, change};
use patchward_protocol::draft::statement::{self, BadStatement, Stated, Statement};
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::tuf::build::{KeySpec, RootSpec, TargetSpec};
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::difference::{Change, RootDifference};
use patchward_protocol::tuf::stage::{Standing, Status};
use serde_json::{Value, json};
use std::path::Path;

/// The draft and its changes, line by line, and the digest of what is signed. For a site's targets it
/// is the protocol's statement, word for word what a console shows.
#[must_use]
pub fn lines(here: &Here, draft: &Draft, base: &Base, approvals: &[Stated]) -> Vec<String> {
    let language = here.language;
    let (repository, sha256) = (&draft.repository, draft.staged.message_sha256());
    let mut lines = match &draft.content {
        Content::Targets(targets) => {
            let published = base.targets.as_ref();
            let signed_sha256 = sha256;
            return Statement { repository, targets, published, approvals, signed_sha256 }
                .lines(language);
        }
        Content::Root(spec) => {
            let difference = RootDifference::between(base.root_spec().as_ref(), spec);
            root(language, repository, &difference)
        }
    };
    let version = language.pick("version", "版");
    let (role, number) = (draft.staged.role(), draft.staged.version());
    lines.insert(0, format!("{repository} {role} {version} {number}"));
    lines.extend(statement::signed(language, sha256));
    lines
}

/// What is added or changed among the targets: what must be at hand and is hashed.
#[must_use]
pub fn new_files(draft: &Draft, base: &Base) -> Vec<(TargetPath, TargetSpec)> {
    let Some(spec) = draft.targets() else { return Vec::new() };
    changes::new_files(base.targets.as_ref(), spec)
}

/// The approvals among the new files, read from the folder, with what this machine has verified of
/// their releases.
///
/// # Errors
/// Failures of reading; an approval that breaks a rule, or is another than the listed one.
pub fn new_approvals(
    here: &Here,
    draft: &Draft,
    base: &Base,
    folder: &Path,
) -> Outcome<Vec<Stated>> {
    let Some(spec) = draft.targets() else { return Ok(Vec::new()) };
    let new = changes::new_approvals(base.targets.as_ref(), spec).into_iter();
    new.map(|(path, listed)| {
        let bytes_max = u64::try_from(patchward_protocol::limits::APPROVAL_BYTES_MAX);
        let bytes = disk::read(&file_in(folder, &path), bytes_max.unwrap_or(u64::MAX))?;
        let stated = Stated::read(&draft.repository, &path, listed.sha256, &bytes);
        let mut stated = stated.map_err(|error| match error {
            BadStatement::OtherBytes(_) => Failure::new(Code::TargetDiffers, error),
            BadStatement::Approval { path, source } => {
                Failure::because(Code::ApprovalRefused, path, &source)
            }
            BadStatement::Misplaced { .. } => Failure::new(Code::ApprovalRefused, error),
        })?;
        stated.release = release(here, &stated)?;
        Ok(stated)
    })
    .collect()
}

/// What the manufacturer says of the release, as last verified on this machine.
fn release(here: &Here, stated: &Stated) -> Outcome<Option<Firmware>> {
    let Some(release) = &stated.approval.release else { return Ok(None) };
    let id = RepositoryId::Family(release.family.clone());
    if repository::root(here, &id)?.is_none() {
        return Ok(None);
    }
    let family = repository::stored(here, &id)?;
    Ok(approval_text::firmware(release, family.as_ref()))
}

/// What is signed: the digest of the canonical bytes and its fingerprint.
#[must_use]
pub fn what_is_signed(language: Language, draft: &Draft) -> Vec<String> {
    statement::signed(language, draft.staged.message_sha256())
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

/// The roles that a draft delegates to.
#[must_use]
pub fn delegation_names(draft: &Draft) -> Vec<&str> {
    let delegations = draft.targets().map_or(&[][..], |spec| &spec.delegations);
    delegations.iter().map(|delegation| delegation.name.as_str()).collect()
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
