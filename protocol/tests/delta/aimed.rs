//! Committed deltas between programs, small enough to be written by hand: differences counted in places
//! where machine code keeps addresses.
//!
//! Invariant: the encoder makes these bytes, the decoder reads them, and with one byte changed they are
//! refused or give the same image.

use crate::images::{applied, delta_of, parameters, windows_of};
use patchward_protocol::delta::build::Index;
use patchward_protocol::delta::format::FrameKind;

/// What a release has: where its library and its data begin, and the limit in each tenth function.
#[derive(Clone, Copy)]
struct Release {
    library: u32,
    data: u32,
    limit: u8,
}

const BEFORE: Release = Release { library: 0x4000, data: 0x9000, limit: 7 };
const AFTER: Release = Release { library: 0x5230, data: 0xa7a4, limit: 9 };
const FUNCTIONS: u32 = 60;

fn x86(release: Release) -> Vec<u8> {
    let mut code = Vec::new();
    for function in 0..FUNCTIONS {
        code.extend([0x55, 0x48, 0x89, 0xe5]); // push rbp; mov rbp, rsp
        let nops = usize::try_from(function * function % 7).unwrap();
        code.extend(std::iter::repeat_n(0x90, nops));
        code.push(0xe8); // call
        code.extend(distance(release.library + function * 16, code.len()));
        code.extend([0x48, 0x8d, 0x05]); // lea rax, [rip + …]
        code.extend(distance(release.data + function * 8, code.len()));
        let limit = if function % 10 == 0 { release.limit } else { 3 };
        code.extend([0x83, 0xf8, limit]); // cmp eax, …
        code.extend([0x0f, 0x84, 0x02, 0, 0, 0]); // je, behind the next two
        code.extend([0x31, 0xc0, 0x5d, 0xc3]); // xor eax, eax; pop rbp; ret
    }
    code
}

fn distance(to: u32, at: usize) -> [u8; 4] {
    to.wrapping_sub(u32::try_from(at + 4).unwrap()).to_le_bytes()
}

fn arm(release: Release) -> Vec<u8> {
    let mut code: Vec<u8> = Vec::new();
    for function in 0..FUNCTIONS {
        let mut put = |words: &[u32]| {
            words.iter().for_each(|word| code.extend(word.to_le_bytes()));
            u32::try_from(code.len()).unwrap()
        };
        put(&[0xa9bf_7bfd]); // stp x29, x30, [sp, #-16]!
        let at = put(&vec![0xd503_201f; usize::try_from(function * function % 7).unwrap()]); // nop
        let to = release.library + function * 16;
        put(&[0x9400_0000 | (to.wrapping_sub(at) / 4) & 0x03ff_ffff]); // bl
        let to = release.data + function * 8;
        put(&[0x9000_0000 | (to >> 12 & 3) << 29 | (to >> 14) << 5]); // adrp x0
        put(&[0x9100_0000 | (to & 0xfff) << 10]); // add x0, x0, …
        let limit = if function % 10 == 0 { release.limit } else { 3 };
        put(&[0x7100_001f | u32::from(limit) << 10]); // cmp w0, …
        put(&[0xa8c1_7bfd, 0xd65f_03c0]); // ldp x29, x30, [sp], #16; ret
    }
    code
}

#[track_caller]
fn check(file: &[u8], kind: FrameKind, program: fn(Release) -> Vec<u8>) {
    let (old, new) = (program(BEFORE), program(AFTER));
    let (made, built) = delta_of(&old, &new, &parameters(Index::SuffixArray, 1));
    assert_eq!(windows_of(&built, kind), built.header.frames, "{:?}", built.kinds);
    assert!(made == file, "the encoder makes other bytes");
    assert!(applied(file, Some(built.table_sha256), &old).unwrap() == new);
    for at in 0..file.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut changed = file.to_vec();
            changed[at] ^= flip;
            assert!(applied(&changed, Some(built.table_sha256), &old).is_err(), "{at} {flip}");
            if let Ok(image) = applied(&changed, None, &old) {
                assert!(image == new, "{at} {flip}");
            }
        }
    }
}

#[test]
fn differences_in_places_of_x86_64_code_are_written_and_read_in_one_way() {
    check(include_bytes!("vectors/x86-64.pwd"), FrameKind::AimedX86, x86);
}

#[test]
fn differences_in_places_of_code_for_64_bit_arm_are_written_and_read_in_one_way() {
    check(include_bytes!("vectors/arm64.pwd"), FrameKind::AimedArm, arm);
}
