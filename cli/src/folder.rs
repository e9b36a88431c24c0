//! A release or approval folder: the staged file and the files it lists, whole or not at all.
//!
//! It is filled under another name and renamed at the end, so that a failure leaves nothing that
//! looks ready. Invariant: [`Folder::finish`] alone makes the folder appear under its name.

use crate::disk::{self, Place, Readers};
use crate::draft::{Draft, file_in};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::id::TargetPath;
use patchward_protocol::tuf::build::TargetSpec;
use patchward_protocol::tuf::stage::Staged;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder that is being filled.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    part: PathBuf,
}

/// A file that passes its bytes on and hashes them.
struct Hashing<'a> {
    file: &'a mut File,
    hasher: Sha256Hasher,
    length: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.length = self.length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Folder {
    /// Begins a folder that will have this name.
    ///
    /// # Errors
    /// [`Code::FileExists`] and failures of writing.
    pub fn begin(out: &Path) -> Outcome<Self> {
        free(out)?;
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| {
            Failure::new(Code::ValueBad, format!("{}: names no folder", out.display()))
        })?;
        let part = out.with_file_name(format!(".{name}.{}.part", std::process::id()));
        disk::make_folder(&part.join("targets"))?;
        Ok(Self { out: out.to_path_buf(), part })
    }

    /// Adds a target whose bytes `fill` writes; says what targets list of it.
    ///
    /// # Errors
    /// What `fill` returns, and failures of writing.
    pub fn add_with(
        &self,
        target: &TargetPath,
        fill: impl FnOnce(&mut dyn Write) -> Outcome<()>,
    ) -> Outcome<TargetSpec> {
        let path = self.place(target);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        let mut said = (0, Sha256Digest::of(b""));
        disk::fill(&path, Readers::Everybody, Place::New, |file| {
            let mut hashing = Hashing { file, hasher: Sha256Hasher::new(), length: 0 };
            fill(&mut hashing)?;
            said = (hashing.length, hashing.hasher.finish());
            Ok(())
        })?;
        Ok(TargetSpec::plain(said.0, said.1))
    }

    /// Where a target stands while the folder is being filled.
    #[must_use]
    pub fn place(&self, target: &TargetPath) -> PathBuf {
        file_in(&self.part.join("targets"), target)
    }

    /// Where a file without a name may lie while the folder is being filled.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        &self.part
    }

    /// Adds a target that `fill` writes in an order of its own; says what targets list of it.
    ///
    /// # Errors
    /// What `fill` returns, and failures of writing.
    pub fn add_file(
        &self,
        here: &Here,
        target: &TargetPath,
        fill: impl FnOnce(&mut File) -> Outcome<()>,
    ) -> Outcome<TargetSpec> {
        let path = self.place(target);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder)?;
        }
        disk::fill(&path, Readers::Everybody, Place::New, fill)?;
        let (length, sha256) = disk::digest(here, &path)?;
        Ok(TargetSpec::plain(length, sha256))
    }

    /// Adds a target from bytes.
    ///
    /// # Errors
    /// Failures of writing.
    pub fn add(&self, target: &TargetPath, bytes: &[u8]) -> Outcome<TargetSpec> {
        self.add_with(target, |sink| {
            sink.write_all(bytes).map_err(|error| disk::failed(Path::new(target.as_str()), &error))
        })
    }

    /// Adds a text for people beside the staged file; it is no target and nothing rests on it.
    ///
    /// # Errors
    /// Failures of writing.
    pub fn note(&self, name: &str, lines: &[String]) -> Outcome<()> {
        let text = format!("{}\n", lines.join("\n"));
        disk::write(&self.part.join(name), text.as_bytes(), Readers::Everybody, Place::New)
    }

    /// Adds a value beside the staged file; it is no target, and whoever uses it checks it.
    ///
    /// # Errors
    /// Failures of writing.
    pub fn beside(&self, name: &str, value: &serde_json::Value) -> Outcome<()> {
        let bytes = serde_json::to_vec(value);
        let bytes = bytes.map_err(|error| Failure::new(Code::WriteFailed, error))?;
        disk::write(&self.part.join(name), &bytes, Readers::Everybody, Place::New)
    }

    /// Adds the staged file, checks it as a signer would, and lets the folder appear.
    ///
    /// # Errors
    /// [`Code::StageUnreadable`] and failures of writing.
    pub fn finish(self, staged: &Staged) -> Outcome<PathBuf> {
        let name = Draft::file_name(staged);
        let bytes = staged.to_bytes();
        Draft::from_bytes(Path::new(&name), &bytes)?;
        disk::write(&self.part.join(&name), &bytes, Readers::Everybody, Place::New)?;
        free(&self.out)?;
        fs::rename(&self.part, &self.out).map_err(|error| disk::failed(&self.out, &error))?;
        Ok(self.out.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name; before it, this is the clean-up.
        let _ = fs::remove_dir_all(&self.part);
    }
}

fn free(out: &Path) -> Outcome<()> {
    match fs::symlink_metadata(out) {
        Ok(_) => Err(Failure::new(Code::FileExists, format!("{} exists", out.display()))),
        Err(_) => Ok(()),
    }
}
