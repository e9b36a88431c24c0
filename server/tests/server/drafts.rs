//! Drafts of a site: planned, signed in each way, refused for good reasons, published with their acts.

use crate::hospital::{devices, north, publish_family, release};
use crate::owner::Owner;
use crate::place::{Place, on_both};
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::draft::carried::{CarriedDraft, encode};
use patchward_protocol::draft::draw::Terms;
use patchward_protocol::draft::planned::Wishes;
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::inventory::{Attendance, Inventory, InventoryDevice, Usage, Ward};
use patchward_protocol::key::{PublicKey, SecretKey, SignError, Signature, Signer};
use patchward_protocol::tuf::custom::Class;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Method;
use patchward_protocol::tuf::stage::Staged;
use patchward_server::app::App;
use patchward_server::consent::draft::acts::Words;
use patchward_server::consent::draft::facts::Facts;
use patchward_server::consent::draft::kept::WantedRelease;
use patchward_server::consent::draft::sign::{After, MadeElsewhere, Saw};
use patchward_server::consent::draft::status::Standing;
use patchward_server::consent::draft::{Draft, Prepared, Wanted, carry, custodial, make, sign};
use patchward_server::consent::inventory;
use patchward_server::db::{self, act, person_act};
use patchward_server::error::ApiError;
use patchward_server::limits::PREPARED_S_MAX;
use patchward_server::notify;
use serde_json::json;
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// Keys that sign the site's targets: of Tanaka in the page, of Sato offline, of Kato by the server.
fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[20 + n; 32])
}

fn person(name: &str) -> PersonId {
    name.parse().unwrap()
}

fn words(name: &str) -> Words {
    Words {
        person: person(name),
        name: "田中 由紀".to_owned(),
        role: "臨床工学技士".to_owned(),
        reason: "5階東病棟と確認済み".to_owned(),
        tz: "Asia/Tokyo".to_owned(),
        control: None,
    }
}

/// What a page does: it signs elsewhere, and sends signatures only.
struct Page {
    key: SecretKey,
    made: Mutex<Vec<Signature>>,
}

impl Signer for Page {
    fn public(&self) -> PublicKey {
        self.key.public()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.key.sign(message)?;
        self.made.lock().unwrap().push(signature);
        Ok(signature)
    }
}

fn made_in_page(draft: &Draft, key: SecretKey) -> MadeElsewhere {
    let page = Page { key, made: Mutex::default() };
    page.sign(draft.staged.message()).unwrap();
    for prepared in &draft.prepared {
        for payload in &prepared.payloads {
            Envelope::seal_bytes(PayloadType::Act, payload.as_bytes(), &page).unwrap();
        }
    }
    MadeElsewhere { public: page.public(), signatures: page.made.into_inner().unwrap() }
}

