//! What leaves: mail and webhooks, once for each of any number of servers, again under the same id after
//! a crash, never what is restricted.

use super::{
    ADDRESS, Grave, Mail, NIGHT, add, entered, first, looked, north, noticed, of_kind, post,
    reachable, released, tanaka, with_device,
};
use crate::place::{Place, on_both};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_server::db::outbox::{self, State};
use patchward_server::notify::channel::{Circle, Kind, webhook_secret};
use patchward_server::notify::drill;
use patchward_server::notify::raise::living;
use patchward_server::notify::send::{self, CLAIM_S, Outcome};
use serde_json::Value;
use sha2::Sha256;

#[test]
fn a_mail_in_japanese_reaches_a_real_mail_server_through_tls() {
    let (receiver, place) = reachable();
    place.with_one(|app| async move {
        first(&app, Kind::Mail, "ward@hospital.example").await;
        noticed(&app, Reading::Public, Grave::KnownExploited).await;
        let notice = of_kind(&app, north(), "release").await.remove(0);
        assert_eq!(send::round(&app, &post(&app)).await.unwrap(), 1);
        let told = receiver.next();
        assert_eq!((&told["tls"], &told["user"]), (&Value::Bool(true), &Value::from("patchward")));
        assert_eq!(told["to"][0], "ward@hospital.example");
        let mail = Mail::of(&told);
        let subject = mail.subject();
        assert!(subject.contains("緊急") && subject.contains("試験"), "{subject}");
        assert!(mail.header("message-id").ends_with("@hospital.example>"));
        assert_eq!(mail.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(mail.header("auto-submitted"), "auto-generated");
        assert!(mail.header("date").starts_with("Sun, 22 Nov 2026 05:00:00"));
        let link = format!("{ADDRESS}/console/sites/north/inbox/{}", notice.id);
        assert!(mail.text.contains(&link) && mail.text.contains("2.0.0"), "{}", mail.text);
        assert!(mail.text.contains("2026年11月25日"), "due in the reader's zone: {}", mail.text);
        assert_eq!(send::round(&app, &post(&app)).await.unwrap(), 0, "sent once");
    });
}

#[test]
fn nothing_that_names_a_restricted_family_leaves() {
    let (receiver, place) = reachable();
    place.with_one(|app| async move {
        first(&app, Kind::Mail, "ward@hospital.example").await;
        noticed(&app, Reading::Restricted, Grave::KnownExploited).await;
        send::round(&app, &post(&app)).await.unwrap();
        let told = receiver.next();
        let mail = Mail::of(&told);
        let all = format!("{} {}", mail.subject(), mail.text);
        assert!(all.contains("ログイン") && all.contains("緊急"), "{all}");
        for secret in ["acme", "2.0.0", "CVE", "pump-0", "img"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    });
}

#[test]
fn a_webhook_is_signed_and_sent_again_under_the_same_id_when_its_sender_died() {
    let (receiver, place) = reachable();
    let url = receiver.url("/ok");
    let clock = std::sync::Arc::clone(&place.clock);
    place.with_two(|one, two| async move {
        let channel = first(&one, Kind::Webhook, &url).await;
        noticed(&one, Reading::Public, Grave::Important).await;
        let (first, second) = (post(&one), post(&two));
        // Sent, and killed before it was noted.
        let parcels = send::take(&one, &first).await.unwrap();
        assert_eq!(parcels.len(), 1);
        assert_eq!(first.carry(&parcels[0], one.clock.now()).await, Outcome::Taken);
        let told = receiver.next();
        verify(&told, &webhook_secret(one.keys.mac(), &channel));
        assert_eq!(send::round(&two, &second).await.unwrap(), 0, "it is claimed");
        clock.set(one.clock.now().plus_seconds(CLAIM_S));
        two.reload().await.unwrap();
        assert_eq!(send::round(&two, &second).await.unwrap(), 1);
        let again = receiver.next();
        assert_eq!(again["headers"]["webhook-id"], told["headers"]["webhook-id"]);
        // Whoever comes back late cannot change how it ended.
        let late = Outcome::Never(send::NotSent::new("late"));
        send::settle(&one, &first, &parcels[0], late).await.unwrap();
        let id = parcels[0].id().clone();
        let ended = one.db.read(move |conn| outbox::find(conn, &id)).await.unwrap().unwrap();
        assert_eq!(ended.state, State::Sent);
        let body: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
        assert_eq!((&body["kind"], &body["discreet"]), (&"release".into(), &false.into()));
        assert_eq!(body["text"]["ja"], "試験: リリース 2.0.0 が回答待ちです");
    });
}

/// As a receiver does it, from the secret that the page shows.
fn verify(told: &Value, secret: &str) {
    let header = |name: &str| told["headers"][name].as_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let says = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        told["body"].as_str().unwrap()
    );
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(says).finalize();
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.into_bytes())));
}

#[test]
fn of_two_servers_that_look_and_send_at_once_one_message_goes_out() {
    on_both(|place| {
        with_device(&place);
        place.with_two(|one, two| async move {
            first(&one, Kind::Mail, "ward@hospital.example").await;
            released(&one, Reading::Public, Grave::KnownExploited).await;
            two.reload().await.unwrap();
            let (a, b) = futures_util::future::join(
                patchward_server::notify::look::look(&one),
                patchward_server::notify::look::look(&two),
            )
            .await;
            let raised = a.unwrap().raised + b.unwrap().raised;
            assert_eq!(raised, 2, "the release for the site, and for the manufacturer: not ready");
            let (first, second) = (post(&one), post(&two));
            let (a, b) =
                futures_util::future::join(send::take(&one, &first), send::take(&two, &second))
                    .await;
            assert_eq!(a.unwrap().len() + b.unwrap().len(), 1);
            // Looking again changes nothing.
            let again = patchward_server::notify::look::look(&two).await.unwrap();
            assert_eq!(again, patchward_server::notify::look::Looked::default());
        });
    });
}

