//! Fetching from a server that misbehaves in every way it can.

use super::*;
use crate::link::http::Client;
use crate::samples;
use crate::stage::Pause;
use crate::stage::double::{Act, Server, local, serve};
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use std::fs::File;
use tempfile::TempDir;

const PATH: &str = "/tuf/family/acme.infusion-a/targets/img/x";

/// Serves `file` by this script; when the script is over, honestly.
async fn server(file: Vec<u8>, script: Vec<Act>) -> Server {
    serve(&[(PATH, &file)], script).await
}

struct Spool {
    folder: TempDir,
    image: Verified<ImageTarget>,
}

impl Spool {
    fn new(file: &[u8]) -> Self {
        let image = samples::image(Kind::Slots, 2, file, storage::length(file));
        Self { folder: tempfile::tempdir().unwrap(), image }
    }

    async fn begin(&self) -> Fetch {
        Fetch::begin(self.folder.path(), &self.image).await.unwrap()
    }

    async fn fetch(&self, server: &Server) -> Result<PathBuf, FetchError> {
        run(&mut self.begin().await, &mut server.client()).await
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{ending}", self.image.sha256))
    }
}

async fn run(fetch: &mut Fetch, client: &mut Client) -> Result<PathBuf, FetchError> {
    let millisecond = std::time::Duration::from_millis(1);
    let pause = Pause { first: millisecond, longest: millisecond };
    fetch.run(&mut Line { client, headers: &[], pause }, PATH).await
}

fn file(length: usize) -> Vec<u8> {
    (0_u8..251).cycle().map(|n| n.wrapping_mul(31)).take(length).collect()
}

#[test]
fn a_file_arrives_whole() {
    local(async {
        let file = file(300_000);
        let (server, spool) = (server(file.clone(), vec![]).await, Spool::new(&file));
        let path = spool.fetch(&server).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
        let again = spool.fetch(&server).await.unwrap();
        assert_eq!((std::fs::read(again).unwrap(), server.asked().len()), (file, 1));
    });
}

#[test]
fn a_connection_cut_at_any_place_is_resumed_where_it_broke() {
    local(async {
        let file = file(400_000);
        let cuts = [0, 1, 65_536, 100_000, 399_998].map(Act::Cut).to_vec();
        let (server, spool) = (server(file.clone(), cuts).await, Spool::new(&file));
        let path = spool.fetch(&server).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
        let tag = format!("if-range: \"{}\"", spool.image.sha256);
        assert!(server.asked().iter().skip(2).all(|request| request.contains(&tag)));
    });
}

#[test]
fn after_a_restart_only_what_is_surely_on_the_medium_counts_and_is_hashed_again() {
    local(async {
        let file = file(200_000);
        let (server, spool) = (server(file.clone(), vec![]).await, Spool::new(&file));
        // A power cut: the file is longer than what was flushed, and its end is not what it was.
        let mut torn = file[..100_000].to_vec();
        torn.extend([0; 50_000]);
        write_durably(&spool.path("part"), &torn).unwrap();
        write_durably(&spool.path("len"), b"100000").unwrap();
        assert_eq!(spool.begin().await.have_bytes(), 100_000);
        let path = spool.fetch(&server).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
        assert!(server.asked()[0].contains("range: bytes=100000-"));
    });
}

#[test]
fn a_spoilt_beginning_is_found_thrown_away_and_fetched_anew() {
    local(async {
        let file = file(200_000);
        let (server, spool) = (server(file.clone(), vec![]).await, Spool::new(&file));
        write_durably(&spool.path("part"), &[7; 100_000]).unwrap();
        write_durably(&spool.path("len"), b"100000").unwrap();
        let refused = spool.fetch(&server).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DownloadMismatch);
        let path = spool.fetch(&server).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
    });
}

#[test]
fn an_interrupted_run_goes_on_with_what_it_has() {
    local(async {
        let file = file(300_000);
        let script = vec![Act::Cut(100_000), Act::Head("503 Busy\r\nretry-after: 7")];
        let (server, spool) = (server(file.clone(), script).await, Spool::new(&file));
        let (mut fetch, mut client) = (spool.begin().await, server.client());
        let later = run(&mut fetch, &mut client).await.unwrap_err();
        assert_eq!((later.retry_after_s(), fetch.have_bytes()), (Some(7), 100_000));
        let path = run(&mut fetch, &mut client).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
    });
}

#[test]
fn a_line_so_slow_that_each_run_brings_a_little_still_brings_it_all() {
    local(async {
        let file = file(100_000);
        let script = [0; 3].map(|_| [Act::Cut(30_000), Act::Head("503 Busy")]).concat();
        let (server, spool) = (server(file.clone(), script).await, Spool::new(&file));
        for round in 1..=3_u64 {
            spool.fetch(&server).await.unwrap_err();
            assert_eq!(spool.begin().await.have_bytes(), round * 30_000);
        }
        let path = spool.fetch(&server).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
    });
}

