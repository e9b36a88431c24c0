//! 24 the server shows hospital and manufacturer, or hospital and device, different records.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::reason::Reason;
use patchward_protocol::record::checkpoint::Checkpoint;
use patchward_tests::clock::until;
use patchward_tests::desk::Desk;
use patchward_tests::device::{InUse, PATIENCE};
use patchward_tests::forge::Key;
use patchward_tests::hostile::Answer;
use patchward_tests::image::{Recipe, put};
use patchward_tests::plan::Plan;
use patchward_tests::running::{Said, succeed};
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::{AT_ONCE, Server};
use patchward_tests::wire::Reply;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A record of the attacker's own making, of any length.
fn forged_tree(entries: u64) -> Tree {
    let leaves: Vec<Vec<u8>> = (0..entries).map(|n| format!("forged {n}").into_bytes()).collect();
    Tree::of(leaves.iter().map(Vec::as_slice))
}

/// Its checkpoint, signed with the server's stolen key, and a proof from an earlier size.
fn shown(scene: &Scene, tree: &Tree, earlier: u64, key: &Key) -> Result<Value> {
    let checkpoint =
        Checkpoint { site: scene.site_id.clone(), size: tree.size(), root: tree.root() };
    let consistency = tree.consistency(earlier).context("a proof from an earlier size")?;
    let note = checkpoint.sign(key.secret()).context("sign the checkpoint")?;
    Ok(json!({ "checkpoint": note, "consistency": consistency }))
}

/// How long a record is, by its checkpoint.
fn size_of(note: &str) -> Result<u64> {
    note.lines().nth(1).context("a second line")?.parse().context("a size")
}

/// Every record that the device is shown with its receipts, in order.
fn watch_records(scene: &Scene) -> Arc<Mutex<Vec<Value>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    scene.line.play(move |request, upstream| {
        if request.path != "/v1/reports" {
            return Ok(None);
        }
        let reply = upstream.ask(request)?;
        if let Ok(value) = serde_json::from_slice::<Value>(&reply.body)
            && let Some(record) = value.get("record")
        {
            kept.lock().expect("no thread panicked").push(record.clone());
        }
        Ok(Some(Answer::Reply(reply)))
    });
    seen
}

/// From now on the device is shown this record with every receipt.
fn show_record(scene: &Scene, record: Value) {
    scene.line.play(move |request, upstream| {
        if request.path != "/v1/reports" {
            return Ok(None);
        }
        let reply: Reply = upstream.ask(request)?;
        if reply.status != 200 {
            return Ok(Some(Answer::Reply(reply)));
        }
        let reply = reply.with_json(|value| value["record"] = record.clone())?;
        Ok(Some(Answer::Reply(reply)))
    });
}

/// The device has seen the honest record once; gives what it was shown.
fn honest(scene: &mut Scene) -> Result<Value> {
    let seen = watch_records(scene);
    scene.start()?;
    until("the device to be shown its site's record", PATIENCE, || {
        Ok(seen.lock().expect("no thread panicked").first().cloned())
    })
    .with_context(|| scene.device.story())
}

fn note(record: &Value) -> Result<&str> {
    record.get("checkpoint").and_then(Value::as_str).context("a record has a checkpoint")
}

#[test]
fn attack_24_a_device_refuses_a_rewritten_record_and_keeps_both_as_evidence() -> Result<()> {
    let mut scene = Scene::begin("24a")?;
    let first = honest(&mut scene)?;
    let size = size_of(note(&first)?)?;
    // Whoever owns the server has its record key: another history, longer, signed all the same.
    let thief = scene.stage.server.steal_record()?;
    let other = shown(&scene, &forged_tree(size + 40), size, &thief)?;
    let offered = note(&other)?.to_owned();
    show_record(&scene, other);
    scene.approve()?;
    let refused = scene.device.refused(Reason::RecordRewritten)?;
    ensure!(
        refused.fact.document_sha256 == Some(Sha256Digest::of(offered.as_bytes())),
        "{refused:?}"
    );
    let evidence = evidence(&scene)?;
    ensure!(evidence.contains(&offered), "the forged checkpoint is not kept");
    // A lie about the record holds up no update, and the device's own ledger goes on.
    scene.device.updated_to(&scene.next)?;
    scene.line.rest();
    // It stands in the record of the honest server then, and cannot be taken back.
    scene.device.noted(Transition::Refused, Reason::RecordRewritten).map(|_| ())
}

