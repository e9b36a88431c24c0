//! What lies in spool and slot: spoilt heads, lost windows, other downloads.

use super::*;
use patchward_protocol::delta::format::ENTRY_BYTES;

#[test]
fn a_head_that_was_spoilt_in_the_spool_is_fetched_again() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        bench.stage(&server).await.unwrap();
        let head = bench.at("spool").join(format!("{}.head", bench.image.sha256));
        let whole = std::fs::read(&head).unwrap();
        for length in [0, 5, HEADER_BYTES, HEADER_BYTES + 7, whole.len() - 66, whole.len() - 1] {
            put(&head, &whole[..length]);
            bench.stage(&server).await.unwrap();
            assert_eq!(std::fs::read(&head).unwrap(), whole);
        }
        for at in [0, 20, HEADER_BYTES + 30, whole.len() - 9] {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 1;
            put(&head, &spoilt);
            bench.stage(&server).await.unwrap();
            assert_eq!(std::fs::read(&head).unwrap(), whole);
        }
    });
}

#[test]
fn a_head_whose_beginning_was_spoilt_in_the_spool_is_fetched_anew() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        bench.stage(&server).await.unwrap();
        let head = bench.at("spool").join(format!("{}.head", bench.image.sha256));
        let whole = std::fs::read(&head).unwrap();
        for (length, at) in [(5, 0), (100, 60), (HEADER_BYTES, 90), (HEADER_BYTES + 9, 200)] {
            let mut spoilt = whole[..length].to_vec();
            spoilt[at] ^= 1;
            put(&head, &spoilt);
            bench.stage(&server).await.unwrap();
            assert_eq!(std::fs::read(&head).unwrap(), whole);
        }
        put(&head, [&whole[..], b"and more"].concat());
        bench.stage(&server).await.unwrap();
        assert_eq!(std::fs::read(&head).unwrap(), whole);
    });
}

#[test]
fn entries_that_were_written_out_before_are_not_believed() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        bench.stage(&server).await.unwrap();
        let entries = bench.at("spool").join(format!("{}.table", bench.image.sha256));
        let whole = std::fs::read(&entries).unwrap();
        assert_eq!(whole.len(), WINDOWS * ENTRY_BYTES);
        put(&entries, vec![7; whole.len() + 5]);
        put(bench.at("slot"), noise(98, WINDOW * WINDOWS));
        let mut windows = bench.open(&server).await.unwrap();
        assert_eq!(windows.forget_faults().await.unwrap(), 12);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
        assert_eq!(std::fs::read(&entries).unwrap(), whole);
    });
}

#[test]
fn a_table_larger_than_the_image_needs_is_not_fetched() {
    local(async {
        let mut bench = Bench::new();
        bench.delta = delta_of(&std::fs::read(bench.at("old")).unwrap(), &noise(5, 40 * WINDOW));
        let server = bench.server(vec![]).await;
        let windows = bench.stage(&server).await.unwrap();
        bench.is_whole();
        assert_eq!(windows.carried().1, Some(Reason::DeltaMalformed));
        let head = head_of(&bench.full.file).0.head_len();
        let payloads = head_of(&bench.full.file).0.payload_len;
        assert_eq!(server.sent(), head + payloads + 192);
    });
}

#[test]
fn windows_that_the_medium_lost_are_found_and_only_they_come_again() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let mut windows = bench.stage(&server).await.unwrap();
        let mut slot = std::fs::read(bench.at("slot")).unwrap();
        for index in [0, 7, 11] {
            slot[index * WINDOW + 17] ^= 1;
        }
        put(bench.at("slot"), slot);
        let before = server.sent();
        assert_eq!(windows.forget_faults().await.unwrap(), 3);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
        let (_, frames) = head_of(&bench.full.file);
        let payloads: u64 =
            [0, 7, 11].map(|index: usize| frames[index].comp_len.into()).iter().sum();
        assert_eq!(server.sent() - before, payloads);
        assert_eq!(windows.forget_faults().await.unwrap(), 0);
    });
}

#[test]
fn what_belongs_to_another_download_is_removed() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        let (old, ours) = (
            bench.at("spool/old.part"),
            bench.at("spool").join(format!("{}.base", bench.old_sha256())),
        );
        for path in [&old, &ours] {
            put(path, b"x");
        }
        let mut windows = bench.open(&server).await.unwrap();
        assert!(!old.exists() && !ours.exists());
        windows.choose(bench.chosen());
        windows.tries_delta().unwrap();
        put(&ours, b"x");
        bench.open(&server).await.unwrap();
        assert!(ours.exists(), "the old image that is read from stays");
        let progress = Progress::of_spool(&bench.at("spool")).unwrap();
        assert_eq!((progress.windows, progress.windows_done), (12, 0));
    });
}

#[test]
fn many_windows_that_need_no_payload_let_others_have_their_turn() {
    local(async {
        let bench = Bench::of(&noise(3, WINDOW), vec![0; WINDOW * WINDOWS]);
        let server = bench.server(vec![]).await;
        let mut windows = bench.open(&server).await.unwrap();
        let turns = std::rc::Rc::new(std::cell::Cell::new(0));
        let other = std::rc::Rc::clone(&turns);
        tokio::task::spawn_local(async move {
            loop {
                other.set(other.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        windows.refuse(None);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
        assert!(turns.get() >= WINDOWS, "{}", turns.get());
    });
}
