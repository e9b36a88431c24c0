//! The tree installer: versions beside each other, and a link to the one that runs.
//!
//! ```text
//! root/versions/{sha256}/   a whole tree, named by the digest of its archive
//! root/current              link to the version that runs after the next restart
//! root/previous             link to the version before, the way back
//! root/running              which version was last restarted into, and in which boot
//! root/spool/               downloads
//! ```
//! Not here: what a version is made of. Invariant: a folder below `versions/` whose name is a digest
//! was read back and equalled it before it got that name.

use super::pointer;
use super::rebuild::{self, digest_of};
use super::unpack::unpack;
use crate::child::{self, After};
use crate::config::TreeSettings;
use crate::edge::{Clock, Content, Failure, Observed, Restart};
use crate::installer::Installer;
use crate::journal::{sync_dir, write_durably};
use crate::permit::Permit;
use crate::stage::windows::{OldImage, Place};
use crate::storage;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Room for the headers of a tree and for file system blocks, in percent of its size.
const OVERHEAD_PERCENT: u64 = 10;
/// What `running` says while it cannot be told.
const UNKNOWN: &str = "unknown";

/// Installs trees below one folder.
#[derive(Debug)]
pub struct TreeInstaller<C> {
    settings: TreeSettings,
    clock: C,
    boot_id: String,
}

impl<C: Clock> TreeInstaller<C> {
    /// An installer; `boot_id` tells one boot of the machine from another.
    pub fn new(settings: TreeSettings, clock: C, boot_id: &str) -> Self {
        Self { settings, clock, boot_id: boot_id.to_owned() }
    }

    fn root(&self) -> &Path {
        &self.settings.root
    }

    fn versions(&self) -> PathBuf {
        self.root().join("versions")
    }

    fn version(&self, digest: Sha256Digest) -> PathBuf {
        self.versions().join(digest.to_string())
    }

    fn spool(&self) -> PathBuf {
        self.root().join("spool")
    }

    /// Where the windows of an archive go.
    fn archive(&self, image: &ImageTarget) -> PathBuf {
        self.spool().join(format!("{}.image", image.firmware.payload.image_sha256))
    }

    fn current(&self) -> PathBuf {
        self.root().join("current")
    }

    fn previous(&self) -> PathBuf {
        self.root().join("previous")
    }

    fn running(&self) -> PathBuf {
        self.root().join("running")
    }

    fn pointed(&self, link: &Path) -> Result<Content, Failure> {
        let failed = |e| Failure::of_disk(format!("reading {}", link.display()), e);
        let target = pointer::read(link).map_err(failed)?;
        let digest = target.as_deref().and_then(version_named);
        let there = digest.filter(|digest| self.version(*digest).is_dir());
        Ok(there.map_or(Content::Unknown, Content::Image))
    }

    /// What runs: what was last restarted into in this boot, otherwise what the boot began with.
    fn what_runs(&self, next: Content) -> Result<Content, Failure> {
        let text = match std::fs::read_to_string(self.running()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(next),
            Err(error) => return Err(Failure::of_disk("reading what runs", error)),
        };
        let Some((digest, boot_id)) = text.trim_end().split_once(' ') else {
            return Ok(Content::Unknown);
        };
        if boot_id != self.boot_id {
            return Ok(next);
        }
        Ok(digest.parse().map_or(Content::Unknown, Content::Image))
    }

    fn note_running(&self, what: &str) -> Result<(), Failure> {
        let text = format!("{what} {}\n", self.boot_id);
        write_durably(&self.running(), text.as_bytes())
            .map_err(|e| Failure::of_disk("noting what runs", e))
    }

    /// Removes every version but these, and all downloads.
    async fn sweep(&self, keep: Vec<Sha256Digest>) -> Result<(), Failure> {
        let (versions, spool) = (self.versions(), self.spool());
        let swept = storage::blocking(move || {
            remove_others(&versions, &keep).and_then(|()| remove_others(&spool, &[]))
        });
        swept.await.flatten().map_err(|e| Failure::of_disk("removing old versions", e))
    }