fn hospital() -> Inventory {
    let mut inventory = Inventory::empty(north(), "Asia/Tokyo");
    inventory.wards.push(Ward {
        id: "5-east".parse().unwrap(),
        name_en: "East 5".to_owned(),
        name_ja: "5階東病棟".to_owned(),
        min_in_service: Vec::new(),
        max_parallel: None,
        windows: Vec::new(),
        staff_on_site: Vec::new(),
    });
    for n in 0..3 {
        inventory.devices.push(InventoryDevice {
            id: format!("pump-{n}").parse().unwrap(),
            ward: Some("5-east".parse().unwrap()),
            kind: "infusion-pump".parse().unwrap(),
            pair: None,
            usage: Usage::InService,
            attended: Attendance::Unattended,
            udi: None,
            serial_number: None,
        });
    }
    let window = json!({
        "id": "daily", "name_en": "Daily", "name_ja": "毎日",
        "rule": { "kind": "weekly", "start": "13:00", "minutes": 240,
                  "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] },
    });
    inventory.windows.push(serde_json::from_value(window).unwrap());
    inventory.rules.windows = vec!["daily".parse().unwrap()];
    inventory
}

/// A site whose root names three persons with a key each, and a release for its three pumps.
async fn scene(app: &Arc<App>, weakest: Option<Method>) -> Owner {
    let mut owner = Owner::open(app, "site:north", app.clock.now()).await;
    let ways = [("tanaka", Method::Console), ("sato", Method::Offline), ("kato", Method::Offline)];
    for (listed, (name, method)) in owner.root.targets.keys.iter_mut().zip(ways) {
        (listed.person, listed.method) = (Some(person(name)), Some(method));
    }
    if weakest == Some(Method::Custodial) {
        owner.root.targets.keys[2].method = Some(Method::Custodial);
    }
    owner.root.weakest = weakest;
    owner.publish_first(app).await.unwrap();
    let mut family = Owner::open(app, "family:acme.a", app.clock.now()).await;
    release(app, &mut family, 2, Class::Security).await;
    publish_family(app, &mut family).await;
    let holder = crate::hospital::holder();
    inventory::write(app, &north(), hospital(), &holder).await.unwrap();
    owner
}

fn wanted() -> Wanted {
    Wanted::Release(Box::new(WantedRelease {
        family: "acme.a".parse().unwrap(),
        version: "2.0.0".parse().unwrap(),
        wishes: Wishes::default(),
        terms: Terms::default(),
        supersedes: None,
    }))
}

async fn drafted(app: &Arc<App>) -> Draft {
    make::make(app, &north(), wanted(), "田中 由紀".to_owned()).await.unwrap()
}

async fn in_page(app: &Arc<App>, draft: &Draft, name: &str, n: u8) -> Result<After, ApiError> {
    let seen = draft.staged.message_sha256();
    let draft = sign::prepare(app, &north(), seen, &words(name)).await?;
    let made = made_in_page(&draft, key(n));
    sign::take(app, &north(), seen, (&person(name), Method::Console), &made).await
}

/// What the command line does with the file: signs the targets and one act for each approval.
fn elsewhere(carried: &CarriedDraft, facts: &Facts, name: &str, n: u8) -> CarriedDraft {
    let mut staged = Staged::read(Role::Targets, &carried.stage_bytes().unwrap()).unwrap();
    let asked = staged.asked(Some(&facts.root)).unwrap();
    staged.sign(&key(n), &asked).unwrap();
    let mut signed = CarriedDraft { stage: encode(&staged.to_bytes()), ..carried.clone() };
    for (path, bytes) in carried.approval_bytes().unwrap() {
        let sha256 = patchward_protocol::digest::Sha256Digest::of(&bytes);
        let id = patchward_protocol::id::RepositoryId::Site(north());
        let stated = Stated::read(&id, &path, sha256, &bytes).unwrap();
        let subject = Subject::Approval {
            approval: stated.approval.id.clone(),
            approval_sha256: sha256,
            targets_version: staged.version(),
            targets_sha256: staged.message_sha256(),
        };
        let meaning = Meaning::of_approval(&stated.approval);
        let act = patchward_server::consent::draft::acts::act(
            &north(),
            subject,
            meaning,
            &words(name),
            stated.approval.issued,
        );
        signed.acts.push(Envelope::seal(PayloadType::Act, &act, &key(n)).unwrap());
    }
    signed
}

fn code<T>(result: Result<T, ApiError>) -> ErrorCode {
    result.err().expect("it is refused").code()
}

fn on_each(test: impl AsyncFn(Arc<App>, &Place)) {
    on_both(|place| {
        devices(&place, 3);
        place.with_one(|app| test(app, &place));
    });
}

#[test]
fn a_draft_is_planned_signed_in_the_page_and_elsewhere_and_published_with_its_acts() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        let waits = async || {
            patchward_server::notify::look::look(&app).await.unwrap();
            let place = patchward_server::people::role::Place::Site(north());
            let read = move |conn: &mut db::Connection| notify::open_matters(conn, &place);
            let open = app.db.read(read).await.unwrap();
            open.iter().filter(|notice| notice.subject.kind() == "draft").count()
        };
        assert_eq!((waits().await, waits().await), (1, 1), "a draft waits, told once");
        let approvals = draft.read_approvals().unwrap();
        assert_eq!(approvals.len(), 1);
        assert_eq!(approvals[0].devices.len(), 3);
        assert_eq!(
            code(make::make(&app, &north(), wanted(), "x".to_owned()).await),
            ErrorCode::DraftOpen
        );

        let after = in_page(&app, &draft, "tanaka", 0).await.unwrap();
        let After::Open(draft) = after else { panic!("one signature of two publishes nothing") };
        assert_eq!((draft.acts.len(), draft.prepared.len()), (1, 0));
        let facts = Facts::of(&app, &north()).await.unwrap();
        let standing = Standing::of(&draft, &facts).unwrap();
        assert_eq!((standing.missing(), standing.is_complete()), (1, false));

        let carried = carry::give(&app, &north()).await.unwrap();
        let signed = elsewhere(&carried, &facts, "sato", 1);
        let After::Published(version) = carry::take(&app, &north(), signed).await.unwrap() else {
            panic!("the second signature publishes");
        };
        assert_eq!(version, 2);
        let facts = Facts::of(&app, &north()).await.unwrap();
        assert_eq!(facts.known.approvals, approvals);
        assert!(make::find(&app, &north()).await.unwrap().is_none());
        assert_eq!(waits().await, 0, "nothing waits when it is published");
        let filed = app
            .db
            .read(|conn| person_act::mentioning(conn, &north(), "\"targets_version\":2,"))
            .await
            .unwrap();
        let people: Vec<_> = filed.iter().map(|filed| filed.act.person.to_string()).collect();
        assert_eq!(people, ["tanaka", "sato"]);
        let about = app.db.read(|conn| act::about(conn, "site:north")).await.unwrap();
        let published = about.iter().rfind(|(_, act, _)| act == "publish").unwrap();
        for word in ["\"console\"", "\"offline\"", "\"tanaka\"", "\"sato\""] {
            assert!(published.2.contains(word), "the record names the method: {}", published.2);
        }
    });
}

