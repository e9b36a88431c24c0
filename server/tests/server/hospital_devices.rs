//! What a hospital sees of its devices, and writes down of those without an agent, on both databases.

use crate::hospital::{acts, publish_family, release};
use crate::owner::Owner;
use crate::place::on_both;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::api::site::{AddDeviceRequest, Management};
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::tuf::custom::Class;
use patchward_server::app::App;
use patchward_server::db;
use patchward_server::fleet::by_hand::{self, Note};
use patchward_server::fleet::condition::Condition;
use patchward_server::fleet::inventory;
use patchward_server::fleet::roster::Roster;
use patchward_server::people::role::{Grant, SiteRole};
use patchward_server::people::who::{AccountId, Language, Who};
use std::sync::Arc;

fn north() -> SiteId {
    SiteId::new("north").unwrap()
}

fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

fn tanaka() -> Who {
    Who {
        account: AccountId(7),
        login: "tanaka".to_owned(),
        name: "田中 由紀".to_owned(),
        title: "臨床工学技士".to_owned(),
        language: Language::Ja,
        persons: Vec::new(),
        grants: vec![Grant::Site(north(), SiteRole::Ward)],
        form_token: "0".repeat(32),
        idle_until: "2030-01-01T00:00:00Z".parse().unwrap(),
    }
}

async fn condition(app: &Arc<App>, id: &str) -> Condition {
    let inventory = Inventory::empty(north(), "Asia/Tokyo");
    let roster = Roster::of(app, &north(), &inventory).await.unwrap();
    let found = roster.members.iter().find(|member| member.outline.device == device(id));
    found.unwrap().condition
}

#[test]
fn an_update_by_hand_is_recorded_and_what_is_installed_follows_it() {
    on_both(|place| {
        crate::hospital::devices(&place, 1);
        place.with_one(|app| async move {
            let at = app.clock.now();
            let site = Owner::open(&app, "site:north", at).await;
            site.publish_first(&app).await.unwrap();
            let mut family = Owner::open_for(&app, "family:acme.a", Reading::Public, at).await;
            let firmware = release(&app, &mut family, 2, Class::Security).await;
            publish_family(&app, &mut family).await;
            let added = AddDeviceRequest {
                device: device("ecg-1"),
                management: Management::Manual,
                family: FamilyId::new("acme.a").unwrap(),
                hardware: None,
            };
            inventory::add(&app, &north(), added, "account:tanaka".to_owned()).await.unwrap();
            assert_eq!(condition(&app, "ecg-1").await, Condition::Unknown);
            let note = |version: &str| Note {
                performed: at,
                performed_by: "佐藤 健".to_owned(),
                from_version: None,
                to_version: version.to_owned(),
                verified: "自己診断に合格".to_owned(),
            };
            let write = |id: &'static str, version: &str| {
                let (app, note) = (Arc::clone(&app), note(version));
                async move { by_hand::write(&app, &north(), &device(id), note, &tanaka()).await }
            };
            let first = write("ecg-1", firmware.version.as_str()).await.unwrap();
            assert_eq!(first.image.unwrap().seq, firmware.seq);
            assert_eq!(condition(&app, "ecg-1").await, Condition::Current);
            let second = write("ecg-1", "a version of nobody").await.unwrap();
            assert_eq!((second.n, second.image), (2, None));
            assert_eq!(condition(&app, "ecg-1").await, Condition::Unknown);
            let kept = app.db.read(|conn| db::by_hand::of_device(conn, &north(), &device("ecg-1")));
            let kept: Vec<_> = kept.await.unwrap().into_iter().map(|it| it.to_version).collect();
            assert_eq!(kept, ["a version of nobody", firmware.version.as_str()]);
            let recorded = acts(&app).await;
            assert_eq!(recorded.iter().filter(|act| *act == "update-by-hand").count(), 2);
            for (id, code) in
                [("pump-0", ErrorCode::RequestInvalid), ("nobody", ErrorCode::NotFound)]
            {
                let refused = write(id, "1.0.0").await.map_err(|error| error.code());
                assert_eq!(refused.map(drop), Err(code), "{id}");
            }
        });
    });
}

#[test]
fn a_device_alone_reads_as_it_does_in_the_whole_list() {
    on_both(|place| {
        crate::hospital::devices(&place, 3);
        place.with_one(|app| async move {
            let at = app.clock.now();
            let site = Owner::open(&app, "site:north", at).await;
            site.publish_first(&app).await.unwrap();
            let mut family = Owner::open_for(&app, "family:acme.a", Reading::Public, at).await;
            release(&app, &mut family, 2, Class::Security).await;
            publish_family(&app, &mut family).await;
            let added = AddDeviceRequest {
                device: device("ecg-1"),
                management: Management::Manual,
                family: FamilyId::new("acme.a").unwrap(),
                hardware: None,
            };
            inventory::add(&app, &north(), added, "account:tanaka".to_owned()).await.unwrap();
            let written = Inventory::empty(north(), "Asia/Tokyo");
            let whole = Roster::of(&app, &north(), &written).await.unwrap();
            assert_eq!(whole.members.len(), 4);
            for member in whole.members {
                let id = member.outline.device.clone();
                let alone = Roster::member(&app, &north(), &written, &id).await.unwrap();
                assert_eq!(format!("{:?}", alone.unwrap()), format!("{member:?}"));
            }
            let none = Roster::member(&app, &north(), &written, &device("nobody")).await;
            assert!(none.unwrap().is_none());
            let stored = app.db.read(|conn| db::device::list(conn, &north())).await.unwrap();
            let agents = stored.iter().map(|it| it.agent.as_ref());
            let keys = agents.clone().map(|it| it.map(|it| it.device_key)).collect::<Vec<_>>();
            let chains = agents.map(|it| it.map(|it| (it.chain.ledger_id, it.chain.seq)));
            let views = inventory::list(&app, &north()).await.unwrap();
            assert_eq!(views.iter().map(|it| it.device_key).collect::<Vec<_>>(), keys);
            let shown = views.iter().map(|it| Some((it.ledger_id?, it.ledger_seq)));
            assert!(shown.eq(chains), "{views:?}");
            assert_eq!(keys.iter().flatten().count(), 3);
        });
    });
}
