//! Rollouts: a failing canary halts, later waves stay closed, a signature lets them go on, partners
//! follow each other, and neither a restart nor a lost device is forgotten.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{FileAct, ListRollouts, RolloutView, WaveView};
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_tests::clock::{now, until};
use patchward_tests::device::{Device, Health, InUse, PATIENCE, script};
use patchward_tests::image::Recipe;
use patchward_tests::plan::Plan;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::QUICK;
use patchward_tests::wave::{Opens, in_waves};
use std::sync::Arc;

/// Two canaries in wave 0, the device of the scene in wave 1.
struct Rollout {
    scene: Scene,
    canaries: [Device; 2],
    approval: Approval,
    digest: Sha256Digest,
}

impl Rollout {
    fn begin(name: &str, change: impl Fn(&mut Approval)) -> Result<Self> {
        let mut scene = Scene::on(Stage::own(QUICK)?, Cast::tree(name))?;
        let canaries = [scene.another("canary-a")?, scene.another("canary-b")?];
        let [a, b] = &canaries;
        let all = [a, b, &scene.device];
        let mut approval = scene.draw_up(&Plan::open_now("waves", 1), &scene.next, &all)?;
        let opens = Opens { min_updated: 1, soak_s: 0 };
        in_waves(&mut approval, &[&[&a.name, &b.name], &[&scene.device.name]], opens)?;
        change(&mut approval);
        let digest = scene.publish(&approval)?;
        Ok(Self { scene, canaries, approval, digest })
    }

    /// How the server says the rollout stands.
    fn view(&self) -> Result<RolloutView> {
        let client = self.scene.stage.server.administrator()?;
        let rollouts = client.must::<ListRollouts>(&[self.scene.site_id.as_str()], &())?;
        let found = rollouts.into_iter().find(|rollout| rollout.approval == self.approval.id);
        found.context("the rollout is listed")
    }

    fn wave(&self, n: usize) -> Result<WaveView> {
        self.view()?.waves.get(n).cloned().context("the wave is listed")
    }

    /// Waits until a wave is in this state.
    fn comes_to(&self, n: usize, state: &str) -> Result<WaveView> {
        until(&format!("wave {n} to be {state}"), PATIENCE, || {
            Ok(Some(self.wave(n)?).filter(|wave| wave.state == state))
        })
        .with_context(|| format!("{:#?}", self.view()))
    }

    /// A person lets a wave go on that has halted so often.
    fn resume(&self, wave: u32, halts: u64) -> Result<bool> {
        let subject = Subject::Wave { approval_sha256: self.digest, wave, halts };
        let act = self.scene.site.act(subject, Meaning::Resumed, 0)?;
        let client = self.scene.stage.server.administrator()?;
        Ok(client.call::<FileAct>(&[self.scene.site_id.as_str()], &act)?.is_ok())
    }
}

#[test]
fn a_failing_canary_halts_everything_until_a_person_resumes_by_a_signature() -> Result<()> {
    let mut rollout = Rollout::begin("halts", |_| ())?;
    rollout.canaries[0].set_health(Health::Unwell)?;
    let _first = rollout.canaries[0].start()?;
    rollout.canaries[0].noted(Transition::RolledBack, Reason::HealthFailed)?;
    let halted = rollout.comes_to(0, "halted")?;
    ensure!((halted.failed, halted.halts) == (1, 1), "{halted:?}");
    let look_at = rollout.view()?.look_at;
    ensure!(look_at.contains(&rollout.canaries[0].name), "{look_at:?}");
    // The other canary and the later wave stay as they are, also when the server was killed.
    let address = rollout.scene.stage.server.address()?.to_owned();
    let stage = Arc::get_mut(&mut rollout.scene.stage).context("this stage is not shared")?;
    stage.server.kill()?;
    stage.server.start_on(&address)?;
    let _second = rollout.canaries[1].start()?;
    rollout.scene.start()?;
    let [_, b] = &rollout.canaries;
    b.held_for(&[Reason::WaveNotOpen, Reason::RolloutHalted])?;
    rollout.scene.device.held_for(&[Reason::WaveNotOpen, Reason::RolloutHalted])?;
    rollout.scene.device.looks_again(3)?;
    b.is_unchanged()?;
    ensure!(rollout.wave(0)?.state == "halted", "{:?}", rollout.wave(0)?);
    // A signature counts for the halt that it names, and for no other.
    ensure!(!rollout.resume(0, 2)?, "a resume for a halt that never was");
    ensure!(!rollout.resume(1, 1)?, "a resume for another wave");
    rollout.scene.device.looks_again(3)?;
    ensure!(rollout.resume(0, 1)?, "the resume is taken");
    b.updated_to(&rollout.scene.next)?;
    rollout.comes_to(0, "passed")?;
    rollout.scene.device.updated_to(&rollout.scene.next)
}

