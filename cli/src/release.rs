//! `release prepare|withdraw`: from an image and its documents to a draft that people sign.
//!
//! Everything that is wrong is said at once; the folder appears whole or not at all. What devices
//! act on comes from the dossier, so that paper and metadata cannot disagree. Not here: signing,
//! publishing, building.
//! Invariant: seq rises, and no listed image is ever listed with other bytes.

use crate::base::{Against, Base};
use crate::container::{self, FormatWord, Threads, Wanted};
use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::folder::Folder;
use crate::here::{Here, Language};
use crate::image;
use crate::lint::{self, LintWords};
use crate::said::Said;
use patchward_protocol::advice::sbom::Form;
use patchward_protocol::dossier::{BadDossier, Dossier, Facts, Wrong, schema::is_japanese};
use patchward_protocol::draft::next as draft_next;
use patchward_protocol::id::{FamilyId, RepositoryId, Seq, TargetPath};
use patchward_protocol::limits::{DOCUMENT_BYTES_MAX, DOSSIER_BYTES_MAX};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{TargetSpec, TargetsSpec};
use patchward_protocol::tuf::custom::{Document, Documents, Firmware, Kind, Payload, ReleaseState};
use patchward_protocol::tuf::role::Role;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `release prepare`.
#[derive(Debug, clap::Args)]
pub struct Prepare {
    /// Image file (slots) or folder (tree)
    #[arg(long, value_name = "PATH")]
    pub image: PathBuf,
    /// Dossier in TOML; keys-example/dossier.toml shows every field
    #[arg(long, value_name = "FILE")]
    pub dossier: PathBuf,
    /// SBOM: CycloneDX or SPDX, JSON
    #[arg(long, value_name = "FILE")]
    pub sbom: PathBuf,
    /// Release notes in Japanese
    #[arg(long, value_name = "FILE")]
    pub notes_ja: PathBuf,
    /// Release notes in English
    #[arg(long, value_name = "FILE")]
    pub notes_en: PathBuf,
    /// How the file carries the image
    #[arg(long, value_enum, default_value = "container")]
    pub format: FormatWord,
    /// How many threads pack
    #[command(flatten)]
    pub threads: Threads,
    /// What is said of the image
    #[command(flatten)]
    pub lint: LintWords,
    /// Room that a slot must have, in bytes (default: the image's length; trees: the content's)
    #[arg(long, value_name = "BYTES")]
    pub slot_bytes: Option<u64>,
    /// When and until when it is signed
    #[command(flatten)]
    pub life: Life,
    /// Folder to make, with the staged file and the files it lists
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// When a draft says it was issued, and until when it holds.
#[derive(Debug, Clone, clap::Args)]
pub struct Life {
    /// Days until the targets expire (default: family 365, site 90)
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=730))]
    pub targets_days: Option<i64>,
    /// Instant to write as the time of issue (default: now): the same inputs give the same bytes
    #[arg(long, value_name = "UTC")]
    pub issued: Option<Timestamp>,
}

