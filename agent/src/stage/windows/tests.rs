//! Staging by windows, from a server that misbehaves, into a file that stands for a slot.

mod crash;
mod spool;

use super::*;
use crate::samples::{self, Container};
use crate::stage::double::{Act, Server, local, serve};
use crate::stage::{Pause, Remote};
use crate::storage::Paced;
use patchward_protocol::delta::apply::Entries;
use patchward_protocol::delta::build::{Index, Parameters, delta, full};
use patchward_protocol::delta::format::{
    FormatError, Frame, FrameKind, HEADER_BYTES, Header, Whole, spell,
};
use patchward_protocol::limits::DELTA_MEMORY_BYTES;
use patchward_protocol::tuf::custom::Kind;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;
use tempfile::TempDir;

const FULL: &str = "/full.pwd";
const DELTA: &str = "/delta.pwd";
const WINDOW: usize = 64 * 1024;
const WINDOWS: usize = 12;
/// Flushed every so many bytes: four windows.
const FLUSH: u64 = 4 * 64 * 1024;

/// Bytes that do not pack.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}

fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap()
}

fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    File::create(path).unwrap().write_all(bytes.as_ref()).unwrap();
}

fn parameters() -> Parameters {
    let (window, threads) = (64 * 1024, NonZeroUsize::MIN);
    Parameters { window, level: 1, threads, index: Index::SuffixArray }
}

fn container(write: impl FnOnce(&mut io::Cursor<Vec<u8>>) -> Sha256Digest) -> Container {
    let mut file = io::Cursor::new(Vec::new());
    let table_sha256 = write(&mut file);
    Container { file: file.into_inner(), table_sha256 }
}

fn full_of(new: &[u8]) -> Container {
    container(|out| full(new, out, &parameters(), &|_| ()).unwrap().table_sha256)
}

fn delta_of(old: &[u8], new: &[u8]) -> Container {
    container(|out| delta(old, new, out, &parameters(), &|_| ()).unwrap().table_sha256)
}

fn head_of(file: &[u8]) -> (Header, Vec<Frame>) {
    let mut file = io::Cursor::new(file);
    let mut entries = Entries::of(&mut file).unwrap();
    let header = *entries.header();
    (header, std::iter::from_fn(|| entries.next(&mut file).unwrap()).collect())
}

/// Header and table, which a signed digest binds together.
fn head_bytes(file: &[u8]) -> Vec<u8> {
    let header = Header::read(file.first_chunk().unwrap()).unwrap();
    [&file[..HEADER_BYTES], &file[narrow(header.table().start)..]].concat()
}

/// The same container with other entries: what a thief of the online key could sign.
fn forged(container: &Container, change: impl FnOnce(&mut Vec<Frame>)) -> Container {
    let (mut header, mut frames) = head_of(&container.file);
    change(&mut frames);
    let table = spell(&header, &frames);
    (header.table_len, header.entries_sha256) =
        (u32::try_from(table.len()).unwrap(), Sha256Digest::of(&table));
    let payloads = &container.file[HEADER_BYTES..HEADER_BYTES + narrow(header.payload_len)];
    let file = [&header.write()[..], payloads, &table].concat();
    Container { table_sha256: Sha256Digest::of(&head_bytes(&file)), file }
}

/// A hospital's device on a bench: an old slot, a place for the new one, a spool.
struct Bench {
    folder: TempDir,
    new: Vec<u8>,
    full: Container,
    delta: Container,
    image: Verified<ImageTarget>,
}

impl Bench {
    /// The new image has noise in every fifth window, and the old one's bytes elsewhere.
    fn new() -> Self {
        let old = noise(1, WINDOW * WINDOWS);
        let mut new = old.clone();
        for index in (0..WINDOWS).step_by(5) {
            new[index * WINDOW..][..WINDOW].copy_from_slice(&noise(wide(index) + 7, WINDOW));
        }
        // And one byte here and there, so that most windows have a payload.
        for index in 0..WINDOWS {
            new[index * WINDOW + 100] ^= 0x55;
        }
        new.truncate(WINDOW * WINDOWS - 1234);
        Self::of(&old, new)
    }

