//! Deltas by hand: made the same every time, applied whole or not at all, and every way in which a
//! container can be wrong has a code of its own.

use crate::double::Double;
use crate::place::{Place, names};
use patchward_protocol::delta::apply::Entries;
use patchward_protocol::delta::format::{Frame, FrameKind, Header, spell};
use patchward_protocol::digest::Sha256Digest;
use serde_json::{Value, json};
use std::io::Cursor;

/// Bytes that do not pack, the same each time.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Two images: most is shared, something is inserted, something is new, the end is zero.
fn pair(place: &Place) -> (Vec<u8>, Vec<u8>) {
    let old = noise(400_000, 7);
    let mut new = old[..150_000].to_vec();
    new.extend_from_slice(b"inserted");
    new.extend_from_slice(&old[150_000..]);
    new.extend(noise(70_000, 9));
    new.extend([0; 200_000]);
    place.write("old.img", &old);
    place.write("new.img", &new);
    (old, new)
}

const BUILD: &str = "delta build old.img new.img --window 65536";
const APPLY: &str = "delta apply d.pwd --old old.img --out out.img";

#[test]
fn a_delta_is_the_same_for_any_number_of_threads_and_gives_the_new_image() {
    let place = Place::new();
    let (old, new) = pair(&place);
    let said = place.json(&format!("{BUILD} --threads 1 --out d.pwd"));
    place.good(&format!("{BUILD} --threads 3 --out e.pwd"));
    let delta = place.read("d.pwd");
    assert_eq!(delta, place.read("e.pwd"));
    assert!(delta.len() < 90_000, "{}", delta.len());
    assert_eq!(said["sha256"], json!(Sha256Digest::of(&delta)));
    assert_eq!(said["old"]["sha256"], json!(Sha256Digest::of(&old)));
    place.good(APPLY);
    assert_eq!(place.read("out.img"), new);
    let table = said["table_sha256"].as_str().unwrap();
    let wanted = Sha256Digest::of(&new);
    let verify = format!("delta verify d.pwd --old old.img --table-sha256 {table}");
    assert_eq!(place.json(&format!("{verify} --new-sha256 {wanted}"))["good"], true);
    place.good(&format!("{BUILD} --index sampled --out s.pwd"));
    place.good("delta verify s.pwd --old old.img");
    let left = ["d.pwd", "e.pwd", "new.img", "old.img", "out.img", "pass", "s.pwd", "token"];
    let there: Vec<_> = names(&place.path("")).into_iter().filter(|n| n != "config").collect();
    assert_eq!(there, left, "nothing else is left");
}

#[test]
fn folders_and_full_containers_stand_for_the_images_that_they_hold() {
    let place = Place::new();
    pair(&place);
    place.good("delta build old.img old.img --out same.pwd");
    place.write("one/bin/pump", noise(90_000, 3));
    place.write("two/bin/pump", noise(90_000, 3));
    place.write("two/etc/conf", b"rate=2\n");
    place.good("delta build one two --out tree.pwd");
    place.good("delta apply tree.pwd --old one --out two.tar");
    let listed = std::process::Command::new("tar").arg("-tf").arg(place.path("two.tar")).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["bin/", "bin/pump", "etc/", "etc/conf"]);
    // A delta from nothing is a full container: it needs no old image, and stands for its image.
    place.write("nothing", []);
    place.good("delta build nothing old.img --out full.pwd");
    assert_eq!(place.json("delta inspect full.pwd")["full"], true);
    place.good("delta apply full.pwd --out again.img");
    assert_eq!(place.read("again.img"), place.read("old.img"));
    place.good("delta build full.pwd new.img --window 65536 --out a.pwd");
    place.good(&format!("{BUILD} --out b.pwd"));
    assert_eq!(place.read("a.pwd"), place.read("b.pwd"));
    place.good("delta apply b.pwd --old full.pwd --out n.img");
    assert_eq!(place.read("n.img"), place.read("new.img"));
    let run = place.refused("delta_old_missing", "delta build b.pwd new.img --out c.pwd");
    assert!(run.err.contains("is a delta"), "{}", run.err);
}

