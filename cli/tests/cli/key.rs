//! Keys: made here and opened by openssl, made by openssl and opened here, and every way to be wrong.

use crate::place::{PASSPHRASE, Place};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

fn openssl(place: &Place, words: &str) -> String {
    let output = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(place.path(""))
        .output()
        .expect("openssl is installed (apt-get install openssl)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The public key in a text that openssl wrote.
fn public_of(text: &str) -> String {
    let rest = text.split("pub:").nth(1).unwrap();
    rest.chars().filter(char::is_ascii_hexdigit).take(64).collect()
}

#[test]
fn a_key_made_here_is_opened_by_openssl() {
    let place = Place::new();
    let said = place.json("key new --person tanaka --out t.key --passphrase-file pass");
    let text = openssl(&place, "pkey -in t.key -passin file:pass -noout -text");
    assert_eq!(public_of(&text), said["public"].as_str().unwrap());
    let asn1 = openssl(&place, "asn1parse -in t.key");
    for word in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"] {
        assert!(asn1.contains(word), "{word}\n{asn1}");
    }
    let mode = std::fs::metadata(place.path("t.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_made_by_openssl_is_brought_in_and_is_the_same_key() {
    let place = Place::new();
    place.write("old.key", include_bytes!("../vectors/openssl.key"));
    place.write("old.pass", "patchward openssl vector\n");
    let said = place.json(
        "key import old.key --from-passphrase-file old.pass --person suzuki --method console \
         --out s.key --passphrase-file pass",
    );
    let expected = "32d25b985d4fd249f951cbdce30607a9d77a16980aef73a6e228c60f17cc207e";
    assert_eq!(said["public"], expected);
    assert_eq!(said["x-method"], "console");
    let text = openssl(&place, "pkey -in s.key -passin file:pass -noout -text");
    assert_eq!(public_of(&text), expected);
}

#[test]
fn a_plain_and_a_weak_openssl_key_are_brought_in_but_never_signed_with() {
    let place = Place::new();
    openssl(&place, "genpkey -algorithm ed25519 -out plain.pem");
    openssl(&place, "pkcs8 -topk8 -in plain.pem -iter 1000 -passout file:pass -out weak.key");
    place.good("key import plain.pem --person a --out a.key --passphrase-file pass");
    let import = "key import weak.key --from-passphrase-file pass --person b --out b.key";
    place.good(&format!("{import} --passphrase-file pass"));
    assert_eq!(place.json("key show a.key")["public"], place.json("key show b.key")["public"],);
    let key = patchward_cli::key_file::open(
        &String::from_utf8(place.read("weak.key")).unwrap(),
        PASSPHRASE,
        patchward_cli::key_file::Strength::House,
    );
    assert_eq!(key.unwrap_err().code.code(), "key_file_weak");
}

#[test]
fn keys_are_never_overwritten_and_short_passphrases_are_refused() {
    let place = Place::new();
    place.key("tanaka");
    let before = place.read("tanaka.key");
    place.refused("file_exists", "key new --person x --out tanaka.key --passphrase-file pass");
    assert_eq!(place.read("tanaka.key"), before);
    place.write("short", "eleven char\n");
    place.refused("passphrase_short", "key new --person x --out x.key --passphrase-file short");
    place.refused("passphrase_missing", "key new --person x --out x.key");
    place.refused("usage", "key new --person Tanaka --out x.key --passphrase-file pass");
    openssl(&place, "genpkey -algorithm x25519 -out other.pem");
    let import = "key import other.pem --person x --out x.key --passphrase-file pass";
    place.refused("key_file_kind", import);
    assert!(!place.path("x.key").exists() && !place.path("x.pub").exists());
}
