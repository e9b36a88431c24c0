//! A site's draft from a console, as one file: opened into a folder for as long as a verb looks at it,
//! and written again with the signatures that came.
//!
//! Its text is made again here, from the bytes; where the console showed something else, nothing is signed.
//! Not here: what is shown and asked ([`crate::show`], [`crate::sign`]).
//! Invariant: the folder is gone afterwards, whatever happened.

use crate::act;
use crate::base::{Against, Base};
use crate::disk::{self, Place, Readers};
use crate::draft::{Draft, file_in};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::Here;
use crate::login;
use crate::said::Said;
use crate::{approvals, server::Reach};
use patchward_protocol::api::draft::{ReadDraft, SignDraft};
use patchward_protocol::draft::carried::{BadCarried, CarriedDraft, SUFFIX, encode};
use patchward_protocol::id::SiteId;
use patchward_protocol::limits::CARRIED_DRAFT_BYTES_MAX;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A carried draft, opened.
#[derive(Debug)]
pub struct Opened {
    /// The staged file in the folder.
    pub stage: PathBuf,
    /// The file itself.
    file: PathBuf,
    folder: PathBuf,
    carried: CarriedDraft,
}

impl Drop for Opened {
    fn drop(&mut self) {
        // It holds copies alone; what is kept is in the file.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Opened {
    /// Opens a file, if its name says that it is a carried draft.
    ///
    /// # Errors
    /// [`Code::StageUnreadable`] and failures of reading and writing.
    pub fn of(file: &Path) -> Outcome<Option<Self>> {
        if !file.to_string_lossy().ends_with(SUFFIX) {
            return Ok(None);
        }
        let carried = read(file)?;
        let bad = |error: BadCarried| unreadable(file, &error);
        let bytes = carried.stage_bytes().map_err(bad)?;
        let staged = Staged::read(Role::Targets, &bytes)
            .map_err(|error| Failure::because(Code::StageUnreadable, file.display(), &error))?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!(".{}.{}.open", name.unwrap_or_default(), std::process::id());
        let folder = file.with_file_name(name);
        let stage = folder.join(Draft::file_name(&staged));
        let opened = Self { stage, file: file.to_path_buf(), folder, carried };
        opened.unpack(&bytes)?;
        Ok(Some(opened))
    }

    fn unpack(&self, stage: &[u8]) -> Outcome<()> {
        let bad = |error: BadCarried| unreadable(&self.file, &error);
        let write = |path: &Path, bytes: &[u8]| {
            if let Some(folder) = path.parent() {
                disk::make_folder(folder)?;
            }
            disk::write(path, bytes, Readers::Everybody, Place::Replace)
        };
        write(&self.stage, stage)?;
        for (target, bytes) in self.carried.approval_bytes().map_err(bad)? {
            write(&file_in(&self.folder.join("targets"), &target), &bytes)?;
        }
        if let Some(base) = self.carried.base_bytes().map_err(bad)? {
            write(&self.base_path(), &base)?;
        }
        if let Some(inventory) = &self.carried.inventory {
            let value = |value| serde_json::to_vec(&value).unwrap_or_default();
            write(&self.folder.join(approvals::INVENTORY_FILE), &value(json!(inventory)))?;
            write(&self.folder.join(approvals::DEVICES_FILE), &value(json!(self.carried.devices)))?;
        }
        for (n, envelope) in self.carried.acts.iter().enumerate() {
            act::write(&self.folder.join("acts").join(format!("came-{n:03}.act.json")), envelope)?;
        }
        Ok(())
    }

    fn base_path(&self) -> PathBuf {
        self.folder.join("published.targets.json")
    }

    /// What it is compared with: as asked; without network, the published targets that it carries, which
    /// count only when they verify under the root that is trusted here.
    ///
    /// # Errors
    /// Failures of reaching the server.
    pub fn against(&self, here: &Here, against: &Against) -> Outcome<Against> {
        let unsaid = against.against.is_none() && self.carried.base.is_some();
        if unsaid && login::connect_if_named(here, &against.reach)?.is_none() {
            let base = self.base_path().display().to_string();
            return Ok(Against { against: Some(base), ..against.clone() });
        }
        Ok(against.clone())
    }

    /// Where the console showed something else than what is signed, in both languages.
    ///
    /// # Errors
    /// [`Code::StageUnreadable`].
    pub fn differences(&self, draft: &Draft, base: &Base) -> Outcome<Vec<String>> {
        let Some(targets) = draft.targets() else { return Ok(Vec::new()) };
        let (published, sha256) = (base.targets.as_ref(), draft.staged.message_sha256());
        let found = self.carried.differences(&draft.repository, published, targets, sha256);
        found.map_err(|error| unreadable(&self.file, &error))
    }

    /// Writes the file again, with the signatures and acts that are in the folder now.
    ///
    /// # Errors
    /// Failures of reading and writing.
    pub fn close(mut self) -> Outcome<()> {
        let bytes = disk::read(&self.stage, crate::limits::STAGE_BYTES_MAX)?;
        self.carried.stage = encode(&bytes);
        let acts = act::in_folder(&act::folder_beside(&self.stage))?;
        for (_, envelope, _) in acts {
            if !self.carried.acts.contains(&envelope) {
                self.carried.acts.push(envelope);
            }
        }
        write(&self.file, &self.carried, Place::Replace)
    }
}

/// `stage fetch`: the open draft of a site, from the server.
///
/// # Errors
/// [`Code::FileExists`], failures of reaching the server and of writing.
pub fn fetch(here: &Here, site: &SiteId, out: Option<&Path>, reach: &Reach) -> Outcome<Said> {
    let server = login::connect(here, reach)?;
    let carried = server.call::<ReadDraft>(&[site.as_str()], &())?;
    let bytes = carried.stage_bytes().map_err(|error| unreadable(Path::new("draft"), &error))?;
    let staged = Staged::read(Role::Targets, &bytes)
        .map_err(|error| Failure::because(Code::StageUnreadable, site, &error))?;
    let name = format!("{site}-v{}{SUFFIX}", staged.version());
    let path = out.map_or_else(|| PathBuf::from(name), Path::to_path_buf);
    if !path.to_string_lossy().ends_with(SUFFIX) {
        let what = format!("{}: the name must end in {SUFFIX}", path.display());
        return Err(Failure::new(Code::ValueBad, what));
    }
    write(&path, &carried, Place::New)?;
    let word = here.language.pick("to be signed:", "署名待ち:");
    let sha256 = staged.message_sha256();
    Ok(Said::new(json!({
        "file": path, "version": staged.version(), "signed_sha256": sha256,
        "fingerprint": sha256.fingerprint(),
    }))
    .line(format!("{word} {}", path.display())))
}

/// `stage submit`: hands signatures in; the last one publishes.
///
/// # Errors
/// What the server refuses.
pub fn submit(here: &Here, site: &SiteId, file: &Path, reach: &Reach) -> Outcome<Said> {
    let carried = read(file)?;
    let server = login::connect(here, reach)?;
    let reply = server.call::<SignDraft>(&[site.as_str()], &carried)?;
    let line = match reply.published {
        Some(version) => {
            format!("{} {version}", here.language.pick("published as version", "公開しました: 版"))
        }
        None => here
            .language
            .pick("stored; more must sign", "保存しました。さらに署名が必要です")
            .to_owned(),
    };
    Ok(Said::new(json!({"published": reply.published})).line(line))
}

fn read(file: &Path) -> Outcome<CarriedDraft> {
    let bytes_max = u64::try_from(CARRIED_DRAFT_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = disk::read(file, bytes_max)?;
    CarriedDraft::read(&bytes).map_err(|error| unreadable(file, &error))
}

fn write(file: &Path, carried: &CarriedDraft, place: Place) -> Outcome<()> {
    let bytes = carried.write().map_err(|error| unreadable(file, &error))?;
    disk::write(file, &bytes, Readers::Everybody, place)
}

fn unreadable(file: &Path, error: &BadCarried) -> Failure {
    Failure::new(Code::StageUnreadable, format!("{}: {}", file.display(), chain(error)))
}
