//! The guide on images: each of its recipes gives the same bytes from folders that were filled in
//! another order at another time, and the lint finds nothing in them.

#![allow(clippy::disallowed_methods, reason = "images of a test need not survive a power cut")]

use crate::lint::shell;
use crate::place::Place;
use std::os::unix::fs::{PermissionsExt as _, symlink};

const EN: &str = include_str!("../../../docs/guide/en/images.md");
const JA: &str = include_str!("../../../docs/guide/ja/images.md");

/// The recipes of a page, by name.
fn recipes(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```sh ").skip(1);
    fenced.map(|part| part.split("```").next().unwrap().split_once('\n').unwrap()).collect()
}

fn commands(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("    patchward ")).collect()
}

/// The image that a recipe leaves behind.
const IMAGES: [(&str, &str); 4] = [
    ("ext4", "root.ext4"),
    ("squashfs", "root.squashfs"),
    ("erofs", "root.erofs"),
    ("disk", "disk.img"),
];

fn fill(place: &Place, turn: bool) {
    let mut files: Vec<(String, Vec<u8>)> = (0..60)
        .map(|n| (format!("root/etc/conf.d/{n}"), format!("value = {n}\n").into_bytes()))
        .collect();
    let program: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    files.push(("root/bin/pump program".to_owned(), program));
    files.push(("root/bin-old/x".to_owned(), b"between bin and bin/".to_vec()));
    if turn {
        files.reverse();
    }
    for (name, bytes) in &files {
        place.write(name, bytes);
    }
    symlink("pump program", place.path("root/bin/start")).unwrap();
    let mode = |name: &str, bits| {
        let bits = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(place.path(name), bits).unwrap();
    };
    mode("root/bin/pump program", 0o755);
    mode("root/etc/conf.d", 0o700);
}

#[test]
fn both_languages_show_the_same_recipes_and_commands() {
    assert_eq!(recipes(EN), recipes(JA));
    assert_eq!(commands(EN), commands(JA));
    let names: Vec<_> = recipes(EN).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, IMAGES.map(|(name, _)| name));
}

#[test]
fn every_recipe_gives_the_same_bytes_twice_and_the_lint_finds_nothing() {
    let (one, other) = (Place::new(), Place::new());
    fill(&one, false);
    fill(&other, true);
    // Another time of reading and changing than in the first folder.
    shell(&other, "find root -exec touch -h -a -d 2001-01-01 {} +");
    for ((name, recipe), (_, image)) in recipes(EN).into_iter().zip(IMAGES) {
        for place in [&one, &other] {
            shell(place, recipe);
        }
        assert_eq!(one.read(image), other.read(image), "{name}");
        let previous = other.path(image).display().to_string();
        let said = one.json(&format!("release lint {image} --previous {previous}"));
        assert_eq!(said["lint"], serde_json::json!([]), "{name}");
        assert_eq!(said["compared"], true, "{name}");
        let alone = one.json(&format!("release lint {image}"));
        assert_eq!(alone["lint"], serde_json::json!([]), "{name}");
    }
    let listed = "debugfs -R 'ls -l /etc' root.ext4 2>/dev/null | grep -q '40700.*conf.d'; \
                  debugfs -R 'cat \"/bin/pump program\"' root.ext4 2>/dev/null | cmp - 'root/bin/pump program'";
    shell(&one, listed);
}

#[test]
fn the_commands_of_the_page_run_as_they_stand() {
    let (place, server) = (Place::new(), crate::double::Double::start());
    place.login(&server);
    place.publish_first("family:acme.infusion-a");
    place.release_inputs();
    let text = String::from_utf8(place.read("dossier.toml")).unwrap();
    place.write("dossier.toml", text.replace("kind = \"tree\"", "kind = \"slots\""));
    fill(&place, false);
    let ext4 = recipes(EN)[0].1;
    shell(&place, &format!("{ext4}\ncp root.ext4 old.ext4"));
    let words = crate::place::PREPARE.replace("--image image", "--image old.ext4");
    place.good(&format!("{words} --out r12"));
    place.write("root/etc/conf.d/7", "value = 8\n");
    shell(&place, &format!("{ext4}\ncp root.ext4 new.ext4"));
    for line in commands(EN) {
        place.good(line);
    }
    let said = place.json("delta inspect d.pwd");
    assert!(said["length"].as_u64().unwrap() < 4_000, "one line changed: {said}");
}
