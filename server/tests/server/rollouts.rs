//! Waves and gates on both databases: counted in the transaction that stores a report, opened once by
//! however many servers, proven by what devices signed.

use crate::hospital::{
    ROOT_SEED, TARGETS_SEED, act, acts, approval, ask, deliver, devices, digest, fact, goes,
    holder, key, north, open, publish, signed, site, states, tell, told, waves,
};
use crate::http::device::Device;
use crate::place::on_both;
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::Approval;
use patchward_protocol::gate::count::Rollout;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::Kind;
use patchward_protocol::proof::{WaveProof, check};
use patchward_server::app::App;
use patchward_server::consent::act::file;
use patchward_server::db::rollout::{self, StoredWave};
use patchward_server::rollout::{proof, recount, tick};
use std::sync::Arc;

const DONE: [Kind; 3] = [Kind::Activating, Kind::Trial, Kind::Committed];

fn subject(approval: &Approval, wave: u32, halts: u64) -> Subject {
    Subject::Wave { approval_sha256: digest(approval), wave, halts }
}

async fn resume(app: &Arc<App>, seed: u8, subject: Subject) -> Result<u64, ErrorCode> {
    let act = act(app.clock.now(), subject, Meaning::Resumed);
    let filed = file(app, &north(), signed(seed, &act), &holder()).await;
    filed.map(|filed| filed.record_index).map_err(|error| error.code())
}

/// Three waves: one device, two, one.
async fn rolled_out(app: &Arc<App>, devices: &[Device]) -> Approval {
    let mut owner = site(app).await;
    let waves = [(&devices[0], 0), (&devices[1], 1), (&devices[2], 1), (&devices[3], 2)];
    let approval = approval("first", 1, app.clock.now(), &waves);
    publish(app, &mut owner, &[&approval]).await;
    approval
}

#[test]
fn a_wave_opens_when_the_one_before_has_committed_and_with_its_proof() {
    on_both(|place| {
        let mut devices = devices(&place, 4);
        place.with_two(|one, two| async move {
            let approval = rolled_out(&one, &devices).await;
            two.reload().await.unwrap();
            assert_eq!(open(&two, &devices[0], 1).await, [0]);
            assert!(open(&two, &devices[1], 1).await.is_empty());
            goes(&one, &mut devices[0], &approval, &DONE).await;
            // The soak is over at once; the slots are not, but every device has ended.
            assert_eq!(states(&two, &approval).await, ["passed", "open", "planned"]);
            two.reload().await.unwrap();
            let directive = told(&two, &devices[1], 2).await;
            let wave = &directive.open[0];
            assert_eq!((wave.wave, wave.approval_sha256), (1, digest(&approval)));
            let bytes = proof::read(&two, &north(), wave.proof.unwrap()).await.unwrap();
            let proof = WaveProof::read(&bytes).unwrap();
            let rollout =
                Rollout { approval_sha256: digest(&approval), image_sha256: key(&approval).image };
            assert!(check(&proof, &approval, &rollout, &devices[1].device).is_ok());
            assert!(open(&two, &devices[3], 1).await.is_empty(), "the wave after it");
            let told: Vec<_> = acts(&one).await;
            assert!(told.ends_with(&[
                "wave-soaking".into(),
                "wave-passed".into(),
                "wave-opened".into()
            ]));
        });
    });
}

#[test]
fn a_later_fallback_reopens_the_gate() {
    on_both(|place| {
        let mut devices = devices(&place, 4);
        place.with_one(|app| async move {
            let approval = rolled_out(&app, &devices).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            assert_eq!(open(&app, &devices[1], 1).await, [1]);
            goes(&app, &mut devices[0], &approval, &[Kind::RollingBack, Kind::RolledBack]).await;
            assert_eq!(states(&app, &approval).await, ["halted", "planned", "planned"]);
            assert!(open(&app, &devices[1], 2).await.is_empty());
            let counters = waves(&app, &approval).await;
            assert_eq!((counters[0].updated, counters[0].failed), (0, 1));
        });
    });
}

