//! The lint of images, on file systems made by the real tools, and on superblocks that lie.

#![allow(clippy::disallowed_methods, reason = "images of a test need not survive a power cut")]

use crate::place::{Place, dated};
use patchward_cli::here::{ExampleKeys, Here, Language, Watcher};
use patchward_cli::lint::{Lint, LintWord, LintWords, look};
use patchward_protocol::tuf::custom::Kind;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::process::Command;

const ID: &str = "6b1d4a80-0000-4000-8000-000000000001";
const OTHER: &str = "6b1d4a80-0000-4000-8000-000000000002";

/// Runs a line of shell in the folder; a tool that is not there is a failure with its package.
pub(crate) fn shell(place: &Place, line: &str) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let done = Command::new("sh")
        .args(["-ec", line])
        .current_dir(place.path(""))
        .env("PATH", path)
        .env("TZ", "UTC")
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{line}\n{}{}\nneeded: apt-get install e2fsprogs squashfs-tools erofs-utils dosfstools fdisk \
         (`cargo xtask test` does it)",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn with_tree() -> Place {
    let place = Place::new();
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    place.write("root/etc/long", text);
    for n in 0..40 {
        place.write(&format!("root/etc/conf.d/{n}"), format!("value = {n}\n"));
    }
    place
}

fn codes(said: &Value) -> Vec<String> {
    let of = |finding: &Value| finding["code"].as_str().unwrap().to_owned();
    said["lint"].as_array().unwrap().iter().map(of).collect()
}

fn found(place: &Place, image: &str) -> Vec<String> {
    codes(&place.json(&format!("release lint {image}")))
}

fn compared(place: &Place, image: &str, previous: &str) -> Vec<String> {
    codes(&place.json(&format!("release lint {image} --previous {previous}")))
}

#[test]
fn a_compressed_squashfs_is_named_with_what_it_costs_and_an_uncompressed_one_is_not() {
    let place = with_tree();
    let make = "mksquashfs root $1 -noappend -quiet -no-progress -all-root -mkfs-time 1767225600 \
                -all-time 1767225600";
    for (name, options) in [
        ("zstd", "-comp zstd"),
        ("gzip", ""),
        ("half", "-noD -noF"),
        ("plain", "-noI -noD -noF -noX"),
    ] {
        shell(&place, &format!("{} {options}", make.replace("$1", name)));
    }
    for name in ["zstd", "gzip", "half"] {
        assert_eq!(found(&place, name), ["squashfs_compressed"], "{name}");
    }
    assert_eq!(found(&place, "plain"), [""; 0]);
    let said = place.good("release lint zstd");
    assert!(said.out.contains("image, squashfs: zstd: data, fragments"), "{}", said.out);
    assert!(said.out.contains("34.1 MB per delta"), "{}", said.out);
    assert!(said.out.contains("not compared with the previous"), "{}", said.out);
    let said = place.good("release lint half --lang ja");
    assert!(said.out.contains("gzip: inodes and folders"), "{}", said.out);
    assert!(said.out.contains("差分は34.1 MB"), "{}", said.out);
    shell(&place, &make.replace("$1", "later").replace("1767225600", "1767225601"));
    assert_eq!(compared(&place, "later", "gzip"), ["squashfs_compressed", "time_changed"]);
    shell(&place, "mksquashfs root now -noI -noD -noF -noX -quiet -no-progress");
    assert_eq!(found(&place, "now"), ["time_of_build"]);
}

#[test]
fn an_erofs_is_read_too() {
    let place = with_tree();
    for (name, options) in [("lz4", "-zlz4"), ("plain", "")] {
        shell(&place, &format!("mkfs.erofs -T1767225600 -U {ID} {options} {name} root"));
    }
    assert_eq!(found(&place, "lz4"), ["erofs_compressed"]);
    assert_eq!(found(&place, "plain"), [""; 0]);
    shell(&place, &format!("mkfs.erofs -T1767225601 -U {OTHER} other root"));
    assert_eq!(compared(&place, "other", "plain"), ["time_changed", "uuid_changed"]);
    assert_eq!(compared(&place, "plain", "plain"), [""; 0]);
}