#[test]
fn a_fixed_release_goes_out_after_the_one_that_failed_and_that_one_never_does() -> Result<()> {
    let mut rollout = Rollout::begin("fixed", |_| ())?;
    rollout.canaries[0].set_health(Health::Unwell)?;
    let _agents = [rollout.canaries[0].start()?];
    rollout.canaries[0].noted(Transition::RolledBack, Reason::HealthFailed)?;
    rollout.comes_to(0, "halted")?;
    rollout.scene.start()?;
    let (family, kind) = (rollout.scene.device.family.clone(), rollout.scene.device.kind);
    let fixed = Recipe::small(&family, kind, "2.0.1", 3).release()?;
    rollout.scene.family.add_release(&fixed)?;
    rollout.scene.family.publish()?;
    rollout.canaries[0].set_health(Health::Well)?;
    let [a, b] = &rollout.canaries;
    let all = [a, b, &rollout.scene.device];
    let mut second = rollout.scene.draw_up(&Plan::open_now("fixed", 2), &fixed, &all)?;
    second.supersedes = Some(rollout.approval.id.clone());
    let opens = Opens { min_updated: 2, soak_s: 0 };
    in_waves(&mut second, &[&[&a.name, &b.name], &[&rollout.scene.device.name]], opens)?;
    rollout.scene.publish(&second)?;
    let _b = rollout.canaries[1].start()?;
    for canary in &rollout.canaries {
        canary.updated_to(&fixed)?;
    }
    rollout.scene.device.updated_to(&fixed)?;
    let failed = rollout.scene.next.firmware.payload.image_sha256;
    for entry in rollout.scene.device.ledger()? {
        let image = entry.fact.release.as_ref().map(|image| image.image_sha256);
        let begun = entry.fact.kind == Transition::Activating;
        ensure!(!(begun && image == Some(failed)), "{}", rollout.scene.device.story());
    }
    Ok(())
}

#[test]
fn of_a_pair_the_second_waits_until_the_first_works_again() -> Result<()> {
    let mut scene = Scene::begin("pair")?;
    let partner = scene.another("partner")?;
    let next = scene.next.clone();
    let both = [&partner, &scene.device];
    let mut approval = scene.draw_up(&Plan::open_now("pair", 1), &next, &both)?;
    let ids = [partner.name.clone(), scene.device.name.clone()];
    let start = now().whole_second().plus_seconds(-60);
    for device in &mut approval.devices {
        let first = device.id == ids[0];
        device.pair = Some(ids[usize::from(first)].clone());
        let start = if first { start } else { start.plus_seconds(30) };
        device.slots = vec![Slot::new(start, start.plus_seconds(3600))?];
    }
    scene.publish(&approval)?;
    // The first is at work on a patient; the second is free, and waits all the same.
    partner.set_in_use(InUse::Yes)?;
    let _agent = partner.start()?;
    scene.start()?;
    partner.held(Reason::InUse)?;
    scene.device.held_for(&[Reason::PartnerUnproven, Reason::WaveNotOpen])?;
    scene.nothing_changes()?;
    partner.set_in_use(InUse::No)?;
    partner.updated_to(&scene.next)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn a_canary_that_is_never_heard_of_again_after_its_activation_halts_the_rollout() -> Result<()> {
    let rollout = Rollout::begin("silent", |approval| approval.gates.silent_after_s = 3)?;
    let [a, _] = &rollout.canaries;
    // The new image never comes up: its check hangs, and then the machine is dead.
    let (looking, folder) = (a.folder.join("looking"), a.folder.display());
    a.reconfigure("check_limit_s = 10", "check_limit_s = 300")?;
    let hangs = format!("#!/bin/sh\n: > '{folder}/looking'\nexec sleep 300\n");
    script(&a.folder.join("health.d/well"), &hangs)?;
    let mut dead = a.start()?;
    until("the new image to be looked at", PATIENCE, || Ok(looking.exists().then_some(())))
        .with_context(|| a.story())?;
    dead.kill()?;
    let halted = rollout.comes_to(0, "halted")?;
    ensure!(halted.silent == 1, "{halted:?}");
    ensure!(rollout.view()?.look_at.contains(&a.name), "{:?}", rollout.view()?);
    Ok(())
}
