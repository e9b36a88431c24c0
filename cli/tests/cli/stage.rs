//! Several people, several machines, one file: signing, merging, publishing, and the signer's memory.

use crate::double::Double;
use crate::place::{ISSUED, PREPARE, Place};

const FAMILY: &str = "family:acme.infusion-a";

fn published() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first(FAMILY);
    place.release_inputs();
    (place, server)
}

#[test]
fn a_release_goes_from_image_to_published_with_two_of_three_signatures() {
    let (place, server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    let staged = "r1/targets-v2.stage.json";
    let shown = place.good(&format!("stage show {staged}"));
    for word in ["+ added img/infusion-a-2.4.1.pwd", "seq 12", "CVE-2026-1234", "fingerprint"] {
        assert!(shown.out.contains(word), "{word}\n{}", shown.out);
    }
    place.sign(staged, "ta", 2, "");
    let few = place.refused("signatures_missing", &format!("stage publish {staged}"));
    assert!(few.err.contains("- tb (") && few.err.contains("+ ta ("), "{}", few.err);
    place.sign(staged, "tb", 2, "");
    place.good(&format!("stage publish {staged}"));
    let state = server.state.lock().unwrap();
    let image = state.files.keys().find(|name| name.ends_with(".infusion-a-2.4.1.pwd"));
    assert!(image.is_some_and(|name| name.starts_with("family/acme.infusion-a/targets/img/")));
}

#[test]
fn files_are_uploaded_before_anybody_signs_and_nothing_is_published_by_that() {
    let (place, server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    let staged = "r1/targets-v2.stage.json";
    let before = server.state.lock().unwrap().files.clone();
    let said = place.json(&format!("stage upload {staged}"));
    assert!(said["uploaded"].as_u64() >= Some(1), "{said}");
    let state = server.state.lock().unwrap();
    assert_eq!(state.files, before, "something was published");
    let image = patchward_protocol::digest::Sha256Digest::of(
        &place.read("r1/targets/img/infusion-a-2.4.1.pwd"),
    );
    assert!(state.blobs.contains_key(&image.to_string()), "the image is not there");
}

#[test]
fn copies_signed_on_two_machines_are_merged_and_other_content_is_not() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    std::fs::copy(place.path("r1/targets-v2.stage.json"), place.path("r1/copy.json")).unwrap();
    place.sign("r1/targets-v2.stage.json", "ta", 2, "");
    place.sign("r1/copy.json", "tb", 2, "");
    let merged = place.json("stage merge r1/targets-v2.stage.json r1/copy.json");
    assert_eq!(merged["added"], 1);
    assert_eq!(place.json("stage status r1/targets-v2.stage.json")["complete"], true);
    place.write("notes-en.md", "Other notes.\n");
    place.good(&format!("{PREPARE} --out r2"));
    place.refused("stage_differs", "stage merge r1/targets-v2.stage.json r2/targets-v2.stage.json");
}

#[test]
fn nothing_is_signed_without_typing_the_version() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    let before = place.read("r1/targets-v2.stage.json");
    let sign = "stage sign r1/targets-v2.stage.json --key ta.key --passphrase-file pass";
    place.refused("not_confirmed", sign);
    place.refused("not_confirmed", &format!("{sign} --yes-version 3"));
    assert_eq!(place.read("r1/targets-v2.stage.json"), before);
}

#[test]
fn a_file_at_hand_that_is_not_the_listed_one_stops_the_signer() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    let sign =
        "stage sign r1/targets-v2.stage.json --key ta.key --passphrase-file pass --yes-version 2";
    let image = "r1/targets/img/infusion-a-2.4.1.pwd";
    let mut bytes = place.read(image);
    bytes[300] ^= 1;
    place.write(image, &bytes);
    place.refused("target_differs", sign);
    std::fs::remove_file(place.path(image)).unwrap();
    let run = place.refused("target_not_at_hand", sign);
    assert!(run.err.contains("img/infusion-a-2.4.1.pwd"));
}

#[test]
fn a_key_signs_one_content_per_version() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    place.sign("r1/targets-v2.stage.json", "ta", 2, "");
    place.sign("r1/targets-v2.stage.json", "ta", 2, "");
    place.write("notes-en.md", "Other notes.\n");
    place.good(&format!("{PREPARE} --out r2"));
    let sign =
        "stage sign r2/targets-v2.stage.json --key ta.key --passphrase-file pass --yes-version 2";
    place.refused("signer_saw_other", sign);
}