    /// Versions that must stay: what a link points to.
    fn linked(&self) -> Result<Vec<Sha256Digest>, Failure> {
        let mut linked = Vec::new();
        for link in [self.current(), self.previous()] {
            if let Content::Image(digest) = self.pointed(&link)? {
                linked.push(digest);
            }
        }
        Ok(linked)
    }

    fn point(&self, link: &Path, digest: Sha256Digest) -> Result<(), Failure> {
        let target = Path::new("versions").join(digest.to_string());
        pointer::point(link, &target)
            .map_err(|e| Failure::of_disk(format!("changing {}", link.display()), e))
    }
}

impl<C: Clock> Installer for TreeInstaller<C> {
    async fn observe(&mut self) -> Result<Observed, Failure> {
        let next = self.pointed(&self.current())?;
        Ok(Observed { running: self.what_runs(next)?, next })
    }

    async fn stage(
        &mut self,
        image: &Verified<ImageTarget>,
        download: &Path,
    ) -> Result<(), Failure> {
        let payload = &image.firmware.payload;
        // The archive is the image, whatever carried it.
        let wanted = payload.image_sha256;
        let room = payload.slot_bytes.saturating_add(payload.slot_bytes / 100 * OVERHEAD_PERCENT);
        if self.pointed(&self.current())? == Content::Image(wanted) {
            // What is active is never unpacked anew: it would be gone for a moment.
            return self.check_staged(image).await;
        }
        let (versions, download) = (self.versions(), download.to_owned());
        let done = storage::blocking(move || stage(&versions, &download, wanted, room)).await;
        done.map_err(|e| Failure::of_disk("unpacking", e))?
    }

    async fn prepare(&mut self, image: &Verified<ImageTarget>) -> Result<Place, Failure> {
        let (path, length) = (self.archive(image), image.firmware.payload.image_length);
        let during = || format!("opening {}", path.display());
        let opened = open_archive(&path, length).map_err(|e| Failure::of_disk(during(), e))?;
        Ok(Place::new(path, opened))
    }

    async fn seal(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        // Room first: what the old archive was good for is over.
        remove_bases(&self.spool()).map_err(|e| Failure::of_disk("removing the old archive", e))?;
        let archive = self.archive(image);
        self.stage(image, &archive).await
    }

    async fn base(&mut self, running: Sha256Digest, length: u64) -> Result<OldImage, Failure> {
        let (tree, spool) = (self.version(running), self.spool());
        let rebuilt = storage::blocking(move || rebuild::archive(&tree, &spool, running, length));
        let file =
            rebuilt.await.map_err(|e| Failure::of_disk("rebuilding the old archive", e))??;
        Ok(OldImage(file))
    }

    async fn check_staged(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        let wanted = image.firmware.payload.image_sha256;
        let place = self.version(wanted);
        let checked = storage::blocking(move || check(&place, wanted)).await;
        checked.map_err(|e| Failure::of_disk("reading the tree back", e))?
    }

    async fn arm(&mut self) -> Result<(), Failure> {
        match self.pointed(&self.current())? {
            Content::Image(digest) => {
                // From here on the link says what will run, and this file what runs.
                match self.what_runs(Content::Image(digest))? {
                    Content::Image(running) => self.note_running(&running.to_string())?,
                    Content::Unknown => self.note_running(UNKNOWN)?,
                }
                self.point(&self.previous(), digest)
            }
            Content::Unknown => {
                let path = self.current();
                let during = format!("{} points to no version: no way back", path.display());
                Err(Failure::new(Reason::InstallFailed, during))
            }
        }
    }

    async fn activate(&mut self, permit: Permit) -> Result<(), Failure> {
        let image = permit.use_up(self.clock.boot_ms());
        let image = image.map_err(|reason| Failure::new(reason, "the permit is over"))?;
        let digest = image.firmware.payload.image_sha256;
        if !self.version(digest).is_dir() {
            return Err(Failure::new(Reason::InstallFailed, "the version is not staged"));
        }
        self.point(&self.current(), digest)
    }

