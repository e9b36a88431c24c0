//! Signing in with a passkey, by an authenticator in software.

use super::{PASSWORD, at, code_of, member};
use crate::place::on_both;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_server::fleet::pack::Address;
use patchward_server::people::enter_passkey;
use patchward_server::people::passkey::{Asserted, Made};
use patchward_server::people::password::Password;
use patchward_server::people::role::SiteRole;

#[test]
fn a_passkey_signs_in_once_for_each_challenge() {
    on_both(|mut place| {
        place.config.public_url = Some("https://patchward.example".to_owned());
        let place = &place;
        place.with_one(|app| async move {
            app.address.set(Address::of(&app.config)).unwrap();
            let person = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let who = person.who().await.unwrap();
            let phone = Phone(SigningKey::from_bytes(&[3; 32]));
            let challenge = enter_passkey::ask_to_make(&app, &who).unwrap().text();
            let made = phone.makes(&challenge);
            let words = ("phone", Password::typed(PASSWORD));
            enter_passkey::add(&app, &person.knock, &who, words, made.as_made()).await.unwrap();
            let words = ("phone", Password::typed(PASSWORD));
            let again = enter_passkey::add(&app, &person.knock, &who, words, made.as_made()).await;
            assert_eq!(code_of(again), ErrorCode::PasskeyRefused, "a challenge counts once");
            place.later(60);
            let mut fresh = person.elsewhere("192.0.2.8");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let answer = phone.asserts(&challenge, 1);
            let entered = enter_passkey::enter(&app, &fresh.knock, answer.as_asserted()).await;
            fresh.hold(entered.unwrap());
            assert_eq!(fresh.who().await.unwrap().login, "nurse");
            let again = enter_passkey::enter(&app, &fresh.knock, answer.as_asserted()).await;
            assert_eq!(code_of(again), ErrorCode::PasskeyRefused, "so does its answer");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let copied = phone.asserts(&challenge, 1);
            let told = enter_passkey::enter(&app, &fresh.knock, copied.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused, "the counter stood still");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            place.later(600);
            let late = phone.asserts(&challenge, 9);
            let told = enter_passkey::enter(&app, &fresh.knock, late.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused, "ten minutes are over");
            let who = fresh.who().await.unwrap();
            let own = enter_passkey::list(&app, &who).await.unwrap();
            enter_passkey::remove(&app, &who, &own[0].id.to_string()).await.unwrap();
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let gone = phone.asserts(&challenge, 10);
            let told = enter_passkey::enter(&app, &fresh.knock, gone.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused);
        });
    });
}

/// An authenticator in software.
struct Phone(SigningKey);

/// An answer, base64url: id, client data, authenticator data, and key or signature.
struct Answered([String; 4]);

impl Phone {
    fn makes(&self, challenge: &str) -> Answered {
        let prefix = hex::decode("302a300506032b6570032100").unwrap();
        let spki = [prefix.as_slice(), self.0.verifying_key().as_bytes()].concat();
        let mut authenticator = head(0x45, 0);
        authenticator.extend_from_slice(&[0; 16]);
        authenticator.extend_from_slice(&[0, 4]);
        authenticator.extend_from_slice(b"name");
        Answered::of(&client("webauthn.create", challenge), &authenticator, &spki)
    }

    fn asserts(&self, challenge: &str, counter: u32) -> Answered {
        let (client, authenticator) = (client("webauthn.get", challenge), head(0x05, counter));
        let digest = Sha256Digest::of(&client);
        let signed = [authenticator.as_slice(), digest.as_bytes()].concat();
        Answered::of(&client, &authenticator, &self.0.sign(&signed).to_bytes())
    }
}

fn client(kind: &str, challenge: &str) -> Vec<u8> {
    let origin = "https://patchward.example";
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"}}"#).into_bytes()
}

fn head(flags: u8, counter: u32) -> Vec<u8> {
    let rp = Sha256Digest::of(b"patchward.example");
    [rp.as_bytes().as_slice(), &[flags], &counter.to_be_bytes()].concat()
}

impl Answered {
    fn of(client: &[u8], authenticator: &[u8], last: &[u8]) -> Self {
        Self(
            [b"name".as_slice(), client, authenticator, last]
                .map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        )
    }

    fn as_made(&self) -> Made<'_> {
        let [id, client, authenticator, public_key] = &self.0;
        Made { id, client, authenticator, public_key }
    }

    fn as_asserted(&self) -> Asserted<'_> {
        let [id, client, authenticator, signature] = &self.0;
        Asserted { id, client, authenticator, signature }
    }
}