/// Arguments of `release withdraw`.
#[derive(Debug, clap::Args)]
pub struct Withdraw {
    /// The family
    pub family: FamilyId,
    /// The seq of the release to take back
    #[arg(long)]
    pub seq: u64,
    /// When and until when it is signed
    #[command(flatten)]
    pub life: Life,
    /// Folder to make, with the staged file
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// Everything that goes into a release, read and found in order.
struct Inputs {
    dossier: Dossier,
    dossier_bytes: Vec<u8>,
    sbom: (Form, Vec<u8>),
    notes_ja: Vec<u8>,
    notes_en: Vec<u8>,
}

/// Things that are wrong, each with its code.
#[derive(Default)]
struct Problems(Vec<(Code, String)>);

/// `release prepare`.
///
/// # Errors
/// Every problem at once: [`Code::DossierIncomplete`], [`Code::SbomUnknown`],
/// [`Code::ReleaseRefused`]; failures of reading, of the base and of writing.
pub fn prepare(here: &Here, prepare: &Prepare) -> Outcome<Said> {
    let inputs = Inputs::read(here.language, prepare)?;
    let facts = inputs.dossier.facts();
    let id = RepositoryId::Family(facts.family.clone());
    let base = Base::current(here, &id, &prepare.against)?;
    let mut spec = next(here, &id, &base, &prepare.life)?;
    let mut problems = Problems::default();
    against_base(&mut problems, facts, &spec);
    let names = Names::of(facts, inputs.sbom.0, prepare.format);
    let names = problems.take(names);
    problems.none()?;
    let Some(names) = names else {
        return Err(Failure::new(Code::ReleaseRefused, "no file names"));
    };
    let folder = Folder::begin(&prepare.out)?;
    let docs = add_documents(&folder, &inputs, &names, &mut spec)?;
    let (image, kind) = (prepare.image.as_path(), facts.kind);
    let opened = container::open(image, kind, folder.scratch())?;
    let lint = lint::look(here, image, &opened.file, kind, &prepare.lint, folder.scratch())?;
    let wanted = Wanted { image, kind, format: prepare.format, threads: prepare.threads };
    let (mut target, mut payload) = container::add(here, &folder, &names.image, wanted, opened)?;
    payload.slot_bytes = prepare.slot_bytes.unwrap_or(payload.slot_bytes);
    let said = said_of_image(here.language, &names.image, &target, &payload);
    let firmware = firmware(facts, payload, docs);
    firmware
        .check()
        .map_err(|error| Failure::because(Code::ReleaseRefused, "the draft", &error))?;
    target.custom.insert("fw".to_owned(), json!(firmware));
    spec.targets.insert(names.image.clone(), target.clone());
    let staged = spec.staged(Role::Targets);
    let staged = staged.map_err(|error| Failure::because(Code::StageRules, &id, &error))?;
    let path = folder.finish(&staged)?;
    let word = |en, ja| here.language.pick(en, ja);
    Ok(Said::new(json!({
        "repository": id, "version": spec.version, "staged": path,
        "image": {"path": names.image, "length": target.length, "sha256": target.sha256},
        "payload": firmware.payload, "lint": lint.value(), "compared": lint.was_compared(),
        "seq": facts.seq, "signed_sha256": staged.message_sha256(),
    }))
    .line(format!("{} {} (seq {})", facts.family, facts.version, facts.seq))
    .lines(said)
    .lines(lint.lines(here.language))
    .line(format!("{} {}", word("to be signed:", "署名待ち:"), path.display())))
}

/// `release withdraw`: the release stays listed and says that it is withdrawn.
///
/// # Errors
/// [`Code::ReleaseUnknown`]; failures of the base and of writing.
pub fn withdraw(here: &Here, withdraw: &Withdraw) -> Outcome<Said> {
    let id = RepositoryId::Family(withdraw.family.clone());
    let base = Base::current(here, &id, &withdraw.against)?;
    let mut spec = next(here, &id, &base, &withdraw.life)?;
    let wanted = Seq(withdraw.seq);
    let found = spec.targets.iter_mut().find_map(|(path, target)| {
        let firmware = firmware_of(target).filter(|firmware| firmware.seq == wanted)?;
        Some((path.clone(), target, firmware))
    });
    let Some((path, target, mut firmware)) = found else {
        return Err(Failure::new(Code::ReleaseUnknown, format!("{id}: no seq {wanted}")));
    };
    if firmware.state == ReleaseState::Withdrawn {
        return Err(Failure::new(Code::ReleaseUnknown, format!("{path} is withdrawn already")));
    }
    firmware.state = ReleaseState::Withdrawn;
    target.custom.insert("fw".to_owned(), json!(firmware));
    let staged = spec.staged(Role::Targets);
    let staged = staged.map_err(|error| Failure::because(Code::StageRules, &id, &error))?;
    let file = Folder::begin(&withdraw.out)?.finish(&staged)?;
    let word = here.language.pick("to be signed:", "署名待ち:");
    Ok(Said::new(json!({"repository": id, "withdrawn": path, "staged": file}))
        .line(format!("{} {path}", here.language.pick("withdraws", "取り下げ:")))
        .line(format!("{word} {}", file.display())))
}

/// The next targets of a repository, before anything is changed in them.
///
/// # Errors
/// [`Code::RootUnknown`] when nothing is published yet; [`Code::ValueBad`] for an early `--issued`.
pub fn next(here: &Here, id: &RepositoryId, base: &Base, life: &Life) -> Outcome<TargetsSpec> {
    let Some(published) = &base.targets else {
        let what = format!("{id}: publish the first root and targets first");
        return Err(Failure::new(Code::RootUnknown, what));
    };
    let days = match id {
        RepositoryId::Family(_) => 365,
        RepositoryId::Site(_) => draft_next::SITE_DAYS,
    };
    let issued = life.issued.unwrap_or(here.at);
    draft_next::begin(published, issued, life.targets_days.unwrap_or(days))
        .map_err(|error| Failure::new(Code::ValueBad, error))
}

/// `custom.fw` of a listed target.
#[must_use]
pub fn firmware_of(target: &TargetSpec) -> Option<Firmware> {
    target.custom.get("fw").and_then(|fw| Firmware::from_custom(fw).ok())
}

impl Problems {
    fn add(&mut self, code: Code, what: String) {
        self.0.push((code, what));
    }

