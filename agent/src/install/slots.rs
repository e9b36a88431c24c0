//! The slots installer: two images, of which the boot loader starts one.
//!
//! A slot is a block device or a file. The inactive one is marked unbootable before its first byte
//! changes and is bootable again only through the activation. Not here: the boot loader
//! ([`crate::boot`]). Invariant: the running slot and its entry in the boot loader are not changed
//! before [`Installer::keep`].

use super::records::Records;
use crate::boot::{Boot, Slot};
use crate::config::SlotSettings;
use crate::edge::{Clock, Content, Failure, Observed, Restart};
use crate::installer::Installer;
use crate::permit::Permit;
use crate::stage::windows::{OldImage, Place};
use crate::storage::{self, Paced, READ_BYTES};
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Installs images into slots.
#[derive(Debug)]
pub struct SlotsInstaller<C, B> {
    settings: SlotSettings,
    boot: B,
    clock: C,
    records: PathBuf,
    factory: Option<Sha256Digest>,
}

/// What was signed.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    file: Sha256Digest,
    image: Sha256Digest,
    length: u64,
}

impl<C: Clock, B: Boot> SlotsInstaller<C, B> {
    /// An installer; `records` is its file, `factory` what the running slot held at first.
    pub const fn new(
        settings: SlotSettings,
        boot: B,
        clock: C,
        records: PathBuf,
        factory: Option<Sha256Digest>,
    ) -> Self {
        Self { settings, boot, clock, records, factory }
    }

    fn place(&self, slot: Slot) -> PathBuf {
        match slot {
            Slot::A => self.settings.a.clone(),
            Slot::B => self.settings.b.clone(),
        }
    }

    async fn records(&mut self) -> Result<Records, Failure> {
        if let Some(records) = Records::read(&self.records)? {
            return Ok(records);
        }
        let records = Records::factory(self.boot.current().await?, self.factory);
        records.write(&self.records)?;
        Ok(records)
    }

    /// Makes the inactive slot one that may be written: unbootable first, in the boot loader and in
    /// the records. Once they say so, nothing but an activation changes it back.
    async fn clear_for_writing(&mut self) -> Result<Slot, Failure> {
        let current = self.boot.current().await?;
        let slot = current.other();
        let mut records = self.records().await?;
        let noted = records.staged == Some(slot) && records.content(slot) == Content::Unknown;
        if self.boot.primary().await? != current {
            self.boot.set_primary(current).await?;
            self.boot.mark_good(current).await?;
        } else if noted && records.way_back.is_none() {
            return Ok(slot);
        }
        self.boot.mark_bad(slot).await?;
        records.set(slot, None);
        records.staged = Some(slot);
        records.way_back = None;
        records.write(&self.records)?;
        Ok(slot)
    }

    /// What was written is the signed image: it is staged.
    async fn made(&mut self, slot: Slot, wanted: Wanted) -> Result<(), Failure> {
        self.check(slot, wanted).await?;
        let mut records = self.records().await?;
        records.set(slot, Some(wanted.image));
        records.write(&self.records)
    }

    /// Reads a slot back from the medium and compares it with what was signed.
    async fn check(&self, slot: Slot, wanted: Wanted) -> Result<(), Failure> {
        let place = self.place(slot);
        let during = format!("reading back slot {slot}");
        let read = storage::blocking(move || storage::read_back(&place, wanted.length)).await;
        let digest = read.flatten().map_err(|e| Failure::of_disk(during, e))?;
        if digest == wanted.image {
            return Ok(());
        }
        Err(Failure::new(Reason::ImageMismatch, format!("slot {slot} is not what was signed")))
    }
}

impl<C: Clock, B: Boot> Installer for SlotsInstaller<C, B> {
    async fn observe(&mut self) -> Result<Observed, Failure> {
        let records = self.records().await?;
        let running = records.content(self.boot.current().await?);
        let next = records.content(self.boot.primary().await?);
        Ok(Observed { running, next })
    }

    async fn stage(
        &mut self,
        image: &Verified<ImageTarget>,
        download: &Path,
    ) -> Result<(), Failure> {
        let wanted = wanted(image);
        let slot = self.clear_for_writing().await?;
        let (place, download) = (self.place(slot), download.to_owned());
        let written = storage::blocking(move || write(&download, &place, wanted)).await;
        let digest = written
            .flatten()
            .map_err(|e| Failure::of_disk(format!("writing {}", self.place(slot).display()), e))?;
        if digest != wanted.file {
            let during = "the downloaded image is not the signed one";
            return Err(Failure::new(Reason::DownloadMismatch, during));
        }
        self.made(slot, wanted).await
    }

    async fn prepare(&mut self, image: &Verified<ImageTarget>) -> Result<Place, Failure> {
        let slot = self.clear_for_writing().await?;
        let (path, length) = (self.place(slot), wanted(image).length);
        let file = open_slot(&path, length)
            .map_err(|e| Failure::of_disk(format!("opening {}", path.display()), e))?;
        Ok(Place::new(path, file))
    }

    async fn seal(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        let slot = self.boot.current().await?.other();
        let records = self.records().await?;
        if records.staged != Some(slot) || records.content(slot) != Content::Unknown {
            return Err(Failure::new(
                Reason::InstallFailed,
                format!("slot {slot} is not prepared"),
            ));
        }
        self.made(slot, wanted(image)).await
    }

