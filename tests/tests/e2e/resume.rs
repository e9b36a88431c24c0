//! A download that is cut goes on where it was, and what arrives is whole.

use anyhow::Result;
use patchward_tests::hostile::Answer;
use patchward_tests::scene::{Cast, Scene, Stage};
use std::sync::Mutex;

#[test]
fn a_cut_download_resumes_and_arrives_whole() -> Result<()> {
    let cast = Cast { size_bytes: 1_500_000, ..Cast::tree("resume") };
    let mut scene = Scene::on(Stage::shared()?, cast)?;
    scene.approve()?;
    let cuts = Mutex::new(0_usize);
    scene.line.play(move |request, upstream| {
        if !request.path.contains("/targets/img/") {
            return Ok(None);
        }
        let mut cuts = cuts.lock().expect("no thread panicked");
        *cuts += 1;
        // Five times the connection ends after 250,000 bytes more.
        let reply = upstream.ask(request)?;
        Ok((*cuts <= 5).then_some(Answer::CutAt(reply, 250_000)))
    });
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    let asked = scene.line.asked();
    let images: Vec<_> = asked.iter().filter(|r| r.path.contains("/targets/img/")).collect();
    let resumed = images.iter().filter(|request| {
        let range = request.header("range").is_some_and(|range| range != "bytes=0-");
        range && request.header("if-range").is_some()
    });
    assert!(
        resumed.count() >= 2,
        "{:?}",
        images.iter().map(|r| r.header("range")).collect::<Vec<_>>()
    );
    Ok(())
}
