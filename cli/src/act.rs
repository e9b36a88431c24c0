//! Acts of people: sealed with the person's own key, kept as files, filed in the site's record.
//!
//! An act beside an approval is a file until the approval is published; a resume and a lift are
//! filed at once. Filing the same act again changes nothing. Not here: which act a verb asks for.
//! Invariant: an act carries printed name, role and reason, each given by the person who signs.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::key::OpenKey;
use crate::limits::KEY_FILE_BYTES_MAX;
use crate::login;
use crate::record::kept;
use crate::said::Said;
use crate::server::{Reach, Server, is_absent};
use patchward_protocol::act::{Act, CompensatingControl, Meaning, Subject};
use patchward_protocol::api::consent::{ActFiled, FileAct};
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::SiteId;
use patchward_protocol::record::witness::Seen;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Longest printed name, role or reason, in characters.
const WORDS_CHARS_MAX: usize = 400;

/// Who signs and why, as it stands in the act.
#[derive(Debug, Clone, clap::Args)]
pub struct Words {
    /// Printed name (approvals, resumes, lifted holds)
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Role in the hospital, e.g. 臨床工学技士
    #[arg(long, value_name = "TEXT")]
    pub role: Option<String>,
    /// Why, in own words
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// With which key.
#[derive(Debug, Clone, clap::Args)]
pub struct With {
    /// The key file to sign with
    #[arg(long, value_name = "NAME.key")]
    pub key: PathBuf,
    /// File whose first line is the passphrase (asked for when absent)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Zone in which the signer reads the hours
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
}

/// Words that were all given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Printed name.
    pub name: String,
    /// Role in the hospital.
    pub role: String,
    /// Why.
    pub reason: String,
}

/// What an act says besides who signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The site.
    pub site: SiteId,
    /// What it is about.
    pub subject: Subject,
    /// What the signature means.
    pub meaning: Meaning,
    /// Zone in which the person reads the hours.
    pub tz: String,
    /// What stands in for the patch meanwhile.
    pub compensating: Option<CompensatingControl>,
}

impl Words {
    /// The words, each there and not too long; everything that is missing is named at once.
    ///
    /// # Errors
    /// [`Code::ValueBad`].
    pub fn given(&self, what: &str) -> Outcome<Given> {
        let all = [("--name", &self.name), ("--role", &self.role), ("--reason", &self.reason)];
        let usable = |text: &str| (1..=WORDS_CHARS_MAX).contains(&text.trim().chars().count());
        let missing: Vec<_> = all
            .iter()
            .filter(|(_, text)| !text.as_deref().is_some_and(usable))
            .map(|(flag, _)| format!("{flag}: 1 to {WORDS_CHARS_MAX} characters"))
            .collect();
        if !missing.is_empty() {
            let what = format!("{what} is signed with printed name, role and reason");
            return Err(Failure::with_problems(Code::ValueBad, what, missing));
        }
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
        Ok(Given { name: text(&self.name), role: text(&self.role), reason: text(&self.reason) })
    }
}

/// Seals an act with an open key. It names the end of the site's record: as the server shows it now,
/// when it continues what this machine has seen; else as this machine last saw it.
///
/// # Errors
/// [`Code::ValueBad`] when it is too long; [`Code::RecordUntrusted`], [`Code::RecordRewritten`].
pub fn seal(
    here: &Here,
    key: &OpenKey,
    words: &Given,
    server: Option<&Server>,
    statement: Statement,
) -> Outcome<Envelope> {
    let seen = seen(here, server, &statement.site)?;
    let act = Act {
        v: 1,
        site: statement.site,
        subject: statement.subject,
        person: key.public.person.clone(),
        name: words.name.clone(),
        role: words.role.clone(),
        meaning: statement.meaning,
        reason: words.reason.clone(),
        at: here.at,
        tz: statement.tz,
        compensating: statement.compensating,
        log_size: seen.as_ref().map(|seen| seen.size),
        log_root: seen.as_ref().map(|seen| seen.root),
    };
    Envelope::seal(PayloadType::Act, &act, &key.secret)
        .map_err(|error| Failure::because(Code::ValueBad, "the act", &error))
}

