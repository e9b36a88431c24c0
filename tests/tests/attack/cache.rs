//! 26 a cache serves another or a truncated file; a resumed download joins two versions.

use anyhow::{Context as _, Result};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::clock::until;
use patchward_tests::device::PATIENCE;
use patchward_tests::hostile::Answer;
use patchward_tests::image::Carrier;
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
    joins_nothing(scene("26d")?)?;
    // The same where the file is the image, without windows.
    let cast = Cast { size_bytes: 400_000, carrier: Carrier::Plain, ..Cast::tree("26f") };
    let mut plain = Scene::on(Stage::shared()?, cast)?;
    plain.approve()?;
    joins_nothing(plain)
}

fn joins_nothing(mut scene: Scene) -> Result<()> {
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
        // A cache that ignores `If-Range`.
        Ok(Some(Answer::Reply(Reply::part(request, &other))))
    });
    scene.start()?;
    scene.device.refused(Reason::DownloadMismatch)?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_26_a_wrong_answer_to_a_range_never_reaches_a_slot() -> Result<()> {
    for (name, carrier) in [("26e", Carrier::Container), ("26g", Carrier::Plain)] {
        let cast = Cast { kind: Kind::Slots, size_bytes: 400_000, carrier, ..Cast::tree(name) };
        let mut scene = Scene::on(Stage::shared()?, cast)?;
        scene.approve()?;
        answered_wrongly(scene)?;
    }
    Ok(())
}

fn answered_wrongly(mut scene: Scene) -> Result<()> {
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
        let mut reply = Reply::part(request, &image);
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
