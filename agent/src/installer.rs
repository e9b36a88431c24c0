//! What an installer can do, whatever kind of image it handles.
//!
//! Implemented by the tree and the slots installer. Not here: when any of it is permitted.
//! Invariant: every method may be called again after a crash and does then what is still missing.

use crate::edge::{Failure, Observed, Restart};
use crate::permit::Permit;
use crate::stage::windows::{OldImage, Place};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use std::path::Path;

/// Stages, activates, keeps and undoes images of one kind (tree, slots).
///
/// Order of an update: `stage` (or `prepare` and `seal`, for an image that comes by windows),
/// `check_staged`, `arm`, `activate`, `restart`, then `keep` or `go_back` (and `restart` again), at
/// last `discard` when nothing is wanted of the staged one.
pub trait Installer {
    /// What runs and what would run next.
    fn observe(&mut self) -> impl Future<Output = Result<Observed, Failure>>;

    /// Writes the downloaded file to the inactive place, reads it back, compares with the signed
    /// digest. The running image is untouched.
    fn stage(
        &mut self,
        image: &Verified<ImageTarget>,
        download: &Path,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Opens the inactive place for the windows of an image, unbootable first. The running image is
    /// untouched.
    fn prepare(
        &mut self,
        image: &Verified<ImageTarget>,
    ) -> impl Future<Output = Result<Place, Failure>>;

    /// All windows stand at the place that `prepare` opened: reads it back, compares with the signed
    /// digest, and makes it the staged image. [`Reason::ImageMismatch`],
    /// [`Reason::DownloadMismatch`] or [`Reason::TreeMalformed`] say that it is something else.
    ///
    /// [`Reason::ImageMismatch`]: patchward_protocol::reason::Reason::ImageMismatch
    /// [`Reason::DownloadMismatch`]: patchward_protocol::reason::Reason::DownloadMismatch
    /// [`Reason::TreeMalformed`]: patchward_protocol::reason::Reason::TreeMalformed
    fn seal(&mut self, image: &Verified<ImageTarget>) -> impl Future<Output = Result<(), Failure>>;

    /// The bytes of the image that runs, to be read from. They are as they were installed, or not:
    /// what is made from them is checked.
    fn base(
        &mut self,
        running: Sha256Digest,
        length: u64,
    ) -> impl Future<Output = Result<OldImage, Failure>>;

    /// Whether the staged image still stands there, whole and equal to the signed digest.
    fn check_staged(
        &mut self,
        image: &Verified<ImageTarget>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Makes the way back ready: remembers durably what is active now.
    fn arm(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// The one write of no return, durable when it returns.
    fn activate(&mut self, permit: Permit) -> impl Future<Output = Result<(), Failure>>;

    /// Makes what is active run.
    fn restart(&mut self) -> impl Future<Output = Result<Restart, Failure>>;

    /// Makes the running image stay: no fall-back any more.
    fn keep(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Makes active again what [`Installer::arm`] remembered; durable when it returns. Does nothing
    /// when that is active already. The caller restarts afterwards if something else runs.
    fn go_back(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Removes what is staged and not active, and the download.
    fn discard(&mut self) -> impl Future<Output = Result<(), Failure>>;
}