/// The end of the site's record, for the act; nothing when nobody here has seen one.
fn seen(here: &Here, server: Option<&Server>, site: &SiteId) -> Outcome<Option<Seen>> {
    let before = kept::last(here, site)?.map(|kept| kept.seen);
    let Some(server) = server else { return Ok(before) };
    match kept::look(here, server, site) {
        Ok(seen) => Ok(Some(seen)),
        // A rewritten record is for people to look at; a server that shows none has none yet.
        Err(failure) if failure.code == Code::NotLoggedIn || is_absent(&failure) => Ok(before),
        Err(failure) => Err(failure),
    }
}

/// Writes an act to its file.
///
/// # Errors
/// Failures of writing.
pub fn write(path: &Path, act: &Envelope) -> Outcome<()> {
    let bytes =
        serde_json::to_vec_pretty(act).map_err(|error| Failure::new(Code::WriteFailed, error))?;
    if let Some(folder) = path.parent() {
        disk::make_folder(folder)?;
    }
    disk::write(path, &bytes, Readers::Everybody, Place::Replace)
}

/// Reads an act from its file; its signature is checked by the server, which knows the site's keys.
///
/// # Errors
/// [`Code::ActBad`] and failures of reading.
pub fn read(path: &Path) -> Outcome<(Envelope, Act)> {
    let bytes = disk::read(path, KEY_FILE_BYTES_MAX)?;
    let bad = |what: String| Failure::new(Code::ActBad, format!("{}: {what}", path.display()));
    let envelope: Envelope =
        serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    let act: Act = envelope.insecure_peek().map_err(|error| bad(crate::error::chain(&error)))?;
    Ok((envelope, act))
}

/// Files an act.
///
/// # Errors
/// Failures of reaching the server; what it refuses.
pub fn file_one(server: &Server, site: &SiteId, act: &Envelope) -> Outcome<ActFiled> {
    server.call::<FileAct>(&[site.as_str()], act)
}

/// The folder of acts beside a staged file.
#[must_use]
pub fn folder_beside(staged: &Path) -> PathBuf {
    staged.parent().unwrap_or_else(|| Path::new(".")).join("acts")
}

/// The acts in a folder, by name; none when there is no folder.
///
/// # Errors
/// [`Code::ActBad`] and failures of reading.
pub fn in_folder(folder: &Path) -> Outcome<Vec<(PathBuf, Envelope, Act)>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(disk::unreadable(folder, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| disk::unreadable(folder, &error))?.path();
        if path.to_string_lossy().ends_with(".act.json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read_one = |path: PathBuf| read(&path).map(|(envelope, act)| (path, envelope, act));
    paths.into_iter().map(read_one).collect()
}

/// `act file`: files acts that stand in files, each in the record of its own site.
///
/// # Errors
/// [`Code::ActBad`] before anything is filed; what the server refuses.
pub fn file(here: &Here, files: &[PathBuf], reach: &Reach) -> Outcome<Said> {
    let acts = files.iter().map(|path| read(path)).collect::<Outcome<Vec<_>>>()?;
    let server = login::connect(here, reach)?;
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for (path, (envelope, act)) in files.iter().zip(&acts) {
        let filed = file_one(&server, &act.site, envelope).map_err(|failure| Failure {
            detail: format!("{}: {}", path.display(), failure.detail),
            ..failure
        })?;
        lines.push(filed_line(here, act, filed.record_index));
        values.push(json!({"file": path, "record_index": filed.record_index}));
    }
    Ok(Said::new(json!({"filed": values})).lines(lines))
}

/// What was filed, in one line.
#[must_use]
pub fn filed_line(here: &Here, act: &Act, record_index: u64) -> String {
    let (en, ja) = act.meaning.words();
    let meaning = here.language.pick(en, ja);
    let (word, entry) = (
        here.language.pick("in the record:", "監査記録に保存しました:"),
        here.language.pick("entry", "記録番号"),
    );
    format!("{word} {} ({}) — {meaning}, {entry} {record_index}", act.name, act.person)
}