    fn take<T>(&mut self, outcome: Outcome<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(failure) if failure.problems.is_empty() => {
                self.add(failure.code, failure.detail);
                None
            }
            Err(failure) => {
                self.0.extend(failure.problems.into_iter().map(|what| (failure.code, what)));
                None
            }
        }
    }

    /// The one code that all share, else the general one.
    fn none(&self) -> Outcome<()> {
        let Some((first, _)) = self.0.first() else { return Ok(()) };
        let same = self.0.iter().all(|(code, _)| code == first);
        let code = if same { *first } else { Code::ReleaseRefused };
        let what = format!("{} problems; nothing was written", self.0.len());
        let list = self.0.iter().map(|(_, what)| what.clone()).collect();
        Err(Failure::with_problems(code, what, list))
    }
}

impl Inputs {
    fn read(language: Language, prepare: &Prepare) -> Outcome<Self> {
        let mut problems = Problems::default();
        let dossier = problems.take(read_dossier(language, &prepare.dossier));
        let sbom = problems.take(read_sbom(&prepare.sbom));
        let notes_ja = problems.take(read_notes(&prepare.notes_ja, Language::Ja));
        let notes_en = problems.take(read_notes(&prepare.notes_en, Language::En));
        let kind = problems.take(image::kind_of(&prepare.image));
        if let (Some(kind), Some((dossier, _))) = (kind, &dossier)
            && kind != dossier.facts().kind
        {
            let what = format!(
                "kind: the dossier says {}, {} is a {}",
                json!(dossier.facts().kind),
                prepare.image.display(),
                if kind == Kind::Tree { "folder (tree)" } else { "file (slots)" }
            );
            problems.add(Code::ReleaseRefused, what);
        }
        if kind.is_some()
            && let Some(Some(what)) = problems.take(image::size_problem(&prepare.image))
        {
            problems.add(Code::ReleaseRefused, what);
        }
        if prepare.out.exists() {
            problems.add(Code::FileExists, format!("{} exists", prepare.out.display()));
        }
        problems.none()?;
        match (dossier, sbom, notes_ja, notes_en) {
            (Some((dossier, dossier_bytes)), Some(sbom), Some(notes_ja), Some(notes_en)) => {
                Ok(Self { dossier, dossier_bytes, sbom, notes_ja, notes_en })
            }
            _ => Err(Failure::new(Code::ReleaseRefused, "an input is missing")),
        }
    }
}