    async fn restart(&mut self) -> Result<Restart, Failure> {
        let Content::Image(digest) = self.pointed(&self.current())? else {
            return Err(Failure::new(Reason::RestartFailed, "no version is active"));
        };
        self.note_running(UNKNOWN)?;
        let (argv, limit) = (&self.settings.restart, self.settings.restart_limit);
        let ended = child::run(argv, limit, After::LeaveServices).await;
        let during = || format!("restarting with {}", argv.program());
        let ended = ended.map_err(|e| Failure::from_source(Reason::RestartFailed, during(), e))?;
        if !ended.status.success() {
            let said = format!("{}: {}: {}", during(), ended.status, ended.last_words());
            return Err(Failure::new(Reason::RestartFailed, said));
        }
        self.note_running(&digest.to_string())?;
        Ok(Restart::Done)
    }

    async fn keep(&mut self) -> Result<(), Failure> {
        let linked = self.linked()?;
        self.sweep(linked).await
    }

    async fn go_back(&mut self) -> Result<(), Failure> {
        let Content::Image(before) = self.pointed(&self.previous())? else {
            return Err(Failure::new(Reason::RollbackFailed, "the version before is not there"));
        };
        if self.pointed(&self.current())? == Content::Image(before) {
            return Ok(());
        }
        self.point(&self.current(), before)
    }

    async fn discard(&mut self) -> Result<(), Failure> {
        let linked = self.linked()?;
        self.sweep(linked).await
    }
}

/// The version that a link's target names.
fn version_named(target: &Path) -> Option<Sha256Digest> {
    target.to_str()?.strip_prefix("versions/")?.parse().ok()
}

/// Unpacks beside, reads back, and only then gives the folder its name.
fn stage(versions: &Path, archive: &Path, wanted: Sha256Digest, room: u64) -> Result<(), Failure> {
    let place = versions.join(wanted.to_string());
    if place.exists() {
        if check(&place, wanted).is_ok() {
            return Ok(());
        }
        remove(&place)?;
    }
    let during = |what: &str| format!("{what} {}", versions.display());
    std::fs::create_dir_all(versions).map_err(|e| Failure::of_disk(during("making"), e))?;
    let beside = versions.join(format!("{}.new", wanted));
    remove(&beside)?;
    storage::need_space(versions, room).map_err(|e| Failure::of_disk(during("room in"), e))?;
    let staged = unpack(archive, &beside).and_then(|digest| {
        if digest != wanted {
            let during = "the downloaded archive is not the signed one";
            return Err(Failure::new(Reason::DownloadMismatch, during));
        }
        check(&beside, wanted)
    });
    if let Err(failure) = staged {
        // The failure to tell is the first one; what is left is removed again before the next try.
        let _left = remove(&beside);
        return Err(failure);
    }
    std::fs::rename(&beside, &place)
        .and_then(|()| sync_dir(versions))
        .map_err(|e| Failure::of_disk(during("naming the version in"), e))
}

fn open_archive(path: &Path, length: u64) -> io::Result<File> {
    let spool = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(spool)?;
    let file = crate::stage::open_own(path)?;
    let more = length.saturating_sub(file.metadata()?.len());
    if more > 0 {
        storage::need_space(spool, more)?;
    }
    Ok(file)
}

/// Removes archives that were rebuilt to be read from.
fn remove_bases(spool: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(spool)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == rebuild::ENDING) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn check(place: &Path, wanted: Sha256Digest) -> Result<(), Failure> {
    let (digest, _length) = digest_of(place)?;
    if digest == wanted {
        return Ok(());
    }
    Err(Failure::new(Reason::ImageMismatch, format!("{} is not what was signed", place.display())))
}

fn remove(place: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::of_disk(format!("removing {}", place.display()), error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes everything in a folder but these digests.
fn remove_others(folder: &Path, keep: &[Sha256Digest]) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let digest = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if digest.is_some_and(|digest| keep.contains(&digest)) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    sync_dir(folder)
}

#[cfg(test)]
mod tests;
