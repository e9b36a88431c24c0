//! Installing images: trees of files, or A/B slots. The running image is never touched.
//!
//! Both kinds work in the same order ([`Installer`]): stage beside what runs, read back from the
//! medium, remember the way back, one atomic write, restart. Not here: when any of it is permitted.
//! Invariant: at every instant, power cut included, the old or the new image is active, whole.

pub mod pointer;
pub mod rebuild;
pub mod records;
pub mod slots;
pub mod tree;
pub mod unpack;

pub use slots::SlotsInstaller;
pub use tree::TreeInstaller;

use crate::boot::exec::ExecBoot;
use crate::config::{Config, Install};
use crate::edge::{Clock, Failure, Observed, Restart};
use crate::installer::Installer;
use crate::permit::Permit;
use crate::stage::windows::{OldImage, Place};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use std::path::Path;

/// The installer that a configuration asks for.
#[derive(Debug)]
pub enum Configured<C> {
    /// Versioned folders.
    Tree(TreeInstaller<C>),
    /// Two images.
    Slots(SlotsInstaller<C, ExecBoot>),
}

impl<C: Clock> Configured<C> {
    /// The installer of this configuration; `boot_id` tells one boot of the machine from another.
    pub fn new(config: &Config, clock: C, boot_id: &str) -> Self {
        match &config.install {
            Install::Tree(settings) => {
                Self::Tree(TreeInstaller::new(settings.clone(), clock, boot_id))
            }
            Install::Slots(settings) => {
                let boot = ExecBoot::new(settings.boot.clone(), settings.boot_limit);
                let records = config.state_dir.join("slots.json");
                let factory = config.factory.as_ref().map(|image| image.image_sha256);
                let slots = SlotsInstaller::new(settings.clone(), boot, clock, records, factory);
                Self::Slots(slots)
            }
        }
    }
}

impl<C: Clock> Installer for Configured<C> {
    async fn observe(&mut self) -> Result<Observed, Failure> {
        match self {
            Self::Tree(tree) => tree.observe().await,
            Self::Slots(slots) => slots.observe().await,
        }
    }

    async fn stage(
        &mut self,
        image: &Verified<ImageTarget>,
        download: &Path,
    ) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.stage(image, download).await,
            Self::Slots(slots) => slots.stage(image, download).await,
        }
    }

    async fn prepare(&mut self, image: &Verified<ImageTarget>) -> Result<Place, Failure> {
        match self {
            Self::Tree(tree) => tree.prepare(image).await,
            Self::Slots(slots) => slots.prepare(image).await,
        }
    }

    async fn seal(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.seal(image).await,
            Self::Slots(slots) => slots.seal(image).await,
        }
    }

    async fn base(&mut self, running: Sha256Digest, length: u64) -> Result<OldImage, Failure> {
        match self {
            Self::Tree(tree) => tree.base(running, length).await,
            Self::Slots(slots) => slots.base(running, length).await,
        }
    }

    async fn check_staged(&mut self, image: &Verified<ImageTarget>) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.check_staged(image).await,
            Self::Slots(slots) => slots.check_staged(image).await,
        }
    }

    async fn arm(&mut self) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.arm().await,
            Self::Slots(slots) => slots.arm().await,
        }
    }

    async fn activate(&mut self, permit: Permit) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.activate(permit).await,
            Self::Slots(slots) => slots.activate(permit).await,
        }
    }

    async fn restart(&mut self) -> Result<Restart, Failure> {
        match self {
            Self::Tree(tree) => tree.restart().await,
            Self::Slots(slots) => slots.restart().await,
        }
    }

    async fn keep(&mut self) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.keep().await,
            Self::Slots(slots) => slots.keep().await,
        }
    }

    async fn go_back(&mut self) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.go_back().await,
            Self::Slots(slots) => slots.go_back().await,
        }
    }

    async fn discard(&mut self) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.discard().await,
            Self::Slots(slots) => slots.discard().await,
        }
    }
}