#[test]
fn what_the_page_shows_is_what_the_file_says_and_a_swapped_file_differs_from_it() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        let facts = Facts::of(&app, &north()).await.unwrap();
        let carried = carry::give(&app, &north()).await.unwrap();
        let (targets, id) = (draft.targets().unwrap(), draft.repository());
        let sha256 = draft.staged.message_sha256();
        let published = Some(&facts.published);
        let none = carried.differences(&id, published, &targets, sha256).unwrap();
        assert!(none.is_empty(), "{none:?}");
        let text = carried.shown.en.join("\n");
        for word in ["acme.a 2.0.0 (seq 2)", "3 devices:", "13:00:00 Asia/Tokyo", "fingerprint:"] {
            assert!(text.contains(word), "{word}\n{text}");
        }
        let mut swapped = carried.clone();
        for lines in [&mut swapped.shown.en, &mut swapped.shown.ja] {
            lines.iter_mut().for_each(|line| *line = line.replace("13:00:00", "03:00:00"));
        }
        let differences = swapped.differences(&id, published, &targets, sha256).unwrap();
        assert!(differences.iter().any(|line| line.starts_with("- ") && line.contains("03:00")));
        assert!(differences.iter().any(|line| line.starts_with("+ ") && line.contains("13:00")));
    });
}