/// Attack 32, first half: the second signer is shown a draft on a base that is not the newest.
#[test]
fn attack_32_a_stale_base_is_not_signed() {
    let (place, _server) = published();
    let offline = "--against stored";
    place.good(&format!("{PREPARE} --out old"));
    place.good(&format!("{PREPARE} --out r1"));
    for person in ["ta", "tb"] {
        place.sign("r1/targets-v2.stage.json", person, 2, "");
    }
    std::fs::rename(place.path("config"), place.path("config-old")).unwrap();
    copy_folder(&place, "config-old", "config");
    place.good("stage publish r1/targets-v2.stage.json");
    place.good("release withdraw acme.infusion-a --seq 12 --issued @0T06:00:00Z --out r2");
    for person in ["ta", "tb"] {
        place.sign("r2/targets-v3.stage.json", person, 3, "");
    }
    place.good("stage publish r2/targets-v3.stage.json");
    // A machine that saw only the old state (restored, or never told) shows the old draft again.
    std::fs::remove_dir_all(place.path("config")).unwrap();
    std::fs::rename(place.path("config-old"), place.path("config")).unwrap();
    let sign =
        "stage sign old/targets-v2.stage.json --key ta.key --passphrase-file pass --yes-version 2";
    place.refused("signer_saw_newer", &format!("{sign} {offline}"));
}

/// Attack 32, second half: on the newest base, an entry that was taken away comes back.
#[test]
fn attack_32_an_entry_that_comes_back_is_named_and_needs_a_word() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    publish(&place, "r1", 2);
    let taken = place.read("r1/targets-v2.stage.json");
    place.good("release withdraw acme.infusion-a --seq 12 --issued @0T06:00:00Z --out r2");
    publish(&place, "r2", 3);
    let listed = without_targets(&place.read("r2/targets-v3.stage.json"), 4);
    place.write("r3/targets-v4.stage.json", listed);
    publish(&place, "r3", 4);
    let again = with_version(&taken, 5);
    place.write("r4/targets-v5.stage.json", again);
    copy_folder(&place, "r1/targets", "r4/targets");
    let sign =
        "stage sign r4/targets-v5.stage.json --key ta.key --passphrase-file pass --yes-version 5";
    let run = place.refused("readded_entries", sign);
    assert!(run.err.contains("img/infusion-a-2.4.1.pwd"), "{}", run.err);
    let shown = place.good("stage show r4/targets-v5.stage.json --key ta.key");
    assert!(shown.out.contains("COMES BACK: img/infusion-a-2.4.1.pwd"));
    place.good(&format!("{sign} --accept-readded"));
}

#[test]
fn a_key_of_another_role_and_a_moved_base_are_refused() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    place.good(&format!("{PREPARE} --out r2"));
    let staged = "r1/targets-v2.stage.json";
    let sign = format!("stage sign {staged} --key ra.key --passphrase-file pass --yes-version 2");
    place.refused("key_not_listed", &sign);
    publish(&place, "r1", 2);
    place.refused(
        "stage_base_moved",
        "stage sign r2/targets-v2.stage.json --key tc.key --passphrase-file pass --yes-version 2",
    );
}

#[test]
fn a_draft_that_says_more_than_is_shown_is_not_read() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    let text = String::from_utf8(place.read("r1/targets-v2.stage.json")).unwrap();
    let more = text.replacen("\"spec_version\"", "\"x-hidden\":1,\"spec_version\"", 1);
    place.write("r1/targets-v2.stage.json", more);
    place.refused("stage_unreadable", "stage show r1/targets-v2.stage.json");
}

