//! 27 odd names, 28 duplicate keys, floats, decomposed Unicode: all well signed.

use anyhow::Result;
use patchward_protocol::canonical;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, Key};
use patchward_tests::forged::Forged;
use patchward_tests::owner::{next_version, version_of};
use patchward_tests::scene::Scene;
use serde_json::{Value, json};

/// Shows family targets that the attacker wrote and the manufacturer's own keys signed.
fn refused(
    name: &str,
    reason: Reason,
    write: impl Fn(&Scene, &mut Value, &[&Key]) -> Result<Vec<u8>>,
) -> Result<()> {
    let mut scene = Scene::begin(name)?;
    scene.approve()?;
    let mut targets = scene.family.targets.clone();
    next_version(&mut targets)?;
    let version = version_of(&targets)?;
    let keys = scene.family.two(&scene.family.targets_keys);
    let bytes = write(&scene, &mut targets, &keys)?;
    let (online, _) = scene.steal_online()?;
    scene.show(vec![Forged::chain(&scene.family, &online, (version, &bytes))?]);
    scene.start()?;
    scene.device.refused(reason)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

/// Lists the update once more, under an odd name.
fn odd_name(name: &str, path: &'static str) -> Result<()> {
    refused(name, Reason::MetadataMalformed, move |scene, targets, keys| {
        let listed = targets.get_mut("targets").and_then(Value::as_object_mut).unwrap();
        let custom = Some(json!({ "fw": scene.next.firmware }));
        listed.insert(path.to_owned(), forge::target_entry(&scene.next.file, custom));
        forge::sign(targets, keys)
    })
}

#[test]
fn attack_27_a_target_that_climbs_out_of_its_folder_is_refused() -> Result<()> {
    odd_name("27a", "img/../../../../etc/cron.d/x")
}

#[test]
fn attack_27_a_target_with_a_line_break_is_refused() -> Result<()> {
    odd_name("27b", "img/a\r\nhost: evil")
}

#[test]
fn attack_27_a_target_with_a_null_byte_is_refused() -> Result<()> {
    odd_name("27c", "img/a\u{0}.tar")
}

#[test]
fn attack_27_a_target_deep_in_folders_is_refused() -> Result<()> {
    odd_name("27d", "img/a/b/c.tar")
}

#[test]
fn attack_27_an_absolute_target_is_refused() -> Result<()> {
    odd_name("27e", "/img/a.tar")
}

#[test]
fn attack_27_the_server_answers_odd_names_with_an_error() -> Result<()> {
    let scene = Scene::begin("27f")?;
    let client = scene.stage.server.client()?;
    let family = scene.device.family.as_str();
    for path in [
        format!("/tuf/family/{family}/metadata/..%2F..%2Fkeys%2Frecord.key"),
        format!("/tuf/family/{family}/targets/img/..%2F..%2F..%2Fkeys%2Fmac.key"),
        format!("/tuf/family/{family}/targets/..%2F..%2Fkeys/record.key"),
        "/tuf/family/..%2F..%2Fkeys/metadata/timestamp.json".to_owned(),
        "/tuf/ward/x/metadata/timestamp.json".to_owned(),
        format!("/tuf/family/{family}/metadata/%00"),
    ] {
        let got = client.get(&path)?;
        assert!((400..500).contains(&got.status), "{path}: {}", got.status);
        let text = String::from_utf8_lossy(&got.body);
        assert!(!text.contains("BEGIN") && text.len() < 4096, "{path}: {text}");
    }
    Ok(())
}

/// A field written into the text of the targets, which no JSON value can hold.
fn with_text(name: &str, change: impl Fn(String) -> String) -> Result<()> {
    refused(name, Reason::MetadataMalformed, move |_, targets, keys| {
        let message = canonical::write(targets)?;
        let text = change(String::from_utf8(message.clone())?);
        // Signed over the canonical form of what a careless reader makes of it, and over the text.
        let read: Value = serde_json::from_str(&text)?;
        let message = canonical::write(&read).unwrap_or(message);
        forge::sign_text(&text, &message, keys)
    })
}

#[test]
fn attack_28_a_duplicate_key_is_refused() -> Result<()> {
    with_text("28a", |text| text.replacen("{", "{\"version\":999999,", 1))
}

#[test]
fn attack_28_a_duplicate_key_in_another_spelling_is_refused() -> Result<()> {
    with_text("28b", |text| text.replacen("{", "{\"\\u0076ersion\":999999,", 1))
}

#[test]
fn attack_28_a_floating_point_number_is_refused() -> Result<()> {
    with_text("28c", |text| text.replacen("{", "{\"x-size\":1.0,", 1))
}

#[test]
fn attack_28_decomposed_unicode_is_refused() -> Result<()> {
    with_text("28d", |text| text.replacen("{", "{\"x-note\":\"e\u{301}\",", 1))
}

#[test]
fn attack_28_bytes_behind_the_document_are_refused() -> Result<()> {
    refused("28e", Reason::MetadataMalformed, |_, targets, keys| {
        let mut bytes = forge::sign(targets, keys)?;
        bytes.extend_from_slice(b"{}");
        Ok(bytes)
    })
}
