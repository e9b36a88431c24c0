//! `delta build`: a delta between two images, decoded again before it gets its name.
//!
//! The same images and options give the same bytes, whatever the number of threads. Not here: the
//! builder (the protocol's `delta::build`).
//! Invariant: a delta that does not give the new image is never written under its name.

use super::failure;
use super::image::Image;
use crate::container::Threads;
use crate::disk::{self, Place, Readers};
use crate::error::{Failure, Outcome};
use crate::here::{Here, Language};
use crate::progress::{Progress, share, size};
use crate::said::Said;
use patchward_protocol::delta::apply::whole;
use patchward_protocol::delta::build::{self, Built, FileSource, Index, Parameters};
use patchward_protocol::delta::format::FrameKind;
use patchward_protocol::limits::DELTA_WINDOW_BYTES;
use serde_json::{Map, json};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Arguments of `delta build`.
#[derive(Debug, clap::Args)]
pub struct Build {
    /// The old image: a file, a folder (archived first) or a full container (.pwd)
    pub old: PathBuf,
    /// The new image, likewise
    pub new: PathBuf,
    /// The delta to write
    #[arg(long, value_name = "FILE.pwd")]
    pub out: PathBuf,
    /// How matches are found: suffix-array takes 6 bytes of memory for each byte of the old image,
    /// sampled 2.5, for somewhat larger deltas
    #[arg(long, value_enum, default_value = "suffix-array")]
    pub index: IndexWord,
    /// Length of a window in bytes; a power of two from 65536 to 4194304. Devices take any window
    /// from the full container instead only where that has the same length
    #[arg(long, value_name = "BYTES", default_value_t = DELTA_WINDOW_BYTES)]
    pub window: u32,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
}

/// How matches are found, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IndexWord {
    /// Smallest deltas
    SuffixArray,
    /// Least memory and time
    Sampled,
}

impl From<IndexWord> for Index {
    fn from(word: IndexWord) -> Self {
        match word {
            IndexWord::SuffixArray => Self::SuffixArray,
            IndexWord::Sampled => Self::Sampled,
        }
    }
}

/// `delta build`.
///
/// # Errors
/// Failures of reading, building and writing, each with its code.
pub(super) fn build(here: &Here, args: &Build) -> Outcome<Said> {
    let scratch = folder_of(&args.out);
    let old = Image::open(here, &args.old, scratch)?;
    let new = Image::open(here, &args.new, scratch)?;
    let parameters = Parameters {
        window: args.window,
        threads: args.threads.count(),
        index: args.index.into(),
        ..Parameters::default()
    };
    let mut built = None;
    disk::fill(&args.out, Readers::Everybody, Place::New, |file| {
        let made = packed(here, args, &old, new, &parameters, file)?;
        tried(here, &args.out, &old, &made, file)?;
        built = Some(made);
        Ok(())
    })?;
    let (_, sha256) = disk::digest(here, &args.out)?;
    let lost = || Failure::new(crate::error::Code::DeltaBuild, args.out.display());
    let built = built.ok_or_else(lost)?;
    let header = built.header;
    let kinds: Map<_, _> = FrameKind::ALL
        .into_iter()
        .zip(built.kinds)
        .map(|(kind, count)| (kind.name().to_owned(), json!(count)))
        .collect();
    Ok(Said::new(json!({
        "file": args.out, "length": built.file_len, "sha256": sha256,
        "table_sha256": built.table_sha256, "memory_bytes": header.memory_bytes(),
        "old": header.old.map(|old| json!({"length": old.length, "sha256": old.sha256})),
        "new": {"length": header.new.length, "sha256": header.new.sha256},
        "windows": header.frames, "kinds": kinds,
    }))
    .lines(words(here.language, &args.out, &built)))
}

/// The folder in which a file stands.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn packed(
    here: &Here,
    args: &Build,
    old: &Image,
    new: Image,
    parameters: &Parameters,
    file: &mut File,
) -> Outcome<Built> {
    let word = here.language.pick("building the delta", "差分を作成中");
    let bytes = old.bytes(&args.old)?;
    let progress = Progress::begin(here, word, Some(new.length));
    let source = FileSource::new(new.file).map_err(|error| disk::unreadable(&args.new, &error))?;
    let mut out = BufWriter::new(file);
    let at = |done| progress.at(done);
    let built = build::delta(&bytes, &source, &mut out, parameters, &at)
        .map_err(|error| failure::build(&args.new, &args.out, &error))?;
    out.flush().map_err(|error| disk::failed(&args.out, &error))?;
    Ok(built)
}

/// Decodes what was written, as a device would.
fn tried(here: &Here, path: &Path, old: &Image, built: &Built, file: &mut File) -> Outcome<()> {
    let word = here.language.pick("trying the delta", "差分を確認中");
    let progress = Progress::begin(here, word, Some(built.header.new.length));
    let mut nowhere = |_: u64, _: &[u8]| Ok(());
    let at = |done| progress.at(done);
    let mut base = old;
    whole(file, Some(built.table_sha256), &mut base, &mut nowhere, &at)
        .map(drop)
        .map_err(|error| failure::apply(path, &error))
}

fn words(language: Language, path: &Path, built: &Built) -> Vec<String> {
    let (length, of) = (built.file_len, built.header.new.length);
    let share = share(length, of);
    let name = path.display();
    let first = match language {
        Language::En => format!("{name}: {length} bytes, {share} of the new image ({})", size(of)),
        Language::Ja => format!("{name}: {length} バイト(新イメージ {} の {share})", size(of)),
    };
    let kinds: Vec<_> = FrameKind::ALL
        .into_iter()
        .zip(built.kinds)
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{} {count}", kind.name()))
        .collect();
    let windows = language.pick("windows:", "区画:");
    vec![
        first,
        format!("{windows} {}", kinds.join(", ")),
        format!("table_sha256 {}", built.table_sha256),
    ]
}