#[test]
fn a_halt_is_ended_by_a_signature_for_that_halt_and_by_nothing_else() {
    on_both(|place| {
        let mut devices = devices(&place, 4);
        place.with_one(|app| async move {
            let approval = rolled_out(&app, &devices).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            let failed = [Kind::Activating, Kind::RollingBack, Kind::RolledBack];
            goes(&app, &mut devices[1], &approval, &failed).await;
            assert_eq!(states(&app, &approval).await, ["passed", "halted", "planned"]);
            let resumed = |halts| resume(&app, TARGETS_SEED, subject(&approval, 1, halts));
            assert_eq!(resumed(0).await, Err(ErrorCode::ActRefused), "a halt that nobody saw");
            assert_eq!(resumed(2).await, Err(ErrorCode::ActRefused), "a halt to come");
            let by_root = resume(&app, ROOT_SEED, subject(&approval, 1, 1)).await;
            assert_eq!(by_root, Err(ErrorCode::ActRefused), "a key that signs no targets");
            let stranger = resume(&app, 99, subject(&approval, 1, 1)).await;
            assert_eq!(stranger, Err(ErrorCode::ActRefused), "no key of the site");
            assert!(open(&app, &devices[2], 1).await.is_empty());
            let first = resumed(1).await.unwrap();
            assert_eq!(states(&app, &approval).await[1], "open");
            assert_eq!(open(&app, &devices[2], 2).await, [1]);
            assert_eq!(resumed(1).await, Ok(first), "filed once");
            // The next failure is another halt, and the old signature does not cover it.
            goes(&app, &mut devices[2], &approval, &failed).await;
            assert_eq!(states(&app, &approval).await[1], "halted");
            let again =
                act(app.clock.now().plus_seconds(1), subject(&approval, 1, 1), Meaning::Resumed);
            let refused = file(&app, &north(), signed(TARGETS_SEED, &again), &holder()).await;
            assert_eq!(refused.unwrap_err().code(), ErrorCode::ActRefused);
        });
    });
}

#[test]
fn a_device_that_stays_silent_after_activation_halts_its_wave() {
    on_both(|place| {
        let mut devices = devices(&place, 4);
        let clock = Arc::clone(&place.clock);
        place.with_two(|one, two| async move {
            let approval = rolled_out(&one, &devices).await;
            goes(&one, &mut devices[0], &approval, &[Kind::Activating]).await;
            two.reload().await.unwrap();
            tick::tick(&two).await.unwrap();
            assert_eq!(states(&two, &approval).await[0], "open");
            clock.set(one.clock.now().plus_seconds(3600));
            // Both servers look; the device is counted once.
            tick::tick(&two).await.unwrap();
            tick::tick(&one).await.unwrap();
            let counters = waves(&one, &approval).await;
            assert_eq!((counters[0].silent, counters[0].running, counters[0].halts), (1, 0, 1));
            assert_eq!(counters[0].state.code(), "halted");
            // It is heard after all.
            goes(&one, &mut devices[0], &approval, &[Kind::Committed]).await;
            let counters = waves(&one, &approval).await;
            assert_eq!((counters[0].silent, counters[0].updated), (0, 1));
            assert_eq!(counters[0].state.code(), "halted", "a person must look");
        });
    });
}

#[test]
fn a_soak_ends_by_time_and_asks_for_hours_of_clinical_use() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let mut approval =
                approval("soaks", 1, app.clock.now(), &[(&devices[0], 0), (&devices[1], 1)]);
            approval.waves[0].soak_s = 600;
            approval.waves[1].min_clinical_use_h = 2;
            publish(&app, &mut owner, &[&approval]).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            assert_eq!(states(&app, &approval).await, ["soaking", "planned"]);
            clock.set(app.clock.now().plus_seconds(600));
            tick::tick(&app).await.unwrap();
            assert_eq!(states(&app, &approval).await, ["soaking", "planned"], "unused");
            let mut used = fact(Kind::Used, &approval);
            used.clinical_use_s = Some(2 * 3600);
            let entry = tell(&mut devices[0], app.clock.now(), used);
            deliver(&app, &devices[0], &[entry]).await.unwrap();
            app.reload().await.unwrap();
            assert_eq!(states(&app, &approval).await, ["passed", "open"]);
            assert_eq!(open(&app, &devices[1], 1).await, [1]);
        });
    });
}

#[test]
fn an_entry_of_another_key_than_the_approval_names_counts_for_nothing() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let mut approval =
                approval("foreign", 1, app.clock.now(), &[(&devices[0], 0), (&devices[1], 1)]);
            approval.devices[0].key = Device::new("north", "pump-0", 99).device_key.public();
            publish(&app, &mut owner, &[&approval]).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            assert_eq!(waves(&app, &approval).await[0].activated, 0);
            assert_eq!(states(&app, &approval).await, ["open", "planned"]);
        });
    });
}

