//! An authenticator in software, and every byte of its answers changed once.

use super::*;
use crate::people::who::AccountId;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use ed25519_dalek::{Signer as _, SigningKey};
use patchward_protocol::time::Timestamp;

const CHALLENGE: &str = "AAECAwQFBgcICQoLDA0ODw";

/// A passkey with its secret.
enum Device {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<SigningKey>),
}

/// What an answer is made of, before it is encoded.
#[derive(Clone)]
struct Parts {
    id: Vec<u8>,
    client: Vec<u8>,
    authenticator: Vec<u8>,
    last: Vec<u8>,
}

fn site() -> Site {
    Site::of("https://patchward.example").unwrap()
}

fn devices() -> [Device; 2] {
    let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
    let p256 = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref()).unwrap();
    [Device::P256(Box::new(p256)), Device::Ed25519(Box::new(SigningKey::from_bytes(&[7; 32])))]
}

impl Device {
    fn spki(&self) -> Vec<u8> {
        match self {
            Self::P256(pair) => {
                let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
                [hex::decode(head).unwrap().as_slice(), pair.public_key().as_ref()].concat()
            }
            Self::Ed25519(key) => {
                let head = hex::decode("302a300506032b6570032100").unwrap();
                [head.as_slice(), key.verifying_key().as_bytes()].concat()
            }
        }
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(pair) => pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(bytes).to_bytes().to_vec(),
        }
    }

    fn asserts(&self, flags: u8, counter: u32) -> Parts {
        let client = client("webauthn.get");
        let authenticator = head(flags, counter);
        let signed = [authenticator.as_slice(), &Sha256::digest(&client)].concat();
        Parts { id: b"credential".to_vec(), last: self.sign(&signed), client, authenticator }
    }

    fn makes(&self, flags: u8) -> Parts {
        let id = b"credential".to_vec();
        let mut authenticator = head(flags, 0);
        authenticator.extend_from_slice(&[0; 16]);
        authenticator.extend_from_slice(&u16::try_from(id.len()).unwrap().to_be_bytes());
        authenticator.extend_from_slice(&id);
        authenticator.extend_from_slice(b"its key as COSE, which nobody reads here");
        Parts { id, client: client("webauthn.create"), authenticator, last: self.spki() }
    }

    fn passkey(&self, counter: u32) -> Passkey {
        Passkey {
            id: URL_SAFE_NO_PAD.encode("credential").parse().unwrap(),
            account: AccountId(1),
            label: String::new(),
            key: PublicKey::from_spki(&self.spki()).unwrap(),
            counter,
            created: Timestamp::EPOCH,
            used: None,
        }
    }
}

fn client(kind: &str) -> Vec<u8> {
    let origin = "https://patchward.example";
    format!(
        r#"{{"type":"{kind}","challenge":"{CHALLENGE}","origin":"{origin}","crossOrigin":false}}"#
    )
    .into_bytes()
}

fn head(flags: u8, counter: u32) -> Vec<u8> {
    let rp = Sha256::digest(b"patchward.example");
    [rp.as_slice(), &[flags], &counter.to_be_bytes()].concat()
}

impl Parts {
    fn assertion(&self, passkey: &Passkey) -> Result<u32, BadAnswer> {
        let [id, client, authenticator, signature] = self.texts();
        let answer = Asserted {
            id: &id,
            client: &client,
            authenticator: &authenticator,
            signature: &signature,
        };
        answer.check(&site(), CHALLENGE, passkey)
    }

    fn made(&self) -> Result<(CredentialId, PublicKey, u32), BadAnswer> {
        let [id, client, authenticator, public_key] = self.texts();
        let answer = Made {
            id: &id,
            client: &client,
            authenticator: &authenticator,
            public_key: &public_key,
        };
        answer.check(&site(), CHALLENGE)
    }

    fn texts(&self) -> [String; 4] {
        [&self.id, &self.client, &self.authenticator, &self.last]
            .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }
}

const GOOD: u8 = USER_PRESENT | USER_VERIFIED;

