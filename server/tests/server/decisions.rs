//! Holds, inventories, freezes, campaigns and acts: what devices are told of them, and who may end
//! them.

use crate::hospital::{
    ROOT_SEED, TARGETS_SEED, act, acts, approval, devices, digest, holder, image, north, open,
    publish, signed, site, states, told,
};
use crate::place::on_both;
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{
    Campaign, CampaignState, HoldView, SetHoldRequest, SetOperatorHoldRequest,
};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::{Action, Urgency};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::id::{FamilyId, WardId};
use patchward_protocol::inventory::{
    Attendance, Freeze, FreezeScope, Hardness, Inventory, InventoryDevice, Usage, Ward,
};
use patchward_protocol::reason::Reason;
use patchward_server::app::App;
use patchward_server::consent::act::file;
use patchward_server::consent::{campaign, hold, inventory, why};
use patchward_server::fleet::inventory as fleet;
use patchward_server::limits::BLIND_S;
use patchward_server::record::log;
use patchward_server::rollout::tick;
use std::sync::Arc;

fn request(target: HoldTarget) -> SetHoldRequest {
    let (reason, owner) = ("smoke in 5 east".to_owned(), "night shift".to_owned());
    SetHoldRequest { target, reason, owner, review_at: None }
}

fn family() -> FamilyId {
    image().family
}

fn release() -> HoldTarget {
    HoldTarget::Release { family: family(), image_sha256: image().image_sha256 }
}

fn ward(id: &str) -> WardId {
    id.parse().unwrap()
}

/// Two wards: `pump-0` in 5 east, `pump-1` in 5 west.
fn wards() -> Inventory {
    let mut inventory = Inventory::empty(north(), "Asia/Tokyo");
    for id in ["5-east", "5-west"] {
        inventory.wards.push(Ward {
            id: ward(id),
            name_en: id.to_owned(),
            name_ja: id.to_owned(),
            min_in_service: Vec::new(),
            max_parallel: None,
            windows: Vec::new(),
            staff_on_site: Vec::new(),
        });
    }
    for (id, of) in [("pump-0", "5-east"), ("pump-1", "5-west")] {
        inventory.devices.push(InventoryDevice {
            id: id.parse().unwrap(),
            ward: Some(ward(of)),
            kind: "infusion-pump".parse().unwrap(),
            pair: None,
            usage: Usage::InService,
            attended: Attendance::Unattended,
            udi: None,
            serial_number: None,
        });
    }
    inventory
}

async fn lift(app: &Arc<App>, seed: u8, view: &HoldView) -> Result<u64, ErrorCode> {
    let subject = Subject::Hold { hold: view.id.clone() };
    let act = act(app.clock.now(), subject, Meaning::HoldLifted);
    let filed = file(app, &north(), signed(seed, &act), &holder()).await;
    filed.map(|filed| filed.record_index).map_err(|error| error.code())
}

#[test]
fn a_ward_is_held_without_a_key_and_freed_by_a_signature() {
    on_both(|place| {
        let devices = devices(&place, 2);
        place.with_two(|one, two| async move {
            let mut owner = site(&one).await;
            let approval =
                approval("first", 1, one.clock.now(), &[(&devices[0], 0), (&devices[1], 0)]);
            publish(&one, &mut owner, &[&approval]).await;
            inventory::write(&one, &north(), wards(), &holder()).await.unwrap();
            let held = request(HoldTarget::Ward { ward: ward("5-east") });
            let view = hold::set_at_site(&one, &north(), held, &holder()).await.unwrap();
            assert_eq!((view.devices, view.overdue, view.by), (1, false, HoldBy::Site));
            assert_eq!(view.set_by, "night shift");
            two.reload().await.unwrap();
            for app in [&one, &two] {
                let directive = told(app, &devices[0], 1).await;
                assert_eq!(directive.holds[0].id, view.id);
                assert!(directive.open.is_empty());
                assert!(told(app, &devices[1], 1).await.holds.is_empty());
            }
            assert_eq!(states(&one, &approval).await, ["halted"], "the wave has a device there");
            assert_eq!(lift(&one, ROOT_SEED, &view).await, Err(ErrorCode::ActRefused));
            assert_eq!(lift(&one, 99, &view).await, Err(ErrorCode::ActRefused));
            assert_eq!(told(&one, &devices[0], 2).await.holds.len(), 1);
            let filed = lift(&one, TARGETS_SEED, &view).await.unwrap();
            assert_eq!(lift(&one, TARGETS_SEED, &view).await, Ok(filed), "once");
            let directive = told(&one, &devices[0], 3).await;
            assert!(directive.holds.is_empty());
            assert_eq!((directive.lifts.len(), directive.open.len()), (1, 1));
            let listed = hold::list(&one, &north()).await.unwrap();
            assert!(listed[0].lifted_at.is_some());
            let told = acts(&one).await;
            assert!(
                told.contains(&"hold".to_owned()) && told.contains(&"write-inventory".to_owned())
            );
        });
    });
}