#[test]
fn ext_file_systems_say_journal_times_seed_and_identity() {
    let place = with_tree();
    let make = |name: &str, id: &str, options: &str| {
        format!(
            "truncate -s 8M {name} && E2FSPROGS_FAKE_TIME=1767225600 mke2fs -q -t ext4 {options} -U {id} \
             -E hash_seed={id} {name}"
        )
    };
    shell(&place, &make("journal", ID, ""));
    shell(&place, &make("plain", ID, "-O ^has_journal"));
    shell(&place, &make("other", OTHER, "-O ^has_journal"));
    assert_eq!(found(&place, "journal"), ["ext_journal"]);
    assert_eq!(found(&place, "plain"), [""; 0]);
    let said = place.json("release lint other --previous plain");
    assert_eq!(codes(&said), ["uuid_changed", "hash_seed_changed"]);
    assert_eq!(said["lint"][0]["place"], "image, ext4 with metadata_csum");
    assert_eq!(said["compared"], true);
    shell(&place, &make("small", ID, "-O ^has_journal -b 4096"));
    assert_eq!(compared(&place, "small", "plain"), ["system_changed"]);
    // Files that were copied in at several moments carry these moments.
    shell(
        &place,
        "cp plain copied; for t in 1767225601 1767225602; do export E2FSPROGS_FAKE_TIME=$t; \
         debugfs -w -R \"write root/etc/long f$t\" copied 2>&1; \
         debugfs -w -R \"set_inode_field f$t mtime @1\" copied 2>&1; done",
    );
    let said = place.json("release lint copied");
    assert_eq!(codes(&said), ["ext_inode_times"], "{said}");
    assert!(compared(&place, "copied", "plain").contains(&"time_changed".to_owned()));
    // What the kernel writes when it mounts: count and time.
    let mut image = place.read("plain");
    image[1024 + 44..1024 + 48].copy_from_slice(&1_767_225_700_u32.to_le_bytes());
    image[1024 + 52] = 1;
    place.write("mounted", image);
    assert_eq!(found(&place, "mounted"), ["ext_mounted"]);
    shell(&place, "mke2fs -q -t ext2 -d root fresh 8M");
    assert!(found(&place, "fresh").contains(&"time_of_build".to_owned()));
}

#[test]
fn file_systems_are_found_inside_partitions() {
    let place = with_tree();
    shell(
        &place,
        "mksquashfs root part -quiet -no-progress -all-root -mkfs-time 1 -all-time 1; \
         truncate -s 6M disk; dd if=part of=disk bs=512 seek=2048 conv=notrunc status=none; cp disk other; \
         cp disk mbr; cp disk mbr2",
    );
    let table = |disk: &str, label: &str, id: &str, uuid: &str| {
        let line = format!("start=2048, size=4096, type=L{uuid}");
        shell(
            &place,
            &format!(
                "printf 'label: {label}\\nlabel-id: {id}\\n{line}\\n' | sfdisk --quiet {disk}"
            ),
        );
    };
    table("disk", "gpt", ID, &format!(", uuid={ID}"));
    table("other", "gpt", OTHER, &format!(", uuid={ID}"));
    table("mbr", "dos", "0x12345678", "");
    table("mbr2", "dos", "0x12345679", "");
    for disk in ["disk", "mbr"] {
        let said = place.json(&format!("release lint {disk}"));
        assert_eq!(codes(&said), ["squashfs_compressed"], "{disk}");
        assert_eq!(said["lint"][0]["place"], "partition 1, squashfs", "{disk}");
    }
    let said = place.json("release lint other --previous disk");
    assert_eq!(codes(&said), ["squashfs_compressed", "disk_id_changed"]);
    let detail = said["lint"][1]["detail"].as_str().unwrap();
    assert_eq!(detail, format!("disk GUID {ID} -> {OTHER}"));
    assert_eq!(compared(&place, "mbr2", "mbr"), ["squashfs_compressed", "disk_id_changed"]);
}

#[test]
fn a_fat_volume_and_a_wrapped_image_and_noise_are_named() {
    let place = with_tree();
    for (name, id, size) in
        [("a", "11112222", "4M"), ("b", "33334444", "4M"), ("c", "11112222", "64M")]
    {
        let bits = if size == "64M" { 32 } else { 12 };
        shell(
            &place,
            &format!("truncate -s {size} {name}; mkfs.fat -F {bits} --invariant -i {id} {name}"),
        );
    }
    assert_eq!(found(&place, "a"), [""; 0]);
    let said = place.json("release lint b --previous a");
    assert_eq!(codes(&said), ["volume_serial_changed"]);
    assert_eq!(said["lint"][0]["detail"], "volume serial 1111-2222 -> 3333-4444");
    assert_eq!(found(&place, "c"), [""; 0]);
    shell(&place, "gzip -n < a > a.gz");
    place.write("a.xz", b"\xfd7zXZ\0 and so on");
    assert_eq!(found(&place, "a.gz"), ["image_wrapped"]);
    assert_eq!(found(&place, "a.xz"), ["image_wrapped"]);
    let mut state = 1_u64;
    let noise = (0..1_000_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    });
    place.write("noise", noise.collect::<Vec<_>>());
    assert_eq!(found(&place, "noise"), ["content_compressed"]);
    place.write("text", "the same words over and over\n".repeat(40_000));
    assert_eq!(found(&place, "text"), [""; 0]);
    place.write("tree/noise", place.read("noise"));
    assert_eq!(found(&place, "tree"), ["content_compressed"]);
}