#[test]
fn an_assertion_counts_and_no_changed_byte_of_it_does() {
    for device in devices() {
        let passkey = device.passkey(4);
        let good = device.asserts(GOOD, 5);
        assert_eq!(good.assertion(&passkey), Ok(5));
        for at in 0..good.authenticator.len() {
            let mut bad = good.clone();
            bad.authenticator[at] ^= 1;
            assert!(bad.assertion(&passkey).is_err(), "authenticator data, byte {at}");
        }
        for at in 0..good.client.len() {
            let mut bad = good.clone();
            bad.client[at] ^= 1;
            assert!(bad.assertion(&passkey).is_err(), "client data, byte {at}");
        }
        for at in 0..good.last.len() {
            let mut bad = good.clone();
            bad.last[at] ^= 1;
            assert!(bad.assertion(&passkey).is_err(), "signature, byte {at}");
        }
        for at in 0..good.id.len() {
            let mut bad = good.clone();
            bad.id[at] ^= 1;
            assert_eq!(bad.assertion(&passkey), Err(BadAnswer::Credential));
        }
        for shorter in 0..good.last.len() {
            let mut bad = good.clone();
            bad.last.truncate(shorter);
            assert_eq!(bad.assertion(&passkey), Err(BadAnswer::Signature));
        }
        let longer = Parts { last: [good.last.as_slice(), &[0]].concat(), ..good };
        assert_eq!(longer.assertion(&passkey), Err(BadAnswer::Signature));
    }
}

#[test]
fn a_key_of_the_other_kind_signs_nothing_here() {
    let [p256, ed25519] = devices();
    let told = p256.asserts(GOOD, 1).assertion(&ed25519.passkey(0));
    assert_eq!(told, Err(BadAnswer::Signature));
    let told = ed25519.asserts(GOOD, 1).assertion(&p256.passkey(0));
    assert_eq!(told, Err(BadAnswer::Signature));
}

#[test]
fn the_person_must_be_there_and_verified_even_if_the_passkey_signs_otherwise() {
    let [device, _] = devices();
    for flags in [0, USER_PRESENT, USER_VERIFIED] {
        let told = device.asserts(flags, 1).assertion(&device.passkey(0));
        assert_eq!(told, Err(BadAnswer::Person));
        assert_eq!(device.makes(flags | ATTESTED).made().unwrap_err(), BadAnswer::Person);
    }
    let told = device.asserts(GOOD | BACKED_UP, 1).assertion(&device.passkey(0));
    assert_eq!(told, Err(BadAnswer::Flags), "backed up without being eligible");
}

#[test]
fn a_counter_rises_or_is_always_zero() {
    let [device, _] = devices();
    let told = |before, now| device.asserts(GOOD, now).assertion(&device.passkey(before));
    assert_eq!(told(0, 0), Ok(0));
    assert_eq!(told(0, 9), Ok(9));
    assert_eq!(told(9, 10), Ok(10));
    for (before, now) in [(9, 9), (9, 8), (9, 0)] {
        assert_eq!(told(before, now), Err(BadAnswer::Counter), "{before} {now}");
    }
}

#[test]
fn an_answer_for_another_server_page_or_purpose_does_not_count() {
    let [device, _] = devices();
    let good = device.asserts(GOOD, 1);
    let [id, client, authenticator, signature] = good.texts();
    let answer =
        Asserted { id: &id, client: &client, authenticator: &authenticator, signature: &signature };
    let other = Site { rp_id: "evil.example".to_owned(), ..site() };
    assert_eq!(answer.check(&other, CHALLENGE, &device.passkey(0)), Err(BadAnswer::RpId));
    let other = Site::of("https://evil.example").unwrap();
    let told = answer.check(&other, CHALLENGE, &device.passkey(0));
    assert_eq!(told, Err(BadAnswer::Client(BadClient::Origin)));
    let told = answer.check(&site(), "other", &device.passkey(0));
    assert_eq!(told, Err(BadAnswer::Client(BadClient::Challenge)));
    let made = Parts { client: super::tests::client("webauthn.create"), ..good };
    let told = made.assertion(&device.passkey(0));
    assert_eq!(told, Err(BadAnswer::Client(BadClient::Ceremony)));
}