    fn of(old: &[u8], new: Vec<u8>) -> Self {
        let (full, delta) = (full_of(&new), delta_of(old, &new));
        let image = samples::contained(Kind::Slots, 2, &new, &full);
        let bench = Self { folder: tempfile::tempdir().unwrap(), new, full, delta, image };
        put(bench.at("old"), old);
        put(bench.at("slot"), noise(99, WINDOW * WINDOWS));
        std::fs::create_dir(bench.at("spool")).unwrap();
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn server(&self, script: Vec<Act>) -> Server {
        serve(&[(FULL, &self.full.file), (DELTA, &self.delta.file)], script).await
    }

    fn chosen(&self) -> Chosen {
        let old = std::fs::read(self.at("old")).unwrap();
        let from = Whole { length: wide(old.len()), sha256: self.old_sha256() };
        Chosen::new(remote(DELTA, &self.delta), self.delta.table_sha256, from)
    }

    fn old_sha256(&self) -> Sha256Digest {
        head_of(&self.delta.file).0.old.unwrap().sha256
    }

    async fn open(&self, server: &Server) -> Result<Windows, FetchError> {
        open(self.folder.path(), &self.image, &self.full, server).await
    }

    async fn by_delta(&self, windows: &mut Windows, server: &Server) -> Result<(), FetchError> {
        by_delta(self.folder.path(), windows, server).await
    }

    /// Everything, as a device does it.
    async fn stage(&self, server: &Server) -> Result<Windows, FetchError> {
        let mut windows = self.open(server).await?;
        if windows.next() == Next::Choose {
            windows.choose(self.chosen());
        }
        go_on(self.folder.path(), &mut windows, server).await?;
        Ok(windows)
    }

    fn slot(&self) -> Vec<u8> {
        std::fs::read(self.at("slot")).unwrap()[..self.new.len()].to_vec()
    }

    #[track_caller]
    fn is_whole(&self) {
        assert!(self.slot() == self.new, "the slot is not the image");
    }
}

fn remote(path: &str, container: &Container) -> Remote {
    let (length, sha256) = (wide(container.file.len()), Sha256Digest::of(&container.file));
    Remote { url_path: path.to_owned(), length, sha256 }
}

fn pause() -> Pause {
    let millisecond = Duration::from_millis(1);
    Pause { first: millisecond, longest: millisecond }
}

async fn open(
    folder: &Path,
    image: &Verified<ImageTarget>,
    full: &Container,
    server: &Server,
) -> Result<Windows, FetchError> {
    let spool = folder.join("spool");
    let (mut client, mut fetched) = (server.client(), 0);
    let mut line = Line { client: &mut client, headers: &[], pause: pause() };
    let length = image.firmware.payload.image_length;
    let signed = image.firmware.payload.table_sha256.unwrap();
    let from = remote(FULL, full);
    let table = Table::fetch(&spool, &mut line, from, signed, length, &mut fetched).await?;
    table.fits(image, DELTA_MEMORY_BYTES)?;
    let path = folder.join("slot");
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let place = Place::paced(path, Paced::every(file, FLUSH));
    Windows::open(&spool, image, table, place, fetched).await
}

async fn by_delta(folder: &Path, windows: &mut Windows, server: &Server) -> Result<(), FetchError> {
    let Next::Delta(chosen) = windows.next() else { panic!("a delta was chosen") };
    let (mut client, mut fetched) = (server.client(), 0);
    let mut line = Line { client: &mut client, headers: &[], pause: pause() };
    let (spool, full) = (folder.join("spool"), *windows.full().header());
    let (from, signed) = (chosen.remote(), chosen.table_sha256);
    let table = Table::fetch(&spool, &mut line, from, signed, full.new.length, &mut fetched).await;
    windows.count_fetched(fetched);
    let table = table?;
    choice::agrees(&table, &chosen, &full, DELTA_MEMORY_BYTES).unwrap();
    let base = OldImage(File::open(folder.join("old")).unwrap());
    windows.by_delta(&mut line, &table, base).await
}

async fn by_full(windows: &mut Windows, server: &Server) -> Result<(), FetchError> {
    let mut client = server.client();
    windows.by_full(&mut Line { client: &mut client, headers: &[], pause: pause() }).await
}

/// By the delta as far as it goes, and then from the full file.
async fn go_on(folder: &Path, windows: &mut Windows, server: &Server) -> Result<(), FetchError> {
    if let Next::Delta(_) = windows.next() {
        match by_delta(folder, windows, server).await {
            Ok(()) => windows.refuse(None),
            Err(error) => match choice::refusal(&error) {
                Some(reason) => windows.refuse(Some(reason)),
                None => return Err(error),
            },
        }
    }
    by_full(windows, server).await
}

#[test]
fn a_container_comes_whole_from_the_full_file_alone() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let mut windows = bench.open(&server).await.unwrap();
        windows.refuse(Some(Reason::DeltaNone));
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
        let (carried, why_not) = windows.carried();
        assert_eq!(carried.fetched_bytes, wide(bench.full.file.len()));
        assert_eq!((carried.delta_sha256, why_not), (None, Some(Reason::DeltaNone)));
        assert_eq!((carried.windows, carried.windows_full), (12, 12));
    });
}