#[test]
fn findings_never_refuse_a_release_unless_somebody_asks_for_that() {
    use crate::double::Double;
    use crate::place::PREPARE;
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first("family:acme.infusion-a");
    place.release_inputs();
    let text = String::from_utf8(place.read("dossier.toml")).unwrap();
    place.write("dossier.toml", text.replace("kind = \"tree\"", "kind = \"slots\""));
    shell(&place, "truncate -s 8M plain; mke2fs -q -t ext3 plain; gzip -n < plain > disk.gz");
    let words = PREPARE.replace("--image image", "--image disk.gz");
    let run = place.refused("lint_denied", &format!("{words} --lint deny --out r1"));
    assert!(run.err.contains("lint[image_wrapped] image: gzip"), "{}", run.err);
    assert!(!place.path("r1").exists());
    assert!(!crate::place::names(&place.path("")).iter().any(|name| name.ends_with(".part")));
    let said = place.json(&format!("{words} --out r1"));
    assert_eq!(codes(&said), ["image_wrapped"]);
    let words = PREPARE.replace("--image image", "--image plain");
    let said = place.good(&format!("{words} --lint warn --out r2"));
    assert!(said.out.contains("! lint[ext_journal] image, ext3"), "{}", said.out);
    // The container of the release stands for its image.
    let previous = "r2/targets/img/infusion-a-2.4.1.pwd";
    shell(&place, "cp plain next; tune2fs -U 6b1d4a80-0000-4000-8000-000000000001 next");
    let said = place.json(&format!("release lint next --previous {previous}"));
    assert!(codes(&said).contains(&"uuid_changed".to_owned()), "{said}");
}

#[test]
fn every_finding_speaks_both_languages() {
    let codes: BTreeSet<_> = Lint::ALL.iter().map(|lint| lint.code()).collect();
    assert_eq!(codes.len(), Lint::ALL.len());
    for lint in Lint::ALL {
        assert!(lint.en().is_ascii() && lint.en().ends_with('.'), "{lint}");
        assert!(!lint.ja().is_ascii() && lint.ja().ends_with('。'), "{lint}");
    }
}

fn here() -> Here {
    Here {
        at: dated("@0T00:00:00Z").parse().unwrap(),
        random: |_| Ok(()),
        config_dir: std::path::PathBuf::new(),
        language: Language::En,
        example_keys: ExampleKeys::Refused,
        clock: || std::time::Duration::ZERO,
        watcher: Watcher::Nobody,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Law: whatever stands where superblocks and tables stand, looking ends and refuses nothing.
    #[test]
    fn a_superblock_that_lies_costs_nobody_anything(
        noise in prop::collection::vec(any::<u8>(), 8192),
        magic in prop::sample::select(vec!["ext", "erofs", "squashfs", "gpt", "mbr", "fat"]),
        cut in 0_usize..8192,
    ) {
        let mut bytes = noise;
        match magic {
            "ext" => bytes[1024 + 56..1024 + 58].copy_from_slice(&[0x53, 0xef]),
            "erofs" => bytes[1024..1028].copy_from_slice(&[0xe2, 0xe1, 0xf5, 0xe0]),
            "squashfs" => bytes[..4].copy_from_slice(b"hsqs"),
            "gpt" => bytes[512..520].copy_from_slice(b"EFI PART"),
            "mbr" => {
                for at in [446, 462, 478, 494] {
                    bytes[at] = 0;
                    bytes[at + 4] = 0x83;
                }
                bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            }
            _ => {
                bytes[54..57].copy_from_slice(b"FAT");
                bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            }
        }
        bytes.truncate(cut.max(1));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        std::fs::write(&path, &bytes).unwrap();
        let words = LintWords { previous: Some(path.clone()), lint: LintWord::Warn };
        let file = File::open(&path).unwrap();
        let report = look(&here(), &path, &file, Kind::Slots, &words, folder.path()).unwrap();
        let changed = [Lint::UuidChanged, Lint::TimeChanged, Lint::HashSeedChanged, Lint::SystemChanged];
        prop_assert!(!report.findings.iter().any(|finding| changed.contains(&finding.lint)));
    }
}