#[test]
fn a_hold_on_what_is_not_there_is_refused_and_holds_are_never_named_twice() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_one(|app| async move {
            site(&app).await;
            let set = |target| set(&app, target);
            let missing = HoldTarget::Ward { ward: ward("6-east") };
            assert_eq!(set(missing).await, Err(ErrorCode::RequestInvalid));
            let device = HoldTarget::Device { device: "nobody".parse().unwrap() };
            assert_eq!(set(device).await, Err(ErrorCode::RequestInvalid));
            let one = HoldTarget::Device { device: devices[0].device.clone() };
            let (first, second) = (set(one.clone()).await.unwrap(), set(one).await.unwrap());
            assert_eq!(first.id.as_str(), "north-2026-11-22-1");
            assert_eq!(second.id.as_str(), "north-2026-11-22-2");
            let mut long = request(HoldTarget::Site);
            long.reason = "x".repeat(401);
            let refused = hold::set_at_site(&app, &north(), long, &holder()).await;
            assert_eq!(refused.unwrap_err().code(), ErrorCode::RequestInvalid);
        });
    });
}

async fn set(app: &Arc<App>, target: HoldTarget) -> Result<HoldView, ErrorCode> {
    let set = hold::set_at_site(app, &north(), request(target), &holder()).await;
    set.map_err(|error| error.code())
}

#[test]
fn a_hold_of_manufacturer_or_operator_does_not_block_a_hospitals_rollback() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let install = approval("forward", 1, app.clock.now(), &[(&devices[0], 0)]);
            let mut back = approval("back", 2, app.clock.now(), &[(&devices[0], 0)]);
            back.action = Action::Rollback;
            publish(&app, &mut owner, &[&install, &back]).await;
            let maker = hold::set_by_maker(&app, &family(), request(release()), &holder()).await;
            let operator = SetOperatorHoldRequest {
                site: None,
                reason: "attack".to_owned(),
                owner: "operations".to_owned(),
            };
            let operator = hold::set_by_operator(&app, operator, &holder()).await.unwrap();
            let directive = told(&app, &devices[0], 1).await;
            let by: Vec<_> = directive.holds.iter().map(|hold| hold.by).collect();
            assert_eq!(by, [HoldBy::Operator, HoldBy::Maker]);
            let open: Vec<_> = directive.open.iter().map(|open| open.approval_sha256).collect();
            assert_eq!(open, [digest(&back)]);
            tick::tick(&app).await.unwrap();
            assert_eq!(states(&app, &install).await, ["halted"]);
            assert_eq!(states(&app, &back).await, ["open"]);
            // The site's own hold does block it.
            let own = request(HoldTarget::Site);
            hold::set_at_site(&app, &north(), own, &holder()).await.unwrap();
            assert!(told(&app, &devices[0], 2).await.open.is_empty());
            // Each lifts its own and nobody else's.
            let maker = maker.unwrap();
            let lifted = hold::lift_by_operator(&app, maker.id.as_str(), &holder()).await;
            assert_eq!(lifted.unwrap_err().code(), ErrorCode::HoldUnknown);
            hold::lift_by_maker(&app, &family(), maker.id.as_str(), &holder()).await.unwrap();
            let again = hold::lift_by_maker(&app, &family(), maker.id.as_str(), &holder()).await;
            assert_eq!(again.unwrap_err().code(), ErrorCode::HoldLifted);
            hold::lift_by_operator(&app, operator.id.as_str(), &holder()).await.unwrap();
            let left = told(&app, &devices[0], 3).await.holds;
            assert_eq!(left.iter().map(|hold| hold.by).collect::<Vec<_>>(), [HoldBy::Site]);
        });
    });
}