#[test]
fn a_delta_brings_every_window_and_no_byte_of_the_full_file_but_its_head() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        let (carried, why_not) = windows.carried();
        let head = head_of(&bench.full.file).0.head_len();
        assert_eq!(carried.fetched_bytes, wide(bench.delta.file.len()) + head);
        assert_eq!(carried.delta_sha256, Some(Sha256Digest::of(&bench.delta.file)));
        assert_eq!((carried.windows_full, why_not), (0, None));
        assert!(carried.fetched_bytes < carried.full_bytes / 2);
        let again = bench.stage(&server).await.unwrap();
        assert_eq!(again.carried(), windows.carried(), "what stands there is not fetched again");
    });
}

#[test]
fn of_an_old_image_with_a_flipped_byte_in_three_windows_only_those_come_from_the_full_file() {
    local(async {
        let bench = Bench::new();
        let mut old = std::fs::read(bench.at("old")).unwrap();
        let spoilt = [3, 8, 11];
        for index in spoilt {
            old[index * WINDOW + 4_000] ^= 1;
        }
        put(bench.at("old"), &old);
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        let (header, frames) = head_of(&bench.full.file);
        let payloads: u64 = spoilt.map(|index| u64::from(frames[index].comp_len)).iter().sum();
        let bytes = wide(bench.delta.file.len()) + header.head_len() + payloads;
        let (carried, why_not) = windows.carried();
        assert_eq!((carried.windows_full, why_not), (3, Some(Reason::DeltaOutput)));
        assert_eq!(carried.fetched_bytes, bytes);
        assert_eq!(server.sent(), bytes);
    });
}

#[test]
fn a_window_of_other_bytes_than_were_signed_is_not_taken_from_a_delta() {
    local(async {
        let mut bench = Bench::new();
        // A whole delta to another image, under the header of the right one.
        let header = head_of(&bench.delta.file).0;
        let mut other = bench.new.clone();
        other[4 * WINDOW + 9] ^= 1;
        let old = std::fs::read(bench.at("old")).unwrap();
        bench.delta.file = delta_of(&old, &other).file;
        bench.delta.file[88..120].copy_from_slice(header.new.sha256.as_bytes());
        bench.delta = forged(&bench.delta, |_| ());
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        let (carried, why_not) = windows.carried();
        assert_eq!((carried.windows_full, why_not), (1, Some(Reason::DeltaOutput)));
    });
}

#[test]
fn a_changed_payload_is_found_before_and_a_hostile_one_while_it_is_decoded() {
    for signed in [false, true] {
        local(async move {
            let mut bench = Bench::new();
            let (_, frames) = head_of(&bench.delta.file);
            let frame = &frames[7];
            let at = narrow(frame.payload_off)..narrow(frame.payload().end);
            bench.delta.file[at.end - 1] ^= 0x10;
            if signed {
                let payload_sha256 = Sha256Digest::of(&bench.delta.file[at]);
                let sign = |frames: &mut Vec<Frame>| frames[7].payload_sha256 = payload_sha256;
                bench.delta = forged(&bench.delta, sign);
            }
            let server = bench.server(vec![]).await;
            let windows = bench.stage(&server).await.unwrap();
            bench.is_whole();
            let (carried, why_not) = windows.carried();
            assert_eq!(carried.windows_full, 1);
            let expected = [Some(Reason::DeltaMalformed), Some(Reason::DeltaOutput)];
            assert!(expected.contains(&why_not), "{why_not:?}");
            assert!(signed || why_not == Some(Reason::DeltaMalformed));
        });
    }
}

#[test]
fn a_delta_with_an_unknown_feature_is_left_for_the_full_image() {
    local(async {
        let mut bench = Bench::new();
        bench.delta.file[12] |= 4;
        bench.delta.table_sha256 = Sha256Digest::of(&bench.delta.file);
        let server = bench.server(vec![]).await;
        let mut windows = bench.open(&server).await.unwrap();
        let chosen = Chosen::new(
            remote(DELTA, &bench.delta),
            bench.delta.table_sha256,
            Whole { length: 1, sha256: Sha256Digest::of(b"old") },
        );
        windows.choose(chosen);
        go_on(bench.folder.path(), &mut windows, &server).await.unwrap();
        bench.is_whole();
        let (carried, why_not) = windows.carried();
        assert_eq!((carried.windows_full, why_not), (12, Some(Reason::DeltaFeatureUnknown)));
        assert!(carried.fetched_bytes < wide(bench.full.file.len()) + 100_000);
    });
}

