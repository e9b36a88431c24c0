//! Kills and power cuts at every piece that the server sends: what comes after is a whole image, and
//! little is fetched twice.

use super::*;
use std::cell::RefCell;
use std::rc::Rc;

/// What a device has on its medium at one instant.
struct Picture {
    slot: Vec<u8>,
    spool: Vec<(PathBuf, Vec<u8>)>,
    sent: u64,
}

fn picture(folder: &Path, sent: u64) -> Picture {
    let files = std::fs::read_dir(folder.join("spool")).unwrap();
    let spool = files.map(|file| {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    });
    Picture { slot: std::fs::read(folder.join("slot")).unwrap(), spool: spool.collect(), sent }
}

fn restore(folder: &Path, picture: &Picture) {
    let spool = folder.join("spool");
    std::fs::remove_dir_all(&spool).unwrap();
    std::fs::create_dir(&spool).unwrap();
    for (path, bytes) in &picture.spool {
        put(path, bytes);
    }
    put(folder.join("slot"), &picture.slot);
}

/// What is not surely on the medium is lost when the power goes.
fn lose_unflushed(folder: &Path, bench: &Bench, picture: &Picture) {
    let name = format!("{}.windows", bench.image.sha256);
    let mark = Bookmark::peek(&folder.join("spool").join(name));
    let mut slot = picture.slot.clone();
    for index in 0..WINDOWS {
        if !mark.as_ref().is_some_and(|mark| mark.done.has(u32::try_from(index).unwrap())) {
            let at = index * WINDOW;
            let end = (at + WINDOW).min(slot.len());
            slot[at..end].copy_from_slice(&noise(wide(index) + 500, end - at));
        }
    }
    put(folder.join("slot"), slot);
}

/// Pictures of a staging, at every piece that the server sends.
async fn pictures(bench: &Bench, server: &Rc<Server>) -> Vec<Picture> {
    let taken = Rc::new(RefCell::new(Vec::new()));
    let (into, folder) = (Rc::clone(&taken), bench.folder.path().to_owned());
    let counter = Rc::downgrade(server);
    server.watch(move || {
        let sent = counter.upgrade().map_or(0, |server| server.sent());
        into.borrow_mut().push(picture(&folder, sent));
    });
    bench.stage(server).await.unwrap();
    server.watch(|| ());
    taken.take()
}

#[test]
fn killed_or_without_power_at_any_instant_a_staging_goes_on_and_little_is_redone() {
    local(async {
        let bench = Bench::new();
        // A spoilt old image, so that both files bring windows.
        let mut old = std::fs::read(bench.at("old")).unwrap();
        for index in [2, 7, 11] {
            old[index * WINDOW + 9_000] ^= 1;
        }
        put(bench.at("old"), &old);
        let server = Rc::new(bench.server(vec![]).await);
        let pictures = pictures(&bench, &server).await;
        let needed = server.sent();
        assert!(pictures.len() > 10, "{}", pictures.len());
        let folder = bench.folder.path();
        for (n, picture) in pictures.iter().enumerate() {
            for power in ["killed", "cut"] {
                restore(folder, picture);
                if power == "cut" {
                    lose_unflushed(folder, &bench, picture);
                }
                let before = server.sent();
                let windows = bench.stage(&server).await.unwrap();
                bench.is_whole();
                assert_eq!(windows.progress().windows_done, 12);
                let redone = (server.sent() - before + picture.sent).saturating_sub(needed);
                // What was not flushed, the payload that was coming, and both heads.
                let most = FLUSH + 2 * wide(WINDOW) + 2 * 1500;
                assert!(redone <= most, "{power} at piece {n}: {redone} bytes");
            }
        }
    });
}

#[test]
fn killed_twice_in_a_row_it_still_comes_to_its_end() {
    local(async {
        let bench = Bench::new();
        let server = Rc::new(bench.server(vec![]).await);
        let first = pictures(&bench, &server).await;
        let folder = bench.folder.path();
        for picture in first.iter().step_by(5) {
            restore(folder, picture);
            lose_unflushed(folder, &bench, picture);
            for again in pictures(&bench, &server).await.iter().step_by(4) {
                restore(folder, again);
                bench.stage(&server).await.unwrap();
                bench.is_whole();
            }
        }
    });
}

#[test]
fn a_bookmark_that_says_too_much_is_found_out_by_reading_back() {
    local(async {
        let bench = Bench::new();
        let server = bench.server(vec![]).await;
        bench.stage(&server).await.unwrap();
        put(bench.at("slot"), noise(77, WINDOW * WINDOWS));
        let mut windows = bench.open(&server).await.unwrap();
        assert_eq!(windows.progress().windows_done, 12);
        assert_eq!(windows.forget_faults().await.unwrap(), 12);
        by_full(&mut windows, &server).await.unwrap();
        bench.is_whole();
    });
}
