//! Deltas from publish to device, on both databases: planned, built by the real worker process, checked,
//! listed, and whatever goes wrong on the way.

use crate::deltas::{a_device_trusts, delegate};
use crate::owner::Owner;
use crate::place::{Place, on_both};
use patchward_protocol::api::delta::{DeltaState, DeltasView};
use patchward_protocol::delta::apply::{self, Base, NoBase};
use patchward_protocol::delta::build::{self, Parameters};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::Seq;
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use patchward_server::app::App;
use patchward_server::delta::build::{Builder, CLAIM_S, Round};
use patchward_server::delta::child::Program;
use patchward_server::delta::{status, survey};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FAMILY: &str = "family:acme.pump";
/// Length of the images of these tests.
const LENGTH: usize = 300_000;

fn real() -> Program {
    Program::at(Path::new(env!("CARGO_BIN_EXE_patchward-server")))
}

fn builder(app: &Arc<App>, name: &str) -> Builder {
    Builder::named(app, real(), name.to_owned())
}

/// Images of which one is the other with some changes.
fn image(seq: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u64;
    let mut bytes: Vec<u8> = (0..LENGTH)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .collect();
    for n in 1..seq as usize {
        bytes[n * 10_000..n * 10_000 + 500].fill(n as u8);
    }
    bytes
}

fn container(image: &[u8]) -> (Vec<u8>, Sha256Digest) {
    let mut file = Cursor::new(Vec::new());
    let parameters = Parameters { window: 64 * 1024, level: 3, ..Parameters::default() };
    let built = build::full(image, &mut file, &parameters, &|_| {}).unwrap();
    (file.into_inner(), built.table_sha256)
}

/// Puts an image in its container among the targets; nothing is published yet.
async fn release(app: &Arc<App>, owner: &mut Owner, seq: u64, image: &[u8]) -> String {
    let mut documents = Vec::new();
    for name in ["dossier", "sbom", "notes-ja", "notes-en"] {
        let (path, bytes) = (format!("doc/{seq}.{name}"), format!("{name} of {seq}").into_bytes());
        owner.add(app, &path, &bytes).await;
        documents.push(Document { path: path.parse().unwrap(), sha256: Sha256Digest::of(&bytes) });
    }
    let mut documents = documents.into_iter();
    let mut document = || documents.next().unwrap();
    let (file, table_sha256) = container(image);
    let firmware = Firmware {
        v: 1,
        family: "acme.pump".parse().unwrap(),
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        hw: vec!["pump.rev1".parse().unwrap()],
        min_seq: Seq(0),
        rollback_ok: vec![],
        class: Class::Security,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Pwd1,
            kind: Kind::Slots,
            image_sha256: Sha256Digest::of(image),
            image_length: image.len() as u64,
            slot_bytes: image.len() as u64,
            table_sha256: Some(table_sha256),
        },
        est: Estimate { activate_s: 1, boot_s: 1, health_s: 1, rollback_s: 1 },
        therapy: false,
        acceptance: Acceptance::None,
        docs: Documents {
            dossier: document(),
            sbom: document(),
            notes_ja: document(),
            notes_en: document(),
        },
    };
    let path = format!("img/pump-{seq}.pwd");
    owner.add(app, &path, &file).await;
    owner.describe(&path, &firmware);
    path
}

/// A family with two releases, of which one may become the other by a delta.
async fn family(app: &Arc<App>) -> Owner {
    let mut owner = Owner::open(app, FAMILY, app.clock.now()).await;
    delegate(app, &mut owner);
    release(app, &mut owner, 1, &image(1)).await;
    owner.publish_first(app).await.unwrap();
    release(app, &mut owner, 2, &image(2)).await;
    owner.targets.version = 2;
    owner.publish_targets(app).await.unwrap();
    owner
}

async fn plan(app: &Arc<App>) -> usize {
    survey::survey(app, &mut survey::Seen::default()).await.unwrap()
}

async fn shown(app: &App) -> DeltasView {
    status::list(app, &FAMILY.parse().unwrap()).await.unwrap()
}

async fn states(app: &App) -> Vec<DeltaState> {
    shown(app).await.pairs.into_iter().map(|pair| pair.state).collect()
}

struct Old(Vec<u8>);

