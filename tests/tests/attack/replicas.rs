//! 29 two servers publish at once; the database is restored from a backup.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::bin::Programs;
use patchward_tests::clock::until;
use patchward_tests::device::PATIENCE;
use patchward_tests::http::Client;
use patchward_tests::owner::{Owner, next_version, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::running::{Running, succeed};
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::AT_ONCE;
use serde_json::{Value, json};
use std::{process::Command, sync::Arc, thread, time::Duration};

/// Another server on the same data folder.
fn replica(stage: &Stage) -> Result<(Running, String)> {
    let mut command = Command::new(Programs::for_tests()?.server());
    command.arg("serve").arg("--data").arg(stage.server.data());
    command.arg("--config").arg(stage.server.config_file()).args(["--listen", "127.0.0.1:0"]);
    let log = stage.folder().join("replica.log");
    let mut running = Running::start("a second patchward-server", &mut command, &log)?;
    let url = running.printed("its address", Duration::from_secs(60), |line| {
        line.split_once("listening on ").map(|(_, url)| url.trim().to_owned())
    })?;
    Ok((running, url))
}

/// Publishes what an owner drew up, again and again; gives how often it was taken.
fn publish_often(mut owner: Owner, client: &Client, mark: &str) -> Result<u32> {
    owner.use_client(client.clone());
    let mut taken = 0;
    for round in 0..12 {
        // Takes up whatever is current, as a signer would, and goes on from there.
        owner.targets = owner.current_targets()?;
        next_version(&mut owner.targets)?;
        patchward_tests::forge::set(&mut owner.targets, "x-mark", json!(format!("{mark} {round}")));
        let file = owner.targets_file()?;
        match owner.send(None, Some(&file)) {
            Ok(()) => taken += 1,
            Err(error) => {
                let told = format!("{error:#}");
                let meant = ["publish_conflict", "publish_refused", "busy"];
                assert!(meant.iter().any(|code| told.contains(code)), "{told}");
            }
        }
    }
    Ok(taken)
}

#[test]
fn attack_29_two_servers_that_publish_at_once_never_fork_a_repository() -> Result<()> {
    let mut scene = Scene::on(Stage::own(AT_ONCE)?, Cast::tree("29a"))?;
    let (_second, url) = replica(&scene.stage)?;
    scene.approve()?;
    let before = version_of(&scene.site.targets)?;
    let one = scene.stage.server.administrator()?;
    let two = Client::new(&url).with_token(&scene.stage.server.token);
    let (left, right) = (scene.site.clone(), scene.site.clone());
    let (taken_left, taken_right) = thread::scope(|scope| {
        let left = scope.spawn(|| publish_often(left, &one, "left"));
        let right = scope.spawn(|| publish_often(right, &two, "right"));
        (left.join().expect("no panic"), right.join().expect("no panic"))
    });
    let taken = u64::from(taken_left? + taken_right?);
    assert!(taken > 0, "nothing was published");
    // Every version was taken once: no two documents share a number. The servers see each other's
    // work a moment later.
    until(&format!("version {}", before + taken), PATIENCE, || {
        scene.site.targets = scene.site.current_targets()?;
        Ok((version_of(&scene.site.targets)? == before + taken).then_some(()))
    })?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    let refusals = scene.device.ledger()?;
    let refusals: Vec<_> = refusals.iter().filter_map(|entry| entry.fact.reason).collect();
    assert!(!refusals.contains(&Reason::MetadataMismatch), "{refusals:?}");
    Ok(())
}

#[test]
fn attack_29_a_restored_database_does_not_take_a_device_back() -> Result<()> {
    let mut scene = Scene::on(Stage::own(AT_ONCE)?, Cast::tree("29b"))?;
    let backup = scene.place("backup")?;
    let address = scene.stage.server.address()?.to_owned();
    let stage = Arc::get_mut(&mut scene.stage).expect("this stage is not shared");
    stage.server.stop()?;
    let data = stage.server.data();
    succeed(Command::new("cp").arg("-a").arg(data.join(".")).arg(&backup))?;
    stage.server.start_on(&address)?;
    // After the backup: a newer approval, which the device sees and obeys.
    let device = (scene.device.name.clone(), scene.key);
    let plan = Plan::open_now("first", 1);
    let approval = plan.approval(&scene.site_id, &scene.next, &[device])?;
    scene.site.add_approval(&approval)?;
    scene.site.publish()?;
    scene.start()?;
    scene.device.updated_to(&scene.next)?;
    let newest: Value = scene.site.targets.clone();
    let stage = Arc::get_mut(&mut scene.stage).expect("this stage is not shared");
    stage.server.kill()?;
    succeed(Command::new("rm").arg("-rf").arg(&data))?;
    succeed(Command::new("cp").arg("-a").arg(&backup).arg(&data))?;
    stage.server.start_on(&address)?;
    scene.device.refused(Reason::MetadataRollback)?;
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)?;
    // The hospital publishes its newest targets again; online versions still rise.
    scene.site.upload(&approval.write()?)?;
    scene.site.targets = newest;
    let again = scene.site.targets_file()?;
    for version in 2..version_of(&scene.site.targets)? {
        let mut between = scene.site.targets.clone();
        patchward_tests::forge::set(&mut between, "version", version);
        let keys = scene.site.two(&scene.site.targets_keys);
        let file = patchward_tests::forge::sign(&between, &keys)?;
        scene.site.send(None, Some(&file))?;
    }
    scene.site.send(None, Some(&again))?;
    let before = scene.device.ledger()?.len();
    for _ in 0..4 {
        scene.site.publish()?;
        scene.family.publish()?;
    }
    scene.asks_again(4)?;
    let status = scene.device.status()?;
    assert!(scene.device.ledger()?.len() >= before, "{status}");
    scene.device.still_runs(scene.next.firmware.payload.image_sha256)
}
