//! Packing: single-segment zstd frames of the one form that the decoder takes.
//!
//! Invariant: what is packed here passes [`crate::delta::stream`]'s check of form.

use super::BuildError;
use super::writer::Window;
use crate::delta::format::FrameKind;
use zstd_safe::{CCtx, CParameter};

/// Logarithm of a length that no stream exceeds: short levels see less by themselves, and what they
/// do not see as a whole would be no single segment. The packer shrinks it to the stream.
const WINDOW_LOG: u32 = 24;

/// Packs streams; claimed once for each thread.
pub(super) struct Packer {
    context: CCtx<'static>,
    scratch: Vec<u8>,
}

impl Packer {
    pub(super) fn new(level: i32) -> Result<Self, BuildError> {
        let mut context =
            CCtx::try_create().ok_or(BuildError::Pack("there is not enough memory"))?;
        for parameter in [
            CParameter::CompressionLevel(level),
            CParameter::WindowLog(WINDOW_LOG),
            CParameter::ContentSizeFlag(true),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            context.set_parameter(parameter).map_err(said)?;
        }
        Ok(Self { context, scratch: Vec::new() })
    }

    /// Packs `bytes` as one frame.
    pub(super) fn pack(&mut self, bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
        let bound = zstd_safe::compress_bound(bytes.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let length = self.context.compress2(self.scratch.as_mut_slice(), bytes).map_err(said)?;
        Ok(self.scratch.get(..length).unwrap_or_default().to_vec())
    }

    /// Packs `bytes`, or gives them as they are when packing does not make them shorter.
    pub(super) fn pack_or_store(&mut self, bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
        let packed = self.pack(bytes)?;
        Ok(if packed.len() < bytes.len() { packed } else { bytes.to_vec() })
    }

    /// A window that needs no old image: zeros, or itself packed.
    pub(super) fn window(&mut self, window: &[u8]) -> Result<Window, BuildError> {
        if window.iter().all(|byte| *byte == 0) {
            return Ok(Window::bare(FrameKind::Zero));
        }
        let payload = self.pack(window)?;
        Ok(Window { payload, ..Window::bare(FrameKind::Raw) })
    }
}

fn said(code: usize) -> BuildError {
    BuildError::Pack(zstd_safe::get_error_name(code))
}
