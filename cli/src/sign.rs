//! `stage sign`: one person's signature on a draft, after everything was compared and shown.
//!
//! Order: next version of what is published, rules, files hashed here, memory, shown, confirmed,
//! remembered on disk, signed. For approvals a human act is sealed with the same key and written
//! beside the draft. Not here: what is shown ([`crate::show`]).
//! Invariant: a key signs at most one content per version.

use crate::base::{Against, Base};
use crate::disk::{self, Place, Readers};
use crate::draft::{Draft, hash_at_hand};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::{Here, Language};
use crate::key::{self, OpenKey};
use crate::memory::Memory;
use crate::said::Said;
use crate::{rules, show};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::approval::{Action, Approval, ApprovalState, Urgency};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::tuf::memory::Remarks;
use patchward_protocol::tuf::stage::StageError;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Longest printed name, role or reason, in characters.
const WORDS_CHARS_MAX: usize = 400;

/// Arguments of `stage sign`.
#[derive(Debug, clap::Args)]
pub struct Sign {
    /// The staged file
    pub file: PathBuf,
    /// The key file to sign with
    #[arg(long, value_name = "NAME.key")]
    pub key: PathBuf,
    /// File whose first line is the passphrase (asked for when absent)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// The version to sign, for scripts: must be the draft's (asked for when absent)
    #[arg(long, value_name = "N")]
    pub yes_version: Option<u64>,
    /// Accept entries that were removed or withdrawn once and come back
    #[arg(long)]
    pub accept_readded: bool,
    /// Folder with the listed files (default: `targets` beside the staged file)
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// Who signs and why, for approvals
    #[command(flatten)]
    pub words: Words,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// What stands in the human act beside an approval's signature.
#[derive(Debug, Clone, clap::Args)]
pub struct Words {
    /// Printed name (approvals)
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Role in the hospital, e.g. 臨床工学技士 (approvals)
    #[arg(long, value_name = "TEXT")]
    pub role: Option<String>,
    /// What the signature means (default: approved, withdrawn, … as the approval says)
    #[arg(long, value_enum)]
    pub meaning: Option<MeaningWord>,
    /// Why, in own words (approvals)
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Meanings of a signature on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MeaningWord {
    /// Read and found in order
    Reviewed,
    /// Approved
    Approved,
    /// Approved as an emergency
    ApprovedAsEmergency,
    /// Taken back
    Withdrawn,
    /// A rollback is authorised
    RollbackAuthorised,
}

impl From<MeaningWord> for Meaning {
    fn from(word: MeaningWord) -> Self {
        match word {
            MeaningWord::Reviewed => Self::Reviewed,
            MeaningWord::Approved => Self::Approved,
            MeaningWord::ApprovedAsEmergency => Self::ApprovedAsEmergency,
            MeaningWord::Withdrawn => Self::Withdrawn,
            MeaningWord::RollbackAuthorised => Self::RollbackAuthorised,
        }
    }
}

/// `stage sign`.
///
/// # Errors
/// Every reason not to sign.
pub fn sign(here: &Here, sign: &Sign) -> Outcome<Said> {
    let mut draft = Draft::read(&sign.file)?;
    let base = Base::of(here, &draft, &sign.against)?;
    rules::check(here, &draft, &base)?;
    let folder = sign.files.clone().unwrap_or_else(|| draft.files_beside());
    let new = show::new_files(&draft, &base);
    let hashed = hash_at_hand(&folder, new.iter().map(|(path, spec)| (path, spec)))?;
    let approvals = show::new_approvals(&draft, &base, &folder)?;
    let acts = acts_to_come(&sign.words, &approvals)?;
    let memory = Memory::beside(&sign.key)?;
    let published = base.version(&draft);
    let remarks = memory.check(&draft, published)?;
    readded(sign, &remarks)?;
    let mut text = show::lines(here, &draft, &base);
    text.extend(show::approvals(here, &draft, &base, &folder)?);
    text.push(hashed_words(here.language, hashed));
    text.extend(show::what_is_signed(here.language, &draft));
    text.iter().for_each(|line| here.tell(line));
    confirm(here, sign, &draft)?;
    let key = key::open(here, &sign.key, sign.passphrase_file.as_deref())?;
    let asked = base.asked(&draft)?;
    draft.staged.sign(&key.secret, &asked).map_err(|error| not_signed(&key, &error))?;
    memory.remember(&draft, published)?;
    let acts = write_acts(here, &draft, &key, acts)?;
    draft.save()?;
    let statuses = draft.staged.status(&asked).map_err(|error| {
        Failure::new(Code::StageUnreadable, format!("{}: {}", sign.file.display(), chain(&error)))
    })?;
    Ok(Said::new(json!({
        "file": sign.file, "version": draft.staged.version(),
        "signed_sha256": draft.staged.message_sha256(),
        "fingerprint": draft.staged.message_sha256().fingerprint(),
        "signer": key.public.person, "acts": acts, "status": show::status_value(&statuses),
    }))
    .line(format!("{} {}", here.language.pick("signed by", "署名しました:"), key.public.person))
    .lines(
        acts.iter()
            .map(|path| format!("{} {}", here.language.pick("act:", "署名記録:"), path.display())),
    )
    .lines(show::status(here.language, &statuses)))
}

fn readded(sign: &Sign, remarks: &Remarks) -> Outcome<()> {
    if remarks.readded.is_empty() || sign.accept_readded {
        return Ok(());
    }
    let list = remarks.readded.iter().map(ToString::to_string).collect();
    let what = "files that this key once signed away are listed again";
    Err(Failure::with_problems(Code::ReaddedEntries, what, list))
}

fn hashed_words(language: Language, count: usize) -> String {
    match language {
        Language::En => format!("{count} new files hashed here: all as listed"),
        Language::Ja => format!("新しいファイル {count} 件をこの端末で照合し、すべて一致しました"),
    }
}

fn confirm(here: &Here, sign: &Sign, draft: &Draft) -> Outcome<()> {
    let version = draft.staged.version();
    let question = here.language.pick("Type the version to sign it", "署名する版番号を入力");
    let typed = match sign.yes_version {
        Some(version) => Some(version.to_string()),
        None => here.ask_line(question),
    };
    match typed {
        Some(typed) if typed == version.to_string() => Ok(()),
        Some(typed) => {
            let what = format!("{typed:?} was typed, the version is {version}");
            Err(Failure::new(Code::NotConfirmed, what))
        }
        None => Err(Failure::new(Code::NotConfirmed, format!("version {version}: nobody to ask"))),
    }
}

fn not_signed(key: &OpenKey, error: &StageError) -> Failure {
    let what = format!("{} ({})", key.public.person, key.public.fingerprint);
    Failure::because(Code::KeyNotListed, what, error)
}

/// An act that is sealed once the key is open.
struct ActToCome {
    approval: Approval,
    sha256: Sha256Digest,
    name: String,
    role: String,
    reason: String,
    meaning: Meaning,
}

fn acts_to_come(words: &Words, approvals: &[(Approval, Sha256Digest)]) -> Outcome<Vec<ActToCome>> {
    if approvals.is_empty() {
        return Ok(Vec::new());
    }
    let given = [("--name", &words.name), ("--role", &words.role), ("--reason", &words.reason)];
    let usable = |text: &str| (1..=WORDS_CHARS_MAX).contains(&text.trim().chars().count());
    let missing = given
        .iter()
        .filter(|(_, text)| !text.as_deref().is_some_and(usable))
        .map(|(flag, _)| format!("{flag}: 1 to {WORDS_CHARS_MAX} characters"))
        .collect::<Vec<_>>();
    if !missing.is_empty() {
        let what = "an approval is signed with printed name, role and reason";
        return Err(Failure::with_problems(Code::ValueBad, what, missing));
    }
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let act = |(approval, sha256): &(Approval, Sha256Digest)| ActToCome {
        approval: approval.clone(),
        sha256: *sha256,
        name: text(&words.name),
        role: text(&words.role),
        reason: text(&words.reason),
        meaning: words.meaning.map_or_else(|| meaning_of(approval), Into::into),
    };
    Ok(approvals.iter().map(act).collect())
}

const fn meaning_of(approval: &Approval) -> Meaning {
    match (approval.state, approval.action, approval.urgency) {
        (ApprovalState::Withdrawn, _, _) => Meaning::Withdrawn,
        (ApprovalState::Active, Action::Rollback, _) => Meaning::RollbackAuthorised,
        (ApprovalState::Active, _, Urgency::Emergency) => Meaning::ApprovedAsEmergency,
        (ApprovalState::Active, Action::Install | Action::Standing, Urgency::Routine) => {
            Meaning::Approved
        }
    }
}

/// Writes `acts/{approval}.v{N}.{person}.act.json` beside the draft.
fn write_acts(
    here: &Here,
    draft: &Draft,
    key: &OpenKey,
    acts: Vec<ActToCome>,
) -> Outcome<Vec<PathBuf>> {
    let folder = draft.path.parent().unwrap_or_else(|| Path::new(".")).join("acts");
    let mut written = Vec::new();
    for act in acts {
        let version = draft.staged.version();
        let name = format!("{}.v{version}.{}.act.json", act.approval.id, key.public.person);
        let act = Act {
            v: 1,
            site: act.approval.site,
            subject: Subject::Approval {
                approval: act.approval.id,
                approval_sha256: act.sha256,
                targets_version: version,
                targets_sha256: draft.staged.message_sha256(),
            },
            person: key.public.person.clone(),
            name: act.name,
            role: act.role,
            meaning: act.meaning,
            reason: act.reason,
            at: here.at,
            tz: act.approval.tz,
            compensating: None,
            log_size: None,
            log_root: None,
        };
        let sealed = Envelope::seal(PayloadType::Act, &act, &key.secret);
        let sealed = sealed.map_err(|error| Failure::because(Code::ValueBad, "the act", &error))?;
        let bytes = serde_json::to_vec_pretty(&sealed)
            .map_err(|error| Failure::new(Code::WriteFailed, error))?;
        disk::make_folder(&folder)?;
        let path = folder.join(name);
        disk::write(&path, &bytes, Readers::Everybody, Place::Replace)?;
        written.push(path);
    }
    Ok(written)
}
