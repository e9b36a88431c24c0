//! The file that carries an image: made at `release prepare`, unpacked again before anybody signs.
//!
//! By default the file is a full container (`img/….pwd`), so that devices can take any window of it by
//! itself; `--format plain` takes the image as it is, for fleets with agents that know no container.
//! Both take constant memory. Not here: deltas ([`crate::delta`]), what is in an image
//! ([`crate::image`]).
//! Invariant: nobody signs for a container whose image is another than the one that is listed.

use crate::delta::failure;
use crate::disk;
use crate::error::{Code, Failure, Outcome, chain};
use crate::folder::Folder;
use crate::here::Here;
use crate::image;
use crate::progress::Progress;
use patchward_protocol::delta::apply::{ApplyError, NoBase, head, whole};
use patchward_protocol::delta::build::{self, FileSource, Parameters, Source as _};
use patchward_protocol::delta::format::Whole;
use patchward_protocol::id::TargetPath;
use patchward_protocol::tuf::build::TargetSpec;
use patchward_protocol::tuf::custom::{Format, Kind, Payload};
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;

/// How a release carries its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatWord {
    /// A full container: packed, and the other half of every delta
    Container,
    /// The image as it is, for agents that know no container; no deltas
    Plain,
}

/// How many threads pack; the bytes do not depend on it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Threads {
    /// How many threads work (default: one for each processor); it changes the time, never the bytes
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

impl Threads {
    /// The number.
    #[must_use]
    pub fn count(self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(all)
    }
}

/// What goes into the file.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The image: a file or a folder.
    pub image: &'a Path,
    /// Which of the two.
    pub kind: Kind,
    /// How it is carried.
    pub format: FormatWord,
    /// How many threads pack.
    pub threads: Threads,
}

/// An image that is open to be read at any place, with the room that its content takes.
#[derive(Debug)]
pub struct Opened {
    /// The image; of a folder the archive, which lies nowhere under a name.
    pub file: File,
    /// What it takes when it is installed, in bytes.
    pub installed_bytes: u64,
}

/// Opens an image; a folder is archived into `scratch` first.
///
/// # Errors
/// Failures of reading and writing; [`Code::ReleaseRefused`] for a folder that is no tree.
pub fn open(path: &Path, kind: Kind, scratch: &Path) -> Outcome<Opened> {
    match kind {
        Kind::Slots => {
            let file = disk::open(path)?;
            let length = file.metadata().map_err(|error| disk::unreadable(path, &error))?.len();
            Ok(Opened { file, installed_bytes: length })
        }
        Kind::Tree => {
            let mut out = BufWriter::new(disk::scratch(scratch)?);
            let installed_bytes = image::write(path, kind, &mut out)?;
            let failed = |error: &io::Error| disk::failed(scratch, error);
            let mut file = out.into_inner().map_err(|error| failed(error.error()))?;
            file.rewind().map_err(|error| failed(&error))?;
            Ok(Opened { file, installed_bytes })
        }
    }
}

/// Adds the file of an image to a release folder; says what targets list of it.
///
/// # Errors
/// Failures of reading and writing; [`Code::ContainerDiffers`] when the image changes meanwhile.
pub fn add(
    here: &Here,
    folder: &Folder,
    name: &TargetPath,
    wanted: Wanted<'_>,
    opened: Opened,
) -> Outcome<(TargetSpec, Payload)> {
    let slot_bytes = opened.installed_bytes;
    let kind = wanted.kind;
    match wanted.format {
        FormatWord::Plain => {
            let target = plain(here, folder, name, wanted.image, opened.file)?;
            let format = if kind == Kind::Tree { Format::Tree } else { Format::Raw };
            let (image_sha256, image_length) = (target.sha256, target.length);
            let table_sha256 = None;
            let payload =
                Payload { format, kind, image_sha256, image_length, slot_bytes, table_sha256 };
            Ok((target, payload))
        }
        FormatWord::Container => {
            let (target, built) = packed(here, folder, name, wanted, opened.file)?;
            let payload = Payload {
                format: Format::Pwd1,
                kind,
                image_sha256: built.header.new.sha256,
                image_length: built.header.new.length,
                slot_bytes,
                table_sha256: Some(built.table_sha256),
            };
            check(here, &folder.place(name), &payload, &target)?;
            Ok((target, payload))
        }
    }
}

