//! Containers that were changed on the way, and containers of another time.

use crate::images::{applied, delta_of, image, parameters};
use patchward_protocol::delta::apply::ApplyError;
use patchward_protocol::delta::build::Index;
use patchward_protocol::delta::format::FormatError;

fn small_pair() -> (Vec<u8>, Vec<u8>) {
    let old = image(3, 70_000);
    let mut new = old.clone();
    new.splice(1000..1000, image(4, 40));
    for at in (3000..5000).step_by(61) {
        new[at] = new[at].wrapping_add(9);
    }
    (old, new)
}

#[test]
fn every_changed_byte_is_refused_or_does_no_harm() {
    let (old, new) = small_pair();
    let (file, built) = delta_of(&old, &new, &parameters(Index::SuffixArray, 1));
    assert!(file.len() < 1200, "{}", file.len());
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[at] ^= flip;
            assert!(applied(&changed, Some(built.table_sha256), &old).is_err(), "{at} {flip}");
            if let Ok(image) = applied(&changed, None, &old) {
                assert!(image == new, "{at} {flip}");
            }
        }
    }
}

#[test]
fn every_beginning_and_every_longer_file_is_refused() {
    let (old, new) = small_pair();
    let (mut file, built) = delta_of(&old, &new, &parameters(Index::SuffixArray, 1));
    for length in 0..file.len() {
        assert!(applied(&file[..length], Some(built.table_sha256), &old).is_err(), "{length}");
    }
    file.push(0);
    assert!(matches!(applied(&file, None, &old), Err(ApplyError::Length { .. })));
}

#[test]
fn a_changed_old_image_is_noticed() {
    let (old, new) = small_pair();
    let (file, _) = delta_of(&old, &new, &parameters(Index::SuffixArray, 1));
    for at in (0..old.len()).step_by(997) {
        let mut changed = old.clone();
        changed[at] ^= 0x10;
        assert!(matches!(applied(&file, None, &changed), Err(ApplyError::Image)), "{at}");
    }
    assert!(applied(&file, None, &old[..60_000]).is_err());
}

#[test]
fn an_unknown_feature_has_a_refusal_of_its_own() {
    let (old, new) = small_pair();
    let (mut file, _) = delta_of(&old, &new, &parameters(Index::SuffixArray, 1));
    file[12] = 4;
    let said = applied(&file, None, &old);
    assert!(matches!(said, Err(ApplyError::Format(FormatError::Feature(4)))));
}
