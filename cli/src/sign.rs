//! `stage sign`: one person's signature on a draft, after everything was compared and shown.
//!
//! Order: next version of what is published, rules, files hashed here, memory, shown, confirmed,
//! remembered on disk, signed. For approvals a human act is sealed with the same key and written
//! beside the draft. Not here: what is shown ([`crate::show`]).
//! Invariant: a key signs at most one content per version.

use crate::act::{self, Given, Statement, Words};
use crate::base::{Against, Base};
use crate::carried::Opened;
use crate::day::Day;
use crate::draft::{AtHand, Draft, look_at_hand};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::{Here, Language};
use crate::inventory::seen;
use crate::key::{self, OpenKey};
use crate::memory::Memory;
use crate::said::Said;
use crate::second_look::{self, Look};
use crate::{rules, show};
use patchward_protocol::act::{CompensatingControl, Meaning, Subject};
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::tuf::memory::Remarks;
use patchward_protocol::tuf::stage::StageError;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Arguments of `stage sign`.
#[derive(Debug, Clone, clap::Args)]
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
    /// The fingerprint that the console showed, for drafts that came from one (asked for when absent)
    #[arg(long, value_name = "DIGITS")]
    pub fingerprint: Option<String>,
    /// Accept entries that were removed or withdrawn once and come back
    #[arg(long)]
    pub accept_readded: bool,
    /// Give up the draft that this key signed as this version before: it must never be published
    #[arg(long, value_name = "N")]
    pub abandoned: Option<u64>,
    /// Folder with the listed files (default: `targets` beside the staged file)
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// Who signs and why, for approvals
    #[command(flatten)]
    pub words: Words,
    /// What the signature means (default: approved, withdrawn, … as the approval says)
    #[arg(long, value_enum)]
    pub meaning: Option<MeaningWord>,
    /// By which ward rules it is judged
    #[command(flatten)]
    pub look: second_look::JudgedBy,
    /// What stands in for the patch when a rollback opens holes again
    #[command(flatten)]
    pub control: Control,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// What stands in for a patch that is taken away.
#[derive(Debug, Clone, clap::Args)]
pub struct Control {
    /// What is done instead, e.g. isolation from the network (rollbacks)
    #[arg(long, value_name = "TEXT")]
    pub control: Option<String>,
    /// Who sees to it (rollbacks)
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// Until when (rollbacks)
    #[arg(long, value_name = "DATE|UTC")]
    pub due: Option<Day>,
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
    let Some(opened) = Opened::of(&sign.file)? else { return sign_one(here, sign, None) };
    let against = opened.against(here, &sign.against)?;
    let inside = Sign { file: opened.stage.clone(), against, ..sign.clone() };
    let said = sign_one(here, &inside, Some(&opened))?;
    opened.close()?;
    Ok(said.line(format!(
        "{} {}",
        here.language.pick("signed file:", "署名済みファイル:"),
        sign.file.display()
    )))
}