#[test]
fn signatures_of_others_in_other_ways_or_on_other_bytes_are_refused() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        let seen = draft.staged.message_sha256();
        let other = patchward_protocol::digest::Sha256Digest::of(b"other");
        let site = north();
        let say = |name: &str| words(name);
        assert_eq!(
            code(sign::prepare(&app, &site, other, &say("tanaka")).await),
            ErrorCode::DraftChanged
        );
        assert_eq!(
            code(sign::prepare(&app, &site, seen, &say("mori")).await),
            ErrorCode::SignerRefused
        );
        let prepared = sign::prepare(&app, &site, seen, &say("tanaka")).await.unwrap();
        let tanaka = person("tanaka");
        // Another person's key, and a key that the root does not list.
        for wrong in [key(1), SecretKey::from_seed(&[99; 32])] {
            let made = made_in_page(&prepared, wrong);
            let taken = sign::take(&app, &site, seen, (&tanaka, Method::Console), &made).await;
            assert_eq!(code(taken), ErrorCode::SignerRefused);
        }
        // A key that its owner keeps off the page.
        let sato = person("sato");
        let prepared = sign::prepare(&app, &site, seen, &say("sato")).await.unwrap();
        let made = made_in_page(&prepared, key(1));
        let taken = sign::take(&app, &site, seen, (&sato, Method::Console), &made).await;
        assert_eq!(code(taken), ErrorCode::MethodRefused);
        // The right key over other bytes.
        let made = MadeElsewhere {
            public: key(0).public(),
            signatures: vec![key(0).sign(b"other bytes").unwrap()],
        };
        let taken = sign::take(&app, &site, seen, (&tanaka, Method::Console), &made).await;
        assert_eq!(code(taken), ErrorCode::SignerRefused);
        // A signature without an act beside it, and one by nobody.
        let facts = Facts::of(&app, &site).await.unwrap();
        let carried = carry::give(&app, &site).await.unwrap();
        let bare = CarriedDraft { acts: vec![], ..elsewhere(&carried, &facts, "sato", 1) };
        assert_eq!(code(carry::take(&app, &site, bare).await), ErrorCode::ActRefused);
        assert_eq!(code(carry::take(&app, &site, carried).await), ErrorCode::SignerRefused);
        // An act in another person's name.
        let carried = carry::give(&app, &site).await.unwrap();
        let false_name = elsewhere(&carried, &facts, "kato", 1);
        assert_eq!(code(carry::take(&app, &site, false_name).await), ErrorCode::ActRefused);
        let draft = make::open(&app, &site).await.unwrap();
        assert!(draft.acts.is_empty(), "nothing of it was stored");
        let elsewhere_site: SiteId = "south".parse().unwrap();
        assert_eq!(
            code(sign::prepare(&app, &elsewhere_site, seen, &say("tanaka")).await),
            ErrorCode::DraftUnknown
        );
    });
}

#[test]
fn a_draft_whose_base_moved_is_made_again_and_says_whose_signatures_were_lost() {
    on_each(async |app, place| {
        let mut owner = scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
        place.later(60);
        owner.targets.version += 1;
        owner.targets.issued = app.clock.now();
        owner.publish_targets(&app).await.unwrap();
        assert_eq!(code(in_page(&app, &draft, "tanaka", 0).await), ErrorCode::DraftMoved);
        let by = || "佐藤 健".to_owned();
        let unseen = make::rebuild(&app, &north(), draft.revision, None, by()).await;
        assert_eq!(code(unseen), ErrorCode::DraftChanged, "a signature came after that look");
        let revision = make::open(&app, &north()).await.unwrap().revision;
        let again = make::rebuild(&app, &north(), revision, None, by()).await.unwrap();
        assert_eq!(again.staged.version(), 3);
        assert_eq!(again.rebuilt.as_ref().unwrap().lost, [person("tanaka")]);
        assert!(again.acts.is_empty());
        let facts = Facts::of(&app, &north()).await.unwrap();
        assert_eq!(Standing::of(&again, &facts).unwrap().missing(), 2);
        make::discard(&app, &north(), again.revision).await.unwrap();
        assert_eq!(code(make::open(&app, &north()).await), ErrorCode::DraftUnknown);
    });
}

#[test]
fn a_site_that_asks_for_an_offline_signature_is_not_approved_in_the_page_alone() {
    on_each(async |app, _| {
        let mut owner = scene(&app, None).await;
        owner.root.weakest = None;
        let draft = drafted(&app).await;
        let facts = Facts::of(&app, &north()).await.unwrap();
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
        let standing = Standing::of(&make::open(&app, &north()).await.unwrap(), &facts).unwrap();
        assert!(!standing.needs[0].method_met);
        assert_eq!(standing.needs[0].method, Method::Offline);
    });
}

