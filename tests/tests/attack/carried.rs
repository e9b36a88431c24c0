//! 25, where approvals are concerned: old and foreign approvals, carried to a device without network.
//!
//! What is carried are documents as a device keeps them, put into its folders by hand. Not here: bundles
//! as files of their own, which come with bundles; whoever replaces a device's floors too has the device.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::approval::{ApprovalState, NeededTime};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::device::{Device, InUse, PATIENCE};
use patchward_tests::hostile::Answer;
use patchward_tests::image::put;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use std::path::Path;

/// An approval that a device may act on without having reached the server shortly before.
fn offline(id: &str, serial: u64) -> Plan {
    Plan { offline_ok: true, time: NeededTime::Plausible, ..Plan::open_now(id, serial) }
}

/// A device with the image staged, in use, that holds an approval for days without network.
fn prepared(name: &str) -> Result<(Scene, patchward_protocol::approval::Approval)> {
    let mut scene = Scene::begin(name)?;
    scene.device.set_in_use(InUse::Yes)?;
    let next = scene.next.clone();
    let approval = scene.draw_up(&offline("first", 1), &next, &[&scene.device])?;
    scene.publish(&approval)?;
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    Ok((scene, approval))
}

/// The network is cut.
fn cut(scene: &Scene) {
    scene.line.play(|_, _| Ok(Some(Answer::Nothing)));
}

/// What a device holds of its site's repository, but not its floors: file by file.
fn documents(device: &Device) -> Result<Vec<(String, Vec<u8>)>> {
    let trust = device.folder.join("state/trust");
    let mut found = Vec::new();
    for part in ["", "approvals"] {
        let folder = trust.join(part);
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.strip_prefix(&trust).context("inside")?.display().to_string();
            let of_site = name.starts_with("site.") && !name.contains("floor");
            if path.is_file() && (of_site || part == "approvals") {
                found.push((name, std::fs::read(&path)?));
            }
        }
    }
    ensure!(!found.is_empty(), "the device holds no documents");
    Ok(found)
}

/// Puts documents onto a device by hand.
fn carry(to: &Device, documents: &[(String, Vec<u8>)]) -> Result<()> {
    let trust: &Path = &to.folder.join("state/trust");
    documents.iter().try_for_each(|(name, bytes)| put(&trust.join(name), bytes))
}

#[test]
fn an_approval_that_says_so_is_acted_on_without_the_server() -> Result<()> {
    let (mut scene, _) = prepared("25c")?;
    cut(&scene);
    scene.kill()?;
    scene.device.set_in_use(InUse::No)?;
    scene.start()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_25_a_withdrawn_approval_carried_back_onto_the_device_permits_nothing() -> Result<()> {
    let (mut scene, mut approval) = prepared("25a")?;
    let old = documents(&scene.device)?;
    approval.state = ApprovalState::Withdrawn;
    scene.publish(&approval)?;
    scene.device.noted(Transition::Abandoned, Reason::ApprovalWithdrawn)?;
    scene.kill()?;
    carry(&scene.device, &old)?;
    cut(&scene);
    scene.device.set_in_use(InUse::No)?;
    scene.start()?;
    scene.device.still_quiet()?;
    // With the network, and a new approval, the device is not lost.
    scene.line.rest();
    scene.publish(&scene.draw_up(
        &Plan::open_now("second", 2),
        &scene.next,
        &[&scene.device],
    )?)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_25_approvals_of_another_hospital_carried_onto_a_device_permit_nothing() -> Result<()> {
    let mut victim = Scene::begin("25b")?;
    let (mut elsewhere, _) = prepared("25x")?;
    elsewhere.kill()?;
    victim.start()?;
    victim.asks_again(2)?;
    victim.kill()?;
    let own = documents(&victim.device)?;
    carry(&victim.device, &documents(&elsewhere.device)?)?;
    cut(&victim);
    // It does not even start, and says why: what is pinned there is another hospital's.
    let mut agent = victim.device.start()?;
    let ended = agent.end_within(PATIENCE)?;
    ensure!(!ended.success() && agent.log().contains("pinned_root"), "{}", agent.log());
    victim.device.is_unchanged()?;
    // With its own documents back, the device is what it was.
    carry(&victim.device, &own)?;
    victim.line.rest();
    victim.start()?;
    victim.approve()?;
    victim.device.updated_to(&victim.next)
}
