//! 9 endless data, slow drip, huge header, compressed bomb; 10 endless roots, 1000 delegations.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, Key};
use patchward_tests::forged::Forged;
use patchward_tests::hostile::Answer;
use patchward_tests::owner::{next_version, version_of};
use patchward_tests::scene::Scene;
use patchward_tests::wire::{Reply, Request};
use serde_json::json;
use std::time::Duration;

/// Whether a request is for a metadata file that every refresh asks for.
fn is_metadata(request: &Request) -> bool {
    request.path.contains("/metadata/")
}

/// Most memory that the agent ever had, in KiB.
fn peak_kib(scene: &Scene) -> Result<u64> {
    let id = scene.agent.as_ref().map(patchward_tests::running::Running::id).unwrap_or_default();
    patchward_tests::memory::peak_kib(id)
}

/// Plays one flood on metadata, waits for the refusal, and lets the honest update through after it.
fn flood(name: &str, answer: Answer, reasons: &[Reason]) -> Result<()> {
    let mut scene = Scene::begin(name)?;
    scene.approve()?;
    scene.line.play(move |request, _| Ok(is_metadata(request).then(|| answer.clone())));
    scene.start()?;
    scene.device.refused_for(reasons)?;
    assert!(peak_kib(&scene)? < 32 * 1024, "{} KiB", peak_kib(&scene)?);
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_09_endless_metadata_is_cut_off() -> Result<()> {
    flood("09a", Answer::Endless, &[Reason::MetadataTooLong])
}

#[test]
fn attack_09_a_huge_header_is_cut_off() -> Result<()> {
    flood("09b", Answer::HugeHeader, &[Reason::MetadataTooLong, Reason::MetadataMalformed])
}

#[test]
fn attack_09_a_slow_drip_is_given_up() -> Result<()> {
    let drip = Answer::Drip(Reply::new(200, vec![b' '; 200_000]), Duration::from_millis(200));
    flood("09c", drip, &[Reason::MetadataTooLong, Reason::ServerUnreachable])
}

#[test]
fn attack_09_a_compressed_bomb_is_not_unpacked() -> Result<()> {
    // 24 bytes that a careless reader would turn into a gigabyte of zeros.
    let bomb = [0x28, 0xb5, 0x2f, 0xfd, 0xa4, 0, 0, 0, 0x40, 2, 0, 2, 0, 0x53, 0, 0, 8, 0, 1, 0, 0];
    let mut reply = Reply::new(200, bomb);
    reply.headers.push(("content-encoding".to_owned(), "zstd".to_owned()));
    let reasons = [Reason::MetadataMalformed, Reason::MetadataTooLong, Reason::MetadataMismatch];
    flood("09d", Answer::Reply(reply), &reasons)
}

#[test]
fn attack_09_an_endless_image_is_cut_off() -> Result<()> {
    let mut scene = Scene::begin("09e")?;
    scene.approve()?;
    scene
        .line
        .play(|request, _| Ok(request.path.contains("/targets/img/").then_some(Answer::Endless)));
    scene.start()?;
    scene.device.refused_for(&[
        Reason::DownloadMismatch,
        Reason::MetadataTooLong,
        Reason::ServerUnreachable,
    ])?;
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_10_an_endless_chain_of_roots_ends_and_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("10a")?;
    scene.approve()?;
    // The chain is well signed: the root keys are the attacker's.
    let mut owner = scene.site.clone();
    let keys = owner.root_keys.clone();
    let mut shown = Forged::of(&scene.site);
    for _ in 0..200 {
        let root = owner.next_root_file(&keys)?;
        let version = version_of(&owner.root)?;
        shown = shown.with(&format!("metadata/{version}.root.json"), &root);
    }
    scene.show(vec![shown]);
    scene.start()?;
    scene.device.refused(Reason::MetadataTooLong)?;
    scene.device.is_unchanged()?;
    // One refresh never took more than its share.
    let asked = scene.line.asked();
    let mut longest = 0;
    let mut run = 0;
    for request in asked {
        run = if request.file().ends_with(".root.json") && request.path.contains("/site/") {
            run + 1
        } else {
            0
        };
        longest = longest.max(run);
    }
    assert!(longest <= 66, "{longest} roots of a site in a row");
    Ok(())
}

#[test]
fn attack_10_a_thousand_delegations_change_no_device() -> Result<()> {
    let mut scene = Scene::begin("10b")?;
    scene.approve()?;
    let key = Key::named("delegate");
    let roles: Vec<_> = (0..1000)
        .map(|n| {
            json!({
                "name": format!("deltas-{n}"), "keyids": [key.id()], "threshold": 1,
                "terminating": true, "paths": ["delta/*"],
            })
        })
        .collect();
    let mut targets = scene.family.targets.clone();
    next_version(&mut targets)?;
    forge::set(&mut targets, "delegations.roles", json!(roles));
    forge::set(&mut targets, &format!("delegations.keys.{}", key.id()), key.object());
    let bytes = forge::sign(&targets, &scene.family.two(&scene.family.targets_keys))?;
    let (online, _) = scene.steal_online()?;
    let version = version_of(&targets)?;
    scene.show(vec![Forged::chain(&scene.family, &online, (version, &bytes))?]);
    scene.start()?;
    let reasons = [Reason::MetadataTooLong, Reason::MetadataMalformed];
    scene.device.refused_for(&reasons)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}
