//! An image as it is named on the command line: a file, a folder, or a full container.
//!
//! A folder is archived and a container unpacked into a file without a name, which is gone with the
//! run. Not here: which release an image is.
//! Invariant: what is read is the image itself, never the file that carries it.

use super::failure;
use crate::container;
use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::image::kind_of;
use crate::progress::Progress;
use patchward_protocol::delta::apply::{Base, NoBase, head, whole};
use patchward_protocol::delta::format::{MAGIC, Whole};
use patchward_protocol::digest::Sha256Hasher;
use patchward_protocol::tuf::custom::Kind;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// An image that is open to be read at any place.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) file: File,
    /// In bytes.
    pub(crate) length: u64,
}

impl Image {
    /// Opens it; `scratch` is the folder for what must be made first.
    pub(crate) fn open(here: &Here, path: &Path, scratch: &Path) -> Outcome<Self> {
        let kind = kind_of(path)?;
        let opened = container::open(path, kind, scratch)?;
        let file = match kind {
            Kind::Slots if is_container(&opened.file) => {
                unpacked(here, path, opened.file, scratch)?
            }
            Kind::Slots | Kind::Tree => opened.file,
        };
        let length = file.metadata().map_err(|error| disk::unreadable(path, &error))?.len();
        Ok(Self { file, length })
    }

    /// Length and digest.
    pub(crate) fn whole(&self, here: &Here, path: &Path) -> Outcome<Whole> {
        let word = here.language.pick("hashing the image", "イメージのハッシュ計算中");
        let progress = Progress::begin(here, word, Some(self.length));
        let mut file = &self.file;
        let failed = |error: &io::Error| disk::unreadable(path, error);
        file.seek(SeekFrom::Start(0)).map_err(|error| failed(&error))?;
        let mut hasher = Sha256Hasher::new();
        let length = io::copy(&mut progress.reader(file), &mut hasher);
        Ok(Whole { length: length.map_err(|error| failed(&error))?, sha256: hasher.finish() })
    }

    /// All of it in memory.
    pub(crate) fn bytes(&self, path: &Path) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::new();
        let room = usize::try_from(self.length).ok();
        let claimed = room.is_some_and(|room| bytes.try_reserve_exact(room).is_ok());
        if !claimed {
            let what = format!("{}: {} bytes", path.display(), self.length);
            return Err(Failure::new(Code::DeltaMemory, what));
        }
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
        read.map_err(|error| disk::unreadable(path, &error))?;
        Ok(bytes)
    }
}

impl Base for &Image {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }
}

fn is_container(file: &File) -> bool {
    let mut magic = [0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == MAGIC
}

fn unpacked(here: &Here, path: &Path, mut container: File, scratch: &Path) -> Outcome<File> {
    let failed = |error| failure::apply(path, &error);
    let head = head(&mut container, None).map_err(failed)?;
    if head.header.old.is_some() {
        let what = format!("{}: is a delta; name an image or a full container", path.display());
        return Err(Failure::new(Code::DeltaOldMissing, what));
    }
    let mut file = disk::scratch(scratch)?;
    let word = here.language.pick("unpacking the container", "コンテナーを展開中");
    let progress = Progress::begin(here, word, Some(head.header.new.length));
    let mut write = |_: u64, window: &[u8]| file.write_all(window);
    let at = |done| progress.at(done);
    whole(&mut container, None, &mut NoBase, &mut write, &at).map_err(failed)?;
    Ok(file)
}