#[test]
fn a_key_that_the_server_keeps_opens_with_its_password_alone_and_only_where_the_root_says_so() {
    on_each(async |app, _| {
        let kato = person("kato");
        let password = |text: &str| Zeroizing::new(text.to_owned());
        scene(&app, Some(Method::Custodial)).await;
        let made = custodial::make(&app, &north(), &kato, password("a long password")).await;
        let made = made.unwrap();
        let opened = custodial::open(&app, &north(), &kato, password("a long password")).await;
        assert_eq!(opened.unwrap().public(), made.public);
        let wrong = custodial::open(&app, &north(), &kato, password("another password")).await;
        assert_eq!(code(wrong), ErrorCode::CustodialClosed);
        let twice = custodial::make(&app, &north(), &kato, password("a long password")).await;
        assert_eq!(code(twice), ErrorCode::CustodialHeld);
        custodial::forget(&app, &north(), &kato).await.unwrap();
        let gone = custodial::open(&app, &north(), &kato, password("a long password")).await;
        assert_eq!(code(gone), ErrorCode::CustodialUnknown);
        // The server signs for a person only with a key that the root marks so.
        let draft = drafted(&app).await;
        let seen = draft.staged.message_sha256();
        let shown = sign::prepare(&app, &north(), seen, &words("kato")).await.unwrap();
        let how = (&kato, Method::Custodial);
        let acts = shown.prepared.first().map(Prepared::sha256);
        // It signs nothing beside the approval that its person has not seen.
        let other = Words { reason: "in another window".to_owned(), ..words("kato") };
        sign::prepare(&app, &north(), seen, &other).await.unwrap();
        for saw in [Saw { targets: seen, acts }, Saw { targets: seen, acts: None }] {
            let unseen = sign::take(&app, &north(), saw, how, &key(2)).await;
            assert_eq!(code(unseen), ErrorCode::DraftChanged);
        }
        sign::prepare(&app, &north(), seen, &words("kato")).await.unwrap();
        let saw = Saw { targets: seen, acts };
        let after = sign::take(&app, &north(), saw, how, &key(2)).await.unwrap();
        assert!(matches!(after, After::Open(_)));
        sign::prepare(&app, &north(), seen, &words("tanaka")).await.unwrap();
        let how = (&person("tanaka"), Method::Custodial);
        assert_eq!(
            code(sign::take(&app, &north(), seen, how, &key(0)).await),
            ErrorCode::MethodRefused
        );
    });
    let place = Place::sqlite();
    devices(&place, 3);
    place.with_one(|app| async move {
        scene(&app, Some(Method::Console)).await;
        let password = Zeroizing::new("a long password".to_owned());
        let made = custodial::make(&app, &north(), &person("kato"), password).await;
        assert_eq!(code(made), ErrorCode::MethodRefused);
    });
}

#[test]
fn a_withdrawal_is_drafted_and_signed_like_an_approval() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
        let facts = Facts::of(&app, &north()).await.unwrap();
        let carried = carry::give(&app, &north()).await.unwrap();
        carry::take(&app, &north(), elsewhere(&carried, &facts, "sato", 1)).await.unwrap();
        let id = draft.read_approvals().unwrap()[0].id.clone();
        let wanted = Wanted::Withdraw { approvals: vec![id] };
        let draft = make::make(&app, &north(), wanted.clone(), "x".to_owned()).await.unwrap();
        let text = {
            let facts = Facts::of(&app, &north()).await.unwrap();
            let carried = carry::carried(&draft, &facts).unwrap();
            carried.shown.ja.join("\n")
        };
        assert!(text.contains("取り下げ"), "{text}");
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
        let facts = Facts::of(&app, &north()).await.unwrap();
        let carried = carry::give(&app, &north()).await.unwrap();
        let after = carry::take(&app, &north(), elsewhere(&carried, &facts, "sato", 1)).await;
        assert!(matches!(after.unwrap(), After::Published(3)));
        let again = make::make(&app, &north(), wanted, "x".to_owned()).await;
        assert_eq!(code(again), ErrorCode::DraftRefused);
        let act: Act = {
            let filed = app
                .db
                .read(|conn| person_act::mentioning(conn, &north(), "\"targets_version\":3,"))
                .await
                .unwrap();
            filed[0].act.clone()
        };
        assert_eq!(act.meaning, Meaning::Withdrawn);
    });
}