#[test]
fn a_hold_is_called_out_when_overdue_and_does_not_lift_by_itself() {
    on_both(|place| {
        let devices = devices(&place, 1);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            site(&app).await;
            let view = hold::set_at_site(&app, &north(), request(HoldTarget::Site), &holder())
                .await
                .unwrap();
            assert_eq!(view.review_at, view.set_at.plus_seconds(72 * 3600));
            clock.set(view.review_at);
            tick::tick(&app).await.unwrap();
            let (id, at) = (view.id.clone(), view.review_at);
            let told_again = app
                .db
                .write(move |conn| patchward_server::db::hold::tell_overdue(conn, &id, at))
                .await;
            assert!(!told_again.unwrap(), "it was called out by the tick, once");
            assert!(hold::list(&app, &north()).await.unwrap()[0].overdue);
            assert_eq!(told(&app, &devices[0], 1).await.holds.len(), 1);
        });
    });
}

#[test]
fn an_inventory_is_replaced_whole_by_who_names_its_revision() {
    on_both(|place| {
        devices(&place, 2);
        place.with_two(|one, two| async move {
            site(&one).await;
            let first = inventory::write(&one, &north(), wards(), &holder()).await.unwrap();
            assert_eq!(first.revision, 1);
            let again = inventory::write(&two, &north(), wards(), &holder()).await;
            assert_eq!(again.unwrap_err().code(), ErrorCode::InventoryConflict);
            let mut broken = first.clone();
            broken.devices[0].ward = Some(ward("nowhere"));
            broken.devices[1].pair = Some("pump-9".parse().unwrap());
            let refused = inventory::write(&two, &north(), broken, &holder()).await.unwrap_err();
            let text = refused.to_string();
            assert_eq!(refused.code(), ErrorCode::InventoryInvalid);
            assert!(text.contains("devices[0]") && text.contains("devices[1]"), "{text}");
            let stored = inventory::read(&two, &north()).await.unwrap();
            assert_eq!(stored, first);
            let views = fleet::list(&one, &north()).await.unwrap();
            assert_eq!(views[0].ward, Some(ward("5-east")));
            assert_eq!(views[1].kind.as_ref().unwrap().as_str(), "infusion-pump");
        });
    });
}

fn freeze(app: &App, hardness: Hardness) -> Freeze {
    Freeze {
        id: "audit".parse().unwrap(),
        from: app.clock.now(),
        to: app.clock.now().plus_seconds(3600),
        scope: FreezeScope::Ward { ward: ward("5-east") },
        hardness,
        why: "an audit".to_owned(),
    }
}

#[test]
fn a_freeze_entered_after_signing_holds_and_ends_by_itself() {
    on_both(|place| {
        let devices = devices(&place, 2);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let start = app.clock.now();
            let before = approval("before", 1, start, &[(&devices[0], 0), (&devices[1], 0)]);
            publish(&app, &mut owner, &[&before]).await;
            clock.set(start.plus_seconds(60));
            let mut frozen = wards();
            frozen.freezes.push(freeze(&app, Hardness::Soft));
            let frozen = inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            let directive = told(&app, &devices[0], 1).await;
            assert_eq!((directive.holds[0].by, directive.open.len()), (HoldBy::Freeze, 0));
            assert!(told(&app, &devices[1], 1).await.holds.is_empty());
            // One that is written again unchanged is not a new one, and an approval that was drawn
            // up with it in sight is not held by it.
            clock.set(start.plus_seconds(120));
            inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            let after = approval("after", 2, start.plus_seconds(90), &[(&devices[0], 0)]);
            publish(&app, &mut owner, &[&before, &after]).await;
            let directive = told(&app, &devices[0], 2).await;
            assert!(directive.holds.is_empty(), "it would hold the other one as well");
            assert_eq!(directive.open[0].approval_sha256, digest(&after));
            publish(&app, &mut owner, &[&before]).await;
            clock.set(start.plus_seconds(60 + 3600));
            tick::tick(&app).await.unwrap();
            assert_eq!(open(&app, &devices[0], 3).await, [0]);
        });
    });
}

