//! `stage show|status|merge|upload|publish`: a draft on its way through several hands to the server.
//!
//! Not here: signing ([`crate::sign`]). Invariant: nothing is published that is not complete under
//! the keys that count, and what the server then serves is verified to be the very same content.

use crate::base::{Against, Base};
use crate::carried::Opened;
use crate::disk::{self, Place, Readers};
use crate::draft::{Content, Draft, file_in, hash_at_hand, look_at_hand};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::Here;
use crate::memory::Memory;
use crate::repository;
use crate::said::Said;
use crate::server::Server;
use crate::{act, approvals, login, rules, second_look, show, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::act::{Act, Subject};
use patchward_protocol::api::repository::{Publish, PublishRequest};
use patchward_protocol::draft::need::{self, Need};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::tuf::schema::{Method, Root};
use patchward_protocol::tuf::stage::{StageError, Status};
use patchward_protocol::tuf::trusted_set::TrustedSet;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `stage show`: what a draft changes; with a key also what that key once signed away.
///
/// # Errors
/// Failures of reading and comparing; files at hand that are not the listed ones.
pub fn show(
    here: &Here,
    file: &Path,
    files: Option<&Path>,
    key: Option<&Path>,
    against: &Against,
) -> Outcome<Said> {
    let opened = Opened::of(file)?;
    let against = &against_of(here, opened.as_ref(), against)?;
    let draft = Draft::read(opened.as_ref().map_or(file, |opened| opened.stage.as_path()))?;
    let base = Base::of(here, &draft, against)?;
    let folder = files.map_or_else(|| draft.files_beside(), Path::to_path_buf);
    let new = show::new_files(&draft, &base);
    let at_hand = look_at_hand(here, &folder, &new)?;
    let mut approvals = show::new_approvals(here, &draft, &base, &folder)?;
    let beside = draft.path.parent().unwrap_or_else(|| Path::new("."));
    second_look::add_reexposed(here, &mut approvals, beside)?;
    let mut text = show::lines(here, &draft, &base, &approvals);
    let mut readded = Vec::new();
    if let Some(key) = key {
        let remarks = Memory::beside(key)?.check(&draft, base.version(&draft))?;
        readded.extend(remarks.readded.iter().map(ToString::to_string));
        let word = here.language.pick("! COMES BACK:", "! 復活:");
        text.extend(readded.iter().map(|path| format!("{word} {path}")));
    }
    let shown = opened.map_or(Ok(Vec::new()), |opened| opened.differences(&draft, &base))?;
    if !shown.is_empty() {
        text.push(format!(
            "! {}",
            here.language.pick(Code::StatementDiffers.en(), Code::StatementDiffers.ja())
        ));
        text.extend(shown.iter().cloned());
    }
    let rule = rules::check(here, &draft, &base).err();
    text.extend(
        rule.iter().map(|failure| format!("! {}: {}", failure.code.code(), failure.detail)),
    );
    text.extend(sign::at_hand_words(here.language, at_hand));
    Ok(Said::new(json!({
        "repository": draft.repository, "role": draft.staged.role().name(),
        "version": draft.staged.version(), "published": base.version(&draft),
        "signed_sha256": draft.staged.message_sha256(),
        "fingerprint": draft.staged.message_sha256().fingerprint(),
        "new_files": new.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "delegations": show::delegation_names(&draft),
        "hashed": at_hand.hashed, "unpacked": at_hand.unpacked, "readded": readded, "shown_otherwise": shown, "rule_broken": rule.map(|failure| failure.detail),
    }))
    .lines(text))
}

/// `stage status`: who signed and who is missing.
///
/// # Errors
/// Failures of reading and comparing.
pub fn status(here: &Here, file: &Path, against: &Against) -> Outcome<Said> {
    let opened = Opened::of(file)?;
    let against = &against_of(here, opened.as_ref(), against)?;
    let draft = Draft::read(opened.as_ref().map_or(file, |opened| opened.stage.as_path()))?;
    let base = Base::of(here, &draft, against)?;
    let statuses = statuses(&draft, &base)?;
    let needs = needs(here, &draft, &base, &statuses, &draft.files_beside())?;
    let complete = statuses.iter().all(Status::is_met) && needs.iter().all(Need::is_met);
    Ok(Said::new(json!({
        "version": draft.staged.version(), "complete": complete,
        "status": show::status_value(&statuses),
        "approvals": needs.iter().map(Need::value).collect::<Vec<_>>(),
    }))
    .lines(show::what_is_signed(here.language, &draft))
    .lines(show::status(here.language, &statuses))
    .lines(needs.iter().map(|need| need.line(here.language))))
}

fn against_of(here: &Here, opened: Option<&Opened>, against: &Against) -> Outcome<Against> {
    opened.map_or_else(|| Ok(against.clone()), |opened| opened.against(here, against))
}

/// What the new approvals of a draft need of persons and methods, as far as their files are at hand.
fn needs(
    here: &Here,
    draft: &Draft,
    base: &Base,
    statuses: &[Status],
    folder: &Path,
) -> Outcome<Vec<Need>> {
    let approvals = match show::new_approvals(here, draft, base, folder) {
        Ok(approvals) => approvals,
        Err(failure) if failure.code == Code::FileMissing => return Ok(Vec::new()),
        Err(failure) => return Err(failure),
    };
    let beside = draft.path.parent().unwrap_or_else(|| Path::new("."));
    let policy = approvals::carried(beside)?.map(|(inventory, _)| inventory.policy);
    let weakest = base.root_spec().and_then(|root| root.weakest).unwrap_or(Method::Offline);
    let signers = statuses.first().map(|status| &status.signers);
    let approvals = approvals.iter().map(|stated| &stated.approval);
    let needs = signers.map(|signers| need::needs(approvals, policy.as_ref(), signers, weakest));
    Ok(needs.unwrap_or_default())
}

/// `stage merge`: takes the valid signatures of other copies into the first file.
///
/// # Errors
/// [`Code::StageDiffers`], failures of reading and writing.
pub fn merge(here: &Here, into: &Path, from: &[PathBuf], against: &Against) -> Outcome<Said> {
    let mut draft = Draft::read(into)?;
    let base = Base::of(here, &draft, against)?;
    let asked = base.asked(&draft)?;
    let mut added = 0;
    for path in from {
        let other = Draft::read(path)?;
        if other.repository != draft.repository {
            let what = format!("{}: of {}", path.display(), other.repository);
            return Err(Failure::new(Code::StageDiffers, what));
        }
        added += draft.staged.merge(&other.staged, &asked).map_err(|error| match error {
            StageError::OtherContent { .. } => {
                Failure::because(Code::StageDiffers, path.display(), &error)
            }
            StageError::NotASigner(..) | StageError::Sign(..) | StageError::Tuf(_) => {
                Failure::because(Code::StageUnreadable, path.display(), &error)
            }
        })?;
        merge_acts(&draft, path)?;
    }
    draft.save()?;
    let statuses = statuses(&draft, &base)?;
    let word = here.language.pick("new signatures:", "新しい署名:");
    Ok(Said::new(json!({"added": added, "status": show::status_value(&statuses)}))
        .line(format!("{word} {added}"))
        .lines(show::status(here.language, &statuses)))
}

/// `stage upload`: brings the new files to the server and publishes nothing, so that somebody else may.
///
/// # Errors
/// Failures of reading and comparing; files that are missing or not the listed ones; failures of the
/// server.
pub fn upload(here: &Here, file: &Path, folder: Option<&Path>, against: &Against) -> Outcome<Said> {
    let server = login::connect(here, &against.reach)?;
    let draft = Draft::read(file)?;
    let base = Base::of(here, &draft, against)?;
    rules::check(here, &draft, &base)?;
    let uploaded = upload_new(here, &server, &draft, (&base, folder))?;
    let id = &draft.repository;
    Ok(Said::new(json!({"repository": id, "uploaded": uploaded})).line(format!(
        "{} {id}: {uploaded} {}",
        here.language.pick("uploaded, not published:", "送信しました(未公開):"),
        here.language.pick("new files", "件の新しいファイル")
    )))
}

/// `stage publish`: uploads the new files, publishes, and verifies what the server serves then.
///
/// # Errors
/// [`Code::SignaturesMissing`] and every other reason not to publish.
pub fn publish(
    here: &Here,
    files: &[PathBuf],
    folder: Option<&Path>,
    against: &Against,
) -> Outcome<Said> {
    let server = login::connect(here, &against.reach)?;
    let drafts = files.iter().map(|path| Draft::read(path)).collect::<Outcome<Vec<_>>>()?;
    let (root, targets) = sorted(&drafts)?;
    let first_root = root.map(|root| root.path.clone());
    let against = &Against { root: against.root.clone().or(first_root), ..against.clone() };
    let id = &drafts.first().map(|draft| draft.repository.clone());
    let id = id.as_ref().ok_or_else(|| Failure::new(Code::Usage, "name the staged files"))?;
    let new_root = root.map(typed_root).transpose()?;
    for draft in &drafts {
        let mut base = Base::of(here, draft, against)?;
        rules::check(here, draft, &base)?;
        if let (Content::Targets(_), Some(root)) = (&draft.content, &new_root) {
            base.root = Some(root.clone());
        }
        complete(here, draft, &base, folder)?;
        rules::check_publishable(here, draft, &base, new_root.as_ref())?;
    }
    let uploaded = match targets {
        Some(draft) => {
            upload_new(here, &server, draft, (&Base::of(here, draft, against)?, folder))?
        }
        None => 0,
    };
    let bytes = |draft: &Draft| STANDARD.encode(draft.staged.to_bytes());
    let request = PublishRequest { root: root.map(bytes), targets: targets.map(bytes) };
    let (kind, name) = id.parts();
    let view = server.call::<Publish>(&[kind, name], &request)?;
    if let Some(root) = root.filter(|root| root.staged.version() == 1) {
        repository::pin(here, id, root.staged.to_bytes())?;
    }
    let set = repository::refresh(here, &server, id)?;
    served(&set, root, targets)?;
    let filed = targets.map_or(Ok(Vec::new()), |draft| file_acts(here, &server, draft))?;
    Ok(Said::new(json!({
        "repository": id, "uploaded": uploaded, "heads": view.heads, "acts": filed.len(),
    }))
    .line(format!(
        "{} {id}: {uploaded} {}",
        here.language.pick("published", "公開しました:"),
        here.language.pick("new files", "件の新しいファイル")
    ))
    .lines(view.heads.iter().map(|head| {
        format!("  {} v{} sha256 {} until {}", head.role, head.version, head.sha256, head.expires)
    }))
    .lines(filed))
}

/// Uploads the files that a draft lists anew, after each was found to be the listed one.
fn upload_new(
    here: &Here,
    server: &Server,
    draft: &Draft,
    (base, folder): (&Base, Option<&Path>),
) -> Outcome<usize> {
    let folder = folder.map_or_else(|| draft.files_beside(), Path::to_path_buf);
    let new = show::new_files(draft, base);
    hash_at_hand(here, &folder, &new)?;
    for (path, spec) in &new {
        here.tell(&format!("{} {path}", here.language.pick("uploading", "送信中:")));
        server.upload(here, &draft.repository, spec.sha256, &file_in(&folder, path))?;
    }
    Ok(new.len())
}

/// Files the acts beside a site's draft that stand on this very content: who approved, and why.
fn file_acts(here: &Here, server: &Server, draft: &Draft) -> Outcome<Vec<String>> {
    let RepositoryId::Site(site) = &draft.repository else { return Ok(Vec::new()) };
    let signed = draft.staged.message_sha256();
    let on_this = |act: &Act| {
        let Subject::Approval { targets_sha256, .. } = &act.subject else { return false };
        act.site == *site && *targets_sha256 == signed
    };
    let (mut filed, mut problems) = (Vec::new(), Vec::new());
    for (path, envelope, act) in act::in_folder(&act::folder_beside(&draft.path))? {
        if !on_this(&act) {
            continue;
        }
        match act::file_one(server, site, &envelope) {
            Ok(entry) => filed.push(act::filed_line(here, &act, entry.record_index)),
            Err(failure) => problems.push(format!("{}: {failure}", path.display())),
        }
    }
    if problems.is_empty() {
        return Ok(filed);
    }
    let what = format!("{site}: published version {}", draft.staged.version());
    Err(Failure::with_problems(Code::ActsNotFiled, what, problems))
}

/// Takes the acts of another copy along, so that they are filed together.
fn merge_acts(into: &Draft, from: &Path) -> Outcome<()> {
    let folder = act::folder_beside(&into.path);
    if act::folder_beside(from) == folder {
        return Ok(());
    }
    for (path, envelope, act) in act::in_folder(&act::folder_beside(from))? {
        let Subject::Approval { targets_sha256, .. } = &act.subject else { continue };
        let name = path.file_name().filter(|_| *targets_sha256 == into.staged.message_sha256());
        let to = name.map(|name| folder.join(name)).filter(|to| !to.exists());
        to.map_or(Ok(()), |to| act::write(&to, &envelope))?;
    }
    Ok(())
}

/// `repo fetch`: what is published, verified, as files that an offline machine can take along.
///
/// # Errors
/// As [`repository::refresh`], and failures of writing.
pub fn take_along(server: &Server, here: &Here, id: &RepositoryId, out: &Path) -> Outcome<Said> {
    let set = repository::refresh(here, server, id)?;
    disk::make_folder(out)?;
    let mut names = Vec::new();
    let root = (format!("{}.root.json", set.root().signed.version), set.root().raw());
    let targets = set
        .targets()
        .map(|targets| (format!("{}.targets.json", targets.signed.version), targets.raw()));
    for (name, bytes) in std::iter::once(root).chain(targets) {
        let path = out.join(name);
        disk::write(&path, bytes, Readers::Everybody, Place::Replace)?;
        names.push(path);
    }
    Ok(Said::new(json!({"files": names}))
        .lines(names.iter().map(|path| path.display().to_string())))
}

fn statuses(draft: &Draft, base: &Base) -> Outcome<Vec<Status>> {
    draft.staged.status(&base.asked(draft)?).map_err(|error| {
        let what = format!("{}: {}", draft.path.display(), chain(&error));
        Failure::new(Code::StageUnreadable, what)
    })
}

fn complete(here: &Here, draft: &Draft, base: &Base, folder: Option<&Path>) -> Outcome<()> {
    let statuses = statuses(draft, base)?;
    let folder = folder.map_or_else(|| draft.files_beside(), Path::to_path_buf);
    let needs = needs(here, draft, base, &statuses, &folder)?;
    if statuses.iter().all(Status::is_met) && needs.iter().all(Need::is_met) {
        return Ok(());
    }
    let what = draft.path.display().to_string();
    let mut lines = show::status(here.language, &statuses);
    lines.extend(needs.iter().map(|need| need.line(here.language)));
    Err(Failure::with_problems(Code::SignaturesMissing, what, lines))
}

/// At most one root and one targets of one repository.
fn sorted(drafts: &[Draft]) -> Outcome<(Option<&Draft>, Option<&Draft>)> {
    let roots: Vec<_> =
        drafts.iter().filter(|draft| matches!(draft.content, Content::Root(_))).collect();
    let targets: Vec<_> =
        drafts.iter().filter(|draft| matches!(draft.content, Content::Targets(_))).collect();
    let one = drafts.windows(2).all(|pair| match pair {
        [a, b] => a.repository == b.repository,
        _ => true,
    });
    if roots.len() > 1 || targets.len() > 1 || !one {
        let what = "at most one root and one targets file of one repository are published at once";
        return Err(Failure::new(Code::Usage, what));
    }
    Ok((roots.first().copied(), targets.first().copied()))
}

fn typed_root(draft: &Draft) -> Outcome<Root> {
    let root = draft.staged.typed::<Root>();
    root.map(|document| document.signed)
        .map_err(|error| repository::untrusted(&draft.repository, &error))
}

/// What the server serves now must be what was handed in.
fn served(set: &TrustedSet, root: Option<&Draft>, targets: Option<&Draft>) -> Outcome<()> {
    let same_root = root.is_none_or(|draft| draft.staged.message() == set.root().message());
    let same_targets = targets.is_none_or(|draft| {
        set.targets().is_some_and(|served| served.message() == draft.staged.message())
    });
    if same_root && same_targets {
        return Ok(());
    }
    let what = "the server took the files and now serves others";
    Err(Failure::new(Code::MetadataUntrusted, what))
}