#[test]
fn a_partner_is_told_the_proof_of_the_one_that_goes_first() {
    on_both(|place| {
        let mut devices = devices(&place, 2);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let mut approval =
                approval("pair", 1, app.clock.now(), &[(&devices[0], 0), (&devices[1], 0)]);
            approval.devices[0].pair = Some(devices[1].device.clone());
            approval.devices[1].pair = Some(devices[0].device.clone());
            let at = app.clock.now();
            let later = (at.plus_seconds(9000), at.plus_seconds(10_800));
            approval.devices[1].slots = vec![later.try_into().unwrap()];
            publish(&app, &mut owner, &[&approval]).await;
            assert_eq!(told(&app, &devices[1], 1).await.open[0].proof, None);
            goes(&app, &mut devices[0], &approval, &DONE).await;
            let proof = told(&app, &devices[1], 2).await.open[0].proof.unwrap();
            let bytes = proof::read(&app, &north(), proof).await.unwrap();
            let proof = WaveProof::read(&bytes).unwrap();
            assert_eq!(proof.entries.len(), 1);
            assert!(told(&app, &devices[0], 1).await.open[0].proof.is_some());
        });
    });
}

#[test]
fn a_withdrawn_approval_closes_its_waves_for_good() {
    on_both(|place| {
        let devices = devices(&place, 4);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let mut approval = approval("first", 1, app.clock.now(), &[(&devices[0], 0)]);
            publish(&app, &mut owner, &[&approval]).await;
            assert_eq!(open(&app, &devices[0], 1).await, [0]);
            let before = approval.clone();
            approval.state = patchward_protocol::approval::ApprovalState::Withdrawn;
            publish(&app, &mut owner, &[&approval]).await;
            assert!(open(&app, &devices[0], 2).await.is_empty());
            tick::tick(&app).await.unwrap();
            assert_eq!(states(&app, &before).await, ["cancelled"]);
        });
    });
}

/// Nebraska reads limits and writes the grant without a lock, so that concurrent check-ins exceed them.
#[test]
fn nebraska_limits_are_read_and_the_grant_written_without_lock() {
    const EACH: u8 = 8;
    on_both(|place| {
        let mut devices = devices(&place, 2 * EACH);
        place.with_two(|one, two| async move {
            let mut owner = site(&one).await;
            let waves_of: Vec<_> = devices
                .iter()
                .enumerate()
                .map(|(n, device)| (device, u32::from(n >= usize::from(EACH))))
                .collect();
            let mut approval = approval("crowd", 1, one.clock.now(), &waves_of);
            // All of wave 0 must have committed.
            approval.waves[1].min_updated = u32::from(EACH);
            publish(&one, &mut owner, &[&approval]).await;
            two.reload().await.unwrap();
            let servers = [one, two];
            let second: Vec<Device> = devices.split_off(usize::from(EACH));
            let second = Arc::new(second);
            let approval = Arc::new(approval);
            // Eight workers on two servers: each device of wave 0 commits in steps, and after each
            // step its worker asks for every device of wave 1 whether it may go.
            let workers = devices.into_iter().enumerate().map(|(n, mut device)| {
                let app = Arc::clone(&servers[n % 2]);
                let (approval, second) = (Arc::clone(&approval), Arc::clone(&second));
                actix_web::rt::spawn(async move {
                    let mut early = 0;
                    for kind in DONE {
                        let entry = tell(&mut device, app.clock.now(), fact(kind, &approval));
                        deliver(&app, &device, &[entry]).await.unwrap();
                        app.reload().await.unwrap();
                        for waiting in second.iter() {
                            early += grants(&app, waiting, &approval).await;
                        }
                    }
                    early
                })
            });
            let mut early = 0;
            for worker in workers.collect::<Vec<_>>() {
                early += worker.await.unwrap();
            }
            assert_eq!(early, 0, "granted before all of wave 0 had committed");
            let counters = waves(&servers[0], &approval).await;
            let each = u32::from(EACH);
            assert_eq!((counters[0].activated, counters[0].updated), (each, each));
            assert_eq!(states(&servers[0], &approval).await, ["passed", "open"]);
            let opened = acts(&servers[0]).await.iter().filter(|act| *act == "wave-opened").count();
            assert_eq!(opened, 2, "each wave was opened once");
            assert!(recount::recount(&servers[1]).await.unwrap().is_empty());
        });
    });
}

/// How many waves a device is told are open while wave 0 has not all committed. What is told is made
/// before the counters are read: they only grow.
async fn grants(app: &App, device: &Device, approval: &Approval) -> usize {
    let open = directive_of(app, device).open.len();
    let stored = waves(app, approval).await;
    if stored[0].updated == stored[0].devices { 0 } else { open }
}

fn directive_of(app: &App, device: &Device) -> patchward_protocol::directive::Directive {
    use patchward_server::consent::directive::{Asker, Sight};
    let (snapshot, consent) = (app.snapshot(), app.views.consent());
    let key = device.device_key.public();
    let asker = Asker {
        site: &device.site,
        device: &device.device,
        key: &key,
        family: &device.family,
        installed: None,
    };
    Sight::new(&snapshot, &consent, asker, app.clock.now()).directive()
}