impl Base for Old {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        let at = offset as usize;
        into.copy_from_slice(&self.0[at..at + into.len()]);
        Ok(())
    }
}

/// Takes the one delta as a device does; returns the image that it makes.
fn taken(app: &App, owner: &Owner) -> Vec<u8> {
    let set = a_device_trusts(app, owner);
    let deltas = set.deltas().unwrap();
    let [delta] = deltas.as_slice() else { panic!("{} deltas", deltas.len()) };
    let target = set.image(&delta.facts.to.path).unwrap().unwrap();
    assert!(delta.leads_to(&target));
    let blob = app.blobs.get(&delta.file.sha256).unwrap().unwrap();
    assert_eq!(blob.length(), delta.file.length);
    let file = blob.read_at(0, delta.file.length as usize).unwrap();
    assert_eq!(Sha256Digest::of(&file), delta.file.sha256);
    let (mut made, table) = (Vec::new(), Some(delta.facts.table_sha256));
    let write = &mut |_: u64, window: &[u8]| {
        made.extend_from_slice(window);
        Ok(())
    };
    let old = image(delta.facts.from.seq.0);
    let head = apply::whole(&mut Cursor::new(file), table, &mut Old(old), write, &|_| {}).unwrap();
    assert_eq!(head.header.memory_bytes(), delta.facts.mem_bytes);
    made
}

/// A program that does `first` when it is first called and then is the worker.
fn script(place: &Path, first: &str) -> PathBuf {
    let (path, called) = (place.join("worker.sh"), place.join("called"));
    let (real, called) = (env!("CARGO_BIN_EXE_patchward-server"), called.display());
    let text = format!(
        "#!/bin/sh\nif [ ! -e {called} ]; then\n: > {called}\n{first}\nfi\nexec {real} \"$@\"\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_delta_goes_from_publish_to_a_device() {
    on_both(|place| {
        place.with_one(|app| async move {
            let owner = family(&app).await;
            assert_eq!(plan(&app).await, 1);
            assert_eq!(plan(&app).await, 0);
            let builder = builder(&app, "one");
            assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
            assert_eq!(builder.round().await.unwrap(), Round::Idle);
            assert_eq!(taken(&app, &owner), image(2));
            let view = shown(&app).await;
            let [pair] = view.pairs.as_slice() else { panic!("one pair") };
            assert!(view.delegated && pair.bytes.unwrap() * 2 < pair.full_bytes);
            assert_eq!((pair.from.seq, pair.to.seq), (Some(Seq(1)), Some(Seq(2))));
            assert_eq!(pair.index.as_deref(), Some("suffix-array"));
            assert!(pair.memory_kib.unwrap() > 0 && pair.detail.is_none());
            // A later list still has it, and a later snapshot still names the list.
            let mut owner = owner;
            owner.add(&app, "doc/more.txt", b"more").await;
            owner.targets.version = 3;
            owner.publish_targets(&app).await.unwrap();
            assert_eq!(taken(&app, &owner), image(2));
        });
    });
}

#[test]
fn of_two_servers_one_builds() {
    on_both(|place| {
        place.with_two(|one, two| async move {
            let owner = family(&one).await;
            two.reload().await.unwrap();
            plan(&one).await;
            // The other has planned from the same: nothing is stored twice.
            plan(&two).await;
            assert_eq!(states(&one).await, [DeltaState::Queued]);
            let (here, there) = (builder(&one, "one"), builder(&two, "two"));
            let there = actix_web::rt::spawn(async move { there.round().await.unwrap() });
            let rounds = [here.round().await.unwrap(), there.await.unwrap()];
            assert!(rounds.contains(&Round::Idle), "{rounds:?}");
            assert!(rounds.contains(&Round::Moved(DeltaState::Published)), "{rounds:?}");
            one.reload().await.unwrap();
            assert_eq!(taken(&one, &owner), image(2));
        });
    });
}

#[test]
fn a_killed_worker_costs_one_try_and_the_next_one_builds() {
    on_both(|place| {
        let folder = place.folder.path().to_owned();
        place.with_one(|app| async move {
            let owner = family(&app).await;
            plan(&app).await;
            let program = Program::at(&script(&folder, "kill -9 $$"));
            let builder = Builder::named(&app, program, "one".to_owned());
            assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Queued));
            let view = shown(&app).await;
            assert!(view.pairs[0].detail.as_deref().unwrap().contains("signal 9"));
            assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
            assert_eq!(taken(&app, &owner), image(2));
        });
    });
}