#[test]
fn a_full_container_with_an_unknown_feature_or_too_large_a_need_is_refused_before_the_slot() {
    local(async {
        let mut bench = Bench::new();
        let server = bench.server(vec![]).await;
        let needs = head_of(&bench.full.file).0.memory_bytes();
        let spool = bench.at("spool");
        let (mut client, mut fetched) = (server.client(), 0);
        let mut line = Line { client: &mut client, headers: &[], pause: pause() };
        let (signed, length) = (bench.full.table_sha256, wide(bench.new.len()));
        let from = remote(FULL, &bench.full);
        let table =
            Table::fetch(&spool, &mut line, from, signed, length, &mut fetched).await.unwrap();
        table.fits(&bench.image, needs).unwrap();
        let refused = table.fits(&bench.image, needs - 1).unwrap_err();
        assert_eq!(refused.reason(), Reason::ImageMemory);
        let other = samples::contained(Kind::Slots, 2, b"other", &bench.full);
        assert_eq!(table.fits(&other, needs).unwrap_err().reason(), Reason::ReleaseMalformed);
        bench.full.file[12] |= 1;
        bench.image = samples::contained(Kind::Slots, 2, &bench.new, &bench.full);
        let server = bench.server(vec![]).await;
        let refused = bench.open(&server).await.unwrap_err();
        assert!(matches!(refused, FetchError::Container(FormatError::Feature(1))), "{refused}");
        assert_eq!(refused.reason(), Reason::ReleaseMalformed);
        assert_ne!(bench.slot(), bench.new);
    });
}

#[test]
fn a_full_container_that_is_a_delta_is_refused() {
    local(async {
        let mut bench = Bench::new();
        bench.full = bench.delta.clone();
        bench.image = samples::contained(Kind::Slots, 2, &bench.new, &bench.full);
        let server = bench.server(vec![]).await;
        let refused = bench.open(&server).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::ReleaseMalformed);
    });
}

#[test]
fn a_delta_that_wastes_a_quarter_of_the_full_file_is_given_up() {
    local(async {
        let mut bench = Bench::new();
        let (_, frames) = head_of(&bench.delta.file);
        for frame in &frames {
            let at = narrow(frame.payload_off);
            if frame.comp_len > 0 {
                bench.delta.file[at] ^= 1;
            }
        }
        // Windows of noise are a quarter of the image: after them nothing more is tried.
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        let (carried, why_not) = windows.carried();
        assert_eq!((carried.windows_full, why_not), (12, Some(Reason::DeltaMalformed)));
        let all = wide(bench.full.file.len() + bench.delta.file.len());
        assert!(carried.fetched_bytes <= all, "{} of {all}", carried.fetched_bytes);
    });
}

#[test]
fn connections_cut_anywhere_are_resumed_and_no_byte_comes_twice() {
    local(async {
        let bench = Bench::new();
        let cuts = noise(5, 12).into_iter().flat_map(|byte| {
            // Long enough to count as progress, and odd.
            [Act::Cut(70_000 + usize::from(byte) * 331), Act::Cut(0)]
        });
        let server = bench.server(cuts.collect()).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        let head = head_of(&bench.full.file).0.head_len();
        let needed = wide(bench.delta.file.len()) + head;
        assert_eq!(windows.carried().0.fetched_bytes, needed);
    });
}

#[test]
fn a_server_without_ranges_is_read_from_the_beginning_and_a_wrong_range_is_not_believed() {
    local(async {
        let bench = Bench::new();
        let script = vec![Act::NoRanges, Act::NoRanges, Act::Elsewhere, Act::NoRanges];
        let server = bench.server(script).await;
        bench.stage(&server).await.unwrap();
        bench.is_whole();
        let bench = Bench::new();
        let server = bench.server(vec![Act::Elsewhere; 200]).await;
        let given_up = bench.stage(&server).await.unwrap_err();
        assert!(matches!(given_up, FetchError::NoProgress(_)), "{given_up}");
        assert!(server.asked().len() <= 20);
    });
}

