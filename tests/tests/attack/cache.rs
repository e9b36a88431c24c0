//! 26 a cache serves another or a truncated file; a resumed download joins two versions.

use anyhow::{Context as _, Result};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::clock::until;
use patchward_tests::device::PATIENCE;
use patchward_tests::hostile::Answer;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::wire::{Reply, Request};
use std::sync::Mutex;

fn is_image(request: &Request) -> bool {
    request.path.contains("/targets/img/")
}

/// A scene with an image of a few hundred kilobytes, approved.
fn scene(name: &str) -> Result<Scene> {
    let cast = Cast { size_bytes: 400_000, ..Cast::tree(name) };
    let mut scene = Scene::on(Stage::shared()?, cast)?;
    scene.approve()?;
    Ok(scene)
}

#[test]
fn attack_26_another_file_under_the_right_name_is_refused() -> Result<()> {
    let mut scene = scene("26a")?;
    let other = scene.factory.file.clone();
    scene.line.play(move |request, _| {
        Ok(is_image(request).then(|| Answer::Reply(Reply::new(200, other.clone()))))
    });
    scene.start()?;
    scene.device.refused(Reason::DownloadMismatch)?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_26_a_changed_file_of_the_right_length_is_refused() -> Result<()> {
    let mut scene = scene("26b")?;
    let mut changed = scene.next.file.clone();
    *changed.last_mut().context("the image has bytes")? ^= 1;
    let middle = changed.len() / 2;
    changed[middle] ^= 0x80;
    scene.line.play(move |request, _| {
        Ok(is_image(request).then(|| Answer::Reply(Reply::new(200, changed.clone()))))
    });
    scene.start()?;
    scene.device.refused(Reason::DownloadMismatch)?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_26_a_file_that_always_ends_early_changes_no_device() -> Result<()> {
    let mut scene = scene("26c")?;
    let short = scene.next.file[..100_000].to_vec();
    scene.line.play(move |request, _| {
        // A truncated file that claims to be whole, whatever range is asked for.
        Ok(is_image(request).then(|| Answer::Reply(Reply::new(200, short.clone()))))
    });
    scene.start()?;
    // It could be a slow line; the device tries again, with pauses, and says that it is not there.
    scene.asks_again(2)?;
    until("the device to try again", PATIENCE, || {
        Ok((scene.line.asked_for("/targets/img/") >= 3).then_some(()))
    })?;
    assert!(!scene.device.has(Transition::Staged)?, "{}", scene.device.story());
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_26_a_resumed_download_does_not_join_two_versions() -> Result<()> {
    let mut scene = scene("26d")?;
    // First the beginning of the true file, then the connection is cut; what follows is of another.
    let (first, other) = (scene.next.file.clone(), scene.next.file.iter().map(|b| !b).collect());
    let other: Vec<u8> = other;
    let count = Mutex::new(0_usize);
    scene.line.play(move |request, _| {
        if !is_image(request) {
            return Ok(None);
        }
        let mut count = count.lock().expect("no thread panicked");
        *count += 1;
        if *count == 1 {
            return Ok(Some(Answer::CutAt(Reply::new(200, first.clone()), 150_000)));
        }
        Ok(Some(Answer::Reply(ranged(request, &other))))
    });
    scene.start()?;
    scene.device.refused(Reason::DownloadMismatch)?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

/// Answers a range as a cache that ignores `If-Range` would.
fn ranged(request: &Request, bytes: &[u8]) -> Reply {
    let start = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let start = start.and_then(|range| range.split('-').next()?.parse::<usize>().ok());
    let Some(start) = start.filter(|start| *start > 0 && *start < bytes.len()) else {
        return Reply::new(200, bytes);
    };
    let mut reply = Reply::new(206, &bytes[start..]);
    let total = bytes.len();
    let range = format!("bytes {start}-{}/{total}", total - 1);
    reply.headers.push(("content-range".to_owned(), range));
    reply
}

#[test]
fn attack_26_a_wrong_answer_to_a_range_never_reaches_a_slot() -> Result<()> {
    let cast = Cast { kind: Kind::Slots, size_bytes: 400_000, ..Cast::tree("26e") };
    let mut scene = Scene::on(Stage::shared()?, cast)?;
    scene.approve()?;
    let image = scene.next.file.clone();
    let count = Mutex::new(0_usize);
    scene.line.play(move |request, _| {
        if !is_image(request) {
            return Ok(None);
        }
        let mut count = count.lock().expect("no thread panicked");
        *count += 1;
        if *count == 1 {
            return Ok(Some(Answer::CutAt(Reply::new(200, image.clone()), 100_000)));
        }
        // Says that it continues at the right place, and sends the beginning again.
        let mut reply = ranged(request, &image);
        if reply.status == 206 {
            let length = reply.body.len();
            reply.body = image[..length].to_vec();
        }
        Ok(Some(Answer::Reply(reply)))
    });
    scene.start()?;
    scene.device.refused(Reason::DownloadMismatch)?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}