#[test]
fn a_pair_that_ends_every_worker_is_given_up_with_what_was_said_last() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        let owner = family(&app).await;
        plan(&app).await;
        let program = script(&folder, "");
        std::fs::write(&program, "#!/bin/sh\nkill -11 $$\n").unwrap();
        let builder = Builder::named(&app, Program::at(&program), "one".to_owned());
        for expected in [DeltaState::Queued, DeltaState::Queued, DeltaState::Failed] {
            assert_eq!(builder.round().await.unwrap(), Round::Moved(expected));
        }
        assert_eq!(builder.round().await.unwrap(), Round::Idle);
        assert!(shown(&app).await.pairs[0].detail.as_deref().unwrap().contains("signal 11"));
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
        survey::count(&app).await.unwrap();
        assert_eq!(app.desk.tally().failed, 1);
    });
}

#[test]
fn a_server_that_is_gone_in_the_middle_of_a_build_is_followed_by_another() {
    on_both(|place| {
        let folder = place.folder.path().to_owned();
        let owner = place.with_one(|app| async move {
            let owner = family(&app).await;
            plan(&app).await;
            // The worker does not end, and then its server is gone.
            let waits = script(&folder, "exec /bin/sleep 600");
            let builder = Builder::named(&app, Program::at(&waits), "gone".to_owned());
            let building = actix_web::rt::spawn(async move { builder.round().await });
            while states(&app).await != [DeltaState::Building] {
                tokio::task::yield_now().await;
            }
            building.abort();
            owner
        });
        place.with_one(|app| async move {
            let builder = builder(&app, "next");
            assert_eq!(builder.round().await.unwrap(), Round::Idle);
        });
        place.later(CLAIM_S + 1);
        place.with_one(|app| async move {
            let builder = builder(&app, "next");
            assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
            assert_eq!(taken(&app, &owner), image(2));
        });
    });
}

#[test]
fn a_server_that_ends_in_order_gives_its_pair_back_at_once() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let waits = script(&folder, "exec /bin/sleep 600");
        let ending = Builder::named(&app, Program::at(&waits), "ending".to_owned());
        let building = actix_web::rt::spawn({
            let ending = ending.clone();
            async move { ending.round().await }
        });
        while states(&app).await != [DeltaState::Building] {
            tokio::task::yield_now().await;
        }
        building.abort();
        ending.give_back().await.unwrap();
        assert_eq!(states(&app).await, [DeltaState::Queued]);
        let next = builder(&app, "next");
        assert_eq!(next.round().await.unwrap(), Round::Moved(DeltaState::Published));
    });
}

#[test]
fn whoever_lost_its_claim_offers_nothing() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    let clock = Arc::clone(&place.clock);
    place.with_one(|app| async move {
        let owner = family(&app).await;
        plan(&app).await;
        // Held up until somebody else has built.
        let go_on = folder.join("go-on");
        let waits = format!("while [ ! -e {} ]; do /bin/sleep 0.05; done", go_on.display());
        let slow = Builder::named(&app, Program::at(&script(&folder, &waits)), "slow".to_owned());
        let slow = actix_web::rt::spawn(async move { slow.round().await.unwrap() });
        while states(&app).await != [DeltaState::Building] {
            tokio::task::yield_now().await;
        }
        clock.set(app.clock.now().plus_seconds(CLAIM_S + 1));
        let quick = builder(&app, "quick");
        assert_eq!(quick.round().await.unwrap(), Round::Moved(DeltaState::Published));
        let before = app.snapshot().get(&owner.id).unwrap().heads;
        std::fs::write(&go_on, b"").unwrap();
        assert_eq!(slow.await.unwrap(), Round::GivenBack);
        app.reload().await.unwrap();
        assert_eq!(app.snapshot().get(&owner.id).unwrap().heads, before);
        assert_eq!(taken(&app, &owner), image(2));
    });
}