#[test]
fn another_file_in_place_of_the_full_one_ends_it_for_now_and_keeps_what_is_right() {
    local(async {
        let bench = Bench::new();
        let other = full_of(&noise(1234, bench.new.len())).file;
        // The head and five windows are right, the rest is of another image.
        let (_, frames) = head_of(&bench.full.file);
        let right = narrow(frames[5].payload_off);
        let mixed = [&bench.full.file[..right], &other[right..]].concat();
        // The head takes two requests: header, table.
        let script = vec![Act::Serve, Act::Serve, Act::Whole(mixed)];
        let server = bench.server(script).await;
        let mut windows = bench.open(&server).await.unwrap();
        windows.refuse(None);
        let refused = by_full(&mut windows, &server).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DownloadMismatch);
        assert_eq!(windows.progress().windows_done, 5);
        let mut windows = bench.open(&server).await.unwrap();
        assert_eq!(windows.progress().windows_done, 5);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
    });
}

#[test]
fn a_server_that_is_busy_is_asked_later_and_what_came_is_kept() {
    local(async {
        let bench = Bench::new();
        let busy = Act::Head("503 Busy\r\nretry-after: 7");
        let script = vec![Act::Serve, Act::Serve, Act::Cut(500_000), busy];
        let server = bench.server(script).await;
        let mut windows = bench.open(&server).await.unwrap();
        windows.refuse(None);
        let later = by_full(&mut windows, &server).await.unwrap_err();
        assert_eq!(later.retry_after_s(), Some(7));
        drop(windows);
        let mut windows = bench.open(&server).await.unwrap();
        assert_eq!(windows.next(), Next::Full);
        assert_eq!(windows.progress().windows_done, 7);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
        let (carried, _) = windows.carried();
        assert_eq!(carried.fetched_bytes, wide(bench.full.file.len()), "half a payload is kept");
    });
}

#[test]
fn a_line_so_slow_that_no_payload_comes_whole_at_once_still_brings_it_all() {
    local(async {
        let bench = Bench::new();
        let mut script = vec![Act::Serve, Act::Serve];
        script.extend((0..30).flat_map(|_| [Act::Cut(20_000), Act::Head("503 Busy")]));
        let server = bench.server(script).await;
        let mut rounds = 0;
        loop {
            let mut windows = bench.open(&server).await.unwrap();
            windows.refuse(None);
            rounds += 1;
            if by_full(&mut windows, &server).await.is_ok() {
                break;
            }
            assert!(rounds < 40);
        }
        assert!(rounds > 25, "{rounds}");
        bench.is_whole();
    });
}

#[test]
fn a_delta_that_is_not_there_is_refused_and_one_that_never_answers_is_tried_three_times() {
    local(async {
        let bench = Bench::new();
        let server = serve(&[(FULL, &bench.full.file)], vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        assert_eq!(windows.carried().1, Some(Reason::DeltaMalformed));
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let mut windows = bench.open(&server).await.unwrap();
        windows.choose(bench.chosen());
        let tries: Vec<bool> = (0..5).map(|_| windows.tries_delta().unwrap()).collect();
        assert_eq!(tries, [true, true, true, false, false]);
        windows.delta_comes().unwrap();
        assert!(windows.tries_delta().unwrap(), "bytes that came count");
        let server = bench
            .server(vec![Act::Serve, Act::Serve, Act::Cut(80_000), Act::Head("503 Busy")])
            .await;
        bench.by_delta(&mut windows, &server).await.unwrap_err();
        let mut windows = bench.open(&server).await.unwrap();
        assert!(windows.tries_delta().unwrap(), "a window that came counts");
    });
}

#[test]
fn a_full_disk_is_told_as_such() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let mut windows = bench.open(&server).await.unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        windows.place = Place::new("/dev/full".into(), full);
        windows.refuse(None);
        let refused = by_full(&mut windows, &server).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DiskFull);
    });
}

#[test]
fn an_empty_window_and_a_copy_cost_no_byte() {
    local(async {
        let old = noise(3, WINDOW * 6);
        let mut new = old.clone();
        new[WINDOW..2 * WINDOW].fill(0);
        new[4 * WINDOW..].rotate_left(WINDOW);
        let bench = Bench::of(&old, new);
        let (header, frames) = head_of(&bench.delta.file);
        let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
        assert!(kinds.contains(&FrameKind::Zero) && kinds.contains(&FrameKind::Copy), "{kinds:?}");
        assert_eq!(header.payload_len, 0);
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        assert_eq!(server.asked().len(), 4, "two heads, header and table each");
        assert_eq!(windows.carried().0.fetched_bytes, server.sent());
    });
}