#[test]
fn a_device_that_moves_into_a_frozen_ward_after_it_was_approved_is_held() {
    on_both(|place| {
        let devices = devices(&place, 2);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let start = app.clock.now();
            let mut frozen = wards();
            let to = start.plus_seconds(10_800);
            frozen.freezes.push(Freeze { to, ..freeze(&app, Hardness::Hard) });
            let mut frozen = inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            clock.set(start.plus_seconds(60));
            // The slot of `pump-1` lies in the freeze of a ward in which it does not stand.
            let named = approval("named", 1, app.clock.now(), &[(&devices[1], 0)]);
            publish(&app, &mut owner, &[&named]).await;
            assert_eq!(open(&app, &devices[1], 1).await, [0]);
            frozen.devices[1].ward = Some(ward("5-east"));
            let mut frozen = inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            let directive = told(&app, &devices[1], 2).await;
            assert_eq!((directive.holds[0].by, directive.open.len()), (HoldBy::Freeze, 0));
            assert_eq!(states(&app, &named).await, ["halted"]);
            frozen.devices[1].ward = Some(ward("5-west"));
            inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            assert_eq!(open(&app, &devices[1], 3).await, [0]);
        });
    });
}

#[test]
fn an_emergency_passes_a_soft_freeze_and_no_hard_one() {
    on_both(|place| {
        let devices = devices(&place, 1);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let mut emergency = approval("now", 1, app.clock.now(), &[(&devices[0], 0)]);
            emergency.urgency = Urgency::Emergency;
            publish(&app, &mut owner, &[&emergency]).await;
            clock.set(app.clock.now().plus_seconds(1));
            let mut frozen = wards();
            frozen.freezes.push(freeze(&app, Hardness::Soft));
            let mut frozen = inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            assert_eq!(open(&app, &devices[0], 1).await, [0]);
            frozen.freezes[0].hardness = Hardness::Hard;
            inventory::write(&app, &north(), frozen, &holder()).await.unwrap();
            assert!(open(&app, &devices[0], 2).await.is_empty());
        });
    });
}

#[test]
fn a_campaign_narrows_what_hospitals_approved() {
    on_both(|place| {
        let devices = devices(&place, 20);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let named: Vec<_> = devices.iter().map(|device| (device, 0)).collect();
            let approval = approval("first", 1, app.clock.now(), &named);
            publish(&app, &mut owner, &[&approval]).await;
            let image = image().image_sha256.to_string();
            let none = campaign::read(&app, &family(), &image).await.unwrap();
            assert_eq!((none.revision, none.percent), (0, 100));
            let write = |limit: Campaign| {
                let (app, image) = (Arc::clone(&app), image.clone());
                async move { campaign::write(&app, &family(), &image, limit, &holder()).await }
            };
            let limit = |revision, percent, sites_open| Campaign {
                revision,
                state: CampaignState::Running,
                sites: vec!["south".parse().unwrap(), north()],
                sites_open,
                percent,
            };
            write(limit(0, 50, 2)).await.unwrap();
            let mut half = 0;
            for device in &devices {
                half += open(&app, device, 1).await.len();
            }
            assert!((3..=17).contains(&half), "{half} of 20");
            let stale = write(limit(0, 100, 2)).await;
            assert_eq!(stale.unwrap_err().code(), ErrorCode::CampaignConflict);
            write(limit(1, 100, 1)).await.unwrap();
            assert!(open(&app, &devices[0], 2).await.is_empty(), "the other site goes first");
            let paused = Campaign { state: CampaignState::Paused, ..limit(2, 100, 2) };
            write(paused).await.unwrap();
            let directive = told(&app, &devices[0], 3).await;
            assert_eq!((directive.holds[0].by, directive.open.len()), (HoldBy::Maker, 0));
            write(limit(3, 100, 2)).await.unwrap();
            tick::tick(&app).await.unwrap();
            assert_eq!(open(&app, &devices[0], 4).await, [0]);
        });
    });
}