fn plain(
    here: &Here,
    folder: &Folder,
    name: &TargetPath,
    image: &Path,
    file: File,
) -> Outcome<TargetSpec> {
    let length = file.metadata().map_err(|error| disk::unreadable(image, &error))?.len();
    let word = here.language.pick("copying the image", "更新イメージを複写中");
    let progress = Progress::begin(here, word, Some(length));
    folder.add_with(name, |sink| {
        let copied = io::copy(&mut progress.reader(file), sink);
        copied.map(drop).map_err(|error| disk::failed(image, &error))
    })
}

fn packed(
    here: &Here,
    folder: &Folder,
    name: &TargetPath,
    wanted: Wanted<'_>,
    file: File,
) -> Outcome<(TargetSpec, build::Built)> {
    let image = wanted.image;
    let source = FileSource::new(file).map_err(|error| disk::unreadable(image, &error))?;
    let word = here.language.pick("packing the image", "更新イメージを圧縮中");
    let progress = Progress::begin(here, word, Some(source.length()));
    let parameters = Parameters { threads: wanted.threads.count(), ..Parameters::default() };
    let place = folder.place(name);
    let mut built = None;
    let target = folder.add_file(here, name, |file| {
        let mut out = BufWriter::new(file);
        let made = build::full(&source, &mut out, &parameters, &|done| progress.at(done));
        built = Some(made.map_err(|error| failure::build(image, &place, &error))?);
        out.flush().map_err(|error| disk::failed(&place, &error))
    })?;
    let built = built.ok_or_else(|| Failure::new(Code::DeltaBuild, image.display()))?;
    Ok((target, built))
}

/// Unpacks the file of an image wholly and compares it with what is listed of it: whoever signs the
/// digest of an image has seen on this machine that the file holds that image.
///
/// # Errors
/// [`Code::ContainerDiffers`]; failures of reading.
pub fn check(here: &Here, file: &Path, payload: &Payload, listed: &TargetSpec) -> Outcome<()> {
    let image = Whole { length: payload.image_length, sha256: payload.image_sha256 };
    let refused =
        |why: String| Failure::new(Code::ContainerDiffers, format!("{}: {why}", file.display()));
    let another = |what: &Whole| {
        refused(format!(
            "holds an image of {} bytes, sha256 {}; listed {} bytes, {}",
            what.length, what.sha256, image.length, image.sha256
        ))
    };
    match payload.format {
        Format::Raw | Format::Tree => {
            let itself = Whole { length: listed.length, sha256: listed.sha256 };
            if itself == image { Ok(()) } else { Err(another(&itself)) }
        }
        Format::Pwd1 => {
            let failed = |error: ApplyError| {
                if let ApplyError::Read(source) = &error
                    && source.kind() != io::ErrorKind::UnexpectedEof
                {
                    return disk::unreadable(file, source);
                }
                refused(chain(&error))
            };
            let table = payload.table_sha256;
            let table = table.ok_or_else(|| refused("no table_sha256 is listed".to_owned()))?;
            let mut open = disk::open(file)?;
            let head = head(&mut open, Some(table)).map_err(failed)?;
            if head.header.new != image {
                return Err(another(&head.header.new));
            }
            if head.header.old.is_some() {
                return Err(refused("is a delta, no full container".to_owned()));
            }
            let word = here.language.pick("unpacking to compare", "展開して照合中");
            let progress = Progress::begin(here, word, Some(image.length));
            let mut nowhere = |_: u64, _: &[u8]| Ok(());
            let at = |done| progress.at(done);
            whole(&mut open, Some(table), &mut NoBase, &mut nowhere, &at).map_err(failed)?;
            Ok(())
        }
    }
}