#[test]
fn an_offline_machine_signs_against_files_that_were_brought() {
    let (place, _server) = published();
    place.good(&format!("{PREPARE} --out r1"));
    place.good(&format!("repo fetch {FAMILY} --out carried"));
    let offline = place.with_config("offline");
    let root = patchward_protocol::digest::Sha256Digest::of(&offline.read("carried/1.root.json"));
    let trust = format!("repo trust {FAMILY} --root carried/1.root.json --fingerprint");
    offline.refused("not_confirmed", &format!("{trust} 000000000000"));
    offline.good(&format!("{trust} {}", root.fingerprint().replace(' ', "")));
    offline.sign("r1/targets-v2.stage.json", "tc", 2, "--against carried/1.targets.json");
    let text = String::from_utf8(offline.read("carried/1.targets.json")).unwrap();
    offline.write("carried/bad.json", text.replacen("T04:00:00Z", "T05:00:00Z", 1));
    offline.refused(
        "metadata_untrusted",
        "stage show r1/targets-v2.stage.json --against carried/bad.json",
    );
}

#[test]
fn weak_hierarchies_are_refused_before_anybody_signs() {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    for person in ["ra", "rb", "rc", "ta", "tb", "tc"] {
        place.key(person);
    }
    let init = |keys: &str| {
        format!("repo init {FAMILY} --title-en P --title-ja ポ --issued {ISSUED} --out x {keys}")
    };
    let roots = "--root-key ra.pub --root-key rb.pub --root-key rc.pub";
    let targets = "--targets-key ta.pub --targets-key tb.pub --targets-key tc.pub";
    for keys in [
        format!("{roots} {targets} --targets-threshold 1"),
        format!("{roots} {targets} --targets-threshold 3"),
        format!("{roots} --targets-key ta.pub --targets-key tb.pub --targets-key ra.pub"),
        format!("{roots} --targets-key ta.pub --targets-key tb.pub --targets-key ta.pub"),
    ] {
        place.refused("stage_rules", &init(&keys));
        assert!(!place.path("x").exists(), "{keys}");
    }
}

#[test]
fn a_root_is_rotated_by_its_old_and_its_new_keys() {
    let (place, _server) = published();
    place.key("rd");
    place.key("td");
    place.good(&format!(
        "repo rotate {FAMILY} --root-key rb.pub --root-key rc.pub --root-key rd.pub \
         --targets-key tb.pub --targets-key tc.pub --targets-key td.pub --issued @0T05:00:00Z --out next"
    ));
    let (root, targets) = ("next/root-v2.stage.json", "next/targets-v2.stage.json");
    let shown = place.good(&format!("stage show {root}"));
    assert!(
        shown.out.contains("+ root rd (") && shown.out.contains("- root ra ("),
        "{}",
        shown.out
    );
    place.sign(root, "ra", 2, "");
    place.sign(root, "rb", 2, "");
    place.sign(targets, "td", 2, &format!("--root {root}"));
    place.sign(targets, "tc", 2, &format!("--root {root}"));
    let few = place.refused("signatures_missing", &format!("stage publish {root} {targets}"));
    assert!(few.err.contains("keys of this root itself: 1 / 2"), "{}", few.err);
    place.sign(root, "rd", 2, "");
    place.good(&format!("stage publish {root} {targets}"));
    place.good(&format!("repo fetch {FAMILY} --out carried"));
    assert!(place.path("carried/2.root.json").exists());
    let alone =
        "repo rotate family:acme.infusion-a --root-threshold 3 --issued @0T06:00:00Z --out x";
    place.refused("stage_rules", alone);
}

fn publish(place: &Place, folder: &str, version: u64) {
    let staged = format!("{folder}/targets-v{version}.stage.json");
    for person in ["ta", "tb"] {
        place.sign(&staged, person, version, "");
    }
    place.good(&format!("stage publish {staged}"));
}

fn with_version(bytes: &[u8], version: u64) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    value["signed"]["version"] = version.into();
    value["signatures"] = serde_json::json!([]);
    serde_json::to_vec(&value).unwrap()
}

fn without_targets(bytes: &[u8], version: u64) -> Vec<u8> {
    let mut value: serde_json::Value =
        serde_json::from_slice(&with_version(bytes, version)).unwrap();
    value["signed"]["targets"] = serde_json::json!({});
    serde_json::to_vec(&value).unwrap()
}

pub(crate) fn copy_folder(place: &Place, from: &str, to: &str) {
    std::fs::create_dir_all(place.path(to)).unwrap();
    for name in crate::place::names(&place.path(from)) {
        let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
        if place.path(&from).is_dir() {
            copy_folder(place, &from, &to);
        } else {
            std::fs::copy(place.path(&from), place.path(&to)).unwrap();
        }
    }
}
