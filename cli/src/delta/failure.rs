//! What is wrong with a container, as a failure of the command line: one code for each class.
//!
//! Not here: the words of each code (the table in [`crate::error`]). Invariant: total; a new class in
//! the protocol breaks the build here.

use crate::disk;
use crate::error::{Code, Failure, chain};
use patchward_protocol::delta::apply::{ApplyError, FrameError};
use patchward_protocol::delta::build::BuildError;
use patchward_protocol::delta::format::FormatError;
use std::io;
use std::path::Path;

/// The failure for a container that does not give its image.
#[must_use]
pub fn apply(path: &Path, error: &ApplyError) -> Failure {
    let code = match error {
        ApplyError::Read(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            Code::DeltaLength
        }
        ApplyError::Read(source) => return disk::unreadable(path, source),
        ApplyError::Write(source) => return disk::failed(path, source),
        ApplyError::Format(error) => format(error),
        ApplyError::Length { .. } => Code::DeltaLength,
        ApplyError::Window { source, .. } => frame(source),
        ApplyError::Image => Code::DeltaImage,
    };
    Failure::new(code, format!("{}: {}", path.display(), chain(error)))
}

/// As [`apply`]; `out` is what the image is written to.
#[must_use]
pub fn decoding(path: &Path, out: &Path, error: &ApplyError) -> Failure {
    if let ApplyError::Write(source) = error {
        return disk::failed(out, source);
    }
    apply(path, error)
}

/// The failure for a container that could not be made; `new` is the image that goes in.
#[must_use]
pub fn build(new: &Path, out: &Path, error: &BuildError) -> Failure {
    let code = match error {
        BuildError::ReadNew(source) => return disk::unreadable(new, source),
        BuildError::WriteOut(source) => return disk::failed(out, source),
        BuildError::Parameter(_) => Code::ValueBad,
        BuildError::Length(_) => Code::DeltaImageLength,
        BuildError::Index(_) => Code::DeltaMemory,
        BuildError::Pack(_) | BuildError::Worker => Code::DeltaBuild,
    };
    Failure::new(code, format!("{}: {}", new.display(), chain(error)))
}

const fn format(error: &FormatError) -> Code {
    match error {
        FormatError::Magic => Code::DeltaNone,
        FormatError::Version(_) => Code::DeltaVersion,
        FormatError::Feature(_) => Code::DeltaFeature,
        FormatError::Header(_) => Code::DeltaHeader,
        FormatError::Entry { .. } => Code::DeltaEntry,
        FormatError::Table(_) => Code::DeltaTable,
        FormatError::Digest => Code::DeltaDigest,
    }
}

const fn frame(error: &FrameError) -> Code {
    match error {
        FrameError::Memory => Code::DeltaMemory,
        FrameError::Payload => Code::DeltaPayload,
        FrameError::Malformed(_) => Code::DeltaMalformed,
        FrameError::Stream(_) => Code::DeltaStream,
        FrameError::Old(_) => Code::FileUnreadable,
        FrameError::Output => Code::DeltaOutput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_cannot_bring_about_has_its_code_too() {
        let path = Path::new("d.pwd");
        let window = |source| apply(path, &ApplyError::Window { index: 3, source }).code;
        assert_eq!(window(FrameError::Memory), Code::DeltaMemory);
        assert_eq!(window(FrameError::Old(io::ErrorKind::Other.into())), Code::FileUnreadable);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let failure = decoding(path, Path::new("out.img"), &ApplyError::Write(full()));
        assert_eq!(failure.code, Code::DiskFull);
        assert!(failure.detail.starts_with("out.img"), "{}", failure.detail);
        let built = |error| build(Path::new("new.img"), path, &error).code;
        assert_eq!(built(BuildError::Worker), Code::DeltaBuild);
        assert_eq!(built(BuildError::Pack("zstd")), Code::DeltaBuild);
        assert_eq!(built(BuildError::Index("memory")), Code::DeltaMemory);
        assert_eq!(built(BuildError::WriteOut(full())), Code::DiskFull);
    }
}