/// Signs a staged file, which came from a console when `opened` says so.
fn sign_one(here: &Here, sign: &Sign, opened: Option<&Opened>) -> Outcome<Said> {
    let mut draft = Draft::read(&sign.file)?;
    let base = Base::of(here, &draft, &sign.against)?;
    rules::check(here, &draft, &base)?;
    let folder = sign.files.clone().unwrap_or_else(|| draft.files_beside());
    let new = show::new_files(&draft, &base);
    let at_hand = look_at_hand(here, &folder, &new)?;
    let mut approvals = show::new_approvals(here, &draft, &base, &folder)?;
    let words = match approvals.is_empty() {
        true => None,
        false => Some(sign.words.given("an approval")?),
    };
    let look = second_look::look(here, &sign.look, &sign.key, &draft, &sign.against, &approvals)?;
    for stated in &mut approvals {
        stated.cves = look.cves.get(&stated.approval.id).cloned().unwrap_or_default();
    }
    let acts = acts_to_come(here, sign, &approvals, &look)?;
    let published = base.version(&draft);
    let mut memory = Memory::beside(&sign.key)?;
    if let Some(version) = sign.abandoned {
        memory.abandon(&draft, version)?;
    }
    let remarks = memory.check(&draft, published)?;
    readded(sign, &remarks)?;
    let mut text = show::lines(here, &draft, &base, &approvals);
    text.extend(at_hand_words(here.language, at_hand));
    text.extend(look.lines.iter().cloned());
    text.extend(sign.abandoned.map(|version| given_up_words(here.language, version)));
    text.iter().for_each(|line| here.tell(line));
    match opened {
        Some(opened) => confirm_shown(here, sign, &draft, &opened.differences(&draft, &base)?)?,
        None => confirm(here, sign, &draft)?,
    }
    let key = key::open(here, &sign.key, sign.passphrase_file.as_deref())?;
    let asked = base.asked(&draft)?;
    draft.staged.sign(&key.secret, &asked).map_err(|error| not_signed(&key, &error))?;
    memory.remember(&draft, published)?;
    if let Some(inventory) = &look.inventory {
        seen::remember(&sign.key, inventory)?;
    }
    let acts = write_acts(here, &draft, &key, words.as_ref(), &look, acts)?;
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

/// What this machine found out by itself of the files that are signed for.
#[must_use]
pub fn at_hand_words(language: Language, found: AtHand) -> Vec<String> {
    let AtHand { hashed, unpacked } = found;
    let (hashed, unpacked_words) = match language {
        Language::En => (
            format!("{hashed} new files hashed here: all as listed"),
            format!("{unpacked} containers unpacked here: they hold the images that are listed"),
        ),
        Language::Ja => (
            format!("新しいファイル {hashed} 件をこの端末で照合し、すべて一致しました"),
            format!(
                "コンテナー {unpacked} 件をこの端末で展開し、中身が記載の更新イメージと一致しました"
            ),
        ),
    };
    std::iter::once(hashed).chain((unpacked > 0).then_some(unpacked_words)).collect()
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

/// What the console showed must be what these bytes say, and the person must have seen their fingerprint.
fn confirm_shown(here: &Here, sign: &Sign, draft: &Draft, differences: &[String]) -> Outcome<()> {
    if !differences.is_empty() {
        let what = "the console showed the lines with -, the bytes say the lines with +";
        return Err(Failure::with_problems(Code::StatementDiffers, what, differences.to_vec()));
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let own = draft.staged.message_sha256().fingerprint();
    let question = here.language.pick(
        "Type the fingerprint that the console shows",
        "コンソールに表示された照合コードを入力",
    );
    let typed = sign.fingerprint.clone().or_else(|| here.ask_line(question));
    match typed {
        Some(typed) if digits(&typed) == digits(&own) => Ok(()),
        Some(typed) => {
            let what = format!("{typed:?} was given, the fingerprint of these bytes is {own}");
            Err(Failure::new(Code::FingerprintDiffers, what))
        }
        None => Err(Failure::new(Code::NotConfirmed, format!("{own}: nobody to ask"))),
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
    meaning: Meaning,
    compensating: Option<CompensatingControl>,
}

fn acts_to_come(
    here: &Here,
    sign: &Sign,
    approvals: &[Stated],
    look: &Look,
) -> Outcome<Vec<ActToCome>> {
    let act = |Stated { approval, sha256, .. }: &Stated| {
        let cves = look.cves.get(&approval.id);
        Ok(ActToCome {
            approval: approval.clone(),
            sha256: *sha256,
            meaning: sign.meaning.map_or_else(|| Meaning::of_approval(approval), Into::into),
            compensating: cves.map_or(Ok(None), |cves| compensating(here, sign, approval, cves))?,
        })
    };
    approvals.iter().map(act).collect()
}

/// What stands in for the patch; asked for where holes open again.
fn compensating(
    here: &Here,
    sign: &Sign,
    approval: &Approval,
    cves: &BTreeSet<String>,
) -> Outcome<Option<CompensatingControl>> {
    let (control, owner, due) = (&sign.control.control, &sign.control.owner, sign.control.due);
    let (Some(control), Some(owner), Some(due)) = (control, owner, due) else {
        if cves.is_empty() {
            return Ok(None);
        }
        let what = format!("{}: --control, --owner and --due", approval.id);
        let list = cves.iter().cloned().collect();
        return Err(Failure::with_problems(Code::ControlMissing, what, list));
    };
    let due = due.end(&approval.tz)?;
    if due <= here.at || control.trim().is_empty() || owner.trim().is_empty() {
        let what = format!("{}: a control, an owner and a day to come", approval.id);
        return Err(Failure::new(Code::ControlMissing, what));
    }
    Ok(Some(CompensatingControl {
        cves: cves.iter().cloned().collect(),
        control: control.trim().to_owned(),
        owner: owner.trim().to_owned(),
        due,
    }))
}

fn given_up_words(language: Language, version: u64) -> String {
    match language {
        Language::En => format!(
            "! THE DRAFT OF VERSION {version} THAT THIS KEY SIGNED BEFORE IS GIVEN UP. Its signatures must never be used: \
             destroy every copy, and see to it that every other signer gives it up too."
        ),
        Language::Ja => format!(
            "! この鍵が以前署名した版 {version} の下書きを取りやめます。その署名は決して使用しないでください。\
             すべての写しを破棄し、他の署名者にも同じ操作を依頼してください。"
        ),
    }
}

/// Writes `acts/{approval}.v{N}.{person}.act.json` beside the draft.
fn write_acts(
    here: &Here,
    draft: &Draft,
    key: &OpenKey,
    words: Option<&Given>,
    look: &Look,
    acts: Vec<ActToCome>,
) -> Outcome<Vec<PathBuf>> {
    let folder = act::folder_beside(&draft.path);
    let mut written = Vec::new();
    let Some(words) = words else { return Ok(written) };
    let mut words = words.clone();
    if !look.accepted.is_empty() {
        let codes: Vec<_> = look.accepted.iter().copied().collect();
        words.reason = format!("{} [accepted: {}]", words.reason, codes.join(", "));
    }
    for to_come in acts {
        let version = draft.staged.version();
        let name = format!("{}.v{version}.{}.act.json", to_come.approval.id, key.public.person);
        let statement = Statement {
            site: to_come.approval.site,
            subject: Subject::Approval {
                approval: to_come.approval.id,
                approval_sha256: to_come.sha256,
                targets_version: version,
                targets_sha256: draft.staged.message_sha256(),
            },
            meaning: to_come.meaning,
            tz: to_come.approval.tz,
            compensating: to_come.compensating,
        };
        let path = folder.join(name);
        act::write(&path, &act::seal(here, key, &words, look.server.as_ref(), statement)?)?;
        written.push(path);
    }
    Ok(written)
}