#[test]
fn attack_24_a_record_that_has_become_shorter_is_refused() -> Result<()> {
    let mut scene = Scene::begin("24b")?;
    let first = honest(&mut scene)?;
    scene.line.rest();
    scene.approve()?;
    scene.device.updated_to(&scene.next)?;
    let size = size_of(note(&first)?)?;
    // What it is told ahead of an update it does not keep: what it keeps is what counts.
    let kept = scene.device.folder.join("state/record.checkpoint");
    until("the device to have seen the record grow", PATIENCE, || {
        let kept = std::fs::read_to_string(&kept).context("the kept checkpoint")?;
        Ok((size_of(&kept)? > size).then_some(()))
    })
    .with_context(|| scene.device.story())?;
    // A backup was restored over the record, or entries were cut off its end.
    show_record(&scene, first);
    let newest = Recipe::small(&scene.device.family, scene.device.kind, "3.0.0", 3).release()?;
    scene.family.add_release(&newest)?;
    scene.family.publish()?;
    scene.approve_release(&Plan::open_now("second", 2), &newest)?;
    scene.device.refused(Reason::RecordRewritten).map(|_| ())
}

#[test]
fn attack_24_a_record_signed_by_another_key_is_refused() -> Result<()> {
    let mut scene = Scene::begin("24c")?;
    let first = honest(&mut scene)?;
    let size = size_of(note(&first)?)?;
    let stranger = Key::named("a stranger's record key");
    let other = shown(&scene, &forged_tree(size + 1), size, &stranger)?;
    show_record(&scene, other);
    scene.approve()?;
    scene.device.refused(Reason::CheckpointWrong)?;
    scene.device.updated_to(&scene.next)
}

/// Every file of the device that holds evidence, joined.
fn evidence(scene: &Scene) -> Result<String> {
    let mut found = String::new();
    let mut folders = vec![scene.device.folder.join("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("split") {
                let bytes = std::fs::read(&path)?;
                let value: Value = serde_json::from_slice(&bytes).context("evidence is JSON")?;
                let texts = value.as_object().into_iter().flat_map(|object| object.values());
                texts.filter_map(Value::as_str).for_each(|text| found.push_str(text));
            }
        }
    }
    Ok(found)
}

/// Two servers with one past: what each hears from here on, the other does not.
struct Fork {
    scene: Scene,
    /// Shown to the device; the scene's own is shown to the hospital.
    other: Server,
    hospital: Desk,
    root: PathBuf,
}

impl Fork {
    fn begin(name: &str) -> Result<Self> {
        let mut scene = Scene::on(Stage::own(AT_ONCE)?, Cast::tree(name))?;
        honest(&mut scene)?;
        scene.line.rest();
        scene.kill()?;
        let address = scene.stage.server.address()?.to_owned();
        let copy = scene.place("fork")?;
        let stage = Arc::get_mut(&mut scene.stage).context("this stage is not shared")?;
        stage.server.stop()?;
        let data = stage.server.data();
        succeed(Command::new("cp").arg("-a").arg(&data).arg(&copy))?;
        let config = stage.server.config_file();
        succeed(Command::new("cp").arg(&config).arg(&copy))?;
        let mut other = stage.server.restored(&copy);
        stage.server.start_on(&address)?;
        other.start()?;
        let hospital = scene.desk()?;
        hospital.enter("login", &other.url()?, &other.token)?;
        hospital.enter("login", &scene.stage.server.url()?, &scene.stage.server.token)?;
        let root = hospital.place("site.root.json");
        put(&root, &scene.site.root_file()?)?;
        Ok(Self { scene, other, hospital, root })
    }