#[test]
fn a_container_says_what_it_is_before_anything_is_unpacked() {
    let place = Place::new();
    let (old, new) = pair(&place);
    place.good(&format!("{BUILD} --out d.pwd"));
    let said = place.json("delta inspect d.pwd --frames");
    assert_eq!(said["full"], false);
    assert_eq!(said["old"], json!({"length": old.len(), "sha256": Sha256Digest::of(&old)}));
    assert_eq!(said["new"], json!({"length": new.len(), "sha256": Sha256Digest::of(&new)}));
    let kinds = said["kinds"].as_object().unwrap();
    let sum = |field: &str| kinds.values().map(|kind| kind[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("windows"), said["windows"].as_u64().unwrap());
    assert_eq!(sum("image_bytes"), u64::try_from(new.len()).unwrap());
    assert_eq!(sum("payload_bytes"), said["payload_bytes"].as_u64().unwrap());
    assert!(kinds["zero"]["windows"].as_u64().unwrap() >= 2, "{kinds:?}");
    assert!(kinds["raw"]["windows"].as_u64().unwrap() >= 1, "{kinds:?}");
    assert_eq!(said["frames"].as_array().unwrap().len(), 11);
    let shown = place.good("delta inspect d.pwd --lang ja");
    assert!(shown.out.contains("展開に要するメモリー"), "{}", shown.out);
}

#[test]
fn an_existing_file_is_never_overwritten_and_a_failure_leaves_nothing() {
    let place = Place::new();
    pair(&place);
    place.good(&format!("{BUILD} --out d.pwd"));
    let before = place.read("d.pwd");
    place.refused("file_exists", &format!("{BUILD} --out d.pwd"));
    assert_eq!(place.read("d.pwd"), before);
    place.refused("delta_old_missing", "delta apply d.pwd --out out.img");
    place.refused("delta_old_differs", "delta apply d.pwd --old new.img --out out.img");
    let mut old = place.read("old.img");
    old[399_999] ^= 1;
    place.write("touched.img", old);
    place.refused("delta_old_differs", "delta apply d.pwd --old touched.img --out out.img");
    place.refused("value_bad", "delta build old.img new.img --window 1000 --out x.pwd");
    place.write("nothing", []);
    place.refused("delta_image_length", "delta build old.img nothing --out x.pwd");
    place.refused("file_missing", "delta build old.img none --out x.pwd");
    let digest = Sha256Digest::of(b"another");
    let verify = format!("delta verify d.pwd --old old.img --new-sha256 {digest}");
    place.refused("delta_new_differs", &verify);
    let parts: Vec<_> = names(&place.path(""));
    assert!(!parts.iter().any(|name| name.ends_with(".part") || name == "out.img"), "{parts:?}");
}

/// A container whose parts are changed and whose digests are made to fit again.
struct Forge(Vec<u8>);

const FIRST: usize = 192;

impl Forge {
    fn frames(&self) -> (Header, Vec<Frame>) {
        let mut file = Cursor::new(&self.0);
        let mut entries = Entries::of(&mut file).unwrap();
        let header = *entries.header();
        (header, std::iter::from_fn(|| entries.next(&mut file).unwrap()).collect())
    }

    /// Where the table begins.
    fn table(&self) -> usize {
        FIRST + usize::try_from(self.frames().0.payload_len).unwrap()
    }

    /// Changes the payload of the first window of this kind.
    fn payload_of(&mut self, kind: FrameKind, change: impl FnOnce(&mut [u8])) {
        let frame = self.frames().1.into_iter().find(|frame| frame.kind == kind).unwrap();
        let at = |byte| usize::try_from(byte).unwrap();
        change(&mut self.0[at(frame.payload().start)..at(frame.payload().end)]);
    }

    /// Names the payloads as they are.
    fn seal(&mut self, frames: (Header, Vec<Frame>)) {
        let (mut header, mut frames) = frames;
        let at = |byte| usize::try_from(byte).unwrap();
        for frame in frames.iter_mut().filter(|frame| frame.kind.has_payload()) {
            let payload = at(frame.payload().start)..at(frame.payload().end);
            frame.payload_sha256 = Sha256Digest::of(&self.0[payload]);
        }
        let table = spell(&header, &frames);
        header.entries_sha256 = Sha256Digest::of(&table);
        self.0.truncate(FIRST + at(header.payload_len));
        self.0.extend(table);
        self.0[..FIRST].copy_from_slice(&header.write());
    }
}

#[test]
fn every_way_in_which_a_container_is_wrong_has_its_code() {
    let place = Place::new();
    pair(&place);
    place.good(&format!("{BUILD} --out good.pwd"));
    let good = place.read("good.pwd");
    let wrong = |code: &str, change: &dyn Fn(&mut Forge)| {
        let mut forge = Forge(good.clone());
        change(&mut forge);
        place.write("d.pwd", &forge.0);
        place.refused(code, APPLY);
        place.refused(code, "delta verify d.pwd --old old.img");
        assert!(!place.path("out.img").exists(), "{code}");
    };
    wrong("delta_none", &|forge| forge.0[0] = b'X');
    wrong("delta_version", &|forge| forge.0[8] = 1);
    wrong("delta_feature", &|forge| forge.0[15] = 0x80);
    wrong("delta_header", &|forge| forge.0[191] = 1);
    wrong("delta_entry", &|forge| {
        let table = forge.table();
        forge.0[table] = 9;
    });
    wrong("delta_table", &|forge| forge.0[120] ^= 1);
    wrong("delta_length", &|forge| forge.0.truncate(forge.0.len() - 1));
    wrong("delta_length", &|forge| forge.0.push(0));
    wrong("delta_length", &|forge| forge.0.truncate(FIRST + 7));
    wrong("delta_payload", &|forge| forge.payload_of(FrameKind::Diff8, |bytes| bytes[3] ^= 1));
    wrong("delta_malformed", &|forge| {
        let frames = forge.frames();
        forge.payload_of(FrameKind::Diff8, |bytes| bytes[..4].fill(0xff));
        forge.seal(frames);
    });
    wrong("delta_stream", &|forge| {
        let frames = forge.frames();
        forge.payload_of(FrameKind::Raw, |bytes| bytes.fill(0));
        forge.seal(frames);
    });
    wrong("delta_image", &|forge| forge.0[88] ^= 1);
    place.write("d.pwd", &good);
    let table = format!("--table-sha256 {}", Sha256Digest::of(b"another"));
    place.refused("delta_digest", &format!("{APPLY} {table}"));
    place.good(APPLY);
    for code in ["delta_none", "delta_header", "delta_entry", "delta_table", "delta_length"] {
        let mut forge = Forge(good.clone());
        match code {
            "delta_none" => forge.0.truncate(0),
            "delta_header" => forge.0[36] = 1,
            "delta_entry" => {
                let table = forge.table();
                forge.0[table] = 77;
            }
            "delta_table" => forge.0[120] ^= 1,
            _ => forge.0.push(1),
        }
        place.write("d.pwd", &forge.0);
        let code = if code == "delta_none" { "delta_length" } else { code };
        place.refused(code, "delta inspect d.pwd");
    }
}

#[test]
fn a_full_container_one_of_whose_windows_is_another_has_its_code() {
    let place = Place::new();
    pair(&place);
    place.write("nothing", []);
    place.good("delta build nothing new.img --window 65536 --out full.pwd");
    let mut forge = Forge(place.read("full.pwd"));
    let (header, mut frames) = forge.frames();
    frames[2].output_sha256 = Some(Sha256Digest::of(b"another"));
    forge.seal((header, frames));
    place.write("d.pwd", &forge.0);
    place.refused("delta_output", "delta apply d.pwd --out out.img");
}

#[test]
fn one_changed_byte_anywhere_is_refused_or_changes_nothing() {
    let place = Place::new();
    place.write("old.img", noise(3_000, 5));
    let mut new = noise(3_000, 5);
    new[1_000..1_004].copy_from_slice(b"news");
    place.write("new.img", &new);
    place.good(&format!("{BUILD} --out good.pwd"));
    let good = place.read("good.pwd");
    for at in (0..good.len()).step_by(13) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        place.write("d.pwd", &bytes);
        let run = place.run("delta apply d.pwd --old old.img --out out.img");
        if run.status == 0 {
            assert_eq!(place.read("out.img"), new, "byte {at}");
            std::fs::remove_file(place.path("out.img")).unwrap();
        } else {
            assert!(run.err.starts_with("error[delta_"), "byte {at}: {}", run.err);
            assert!(!place.path("out.img").exists(), "byte {at}");
        }
    }
}

