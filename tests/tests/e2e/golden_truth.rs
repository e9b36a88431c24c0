//! Golden cases of peers about truth: what is claimed of an update, and what may come after it.
//!
//! The list of all such cases, here and elsewhere, is docs/GOLDEN_CASES.md.

use anyhow::{Context as _, Result, bail, ensure};
use patchward_protocol::api::site::{DeviceView, ListDevices};
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::until;
use patchward_tests::device::{Health, InUse, PATIENCE, script};
use patchward_tests::hostile::Answer;
use patchward_tests::image::put;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::wire::Reply;

/// The device as the server sees it.
fn seen(scene: &Scene) -> Result<DeviceView> {
    let administrator = scene.stage.server.administrator()?;
    let devices = administrator.must::<ListDevices>(&[scene.site_id.as_str()], &())?;
    let found = devices.into_iter().find(|view| view.device == scene.device.name);
    found.context("the device is enrolled")
}

/// Waits until the server says that the device runs this version.
fn server_says(scene: &Scene, version: &str) -> Result<()> {
    until(&format!("the server to say {version}"), PATIENCE, || {
        let installed = seen(scene)?.installed;
        Ok(installed.is_some_and(|image| image.version.as_str() == version).then_some(()))
    })
    .with_context(|| scene.device.story())
}

/// hawkBit #3185, rauc-hawkbit-updater#161: success is claimed before the restart, and the fallback
/// after it is never noticed.
#[test]
fn success_is_not_claimed_before_the_restart_and_a_later_fallback_is_heard_of() -> Result<()> {
    let mut scene = Scene::begin("claims")?;
    // The check of the new image looks on until the test has looked at the server.
    scene.device.reconfigure("check_limit_s = 10", "check_limit_s = 300")?;
    let (looking, go_on) = (scene.device.folder.join("looking"), scene.device.folder.join("go-on"));
    let wait = format!(
        "#!/bin/sh\n[ -e '{folder}/unwell' ] || exit 0\n\
         [ \"$(cat '{folder}/system/current/version')\" = 1.0.0 ] && exit 0\n\
         : > '{}'\nwhile [ ! -e '{}' ]; do sleep 0.1; done\nexit 1\n",
        looking.display(),
        go_on.display(),
        folder = scene.device.folder.display(),
    );
    script(&scene.device.folder.join("health.d/well"), &wait)?;
    scene.device.set_health(Health::Unwell)?;
    scene.start()?;
    server_says(&scene, "1.0.0")?;
    scene.approve()?;
    until("the new image to be looked at", PATIENCE, || Ok(looking.exists().then_some(())))
        .with_context(|| scene.device.story())?;
    ensure!(scene.device.has(Transition::Trial)?, "{}", scene.device.story());
    ensure!(!scene.device.has(Transition::Committed)?, "{}", scene.device.story());
    server_says(&scene, "1.0.0")?;
    put(&go_on, b"")?;
    scene.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    let ledger = scene.device.ledger()?;
    let last = ledger.last().context("a ledger has entries")?.seq;
    until("the server to have stored the fall-back", PATIENCE, || {
        Ok((seen(&scene)?.ledger_seq >= last).then_some(()))
    })?;
    server_says(&scene, "1.0.0")
}

/// hawkBit #446, #661: after a fallback the same version cannot be assigned again.
#[test]
fn after_a_fallback_the_same_version_can_be_approved_again() -> Result<()> {
    let mut scene = Scene::begin("again")?;
    scene.device.set_health(Health::Unwell)?;
    scene.approve()?;
    scene.start()?;
    scene.device.noted(Transition::RolledBack, Reason::HealthFailed)?;
    scene.device.set_health(Health::Well)?;
    scene.approve_as(&Plan::open_now("second", 2))?;
    scene.device.updated_to(&scene.next)?;
    server_says(&scene, "2.0.0")
}

/// Mender, integration PR#2489: an abort after the download still reboots the device.
#[test]
fn an_abort_after_the_download_restarts_nothing_and_leaves_nothing_behind() -> Result<()> {
    let mut scene = Scene::begin("abort")?;
    scene.device.set_in_use(InUse::Yes)?;
    let device = (scene.device.name.clone(), scene.key);
    let mut approval =
        Plan::open_now("first", 1).approval(&scene.site_id, &scene.next, &[device])?;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    let image = scene.next.firmware.payload.image_sha256;
    let staged = scene.device.folder.join(format!("system/versions/{image}"));
    ensure!(staged.exists(), "the image is not staged\n{}", scene.device.story());
    approval.state = ApprovalState::Withdrawn;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.device.noted(Transition::Abandoned, Reason::ApprovalWithdrawn)?;
    scene.device.set_in_use(InUse::No)?;
    scene.nothing_changes()?;
    ensure!(!scene.device.folder.join("restarts").exists(), "something was restarted");
    until("what was staged to be removed", PATIENCE, || Ok((!staged.exists()).then_some(())))
}

/// Mender and greenboot: a required network check rolls a good update back.
#[test]
fn a_good_update_stays_although_the_network_is_gone_after_it() -> Result<()> {
    let mut scene = Scene::begin("nonet")?;
    let tried = scene.device.folder.join("tried");
    let check = format!("#!/bin/sh\n: > '{}'\nexit 0\n", tried.display());
    script(&scene.device.folder.join("health.d/well"), &check)?;
    scene.approve()?;
    scene.line.play(move |_, _| Ok(tried.exists().then_some(Answer::Nothing)));
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    scene.line.rest();
    server_says(&scene, "2.0.0")
}

/// rauc-hawkbit-updater#158: a client resumes for ever on 404.
#[test]
fn a_file_that_is_not_there_is_said_and_does_not_keep_the_device_from_a_later_one() -> Result<()> {
    let mut scene = Scene::begin("gone404")?;
    scene.approve()?;
    scene.line.play(|request, _| {
        let image = request.path.contains("/targets/img/");
        Ok(image.then(|| Answer::Reply(Reply::new(404, b"{}".to_vec()))))
    });
    scene.start()?;
    until("the device to say that it gets no image", PATIENCE, || {
        let ledger = scene.device.ledger()?;
        let held = ledger.iter().find(|entry| entry.fact.kind == Transition::Held);
        Ok(held.and_then(|entry| entry.fact.reason))
    })
    .with_context(|| scene.device.story())?;
    scene.device.is_unchanged()?;
    // While it waits it goes on asking for news: the withdrawal of the release would be heard.
    scene.asks_again(2)?;
    scene.line.rest();
    scene.device.updated_to(&scene.next)?;
    let held = scene.device.ledger()?;
    let held = held.iter().filter(|entry| entry.fact.kind == Transition::Held).count();
    if held > 5 {
        bail!("the same thing was written down {held} times\n{}", scene.device.story());
    }
    Ok(())
}
