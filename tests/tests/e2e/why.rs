//! Why not yet: the device and the server say the same one sentence, in English and in Japanese, each with
//! the same hours in its own way.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::api::consent::{WhyNot, WhyView};
use patchward_protocol::reason::Reason;
use patchward_tests::clock::until;
use patchward_tests::device::{InUse, PATIENCE};
use patchward_tests::plan::Plan;
use patchward_tests::running::run;
use patchward_tests::scene::Scene;

/// What the server says of the device.
fn server_says(scene: &Scene) -> Result<WhyView> {
    let client = scene.stage.server.administrator()?;
    client.must::<WhyNot>(&[scene.site_id.as_str(), scene.device.name.as_str()], &())
}

/// A sentence in two: the words, and the hours behind them. The server says hours as its console does, in
/// the zone of the hospital (here UTC); the device says instants.
fn parted(sentence: &str) -> (&str, Vec<&str>) {
    let end = [" It opens ", "適用枠: "].into_iter().find_map(|part| sentence.find(part));
    let (words, rest) = sentence.split_at(end.unwrap_or(sentence.len()));
    let is_hour = |word: &&str| word.len() == 5 && word.get(2..3) == Some(":");
    (words, rest.split_whitespace().filter(is_hour).collect())
}

/// Both say why, for this reason, in the same words, and name the same hours.
fn agree(scene: &Scene, reason: Reason) -> Result<()> {
    let view = until(&format!("the server to say {}", reason.code()), PATIENCE, || {
        let heard = |view: &WhyView| view.last_seen.is_some() && view.reason == Some(reason);
        Ok(Some(server_says(scene)?).filter(heard))
    })
    .with_context(|| format!("{:?}\n{}", server_says(scene), scene.device.story()))?;
    for (language, sentence) in [("en", &view.en), ("ja", &view.ja)] {
        let (words, hours) = parted(sentence);
        ensure!(hours.len() == if reason == Reason::SlotNotOpen { 2 } else { 0 }, "{sentence}");
        let what = format!("the device to say {sentence}");
        until(&what, PATIENCE, || {
            let said = run(scene.device.command("why").args(["--lang", language]))?.out;
            let all = hours.iter().all(|hour| said.contains(&format!("T{hour}:")));
            Ok((said.contains(words) && all).then_some(()))
        })
        .with_context(|| scene.device.story())?;
    }
    Ok(())
}

#[test]
fn device_and_server_say_the_same_sentence_for_each_reason() -> Result<()> {
    let mut scene = Scene::begin("why")?;
    scene.start()?;
    // Nobody approved anything yet, and the server says that there is something to approve.
    let view = until("the server to say that nobody approved it", PATIENCE, || {
        let view = server_says(&scene)?;
        Ok(Some(view).filter(|view| view.last_seen.is_some() && view.reason.is_some()))
    })?;
    ensure!(view.reason == Some(Reason::NoApproval), "{view:?}");
    ensure!(view.unapproved.len() == 1, "{view:?}");
    scene.approve_as(&Plan { start_s: 7200, ..Plan::open_now("later", 1) })?;
    agree(&scene, Reason::SlotNotOpen)?;
    scene.device.set_in_use(InUse::Yes)?;
    scene.approve_as(&Plan::open_now("now", 2))?;
    agree(&scene, Reason::InUse)?;
    let hold = scene.desk()?.hold(scene.site_id.as_str(), &[])?;
    agree(&scene, Reason::HeldByServer)?;
    scene.lift(&hold)?;
    scene.device.told(&["hold", "--by", "tanaka"])?;
    agree(&scene, Reason::HeldHere)?;
    scene.device.told(&["hold", "--lift"])?;
    scene.device.set_in_use(InUse::No)?;
    scene.device.updated_to(&scene.next)?;
    until("the server to say that nothing waits", PATIENCE, || {
        let view = server_says(&scene)?;
        Ok((view.reason.is_none() && view.image.is_none()).then_some(()))
    })
}
