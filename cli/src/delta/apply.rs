//! `delta apply|verify`: from a container and the old image to the new one.
//!
//! The old image is hashed first, so that a wrong or changed one is named as such. The new image is
//! written beside its name, synced, and renamed. Not here: the decoder (the protocol's `delta`).
//! Invariant: a new image that stands under its name is the one of the container, bit for bit.

use super::build::folder_of;
use super::failure;
use super::image::Image;
use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::progress::Progress;
use crate::said::Said;
use patchward_protocol::delta::apply::{NoBase, head, whole};
use patchward_protocol::delta::format::{Head, Whole};
use patchward_protocol::digest::Sha256Digest;
use serde_json::json;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A container, and what it needs.
#[derive(Debug, clap::Args)]
pub struct Container {
    /// The container
    pub file: PathBuf,
    /// The old image: a file, a folder or a full container (deltas)
    #[arg(long, value_name = "PATH")]
    pub old: Option<PathBuf>,
    /// Digest of header and table that must be the container's
    #[arg(long, value_name = "HEX")]
    pub table_sha256: Option<Sha256Digest>,
}

/// Arguments of `delta apply`.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// The container
    #[command(flatten)]
    pub container: Container,
    /// The new image to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `delta verify`.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The container
    #[command(flatten)]
    pub container: Container,
    /// Digest that the new image must have
    #[arg(long, value_name = "HEX")]
    pub new_sha256: Option<Sha256Digest>,
}

/// `delta apply`.
///
/// # Errors
/// A code for each thing that can be wrong with a container; failures of reading and writing.
pub(super) fn apply(here: &Here, apply: &Apply) -> Outcome<Said> {
    let opened = Opened::open(here, &apply.container, folder_of(&apply.out))?;
    let mut head = None;
    disk::fill(&apply.out, Readers::Everybody, Place::New, |file| {
        let write = |_: u64, window: &[u8]| file.write_all(window);
        let out = apply.out.as_path();
        head = Some(opened.decode(here, &apply.container, write, out)?);
        Ok(())
    })?;
    let new = head.map(|head: Head| head.header.new);
    let word = here.language.pick("written:", "書き込みました:");
    Ok(Said::new(json!({"file": apply.out, "image": new.map(value)}))
        .line(format!("{word} {}", apply.out.display()))
        .lines(new.map(|new| format!("{} bytes sha256 {}", new.length, new.sha256))))
}

/// `delta verify`: as [`apply`], and nothing is written.
///
/// # Errors
/// As [`apply`]; [`Code::DeltaNewDiffers`].
pub(super) fn verify(here: &Here, verify: &Verify) -> Outcome<Said> {
    let opened = Opened::open(here, &verify.container, &std::env::temp_dir())?;
    let nowhere = |_: u64, _: &[u8]| Ok(());
    let head = opened.decode(here, &verify.container, nowhere, &verify.container.file)?;
    let new = head.header.new;
    if let Some(wanted) = verify.new_sha256.filter(|wanted| *wanted != new.sha256) {
        let name = verify.container.file.display();
        let what = format!("{name}: gives {}, asked for {wanted}", new.sha256);
        return Err(Failure::new(Code::DeltaNewDiffers, what));
    }
    let word = here.language.pick(
        "good: every window and the whole image are as the container names them",
        "正常: すべての区画とイメージ全体がコンテナーの記載と一致しました",
    );
    let value = json!({"image": value(new), "table_sha256": head.sha256, "good": true});
    Ok(Said::new(value)
        .line(word)
        .line(format!("{} bytes sha256 {}", new.length, new.sha256))
        .line(format!("table_sha256 {}", head.sha256)))
}

fn value(image: Whole) -> serde_json::Value {
    json!({"length": image.length, "sha256": image.sha256})
}

/// A container whose head is sound, with the old image that it wants.
struct Opened {
    file: File,
    old: Option<Image>,
    length: u64,
}

impl Opened {
    fn open(here: &Here, container: &Container, scratch: &Path) -> Outcome<Self> {
        let path = container.file.as_path();
        let mut file = disk::open(path)?;
        let head = head(&mut file, container.table_sha256)
            .map_err(|error| failure::apply(path, &error))?;
        let length = head.header.new.length;
        let Some(wanted) = head.header.old else { return Ok(Self { file, old: None, length }) };
        let missing = || {
            let what = format!("{}: starts from sha256 {}", path.display(), wanted.sha256);
            Failure::new(Code::DeltaOldMissing, what)
        };
        let old_path = container.old.as_deref().ok_or_else(missing)?;
        let old = Image::open(here, old_path, scratch)?;
        let found = old.whole(here, old_path)?;
        if found != wanted {
            let what = format!(
                "{}: {} bytes, sha256 {}; the delta starts from {} bytes, {}",
                old_path.display(),
                found.length,
                found.sha256,
                wanted.length,
                wanted.sha256
            );
            return Err(Failure::new(Code::DeltaOldDiffers, what));
        }
        Ok(Self { file, old: Some(old), length })
    }

    /// `named` is what a failure of writing names.
    fn decode(
        &self,
        here: &Here,
        container: &Container,
        mut write: impl FnMut(u64, &[u8]) -> io::Result<()>,
        named: &Path,
    ) -> Outcome<Head> {
        let word = here.language.pick("unpacking", "展開中");
        let progress = Progress::begin(here, word, Some(self.length));
        let at = |done| progress.at(done);
        let (mut file, signed) = (&self.file, container.table_sha256);
        let done = match &self.old {
            Some(old) => {
                let mut base = old;
                whole(&mut file, signed, &mut base, &mut write, &at)
            }
            None => whole(&mut file, signed, &mut NoBase, &mut write, &at),
        };
        done.map_err(|error| failure::decoding(&container.file, named, &error))
    }
}