#[test]
fn another_file_in_the_middle_of_a_resume_is_taken_from_its_beginning_or_refused() {
    local(async {
        let file = file(200_000);
        let other = vec![9; file.len()];
        let script = vec![Act::Cut(100_000), Act::Whole(other)];
        let (first, spool) = (server(file.clone(), script).await, Spool::new(&file));
        let refused = spool.fetch(&first).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DownloadMismatch);
        assert_eq!(std::fs::metadata(spool.path("part")).unwrap().len(), 0);
        let script = vec![Act::Cut(100_000), Act::Whole(file.clone())];
        let (second, spool) = (server(file.clone(), script).await, Spool::new(&file));
        let path = spool.fetch(&second).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), file);
    });
}

#[test]
fn more_bytes_than_signed_are_never_written() {
    local(async {
        let file = file(100_000);
        let longer = [file.clone(), vec![1; 5_000_000]].concat();
        let (server, spool) = (server(longer, vec![]).await, Spool::new(&file));
        let refused = spool.fetch(&server).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DownloadMismatch);
        assert_eq!(std::fs::metadata(spool.path("part")).unwrap().len(), 0);
    });
}

#[test]
fn ten_resumes_without_progress_end_it_for_now() {
    local(async {
        let file = file(100_000);
        for act in [Act::Hang, Act::Cut(0), Act::Head("500 Oh"), Act::Head("206 Partial")] {
            let script = vec![act.clone(); 100];
            let (server, spool) = (server(file.clone(), script).await, Spool::new(&file));
            let given_up = spool.fetch(&server).await.unwrap_err();
            assert!(matches!(given_up, FetchError::NoProgress(_)), "{act:?}: {given_up}");
            assert_eq!(given_up.reason(), Reason::ServerUnreachable);
            assert!((10..=20).contains(&server.asked().len()), "{act:?}");
        }
    });
}

#[test]
fn a_server_that_drips_a_byte_per_connection_makes_no_progress() {
    local(async {
        let file = file(1_000_000);
        let script = vec![Act::Cut(1); 1000];
        let (server, spool) = (server(file.clone(), script).await, Spool::new(&file));
        let given_up = spool.fetch(&server).await.unwrap_err();
        assert!(matches!(given_up, FetchError::NoProgress(_)), "{given_up}");
        assert!(server.asked().len() < 30);
    });
}

#[test]
fn a_refusal_is_not_tried_again() {
    local(async {
        let file = file(1000);
        for head in ["404 Not Found", "403 Forbidden", "401 Unauthorized", "410 Gone"] {
            let (server, spool) =
                (server(file.clone(), vec![Act::Head(head)]).await, Spool::new(&file));
            let refused = spool.fetch(&server).await.unwrap_err();
            assert!(matches!(refused, FetchError::Refused { .. }), "{head}: {refused}");
            assert_eq!(server.asked().len(), 1);
        }
        let away = Act::Head("302 Found\r\nlocation: http://127.0.0.1:1/");
        let (server, spool) = (server(file.clone(), vec![away]).await, Spool::new(&file));
        assert!(matches!(spool.fetch(&server).await.unwrap_err(), FetchError::Link(_)));
    });
}

#[test]
fn a_full_disk_is_told_before_the_first_byte() {
    local(async {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Wanted { length: 1 << 60, sha256: Sha256Digest::of(b"x") };
        let refused = Fetch::open(folder.path(), wanted).unwrap_err();
        assert_eq!(refused.reason(), Reason::DiskFull);
    });
}

#[test]
fn a_disk_that_fills_up_on_the_way_gets_its_space_back() {
    local(async {
        let file = file(50_000);
        let (server, spool) = (server(file.clone(), vec![]).await, Spool::new(&file));
        let mut fetch = spool.begin().await;
        fetch.file = Paced::new(File::options().write(true).open("/dev/full").unwrap());
        let refused = run(&mut fetch, &mut server.client()).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::DiskFull);
        assert_eq!(fetch.have_bytes(), 0);
    });
}

#[test]
fn other_downloads_are_removed_and_links_are_not_followed() {
    local(async {
        let spool = Spool::new(b"image");
        let old = spool.folder.path().join("old.part");
        write_durably(&old, b"old").unwrap();
        spool.begin().await;
        assert!(!old.exists());
        let outside = spool.folder.path().join("outside");
        std::fs::remove_file(spool.path("part")).unwrap();
        std::os::unix::fs::symlink(&outside, spool.path("part")).unwrap();
        let refused = Fetch::begin(spool.folder.path(), &spool.image).await;
        assert_eq!(refused.unwrap_err().reason(), Reason::StorageFailed);
        assert!(!outside.exists());
    });
}
