//! A short run on every machine: the committed containers, and some thousand hostile ones.
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use nix::sys::resource::{Resource, setrlimit};
use patchward_fuzz::{Outcome, Pool, Tally, play, read};
use std::path::Path;

/// Most memory of this process, in bytes: threads of the test's harness included.
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;

fn pool() -> Pool {
    setrlimit(Resource::RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    Pool::made().unwrap().with_folder(&corpus).unwrap()
}

#[test]
fn every_committed_container_ends_as_its_name_says() {
    let pool = pool();
    let committed = pool.files.iter().filter(|(name, _)| !name.starts_with("made-"));
    let mut count = 0;
    for (name, file) in committed {
        assert_eq!(&read(file, &pool.old).name(), name);
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn windows_that_count_in_places_of_code_are_decoded_to_their_end() {
    let pool = pool();
    for name in ["made-x86", "made-arm"] {
        assert_eq!(read(pool.files.get(name).unwrap(), &pool.old), Outcome::Sum, "{name}");
    }
}

#[test]
fn hostile_containers_are_refused_or_give_their_image() {
    let (mut pool, mut tally) = (pool(), Tally::default());
    play(&mut pool, 20_261_122, 10_000, &mut tally);
    assert_eq!(tally.executions, 10_000);
    assert!(tally.deep > 400, "damage gets past the digests: {tally:?}");
    assert!(tally.aimed > 40, "and reaches places of code: {tally:?}");
    assert!(tally.ends.len() > 25, "{tally:?}");
}

#[test]
fn the_same_seed_plays_the_same_rounds() {
    let play = |seed| {
        let (mut pool, mut tally) = (pool(), Tally::default());
        play(&mut pool, seed, 300, &mut tally);
        tally.ends
    };
    assert_eq!(play(5), play(5));
    assert!(play(5) != play(6));
}