#[test]
fn a_receiver_in_trouble_is_tried_again_later_and_told_as_failing() {
    let (receiver, place) = reachable();
    let url = receiver.url("/busy");
    let clock = std::sync::Arc::clone(&place.clock);
    place.with_one(|app| async move {
        let channel = first(&app, Kind::Webhook, &url).await;
        noticed(&app, Reading::Public, Grave::Important).await;
        let post = post(&app);
        let mut id = String::new();
        for n in 1..=3 {
            assert_eq!(send::round(&app, &post).await.unwrap(), 1, "try {n}");
            let told = receiver.next();
            let now = told["headers"]["webhook-id"].as_str().unwrap().to_owned();
            assert!(n == 1 || now == id, "the same id");
            id = now;
            assert_eq!(send::round(&app, &post).await.unwrap(), 0, "not at once");
            looked(&app).await;
            let failing = of_kind(&app, north(), "delivery").await.len();
            assert_eq!(failing, usize::from(n == 3), "red after the third try");
            clock.set(app.clock.now().plus_seconds(30 << n));
        }
        // For a day, then no more.
        clock.set(app.clock.now().plus_seconds(24 * 3600));
        assert_eq!(send::round(&app, &post).await.unwrap(), 1);
        receiver.next();
        let told = app.db.read(move |conn| outbox::of_channel(conn, &channel, 1)).await.unwrap();
        assert_eq!(told[0].state, State::Failed);
        let why = told[0].failure.as_deref().unwrap();
        assert!(why.contains("503"), "{why}");
    });
}

#[test]
fn a_redirect_is_not_followed_and_gone_is_not_tried_again() {
    let (receiver, place) = reachable();
    let urls = [receiver.url("/elsewhere"), receiver.url("/gone")];
    place.with_one(|app| async move {
        for url in &urls {
            first(&app, Kind::Webhook, url).await;
        }
        noticed(&app, Reading::Public, Grave::Important).await;
        assert_eq!(send::round(&app, &post(&app)).await.unwrap(), 2);
        let mut paths = [receiver.next(), receiver.next()].map(|told| told["path"].to_string());
        paths.sort();
        assert_eq!(paths, ["\"/elsewhere\"", "\"/gone\""], "and nothing more");
        let place = north();
        let channels = app.db.read(move |conn| living(conn, &place)).await.unwrap();
        let mut failing = 0;
        for channel in channels {
            failing += usize::from(channel.health.failing.is_some());
            let of = channel.id.clone();
            let told = app.db.read(move |conn| outbox::of_channel(conn, &of, 9)).await.unwrap();
            assert_eq!(told.len(), 1);
            let state =
                if channel.address.ends_with("gone") { State::Failed } else { State::Waiting };
            assert_eq!(told[0].state, state, "{}", channel.address);
        }
        assert_eq!(failing, 1, "410 is for good");
    });
}

#[test]
fn an_address_that_the_mail_server_refuses_for_good_fails_at_once_and_another_later() {
    let (_receiver, place) = reachable();
    place.with_one(|app| async move {
        let never = first(&app, Kind::Mail, "never@hospital.example").await;
        let later = first(&app, Kind::Mail, "later@hospital.example").await;
        noticed(&app, Reading::Public, Grave::Important).await;
        assert_eq!(send::round(&app, &post(&app)).await.unwrap(), 2);
        for (channel, state) in [(never, State::Failed), (later, State::Waiting)] {
            let told =
                app.db.read(move |conn| outbox::of_channel(conn, &channel, 1)).await.unwrap();
            assert_eq!(told[0].state, state);
        }
        // The failure is told through the channel that works, and on the page.
        looked(&app).await;
        assert_eq!(of_kind(&app, north(), "delivery").await.len(), 1);
    });
}

#[test]
fn quiet_hours_delay_what_can_wait_and_never_what_is_urgent() {
    for (grave, at_once) in [(Grave::Important, 0), (Grave::KnownExploited, 1)] {
        let place = Place::sqlite();
        with_device(&place);
        let clock = std::sync::Arc::clone(&place.clock);
        // 22:30 in Tokyo.
        place.clock.set("2026-11-22T13:30:00Z".parse().unwrap());
        place.with_one(|app| async move {
            let mut entered = entered(Kind::Mail, "ward@hospital.example", Circle::First);
            entered.quiet = Some(NIGHT);
            add(&app, north(), entered).await;
            noticed(&app, Reading::Public, grave).await;
            let post = post(&app);
            assert_eq!(send::take(&app, &post).await.unwrap().len(), at_once);
            clock.set("2026-11-22T22:00:00Z".parse().unwrap());
            assert_eq!(send::take(&app, &post).await.unwrap().len(), 1, "seven in the morning");
        });
    }
}

#[test]
fn a_webhook_into_a_private_network_is_refused_where_it_is_entered() {
    Place::sqlite().with_one(|app| async move {
        for url in ["https://10.0.0.1/x", "https://localhost/x", "http://hospital.example/x"] {
            let (place, who, entered) =
                (north(), tanaka(), entered(Kind::Webhook, url, Circle::First));
            let code = drill::add(&app, &place, entered, &who).await.unwrap_err().code();
            assert_eq!(code, ErrorCode::RequestInvalid, "{url}");
        }
    });
}