fn side(seq: u64, version: &str) -> Value {
    json!({"image_sha256": Sha256Digest::of(version.as_bytes()), "version": version, "seq": seq})
}

#[test]
fn the_server_s_word_on_deltas_says_why_for_every_pair_and_device() {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    let unknown = json!({"image_sha256": Sha256Digest::of(b"?"), "version": null, "seq": null});
    let pair = |from: Value, state: &str, bytes: Value, detail: Value| {
        json!({"from": from, "to": side(12, "2.4.1"), "devices": 3, "state": state, "bytes": bytes,
               "full_bytes": 108_000_000, "sha256": null, "index": null, "cpu_ms": null,
               "memory_kib": null, "since": "2026-11-22T00:00:00Z", "detail": detail})
    };
    let used = |device: &str, delta: Option<Sha256Digest>, fetched: u64, full: u32, why: &str| {
        let mut carried = json!({"fetched_bytes": fetched, "full_bytes": 108_000_000,
                                 "windows": 103, "windows_full": full});
        if let Some(delta) = delta {
            carried["delta_sha256"] = json!(delta);
        }
        json!({"device": device, "image_sha256": Sha256Digest::of(b"2.4.1"), "at": null,
               "reason": why, "carried": carried})
    };
    let view = json!({
        "delegated": false,
        "pairs": [
            pair(side(11, "2.4.0"), "published", json!(4_468_351), json!(null)),
            pair(side(10, "2.3.0"), "too-large", json!(70_000_000), json!(null)),
            pair(unknown, "base-unknown", json!(null), json!(null)),
            pair(side(9, "2.2.0"), "failed", json!(null), json!("the worker was ended by a signal")),
        ],
        "devices": [
            used("pump-01", Some(Sha256Digest::of(b"d")), 7_000_000, 3, "delta_output"),
            used("pump-02", None, 108_000_000, 103, "delta_memory"),
        ],
    });
    let path = "/v1/repositories/family/acme.infusion-a/deltas".to_owned();
    server.state.lock().unwrap().raw.insert(path, serde_json::to_vec(&view).unwrap());
    let said = place.good("delta status acme.infusion-a");
    for words in [
        "! the server may list no deltas of this family: patchward repo deltas acme.infusion-a",
        "2.4.0 (seq 11) -> 2.4.1 (seq 12): published, devices take it; 4.4 MB of 108.0 MB (4.1 %); 3 devices",
        "2.3.0 (seq 10) -> 2.4.1 (seq 12): not published: hardly smaller",
        "not built: the old image is no published container",
        "    the worker was ended by a signal",
        "pump-01: delta, 7.0 MB fetched of 108.0 MB, 101.0 MB saved; 3 of 103 windows from the full file; delta_output: ",
        "pump-02: full file, 108.0 MB fetched of 108.0 MB; delta_memory: ",
        "2 devices, 101.0 MB saved in all",
    ] {
        assert!(said.out.contains(words), "{words}\n{}", said.out);
    }
    let japanese = place.good("delta status acme.infusion-a --lang ja");
    assert!(japanese.out.contains("機器は全体を受け取ります"), "{}", japanese.out);
    assert_eq!(place.json("delta status acme.infusion-a"), view);
    place.refused("server_refused", "delta status acme.other");
}