#[test]
fn an_act_counts_only_from_its_signer_about_its_subject_and_with_this_record() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let approval = approval("first", 1, app.clock.now(), &[(&devices[0], 0)]);
            publish(&app, &mut owner, &[&approval]).await;
            let staged = owner.staged_sha256();
            let about = |sha256, version| Subject::Approval {
                approval: approval.id.clone(),
                approval_sha256: digest(&approval),
                targets_version: version,
                targets_sha256: sha256,
            };
            let file_act = |act: patchward_protocol::act::Act, seed| {
                let (app, envelope) = (Arc::clone(&app), signed(seed, &act));
                async move {
                    let filed = file(&app, &north(), envelope, &holder()).await;
                    filed.map(|filed| filed.record_index).map_err(|error| error.code())
                }
            };
            let at = app.clock.now();
            let good = act(at, about(staged, owner.targets.version), Meaning::Approved);
            let n = file_act(good.clone(), TARGETS_SEED).await.unwrap();
            assert_eq!(file_act(good.clone(), TARGETS_SEED).await, Ok(n));
            let refused = Err(ErrorCode::ActRefused);
            let with = |change: fn(&mut patchward_protocol::act::Act)| {
                let mut act = good.clone();
                change(&mut act);
                file_act(act, TARGETS_SEED)
            };
            assert_eq!(with(|act| act.site = "south".parse().unwrap()).await, refused);
            assert_eq!(with(|act| act.person = "suzuki".parse().unwrap()).await, refused);
            assert_eq!(with(|act| act.meaning = Meaning::Resumed).await, refused);
            assert_eq!(with(|act| act.reason = String::new()).await, refused);
            assert_eq!(with(|act| act.at = act.at.plus_seconds(3600)).await, refused);
            assert_eq!(with(|act| act.log_size = Some(1)).await, refused);
            let other = about(Sha256Digest::of(b"x"), owner.targets.version);
            assert_eq!(file_act(act(at, other, Meaning::Approved), TARGETS_SEED).await, refused);
            // Before its targets are published an act waits for them.
            let ahead = about(Sha256Digest::of(b"x"), 99);
            assert!(file_act(act(at, ahead, Meaning::Reviewed), TARGETS_SEED).await.is_ok());
            // The record that the signer had seen.
            let end = app.db.read(|conn| log::end(conn, &north())).await.unwrap();
            let mut seen = good.clone();
            seen.reason = "with the record in sight".to_owned();
            (seen.log_size, seen.log_root) = (Some(end.size), Some(end.root));
            let mut split = seen.clone();
            split.log_root = Some(Sha256Digest::of(b"another history"));
            assert_eq!(file_act(split, TARGETS_SEED).await, refused);
            assert!(file_act(seen.clone(), TARGETS_SEED).await.is_ok());
            // It has grown meanwhile; the earlier end is still its beginning.
            seen.reason = "and again".to_owned();
            assert!(file_act(seen, TARGETS_SEED).await.is_ok());
        });
    });
}

#[test]
fn the_server_says_why_a_device_has_not_been_updated() {
    on_both(|place| {
        let devices = devices(&place, 2);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let approval =
                approval("first", 1, app.clock.now(), &[(&devices[0], 0), (&devices[1], 1)]);
            publish(&app, &mut owner, &[&approval]).await;
            let why = |device: &'static str| {
                let app = Arc::clone(&app);
                async move { why::why(&app, &north(), device).await }
            };
            let never = why("pump-1").await.unwrap();
            assert!(never.en.contains("has not been heard of yet"), "{}", never.en);
            told(&app, &devices[0], 1).await;
            told(&app, &devices[1], 1).await;
            assert_eq!(why("pump-0").await.unwrap().reason, None);
            let waits = why("pump-1").await.unwrap();
            assert_eq!((waits.reason, waits.image), (Some(Reason::WaveNotOpen), Some(image())));
            hold::set_at_site(&app, &north(), request(HoldTarget::Site), &holder()).await.unwrap();
            let held = why("pump-0").await.unwrap();
            assert_eq!(
                (held.en.as_str(), held.reason),
                (Reason::HeldByServer.en(), Some(Reason::HeldByServer))
            );
            clock.set(app.clock.now().plus_seconds(86_400 - 1));
            let silent = why("pump-0").await.unwrap();
            assert!(silent.en.contains("has not been heard of since"), "{}", silent.en);
            let words = silent.en.split(" since ").nth(1).unwrap_or_default();
            assert!(words.contains(", ") && words.contains(" UTC. "), "{words}");
            assert!(silent.ja.contains("日(") && !silent.ja.contains('Z'), "{}", silent.ja);
            assert_eq!(why("nobody").await.unwrap_err().code(), ErrorCode::NotFound);
        });
    });
}