/// hawkBit's quota purges action rows; here what was counted and its evidence stay.
#[test]
fn hawkbit_action_rows_purged_by_quota() {
    on_both(|place| {
        let mut devices = devices(&place, 1);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let start = app.clock.now();
            let mut last = None;
            for n in 1..=20_u64 {
                let at = app.clock.now();
                let approval = approval(&format!("night-{n}"), n, at, &[(&devices[0], 0)]);
                publish(&app, &mut owner, &[&approval]).await;
                goes(&app, &mut devices[0], &approval, &DONE).await;
                assert_eq!(waves(&app, &approval).await[0].updated, 1, "{n}");
                last.get_or_insert(approval);
                clock.set(at.plus_seconds(2 * 86_400));
            }
            // The first one, forty days later.
            let first = last.unwrap();
            assert_eq!(waves(&app, &first).await[0].updated, 1);
            let told = acts(&app).await;
            assert_eq!(told.iter().filter(|act| *act == "wave-opened").count(), 20);
            let page = app
                .db
                .read(|conn| {
                    patchward_server::db::ledger::all_of(conn, &north(), &"pump-0".parse().unwrap())
                })
                .await
                .unwrap();
            assert_eq!((page.len(), page[0].1), (60, start));
        });
    });
}

/// vaultwarden's `.ok()` on queries makes a database failure read as "not found".
#[test]
fn vaultwarden_ok_on_queries_makes_a_database_failure_read_as_not_found() {
    on_both(|place| {
        let devices = devices(&place, 4);
        place.with_one(|app| async move {
            let approval = rolled_out(&app, &devices).await;
            let key = key(&approval);
            // A row that no version of this program wrote.
            let broken = key.clone();
            app.db.write(move |conn| break_counters(conn, &broken)).await.unwrap();
            let read = app.db.read(move |conn| rollout::waves(conn, &key)).await;
            assert!(matches!(read, Err(patchward_server::db::DbError::Column { .. })), "{read:?}");
            let listed = patchward_server::rollout::view::list(&app, &north()).await;
            assert_eq!(listed.unwrap_err().code(), ErrorCode::Internal);
        });
    });
}

fn break_counters(
    conn: &mut patchward_server::db::Connection,
    _: &rollout::RolloutKey,
) -> Result<(), patchward_server::db::DbError> {
    use diesel::RunQueryDsl as _;
    use patchward_server::db::Connection;
    let sql = diesel::sql_query("UPDATE waves SET counters = '{}'");
    match conn {
        Connection::Sqlite(conn) => sql.execute(&mut **conn)?,
        Connection::Postgres(conn) => sql.execute(&mut **conn)?,
    };
    Ok(())
}

#[test]
fn a_counter_that_is_not_what_devices_signed_is_an_alarm() {
    on_both(|place| {
        let mut devices = devices(&place, 4);
        place.with_one(|app| async move {
            let approval = rolled_out(&app, &devices).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            assert!(recount::recount(&app).await.unwrap().is_empty());
            let key = key(&approval);
            let changed = app.db.write(move |conn| {
                let waves = rollout::waves(conn, &key)?;
                let mut counters = waves[0].counters.clone();
                counters.updated = 7;
                let from = waves[0].revision;
                let wave = StoredWave { revision: from + 1, counters, proof: None };
                rollout::swap_wave(conn, &key, &wave, from)
            });
            assert!(changed.await.unwrap());
            let found = recount::recount(&app).await.unwrap();
            assert_eq!((found[0].counted.updated, found[0].signed.updated), (7, 1));
            assert_eq!(acts(&app).await.last().unwrap(), "recount-differs");
            assert_eq!(
                waves(&app, &approval).await[0].updated,
                7,
                "nothing is corrected in silence"
            );
        });
    });
}

#[test]
fn a_wave_row_moves_from_the_revision_that_was_read_only() {
    on_both(|place| {
        let devices = devices(&place, 4);
        place.with_one(|app| async move {
            let approval = rolled_out(&app, &devices).await;
            let key = key(&approval);
            let swapped = app.db.write(move |conn| {
                let waves = rollout::waves(conn, &key)?;
                let from = waves[0].revision;
                let next = StoredWave { revision: from + 1, ..waves[0].clone() };
                let first = rollout::swap_wave(conn, &key, &next, from)?;
                let second = rollout::swap_wave(conn, &key, &next, from)?;
                Ok::<_, patchward_server::db::DbError>((first, second))
            });
            assert_eq!(swapped.await.unwrap(), (true, false));
            ask(&app, &devices[0], 1).await;
        });
    });
}
