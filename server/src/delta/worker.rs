//! The worker process: one order from standard input, one answer to standard output.
//!
//! It lowers its own priority and limits itself before it reads a byte of an image, so that whatever an
//! image does to the builder ends this process and not the server. It has no database, no keys, no
//! network. Not here: who asks ([`super::child`]). Invariant: `checked` is said only after the decoder
//! of devices made the offline-signed image from the very file whose digest is told.

use super::order::{Answer, Checked, Container, Order, Step, Used};
use crate::error::Chain;
use patchward_protocol::delta::apply::{self, ApplyError, FrameError, NoBase};
use patchward_protocol::delta::build::{self, BuildError, FileSource, LEVEL, Parameters};
use patchward_protocol::delta::format::{Header, Whole};
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::time::ClockId;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;

/// How much less urgent a worker is than everything else.
const NICE: i32 = 10;
/// Between the two limits of processor time, in seconds.
const CPU_SPARE_S: u64 = 5;
/// Bytes that are read at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("the order cannot be carried out: {0}")]
    Order(&'static str),
    #[error("there is not enough memory")]
    Memory,
    #[error("a file cannot be used")]
    File(#[source] io::Error),
    #[error("the {0} container does not give its image")]
    Unpack(&'static str, #[source] ApplyError),
    #[error("the delta was not built")]
    Build(#[source] BuildError),
    #[error("the delta does not give the image")]
    Apply(#[source] ApplyError),
    #[error("the delta says other things than the signed targets: {0}")]
    Disagrees(&'static str),
}

/// Carries out one order.
#[must_use]
pub fn run(order: &Order) -> Answer {
    let done = limit(order).and_then(|()| match order.step {
        Step::Build { index, threads } => {
            let threads = usize::try_from(threads).ok().and_then(NonZeroUsize::new);
            let threads = threads.unwrap_or(NonZeroUsize::MIN);
            build(order, index.into(), threads)
        }
        Step::Check => check(order).map(Answer::Checked),
    });
    match done {
        Ok(answer) => answer,
        Err(error) if error.is_memory() => Answer::Memory,
        Err(error) => Answer::Failed { detail: Chain(&error).to_string() },
    }
}

impl WorkerError {
    fn is_memory(&self) -> bool {
        let of_frame = |error: &ApplyError| {
            matches!(error, ApplyError::Window { source: FrameError::Memory, .. })
        };
        match self {
            Self::Memory | Self::Build(BuildError::Index(_)) => true,
            // In the words of zstd.
            Self::Build(BuildError::Pack(why)) => why.contains("not enough memory"),
            Self::Unpack(_, error) | Self::Apply(error) => of_frame(error),
            Self::File(error) => error.kind() == io::ErrorKind::OutOfMemory,
            Self::Order(_) | Self::Build(_) | Self::Disagrees(_) => false,
        }
    }
}

/// Ends with its asker; takes no more than it was given.
fn limit(order: &Order) -> Result<(), WorkerError> {
    let refused = |_| WorkerError::Order("the limits cannot be set");
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused)?;
    // It may have ended before the line above.
    let asker = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if asker != Some(order.asker) {
        return Err(WorkerError::Order("whoever asked is gone"));
    }
    // Where that is forbidden, building is as urgent as serving, and still limited.
    let _ = rustix::process::nice(NICE);
    let most = |most: u64, last: u64| Rlimit { current: Some(most), maximum: Some(last) };
    // The first limit of time ends it with a signal that says so, the second one without.
    let last_s = order.cpu_s.saturating_add(CPU_SPARE_S);
    for (resource, limit) in [
        (Resource::Cpu, most(order.cpu_s, last_s)),
        (Resource::Core, most(0, 0)),
        (Resource::As, most(order.address_bytes, order.address_bytes)),
    ] {
        rustix::process::setrlimit(resource, limit).map_err(refused)?;
    }
    Ok(())
}

fn build(order: &Order, index: build::Index, threads: NonZeroUsize) -> Result<Answer, WorkerError> {
    let new_path = order.scratch.join("new");
    let mut new = create(&new_path)?;
    let header = unpack("new", &order.to, &mut |_, window| new.write_all(window))?;
    new.sync_data().map_err(WorkerError::File)?;
    let mut old = Vec::new();
    let length = usize::try_from(order.from.image_length).map_err(|_| WorkerError::Memory)?;
    old.try_reserve_exact(length).map_err(|_| WorkerError::Memory)?;
    unpack("old", &order.from, &mut |_, window| {
        old.extend_from_slice(window);
        Ok(())
    })?;
    let new = FileSource::new(new).map_err(WorkerError::File)?;
    let mut out = BufWriter::new(create(&order.delta)?);
    let parameters = Parameters { window: header.window, level: LEVEL, threads, index };
    let built = build::delta(&old, &new, &mut out, &parameters, &|_| {});
    let built = built.map_err(WorkerError::Build)?;
    let out = out.into_inner().map_err(|error| WorkerError::File(error.into_error()))?;
    out.sync_all().map_err(WorkerError::File)?;
    Ok(Answer::Built { bytes: built.file_len, used: used() })
}

fn check(order: &Order) -> Result<Checked, WorkerError> {
    let old_path = order.scratch.join("old");
    let mut old = create(&old_path)?;
    unpack("old", &order.from, &mut |_, window| old.write_all(window))?;
    let mut delta = File::open(&order.delta).map_err(WorkerError::File)?;
    let sha256 = digest_of(&mut delta)?;
    let head = apply::whole(&mut delta, None, &mut &old, &mut |_, _| Ok(()), &|_| {});
    let head = head.map_err(WorkerError::Apply)?;
    let header = head.header;
    let image = |of: &Container| Whole { length: of.image_length, sha256: of.image_sha256 };
    if header.new != image(&order.to) {
        return Err(WorkerError::Disagrees("it makes another image"));
    }
    if header.old != Some(image(&order.from)) {
        return Err(WorkerError::Disagrees("it starts from another image"));
    }
    same_grid(&header, &order.to)?;
    Ok(Checked {
        sha256,
        bytes: header.file_len(),
        table_sha256: head.sha256,
        mem_bytes: header.memory_bytes(),
        used: used(),
    })
}

/// A device takes windows from either file: both must be cut at the same places. As the delta gives the
/// image, its windows are then the ones that the full container's table names.
fn same_grid(header: &Header, to: &Container) -> Result<(), WorkerError> {
    let mut full = File::open(&to.path).map_err(WorkerError::File)?;
    let signed = apply::head(&mut full, Some(to.table_sha256));
    let signed = signed.map_err(|error| WorkerError::Unpack("new", error))?.header;
    match (signed.window, signed.frames, signed.new) == (header.window, header.frames, header.new) {
        true => Ok(()),
        false => Err(WorkerError::Disagrees("its windows are others")),
    }
}

fn unpack(
    which: &'static str,
    container: &Container,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<Header, WorkerError> {
    let mut file = File::open(&container.path).map_err(WorkerError::File)?;
    let table = Some(container.table_sha256);
    let head = apply::whole(&mut file, table, &mut NoBase, write, &|_| {});
    let header = head.map_err(|error| WorkerError::Unpack(which, error))?.header;
    let image = Whole { length: container.image_length, sha256: container.image_sha256 };
    match header.new == image && header.old.is_none() {
        true => Ok(header),
        false => Err(WorkerError::Disagrees("a full container holds another image")),
    }
}

fn create(path: &Path) -> Result<File, WorkerError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    options.open(path).map_err(WorkerError::File)
}

fn digest_of(file: &mut File) -> Result<Sha256Digest, WorkerError> {
    let (mut hasher, mut piece) = (Sha256Hasher::new(), vec![0; PIECE_BYTES]);
    loop {
        let read = file.read(&mut piece).map_err(WorkerError::File)?;
        match piece.get(..read) {
            None | Some([]) => return Ok(hasher.finish()),
            Some(bytes) => hasher.update(bytes),
        }
    }
}

/// What this process took so far.
fn used() -> Used {
    let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let millis = u64::try_from(cpu.tv_nsec / 1_000_000).unwrap_or(0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    Used {
        cpu_ms: seconds.saturating_mul(1000).saturating_add(millis),
        memory_kib: peak.unwrap_or(0),
    }
}