#[test]
fn a_stop_reaches_devices_although_a_repository_cannot_be_read() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_two(|one, two| async move {
            let mut owner = site(&one).await;
            let approval = approval("first", 1, one.clock.now(), &[(&devices[0], 0)]);
            publish(&one, &mut owner, &[&approval]).await;
            two.reload().await.unwrap();
            assert_eq!(open(&two, &devices[0], 1).await, [0]);
            let lost = "UPDATE heads SET root_version = 99, revision = revision + 1 \
                        WHERE repository = 'family:acme.a'";
            crate::storage::sql(&one, lost).await;
            let whole = request(HoldTarget::Site);
            let held = hold::set_at_site(&one, &north(), whole, &holder()).await.unwrap();
            let partly = two.reload().await;
            assert!(matches!(partly, Err(patchward_server::app::LoadError::Partly(_))));
            for app in [&one, &two] {
                let directive = told(app, &devices[0], 2).await;
                assert!(directive.open.is_empty());
                assert_eq!(directive.holds.first().map(|hold| &hold.id), Some(&held.id));
            }
        });
    });
}

#[test]
fn documents_that_cannot_be_read_close_the_waves_that_they_may_have_withdrawn() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_two(|one, two| async move {
            let mut owner = site(&one).await;
            let approval = approval("first", 1, one.clock.now(), &[(&devices[0], 0)]);
            publish(&one, &mut owner, &[&approval]).await;
            two.reload().await.unwrap();
            let each = [
                (
                    "UPDATE heads SET root_version = root_version + 98, revision = revision + 1 \
                     WHERE repository = 'site:north'",
                    "UPDATE heads SET root_version = root_version - 98, revision = revision - 1 \
                     WHERE repository = 'site:north'",
                ),
                (
                    "UPDATE heads SET root_version = root_version + 98, revision = revision + 1 \
                     WHERE repository = 'family:acme.a'",
                    "UPDATE heads SET root_version = root_version - 98, revision = revision - 1 \
                     WHERE repository = 'family:acme.a'",
                ),
            ];
            assert_eq!(open(&two, &devices[0], 1).await, [0]);
            for (n, (lost, found)) in (2..).step_by(2).zip(each) {
                crate::storage::sql(&one, lost).await;
                assert!(two.reload().await.is_err());
                assert!(open(&two, &devices[0], n).await.is_empty(), "{lost}");
                crate::storage::sql(&one, found).await;
                two.reload().await.unwrap();
                assert_eq!(open(&two, &devices[0], n + 1).await, [0], "{found}");
            }
        });
    });
}

#[test]
fn an_inventory_that_cannot_be_read_stops_its_site_and_hinders_no_stop() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_two(|one, two| async move {
            let mut owner = site(&one).await;
            let approval = approval("first", 1, one.clock.now(), &[(&devices[0], 0)]);
            publish(&one, &mut owner, &[&approval]).await;
            inventory::write(&one, &north(), wards(), &holder()).await.unwrap();
            two.reload().await.unwrap();
            assert_eq!(open(&two, &devices[0], 1).await, [0]);
            let spoilt = "UPDATE inventories SET document = '{}', revision = revision + 1";
            crate::storage::sql(&one, spoilt).await;
            let moved = "UPDATE changes SET seq = seq + 1 WHERE scope = 'site:north'";
            crate::storage::sql(&one, moved).await;
            two.reload().await.unwrap();
            assert!(open(&two, &devices[0], 2).await.is_empty(), "nobody knows its freezes");
            let whole = request(HoldTarget::Site);
            let held = hold::set_at_site(&two, &north(), whole, &holder()).await.unwrap();
            let directive = told(&two, &devices[0], 3).await;
            assert_eq!(directive.holds.first().map(|hold| &hold.id), Some(&held.id));
        });
    });
}

#[test]
fn a_server_that_cannot_follow_its_database_calls_no_wave_open() {
    on_both(|place| {
        let devices = devices(&place, 1);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let approval = approval("first", 1, app.clock.now(), &[(&devices[0], 0)]);
            publish(&app, &mut owner, &[&approval]).await;
            let began = app.clock.now();
            app.views.unseen(began);
            clock.set(began.plus_seconds(BLIND_S - 1));
            assert_eq!(open(&app, &devices[0], 1).await, [0], "a moment is no blindness");
            app.views.unseen(app.clock.now());
            clock.set(began.plus_seconds(BLIND_S));
            assert!(open(&app, &devices[0], 2).await.is_empty(), "somebody may have stopped it");
            app.views.seen();
            assert_eq!(open(&app, &devices[0], 3).await, [0]);
        });
    });
}