fn read_dossier(language: Language, path: &Path) -> Outcome<(Dossier, Vec<u8>)> {
    let bytes_max = u64::try_from(DOSSIER_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = disk::read(path, bytes_max)?;
    let dossier = Dossier::read(&bytes).map_err(|bad| dossier_failure(language, path, &bad))?;
    Ok((dossier, bytes))
}

/// Names every field with what it must contain.
fn dossier_failure(language: Language, path: &Path, bad: &BadDossier) -> Failure {
    let unreadable = bad.problems.iter().any(|problem| problem.wrong == Wrong::Unreadable);
    let code = if unreadable { Code::DossierUnreadable } else { Code::DossierIncomplete };
    let line = |problem: &patchward_protocol::dossier::Problem| {
        let (en, ja) = problem.wrong.words();
        let wrong = language.pick(en, ja);
        format!("{}: {wrong}: {}", problem.field, language.pick(&problem.en, &problem.ja))
    };
    let problems = bad.problems.iter().map(line).collect();
    Failure::with_problems(code, format!("{}: {bad}", path.display()), problems)
}

fn read_sbom(path: &Path) -> Outcome<(Form, Vec<u8>)> {
    let bytes = disk::read(path, DOCUMENT_BYTES_MAX)?;
    let kind = Form::of(&bytes)
        .map_err(|what| Failure::new(Code::SbomUnknown, format!("{}: {what}", path.display())))?;
    Ok((kind, bytes))
}

fn read_notes(path: &Path, language: Language) -> Outcome<Vec<u8>> {
    let bytes = disk::read(path, DOCUMENT_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let (right, what) = match language {
        Language::Ja => (is_japanese(text), "notes in Japanese, UTF-8"),
        Language::En => (!text.trim().is_empty(), "notes in English, UTF-8"),
    };
    if right {
        return Ok(bytes);
    }
    Err(Failure::new(Code::ReleaseRefused, format!("{}: must hold {what}", path.display())))
}

fn against_base(problems: &mut Problems, facts: &Facts, base: &TargetsSpec) {
    for firmware in base.targets.values().filter_map(firmware_of) {
        if firmware.seq >= facts.seq {
            let what = format!(
                "seq: {} is not above {} of the published {}",
                facts.seq, firmware.seq, firmware.version
            );
            problems.add(Code::ReleaseRefused, what);
        }
        if firmware.version == facts.version {
            let what = format!("version: {} is published already", facts.version);
            problems.add(Code::ReleaseRefused, what);
        }
    }
}

/// The target names of a release.
struct Names {
    image: TargetPath,
    dossier: TargetPath,
    sbom: TargetPath,
    notes_ja: TargetPath,
    notes_en: TargetPath,
}

impl Names {
    fn of(facts: &Facts, sbom: Form, format: FormatWord) -> Outcome<Self> {
        let name = facts.family.as_str().split_once('.').map_or("", |(_, name)| name);
        // A version may hold `+`, a target name may not.
        let stem = format!("{name}-{}", facts.version.as_str().replace('+', "_"));
        let path = |text: String| {
            TargetPath::new(&text).map_err(|error| Failure::new(Code::ReleaseRefused, error))
        };
        let end = match (format, facts.kind) {
            (FormatWord::Container, _) => "pwd",
            (FormatWord::Plain, Kind::Tree) => "tar",
            (FormatWord::Plain, Kind::Slots) => "img",
        };
        Ok(Self {
            image: path(format!("img/{stem}.{end}"))?,
            dossier: path(format!("doc/{stem}.dossier.toml"))?,
            sbom: path(format!("doc/{stem}.sbom.{}", sbom.file_end()))?,
            notes_ja: path(format!("doc/{stem}.notes-ja.md"))?,
            notes_en: path(format!("doc/{stem}.notes-en.md"))?,
        })
    }
}

fn add_documents(
    folder: &Folder,
    inputs: &Inputs,
    names: &Names,
    spec: &mut TargetsSpec,
) -> Outcome<Documents> {
    let mut add = |path: &TargetPath, bytes: &[u8]| -> Outcome<Document> {
        let target = folder.add(path, bytes)?;
        let sha256 = target.sha256;
        spec.targets.insert(path.clone(), target);
        Ok(Document { path: path.clone(), sha256 })
    };
    Ok(Documents {
        dossier: add(&names.dossier, &inputs.dossier_bytes)?,
        sbom: add(&names.sbom, &inputs.sbom.1)?,
        notes_ja: add(&names.notes_ja, &inputs.notes_ja)?,
        notes_en: add(&names.notes_en, &inputs.notes_en)?,
    })
}

/// The file and, where that is another, the image in it.
fn said_of_image(
    language: Language,
    path: &TargetPath,
    target: &TargetSpec,
    payload: &Payload,
) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = vec![format!("{path} {} bytes sha256 {}", target.length, target.sha256)];
    if payload.table_sha256.is_some() {
        let name = word("image in it:", "収められた更新イメージ:");
        let (length, sha256) = (payload.image_length, payload.image_sha256);
        lines.push(format!("{name} {length} bytes sha256 {sha256}"));
    }
    let name = word("image fingerprint", "更新イメージ照合コード");
    lines.push(format!("{name} {}", payload.image_sha256.fingerprint()));
    lines
}

fn firmware(facts: &Facts, payload: Payload, docs: Documents) -> Firmware {
    Firmware {
        v: 1,
        family: facts.family.clone(),
        version: facts.version.clone(),
        seq: facts.seq,
        hw: facts.hardware.clone(),
        min_seq: facts.min_seq,
        rollback_ok: facts.rollback_ok.clone(),
        class: facts.class,
        severity: facts.severity,
        cves: facts.cves.clone(),
        known_exploited: facts.known_exploited,
        state: ReleaseState::Released,
        payload,
        est: facts.estimate,
        therapy: facts.therapy,
        acceptance: facts.acceptance,
        docs,
    }
}