/// Lines of a script that does what the order in `$order` says, as the one who asked for it, and leaves
/// the path of the delta in `$delta`.
fn obeys() -> String {
    let real = env!("CARGO_BIN_EXE_patchward-server");
    [
        r#"order=$(/bin/cat | /bin/sed "s/\"asker\":[0-9]*/\"asker\":$$/")"#.to_owned(),
        r#"delta=$(printf '%s' "$order" | /bin/sed 's/.*"delta":"\([^"]*\)".*/\1/')"#.to_owned(),
        format!("printf '%s' \"$order\" | {real} \"$@\""),
    ]
    .join("\n")
}

/// A line that changes a byte of the delta.
fn changes(place: &str) -> String {
    format!("printf 'X' | /bin/dd of=\"$delta\" bs=1 seek={place} conv=notrunc 2>/dev/null")
}

#[test]
fn output_that_was_changed_before_it_is_checked_is_never_signed() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        let owner = family(&app).await;
        plan(&app).await;
        let last = changes("$(($(/usr/bin/stat -c %s \"$delta\") - 9))");
        let program = Program::at(&script(&folder, &format!("{}\n{last}\nexit 0", obeys())));
        let builder = Builder::named(&app, program, "one".to_owned());
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Queued));
        let detail = shown(&app).await.pairs[0].detail.clone().unwrap();
        assert!(detail.contains("the delta does not give the image"), "{detail}");
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
        assert_eq!(taken(&app, &owner), image(2));
    });
}

#[test]
fn a_file_that_is_swapped_after_its_check_is_found_out() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        let owner = family(&app).await;
        plan(&app).await;
        let path = script(&folder, "");
        let swap = changes("200");
        let case = format!("case \"$order\" in *'\"step\":\"check\"'*) {swap};; esac");
        std::fs::write(&path, format!("#!/bin/sh\n{}\n{case}\n", obeys())).unwrap();
        let builder = Builder::named(&app, Program::at(&path), "one".to_owned());
        assert_eq!(builder.round().await.unwrap(), Round::GivenBack);
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
        assert_eq!(states(&app).await, [DeltaState::Queued]);
    });
}

#[test]
fn what_does_not_fit_the_budget_is_told_and_is_planned_again_with_a_larger_one() {
    let mut place = Place::sqlite();
    place.config.delta.memory_bytes = 1024 * 1024;
    let owner = place.with_one(|app| async move {
        let owner = family(&app).await;
        plan(&app).await;
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::OverBudget));
        assert!(shown(&app).await.pairs[0].detail.as_deref().unwrap().contains("more memory"));
        assert_eq!(plan(&app).await, 0);
        owner
    });
    place.config.delta.memory_bytes = 1024 * 1024 * 1024;
    place.with_one(|app| async move {
        assert_eq!(plan(&app).await, 1);
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
        assert_eq!(taken(&app, &owner), image(2));
    });
}

#[test]
fn a_budget_that_is_missed_while_building_takes_the_smaller_index_and_then_none() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        // Memory that is not given ends a program by signal 6.
        let program = Program::at(&script(&folder, "kill -6 $$"));
        let first = Builder::named(&app, program, "one".to_owned());
        assert_eq!(first.round().await.unwrap(), Round::Moved(DeltaState::Published));
        assert_eq!(shown(&app).await.pairs[0].index.as_deref(), Some("sampled"));
    });
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let program = script(&folder, "");
        std::fs::write(&program, "#!/bin/sh\nkill -24 $$\n").unwrap();
        let builder = Builder::named(&app, Program::at(&program), "one".to_owned());
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::OverBudget));
        assert!(shown(&app).await.pairs[0].detail.as_deref().unwrap().contains("more time"));
    });
}

#[test]
fn a_worker_that_never_ends_is_ended_by_the_clock_on_the_wall() {
    let mut place = Place::sqlite();
    place.config.delta.time_s = 1;
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let program = script(&folder, "");
        std::fs::write(&program, "#!/bin/sh\nexec /bin/sleep 600\n").unwrap();
        let builder = Builder::named(&app, Program::at(&program), "one".to_owned());
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::OverBudget));
    });
}

#[test]
fn a_delta_that_is_hardly_shorter_is_not_offered() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        delegate(&app, &mut owner);
        release(&app, &mut owner, 1, &image(1)).await;
        let unrelated: Vec<u8> = image(1).iter().rev().map(|byte| byte.wrapping_mul(7)).collect();
        release(&app, &mut owner, 2, &unrelated).await;
        owner.publish_first(&app).await.unwrap();
        plan(&app).await;
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::TooLarge));
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
    });
}