#[test]
fn a_new_passkey_is_taken_with_the_id_that_its_authenticator_names() {
    for device in devices() {
        let good = device.makes(GOOD | ATTESTED);
        let (id, key, counter) = good.made().unwrap();
        assert_eq!((id.bytes(), counter), (b"credential".as_slice(), 0));
        assert_eq!(Some(key), PublicKey::from_spki(&device.spki()));
        let other = Parts { id: b"credentiaL".to_vec(), ..good.clone() };
        assert_eq!(other.made().unwrap_err(), BadAnswer::Credential);
        assert_eq!(device.makes(GOOD).made().unwrap_err(), BadAnswer::Flags);
        let no_key = Parts { last: b"rsa".to_vec(), ..good.clone() };
        assert_eq!(no_key.made().unwrap_err(), BadAnswer::Key);
        for length in 0..good.authenticator.len() - 40 {
            let mut short = good.clone();
            short.authenticator.truncate(length);
            assert!(short.made().is_err(), "{length} bytes");
        }
    }
}

#[test]
fn passkeys_need_a_name_and_tls() {
    assert_eq!(Site::of("https://patchward.example/x").unwrap().rp_id, "patchward.example");
    assert_eq!(Site::of("http://localhost:8443").unwrap().origin, "http://localhost:8443");
    for none in ["http://patchward.example", "https://192.0.2.1", "https://[::1]:8443", "x"] {
        assert_eq!(Site::of(none), None, "{none}");
    }
}

/// Made once by OpenSSL 3 (`dgst -sha256 -sign`, `pkeyutl -rawin`): SPKI and signature of each kind over
/// the client data of [`client`] and the authenticator data of [`head`] with counter 5.
const MADE_ELSEWHERE: [(&str, &str); 2] = [
    (
        "3059301306072a8648ce3d020106082a8648ce3d03010703420004cf33ff89e16ae44e4ad0aa96316c7ca7ce\
         d9cca12ce411de58c9c87c4cd807dffe7d5340fa9fb65628abbd9af6e4fa472f530252016573870abd9eb629\
         fd576e",
        "3046022100ac92b4d3d26fee23113a8359e48e734fc2049d35061acab7e15052a732e5f44e022100ad6b6404\
         30a2d9798f6b170d5a838ffeea8e00c77cfdcde9b77c3fb8eec8758c",
    ),
    (
        "302a300506032b657003210061e0ccaeb941e42479476c9537979693c2b4998e5d7c628071055f674e7f12be",
        "87418a39e545196b460bfefdd376ae66749a09945d6a04d1e3068ec3e1919df31b23eb60e53cffdfccfed176\
         c0324e34e9278d7c3a00d8d09c06d768c314b704",
    ),
];

#[test]
fn what_another_implementation_signed_counts_and_with_any_bit_changed_does_not() {
    for (spki, signature) in MADE_ELSEWHERE {
        let key = PublicKey::from_spki(&hex::decode(spki).unwrap()).unwrap();
        let [device, _] = devices();
        let passkey = Passkey { key, ..device.passkey(4) };
        let good = Parts {
            id: b"credential".to_vec(),
            client: client("webauthn.get"),
            authenticator: head(GOOD, 5),
            last: hex::decode(signature).unwrap(),
        };
        assert_eq!(good.assertion(&passkey), Ok(5));
        for bit in 0..good.authenticator.len() * 8 {
            let mut bad = good.clone();
            bad.authenticator[bit / 8] ^= 1 << (bit % 8);
            assert!(bad.assertion(&passkey).is_err(), "authenticator data, bit {bit}");
        }
        for bit in 0..good.client.len() * 8 {
            let mut bad = good.clone();
            bad.client[bit / 8] ^= 1 << (bit % 8);
            assert!(bad.assertion(&passkey).is_err(), "client data, bit {bit}");
        }
        for bit in 0..good.last.len() * 8 {
            let mut bad = good.clone();
            bad.last[bit / 8] ^= 1 << (bit % 8);
            assert!(bad.assertion(&passkey).is_err(), "signature, bit {bit}");
        }
    }
}
