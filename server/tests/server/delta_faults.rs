//! Whatever goes wrong while a delta is built: workers and servers that are killed, budgets, claims, and
//! files that are not what was built.

use crate::delta_family::{
    builder, container, family, image, plan, real, script, shown, states, taken,
};
use crate::deltas::a_device_trusts;
use crate::place::{Place, block_on, on_both};
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::digest::Sha256Digest;
use patchward_server::delta::attempt::Ended;
use patchward_server::delta::build::{Builder, CLAIM_S, Round};
use patchward_server::delta::child::Program;
use patchward_server::delta::order::{Answer, Container, IndexName, Order, Step};
use patchward_server::delta::survey;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
fn a_worker_limits_itself_before_it_reads_an_image() {
    let place = Place::sqlite();
    let scratch = place.folder.path().to_owned();
    let stored = |seq: u64| {
        let (image, path) = (image(seq), scratch.join(format!("{seq}.pwd")));
        let (file, table_sha256) = container(&image);
        std::fs::write(&path, file).unwrap();
        let (image_sha256, image_length) = (Sha256Digest::of(&image), image.len() as u64);
        Container { path, table_sha256, image_sha256, image_length }
    };
    let (from, to) = (stored(1), stored(2));
    let order = |address_bytes, asker| Order {
        step: Step::Build { index: IndexName::Sampled, threads: 1 },
        from: from.clone(),
        to: to.clone(),
        delta: scratch.join("delta"),
        scratch: scratch.clone(),
        address_bytes,
        cpu_s: 60,
        asker,
    };
    let run = |order: Order| {
        let (program, time) = (real(), Duration::from_secs(600));
        block_on(async move { program.run(&order, time).await.unwrap() })
    };
    let ours = std::process::id();
    let without_limit = run(order(u64::MAX / 2, ours));
    assert!(matches!(without_limit, Ended::Done(Answer::Built { .. })), "{without_limit:?}");
    assert_eq!(run(order(4096, ours)), Ended::Memory);
    let orphan = run(order(u64::MAX / 2, ours.wrapping_add(1)));
    assert!(matches!(&orphan, Ended::Failed(why) if why.contains("whoever asked is gone")));
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