#[test]
fn a_withdrawn_image_takes_its_deltas_out_of_the_list_with_it() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = family(&app).await;
            plan(&app).await;
            let builder = builder(&app, "one");
            builder.round().await.unwrap();
            assert_eq!(a_device_trusts(&app, &owner).deltas().unwrap().len(), 1);
            let path = "img/pump-2.pwd".parse().unwrap();
            let custom = &mut owner.targets.targets.get_mut(&path).unwrap().custom;
            custom.get_mut("fw").unwrap()["state"] = serde_json::json!("withdrawn");
            owner.targets.version = 3;
            owner.publish_targets(&app).await.unwrap();
            assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
            assert_eq!(states(&app).await, [DeltaState::Retired]);
            assert_eq!(plan(&app).await, 0);
            assert_eq!(builder.round().await.unwrap(), Round::Idle);
        });
    });
}

#[test]
fn what_is_withdrawn_while_it_is_built_is_not_offered() {
    let place = Place::sqlite();
    let folder = place.folder.path().to_owned();
    place.with_one(|app| async move {
        let mut owner = family(&app).await;
        plan(&app).await;
        let go_on = folder.join("go-on");
        let waits = format!("while [ ! -e {} ]; do /bin/sleep 0.05; done", go_on.display());
        let slow = Builder::named(&app, Program::at(&script(&folder, &waits)), "slow".to_owned());
        let slow = actix_web::rt::spawn(async move { slow.round().await.unwrap() });
        while states(&app).await != [DeltaState::Building] {
            tokio::task::yield_now().await;
        }
        let path = "img/pump-2.pwd".parse().unwrap();
        let custom = &mut owner.targets.targets.get_mut(&path).unwrap().custom;
        custom.get_mut("fw").unwrap()["state"] = serde_json::json!("withdrawn");
        owner.targets.version = 3;
        owner.publish_targets(&app).await.unwrap();
        std::fs::write(&go_on, b"").unwrap();
        assert_eq!(slow.await.unwrap(), Round::GivenBack);
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
        assert_eq!(states(&app).await, [DeltaState::Retired]);
    });
}

#[test]
fn a_family_that_does_not_delegate_has_nothing_planned_until_it_does() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        release(&app, &mut owner, 1, &image(1)).await;
        release(&app, &mut owner, 2, &image(2)).await;
        owner.publish_first(&app).await.unwrap();
        assert_eq!(plan(&app).await, 0);
        assert!(!shown(&app).await.delegated);
        delegate(&app, &mut owner);
        owner.targets.version = 2;
        owner.publish_targets(&app).await.unwrap();
        assert_eq!(plan(&app).await, 1);
        // And stops: what waits is retired when its turn comes.
        owner.targets.delegations.clear();
        owner.targets.version = 3;
        owner.publish_targets(&app).await.unwrap();
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Retired));
    });
}

#[test]
fn a_delta_that_would_go_beyond_the_quota_of_its_family_is_told_as_such() {
    let mut place = Place::sqlite();
    let (one, two) = (container(&image(1)).0.len(), container(&image(2)).0.len());
    place.config.quota.family_bytes = (one + two + 200) as u64;
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::OverBudget));
        assert!(shown(&app).await.pairs[0].detail.as_deref().unwrap().contains("quota"));
    });
}

#[test]
fn a_program_that_cannot_be_started_is_no_fault_of_the_pair() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let nothing = Program::at(Path::new("/nonexistent/patchward-server"));
        let broken = Builder::named(&app, nothing, "one".to_owned());
        for _ in 0..5 {
            assert_eq!(broken.round().await.unwrap(), Round::GivenBack);
        }
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
    });
}

#[test]
fn a_full_container_of_these_tests_gives_its_image() {
    let (file, table) = container(&image(2));
    let mut made = Vec::new();
    let write = &mut |_: u64, window: &[u8]| {
        made.extend_from_slice(window);
        Ok(())
    };
    apply::whole(&mut Cursor::new(file), Some(table), &mut NoBase, write, &|_| {}).unwrap();
    assert_eq!(made, image(2));
}
