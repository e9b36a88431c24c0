//! Containers that are made and read back.

use super::*;
use crate::delta::apply::{ApplyError, NoBase, whole};
use std::cell::RefCell;
use std::io::Cursor;

/// Bytes that look like a program: repeated words with differences, and some noise.
pub(super) fn sample(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<[u8; 8]> = (0..200).map(|_| next().to_le_bytes()).collect();
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        let at = next();
        if at % 5 == 0 {
            out.extend_from_slice(&next().to_le_bytes()[..3]);
        } else {
            out.extend_from_slice(&words[usize::try_from(at >> 20).unwrap() % words.len()]);
        }
    }
    out.truncate(length);
    out
}

pub(super) fn small() -> Parameters {
    Parameters { window: 64 * 1024, level: 3, ..Parameters::default() }
}

fn made(new: &[u8], parameters: &Parameters) -> (Vec<u8>, Built) {
    let mut file = Cursor::new(Vec::new());
    let built = full(new, &mut file, parameters, &|_| ()).unwrap();
    (file.into_inner(), built)
}

fn read_back(file: &[u8], signed: Option<Sha256Digest>) -> Result<Vec<u8>, ApplyError> {
    let mut image = Vec::new();
    let mut write = |at: u64, window: &[u8]| {
        assert_eq!(at, wide(image.len()));
        image.extend_from_slice(window);
        Ok(())
    };
    whole(&mut Cursor::new(file), signed, &mut NoBase, &mut write, &|_| ())?;
    Ok(image)
}

#[test]
fn a_full_container_gives_its_image_back() {
    for length in [1, 100, 65_535, 65_536, 65_537, 300_000] {
        let new = sample(7, length);
        let (file, built) = made(&new, &small());
        assert_eq!(built.file_len, wide(file.len()));
        assert_eq!(built.header.new.sha256, Sha256Digest::of(&new));
        assert_eq!(read_back(&file, Some(built.table_sha256)).unwrap(), new);
    }
}

#[test]
fn windows_of_zeros_have_no_payload() {
    let mut new = vec![0; 200_000];
    new[150_000] = 1;
    let (file, built) = made(&new, &small());
    assert_eq!(built.kinds, [0, 3, 0, 0, 1, 0, 0, 0]);
    assert!(file.len() < 192 + 4 * 104 + 100);
    assert_eq!(read_back(&file, None).unwrap(), new);
}

#[test]
fn windows_that_do_not_pack_keep_the_limit() {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let new: Vec<u8> = noise.take(130_000).collect();
    let (file, built) = made(&new, &small());
    assert!(built.header.comp_len_max > 65_536);
    assert_eq!(read_back(&file, None).unwrap(), new);
}

#[test]
fn threads_change_no_byte() {
    let new = sample(3, 700_000);
    let (one, _) = made(&new, &small());
    for threads in [2, 3, 8, 64] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let (many, _) = made(&new, &Parameters { threads, ..small() });
        assert!(many == one);
    }
}

#[test]
fn progress_grows_to_the_length_of_the_image() {
    let heard = RefCell::new(Vec::new());
    let new = sample(3, 150_000);
    let mut out = Cursor::new(Vec::new());
    full(new.as_slice(), &mut out, &small(), &|done| heard.borrow_mut().push(done)).unwrap();
    assert_eq!(heard.into_inner(), [65_536, 131_072, 150_000]);
}

#[test]
fn what_has_no_container_is_refused() {
    let mut out = Cursor::new(Vec::new());
    let mut refused = |new: &[u8], parameters| full(new, &mut out, &parameters, &|_| ()).is_err();
    assert!(refused(&[], small()));
    assert!(refused(&[1], Parameters { window: 65_537, ..small() }));
    assert!(refused(&[1], Parameters { window: 32 * 1024, ..small() }));
    assert!(refused(&[1], Parameters { level: 0, ..small() }));
    assert!(!refused(&[1], small()));
}

#[test]
fn an_image_that_ends_early_is_said_so() {
    struct Short;
    impl Source for Short {
        fn length(&self) -> u64 {
            1_000_000
        }
        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
            into.fill(1);
            if offset > 500_000 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        }
    }
    for threads in [1, 4] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let mut out = Cursor::new(Vec::new());
        let built = full(&Short, &mut out, &Parameters { threads, ..small() }, &|_| ());
        assert!(matches!(built, Err(BuildError::ReadNew(_))));
    }
}

#[test]
fn a_file_with_something_behind_it_is_refused() {
    let (mut file, _) = made(&sample(1, 1000), &small());
    file.push(0);
    assert!(matches!(read_back(&file, None), Err(ApplyError::Length { .. })));
}

#[test]
fn another_head_than_the_signed_one_is_refused() {
    let (file, built) = made(&sample(1, 1000), &small());
    assert_eq!(built.kinds[FrameKind::ALL.iter().position(|k| *k == FrameKind::Raw).unwrap()], 1);
    let other = Sha256Digest::of(b"other");
    assert!(matches!(read_back(&file, Some(other)), Err(ApplyError::Format(_))));
}

fn delta_of(old: &[u8], new: &[u8], parameters: &Parameters) -> (Vec<u8>, Built) {
    let mut file = Cursor::new(Vec::new());
    let built = delta(old, new, &mut file, parameters, &|_| ()).unwrap();
    (file.into_inner(), built)
}

fn applied(file: &[u8], old: &[u8]) -> Result<Vec<u8>, ApplyError> {
    let mut image = Vec::new();
    let mut write = |_: u64, window: &[u8]| {
        image.extend_from_slice(window);
        Ok(())
    };
    whole(&mut Cursor::new(file), None, &mut &*old, &mut write, &|_| ())?;
    Ok(image)
}

/// A release after another: bytes inserted, removed, changed, and addresses moved.
fn next_release(old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    new.splice(10_000..10_000, sample(77, 700));
    new.drain(90_000..91_111);
    for at in (100_000..160_000).step_by(37) {
        let word = u32::from_le_bytes(new[at..at + 4].try_into().unwrap()).wrapping_add(700);
        new[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    for at in (160_000..200_000).step_by(911) {
        new[at] ^= 0x55;
    }
    new
}

#[test]
fn a_delta_gives_the_new_image_back_with_both_indexes() {
    let old = sample(5, 400_000);
    let new = next_release(&old);
    for index in [Index::SuffixArray, Index::Sampled] {
        let (file, built) = delta_of(&old, &new, &Parameters { index, ..small() });
        assert!(file.len() < 12_000, "{index:?} {}", file.len());
        assert!(
            built.kinds[2] + built.kinds[3] + built.kinds[6] + built.kinds[7] >= 4,
            "{:?}",
            built.kinds
        );
        assert!(applied(&file, &old).unwrap() == new);
    }
}

#[test]
fn unchanged_and_moved_windows_are_copies() {
    let old = sample(5, 400_000);
    let mut new = old[131_072..262_144].to_vec();
    new.extend_from_slice(&old[100_001..200_000]);
    let (file, built) = delta_of(&old, &new, &small());
    assert_eq!(built.kinds, [4, 0, 0, 0, 0, 0, 0, 0]);
    assert!(applied(&file, &old).unwrap() == new);
}

#[test]
fn a_delta_from_nothing_is_a_full_container() {
    let new = sample(5, 100_000);
    let (file, built) = delta_of(&[], &new, &small());
    assert_eq!(built.header.old, None);
    assert!(read_back(&file, None).unwrap() == new);
}