    /// `patchward record export` from one of the two.
    fn export(&self, from: &str, name: &str) -> Result<(Said, PathBuf)> {
        let file = self.hospital.place(name);
        let site = self.scene.site_id.as_str();
        let mut command = self.hospital.command(["record", "export", "--site", site, "--out"]);
        command.arg(&file).arg("--site-root").arg(&self.root).args(["--server", from]);
        Ok((self.hospital.attempt(&mut command)?, file))
    }

    /// The hospital's record goes on, with what the other server never hears of.
    fn hospital_goes_on(&self) -> Result<()> {
        let url = self.scene.stage.server.url()?;
        let site = self.scene.site_id.as_str();
        self.hospital.hold(site, &["--server", &url]).map(|_| ())
    }

    /// The device talks with the other server for as long as it takes to see its record grow.
    fn device_meets_the_other(&mut self) -> Result<String> {
        let address = self.other.address()?.to_owned();
        self.scene.line.play(move |request, _| Ok(Some(Answer::Reply(request.ask(&address)?))));
        let before = kept(&self.scene)?;
        self.scene.device.set_in_use(InUse::Yes)?;
        self.scene.start()?;
        self.scene.device.told(&["hold", "--by", "tanaka"])?;
        until("the device to see the other record grow", PATIENCE, || {
            Ok(Some(kept(&self.scene)?).filter(|now| *now != before))
        })
        .with_context(|| self.scene.device.story())
    }
}

/// The checkpoint that the device keeps.
fn kept(scene: &Scene) -> Result<String> {
    let path = scene.device.folder.join("state/record.checkpoint");
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other.with_context(|| format!("read {}", path.display())),
    }
}

/// The code of a refusal of the command line.
fn code(said: &Said) -> Result<String> {
    ensure!(!said.status.success(), "it said yes: {}", said.out);
    let value: Value = serde_json::from_str(&said.err).with_context(|| said.err.clone())?;
    Ok(value["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn attack_24_hospital_and_device_that_compare_find_that_they_were_shown_different_records()
-> Result<()> {
    let mut fork = Fork::begin("24d")?;
    let seen_by_device = fork.device_meets_the_other()?;
    // The hospital's own record goes on elsewhere.
    fork.hospital_goes_on()?;
    let (said, file) = fork.export(&fork.scene.stage.server.url()?, "first.zip")?;
    ensure!(said.status.success(), "{}", said.err);
    // Each alone holds; side by side they do not.
    let checkpoint = fork.hospital.place("device.checkpoint");
    put(&checkpoint, seen_by_device.as_bytes())?;
    let mut alone = fork.hospital.command(["record", "verify"]);
    let alone = fork.hospital.attempt(alone.arg(&file))?;
    ensure!(alone.status.success(), "{}", alone.err);
    let mut both = fork.hospital.command(["record", "verify"]);
    both.arg(&file).arg("--checkpoint").arg(&checkpoint);
    ensure!(code(&fork.hospital.attempt(&mut both)?)? == "record_rewritten");
    // And a device that meets the hospital's server again refuses its record.
    fork.scene.line.rest();
    fork.scene.device.told(&["hold", "--lift"])?;
    fork.scene.device.refused(Reason::RecordRewritten).map(|_| ())
}

#[test]
fn attack_24_an_export_from_a_server_with_another_history_is_refused() -> Result<()> {
    let mut fork = Fork::begin("24e")?;
    fork.device_meets_the_other()?;
    fork.hospital_goes_on()?;
    let (said, _) = fork.export(&fork.scene.stage.server.url()?, "first.zip")?;
    ensure!(said.status.success(), "{}", said.err);
    let (said, file) = fork.export(&fork.other.url()?, "second.zip")?;
    ensure!(code(&said)? == "record_rewritten", "{}", said.err);
    ensure!(!file.exists(), "an export was written all the same");
    Ok(())
}
