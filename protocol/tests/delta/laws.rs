//! What holds for every pair of images.

use crate::images::{Machine, applied, delta_of, full_of, image, parameters, program, windows_of};
use patchward_protocol::delta::build::{Index, Parameters};
use patchward_protocol::delta::format::FrameKind;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

/// One difference between two releases. Places are taken modulo the image's length.
#[derive(Debug, Clone)]
enum Edit {
    Insert { at: usize, seed: u64, length: usize },
    Delete { at: usize, length: usize },
    Move { from: usize, to: usize, length: usize },
    Patch { at: usize, step: usize, count: usize, by: u32 },
    Clear { at: usize, length: usize },
    Replace { at: usize, every: usize, seed: u64, length: usize },
}

impl Edit {
    fn edit(&self, image: &mut Vec<u8>) {
        let length = image.len();
        let place = |at: usize| if length == 0 { 0 } else { at % length };
        let end = |at: usize, more: usize| place(at).saturating_add(more).min(length);
        match *self {
            Self::Insert { at, seed, length } => {
                image.splice(place(at)..place(at), crate::images::image(seed, length));
            }
            Self::Delete { at, length } => {
                image.drain(place(at)..end(at, length));
            }
            Self::Move { from, to, length } => {
                let moved: Vec<u8> = image.drain(place(from)..end(from, length)).collect();
                let to = to % (image.len() + 1);
                image.splice(to..to, moved);
            }
            Self::Patch { at, step, count, by } => {
                let places = (place(at)..length.saturating_sub(4)).step_by(step).take(count);
                for at in places {
                    let word = u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
                    image[at..at + 4].copy_from_slice(&word.wrapping_add(by).to_le_bytes());
                }
            }
            Self::Replace { at, every, seed, length } => {
                let other = crate::images::image(seed, length);
                for at in (place(at)..image.len()).step_by(every) {
                    image.iter_mut().skip(at).zip(&other).for_each(|(old, new)| *old = *new);
                }
            }
            Self::Clear { at, length } => image[place(at)..end(at, length)].fill(0),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0..1_000_000_usize;
    prop_oneof![
        (at.clone(), 0..4_u64, 0..9_000_usize).prop_map(|(at, seed, length)| Edit::Insert {
            at,
            seed,
            length
        }),
        (at.clone(), 0..9_000_usize).prop_map(|(at, length)| Edit::Delete { at, length }),
        (at.clone(), at.clone(), 0..90_000_usize).prop_map(|(from, to, length)| Edit::Move {
            from,
            to,
            length
        }),
        (at.clone(), 1..300_usize, 0..2_000_usize, any::<u32>())
            .prop_map(|(at, step, count, by)| Edit::Patch { at, step, count, by }),
        (at.clone(), 500..90_000_usize, 20..30_u64, 0..60_000_usize)
            .prop_map(|(at, every, seed, length)| Edit::Replace { at, every, seed, length }),
        (at, 0..150_000_usize).prop_map(|(at, length)| Edit::Clear { at, length }),
    ]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0..300_usize, Just(65_536), Just(131_072), 60_000..250_000_usize]
}

fn pair() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let edited = (0..6_u64, length(), prop::collection::vec(edit(), 0..6)).prop_map(
        |(seed, length, edits)| {
            let old = image(seed, length);
            let mut new = old.clone();
            edits.iter().for_each(|edit| edit.edit(&mut new));
            (old, new)
        },
    );
    let unrelated = (length(), length()).prop_map(|(old, new)| (image(7, old), image(8, new)));
    let zeros = (length(), length()).prop_map(|(old, new)| (vec![0; old], vec![0; new]));
    let pair = prop_oneof![8 => edited, 1 => unrelated, 1 => zeros];
    // An image without bytes has no container.
    pair.prop_map(|(old, mut new)| {
        new.extend(new.is_empty().then_some(1));
        (old, new)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_built_gives_the_new_image_whatever_the_threads(
        (old, new) in pair(),
        index in prop_oneof![Just(Index::SuffixArray), Just(Index::Sampled)],
        threads in 2..6_usize,
    ) {
        let (file, built) = delta_of(&old, &new, &parameters(index, 1));
        prop_assert!(applied(&file, Some(built.table_sha256), &old).unwrap() == new);
        let (again, _) = delta_of(&old, &new, &parameters(index, threads));
        prop_assert!(file == again);
        let limit = built.header.window + built.header.comp_len_max + built.header.streams_len_max;
        prop_assert!(u64::from(limit) < built.header.memory_bytes());
    }

    #[test]
    fn full_and_delta_have_the_same_windows((old, new) in pair()) {
        let (file, full) = full_of(&new, &parameters(Index::Sampled, 2));
        let (_, delta) = delta_of(&old, &new, &parameters(Index::Sampled, 2));
        prop_assert!(applied(&file, Some(full.table_sha256), &[]).unwrap() == new);
        prop_assert_eq!(full.header.frames, delta.header.frames);
        prop_assert_eq!(full.header.new, delta.header.new);
        for index in 0..full.header.frames {
            prop_assert_eq!(full.header.window_at(index), delta.header.window_at(index));
        }
        let spare = u64::from(full.header.frames) * 16;
        prop_assert!(delta.file_len <= full.file_len + spare, "a delta is never much longer");
    }

    #[test]
    fn the_crate_bsdiff_gives_the_same_image((old, new) in pair()) {
        let mut patch = Vec::new();
        bsdiff::diff(&old, &new, &mut patch).unwrap();
        let mut theirs = Vec::new();
        bsdiff::patch(&old, &mut patch.as_slice(), &mut theirs).unwrap();
        let (file, _) = delta_of(&old, &new, &parameters(Index::SuffixArray, 2));
        prop_assert!(applied(&file, None, &old).unwrap() == theirs);
    }
}

#[test]
fn programs_whose_functions_moved_come_out_by_either_way_to_count() {
    let edits = prop::collection::vec(edit(), 0..3);
    let cases = (1..1000_u64, 1..2500_usize, 0..70_usize, edits);
    let aimed = [FrameKind::AimedX86, FrameKind::AimedArm];
    let windows = Cell::new(aimed.map(|_| 0_u32));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(16));
    let came_out = runner.run(&cases, |(seed, functions, more, edits)| {
        for machine in [Machine::X86, Machine::Arm] {
            let old = program(seed, functions, 0, machine);
            let mut new = program(seed, functions, more, machine);
            edits.iter().for_each(|edit| edit.edit(&mut new));
            new.extend(new.is_empty().then_some(1));
            let (file, built) = delta_of(&old, &new, &parameters(Index::SuffixArray, 2));
            prop_assert!(applied(&file, Some(built.table_sha256), &old).unwrap() == new);
            let [x86, arm] = aimed.map(|kind| windows_of(&built, kind));
            windows.update(|[by_x86, by_arm]| [by_x86 + x86, by_arm + arm]);
        }
        Ok(())
    });
    came_out.unwrap();
    let windows = windows.get();
    assert!(windows.iter().all(|count| *count >= 3), "windows of both kinds: {windows:?}");
}

#[test]
fn calls_to_functions_that_moved_cost_little_more_than_their_new_distances() {
    for (machine, kind) in
        [(Machine::X86, FrameKind::AimedX86), (Machine::Arm, FrameKind::AimedArm)]
    {
        let (old, new) = (program(5, 4000, 0, machine), program(5, 4000, 8, machine));
        for index in [Index::SuffixArray, Index::Sampled] {
            let (file, built) = delta_of(&old, &new, &parameters(index, 2));
            assert!(applied(&file, Some(built.table_sha256), &old).unwrap() == new);
            let windows = windows_of(&built, kind);
            assert!(windows * 2 > built.header.frames, "{machine:?} {:?}", built.kinds);
        }
    }
}

#[test]
fn every_level_packs_what_the_reader_takes() {
    let new = image(1, 1 << 20);
    for level in 1..=22 {
        let parameters = Parameters { level, window: 1 << 20, ..parameters(Index::Sampled, 1) };
        let (file, built) = full_of(&new, &parameters);
        assert!(applied(&file, Some(built.table_sha256), &[]).unwrap() == new, "{level}");
    }
    let long = image(2, 4 << 20);
    let parameters = Parameters { level: 1, window: 4 << 20, ..parameters(Index::Sampled, 1) };
    let (file, built) = full_of(&long, &parameters);
    assert!(applied(&file, Some(built.table_sha256), &[]).unwrap() == long);
}

#[test]
fn what_is_unchanged_between_changed_parts_costs_next_to_nothing() {
    let old = noise(1, 1 << 20);
    for changed in [16 * 1024, 64 * 1024, 190 * 1024] {
        let mut new = old.clone();
        let parts = new.chunks_mut(256 * 1024).map(|part| &mut part[..changed]);
        parts.zip(2..).for_each(|(part, seed)| part.copy_from_slice(&noise(seed, changed)));
        for index in [Index::SuffixArray, Index::Sampled] {
            let (file, _) = delta_of(&old, &new, &parameters(index, 2));
            assert!(applied(&file, None, &old).unwrap() == new);
            assert!(file.len() < 4 * changed + 10_000, "{changed} {index:?} {}", file.len());
        }
    }
}

/// Bytes that nothing packs and nothing matches.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        state.to_be_bytes()[0]
    });
    next.take(length).collect()
}

#[test]
fn longer_windows_give_the_same_image() {
    let old = image(1, 700_000);
    let mut new = old.clone();
    Edit::Move { from: 5, to: 400_000, length: 90_000 }.edit(&mut new);
    Edit::Patch { at: 9, step: 41, count: 9_000, by: 0x1234 }.edit(&mut new);
    for window in [128 * 1024, 1 << 20, 4 << 20] {
        let parameters = Parameters { window, ..parameters(Index::SuffixArray, 1) };
        let (file, built) = delta_of(&old, &new, &parameters);
        assert!(applied(&file, Some(built.table_sha256), &old).unwrap() == new);
    }
}