#[test]
fn words_that_no_record_takes_are_refused_before_anybody_signs_beside_them() {
    on_each(async |app, place| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        let seen = draft.staged.message_sha256();
        let bends: [fn(&mut Words); 4] = [
            |words| words.reason = "one line\nand another".to_owned(),
            |words| words.reason = "  ".to_owned(),
            |words| words.role = String::new(),
            |words| words.reason = "x".repeat(2_001),
        ];
        for bend in bends {
            let mut bent = words("tanaka");
            bend(&mut bent);
            let prepared = sign::prepare(&app, &north(), seen, &bent).await;
            assert_eq!(code(prepared), ErrorCode::ActRefused, "{bent:?}");
        }
        // The hour in an act is when it was signed: what was said long ago is said anew.
        let prepared = sign::prepare(&app, &north(), seen, &words("tanaka")).await.unwrap();
        let made = made_in_page(&prepared, key(0));
        place.later(PREPARED_S_MAX);
        let how = (&person("tanaka"), Method::Console);
        let late = sign::take(&app, &north(), seen, how, &made).await;
        assert_eq!(code(late), ErrorCode::DraftChanged);
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
    });
}

#[test]
fn two_who_sign_at_the_same_moment_both_count() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        let seen = draft.staged.message_sha256();
        let prepared = sign::prepare(&app, &north(), seen, &words("tanaka")).await.unwrap();
        let made = made_in_page(&prepared, key(0));
        let facts = Facts::of(&app, &north()).await.unwrap();
        let carried = carry::give(&app, &north()).await.unwrap();
        let (tanaka, site) = (person("tanaka"), north());
        let (page, file) = futures_util::future::join(
            sign::take(&app, &site, seen, (&tanaka, Method::Console), &made),
            carry::take(&app, &site, elsewhere(&carried, &facts, "sato", 1)),
        )
        .await;
        let published = [page.unwrap(), file.unwrap()];
        let published = published.iter().filter(|after| matches!(after, After::Published(2)));
        assert_eq!(published.count(), 1);
        let two = "\"targets_version\":2,";
        let filed = app.db.read(|conn| person_act::mentioning(conn, &north(), two)).await.unwrap();
        assert_eq!(filed.len(), 2, "both said why");
    });
}

#[test]
fn what_people_said_beside_a_published_draft_is_filed_and_never_given_up() {
    on_each(async |app, _| {
        scene(&app, Some(Method::Console)).await;
        let draft = drafted(&app).await;
        in_page(&app, &draft, "tanaka", 0).await.unwrap();
        let facts = Facts::of(&app, &north()).await.unwrap();
        let signed = elsewhere(&carry::give(&app, &north()).await.unwrap(), &facts, "sato", 1);
        carry::take(&app, &north(), signed.clone()).await.unwrap();
        // As a crash between the two leaves it: published, and nothing filed.
        let staged = Staged::read(Role::Targets, &signed.stage_bytes().unwrap()).unwrap();
        let left = Draft { revision: 0, staged, acts: signed.acts, ..draft };
        for again in [false, true] {
            crate::storage::sql(&app, "DELETE FROM person_acts").await;
            let stored = make::store(&app, left.clone()).await.unwrap().unwrap();
            let refused = if again {
                let by = "x".to_owned();
                make::rebuild(&app, &north(), stored.revision, None, by).await.map(drop)
            } else {
                make::discard(&app, &north(), stored.revision).await
            };
            assert_eq!(code(refused), ErrorCode::DraftUnknown);
            assert!(make::find(&app, &north()).await.unwrap().is_none());
            let two = "\"targets_version\":2,";
            let filed = app.db.read(|conn| person_act::mentioning(conn, &north(), two)).await;
            assert_eq!(filed.unwrap().len(), 2, "both people's words stand in the record");
        }
    });
}