    async fn base(&mut self, running: Sha256Digest, _length: u64) -> Result<OldImage, Failure> {
        let slot = self.boot.current().await?;
        if self.records().await?.content(slot) != Content::Image(running) {
            let during = format!("slot {slot} is not known to hold the old image");
            return Err(Failure::new(Reason::DeltaBaseUnknown, during));
        }
        let path = self.place(slot);
        let file = File::open(&path)
            .map_err(|e| Failure::of_disk(format!("opening {}", path.display()), e))?;
        Ok(OldImage(file))
    }

    async fn check_staged(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        let wanted = wanted(image);
        let slot = self.boot.current().await?.other();
        let records = self.records().await?;
        let staged = records.content(slot) == Content::Image(wanted.image);
        if records.staged != Some(slot) || !staged {
            return Err(Failure::new(Reason::ImageMismatch, format!("slot {slot} is not staged")));
        }
        self.check(slot, wanted).await
    }

    async fn arm(&mut self) -> Result<(), Failure> {
        let current = self.boot.current().await?;
        self.boot.mark_good(current).await?;
        let mut records = self.records().await?;
        records.way_back = Some(current);
        records.write(&self.records)
    }

    async fn activate(&mut self, permit: Permit) -> Result<(), Failure> {
        let slot = self.boot.current().await?.other();
        let records = self.records().await?;
        let wanted = permit.image().firmware.payload.image_sha256;
        let staged = records.content(slot) == Content::Image(wanted);
        if !staged || records.way_back != Some(slot.other()) {
            let during = format!("slot {slot} is not staged and armed");
            return Err(Failure::new(Reason::InstallFailed, during));
        }
        let image = permit.use_up(self.clock.boot_ms());
        image.map_err(|reason| Failure::new(reason, "the permit is over"))?;
        self.boot.set_primary(slot).await?;
        if self.boot.primary().await? == slot {
            return Ok(());
        }
        let during = format!("the boot loader does not say that slot {slot} is next");
        Err(Failure::new(Reason::InstallFailed, during))
    }

    async fn restart(&mut self) -> Result<Restart, Failure> {
        let restarted = self.boot.restart().await;
        restarted.map_err(|failure| Failure { reason: Reason::RestartFailed, ..failure })
    }

    async fn keep(&mut self) -> Result<(), Failure> {
        let current = self.boot.current().await?;
        self.boot.mark_good(current).await?;
        let mut records = self.records().await?;
        (records.staged, records.way_back) = (None, None);
        records.write(&self.records)?;
        self.clear_spool()
    }

    async fn go_back(&mut self) -> Result<(), Failure> {
        let before = self.records().await?.way_back.ok_or_else(|| {
            Failure::new(Reason::RollbackFailed, "the slot to go back to is not known")
        })?;
        let back = async {
            if self.boot.primary().await? != before {
                self.boot.set_primary(before).await?;
                self.boot.mark_good(before).await?;
            }
            self.boot.mark_bad(before.other()).await
        };
        back.await.map_err(|failure| Failure { reason: Reason::RollbackFailed, ..failure })
    }

    async fn discard(&mut self) -> Result<(), Failure> {
        let mut records = self.records().await?;
        let current = self.boot.current().await?;
        if let Some(slot) = records.staged.filter(|slot| *slot != current) {
            self.boot.mark_bad(slot).await?;
            records.set(slot, None);
        }
        (records.staged, records.way_back) = (None, None);
        records.write(&self.records)?;
        self.clear_spool()
    }
}

impl<C, B> SlotsInstaller<C, B> {
    fn clear_spool(&self) -> Result<(), Failure> {
        crate::stage::clear(&self.settings.spool)
            .map_err(|e| Failure::of_disk("removing downloads", e))
    }
}

fn wanted(image: &ImageTarget) -> Wanted {
    let payload = &image.firmware.payload;
    Wanted { file: image.sha256, image: payload.image_sha256, length: payload.image_length }
}

/// Writes the downloaded image into the slot, flushed; returns the digest of what was read.
fn write(download: &Path, place: &Path, wanted: Wanted) -> io::Result<Sha256Digest> {
    let mut source = File::open(download)?.take(wanted.length.saturating_add(1));
    let mut slot = open_slot(place, wanted.length)?;
    slot.seek(SeekFrom::Start(0))?;
    let mut paced = Paced::new(slot);
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            break;
        }
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        paced.put(piece)?;
    }
    paced.finish()?;
    Ok(hasher.finish())
}

/// Opens a slot for writing in place, and checks that the image fits.
fn open_slot(place: &Path, length: u64) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut slot = File::from(rustix::fs::open(place, flags, Mode::RUSR | Mode::WUSR)?);
    let found = slot.metadata()?;
    if found.is_file() {
        let more = length.saturating_sub(found.len());
        if more > 0 {
            storage::need_space(place.parent().unwrap_or(Path::new("/")), more)?;
        }
    } else if slot.seek(SeekFrom::End(0)).is_ok_and(|size| size > 0 && size < length) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(slot)
}

#[cfg(test)]
mod tests;
