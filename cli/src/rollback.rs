//! Going back: whether the manufacturer permits it from what is installed, and which holes open again.
//!
//! The manufacturer's word stands in the installed image's own signed entry (`rollback_ok`); the
//! device asks it again. Not here: automatic ways back.
//! Invariant: an installed image that the verified repository does not list permits nothing.

use crate::error::{Code, Failure, Outcome};
use crate::here::Language;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::id::Seq;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use std::collections::BTreeSet;

/// Why a device may not go back to a release, in English and Japanese; nothing when it may.
#[must_use]
pub fn not_permitted(
    set: &TrustedSet,
    to: &Firmware,
    view: &DeviceView,
) -> Option<(String, String)> {
    let both = |en: &str, ja: &str| Some((en.to_owned(), ja.to_owned()));
    let Some(installed) = &view.installed else {
        return both("it does not say what runs on it", "適用中の版が不明です");
    };
    if installed.seq <= to.seq {
        return both(
            "it runs this release or an older one",
            "この版か、より古い版で動作しています",
        );
    }
    let runs = |firmware: &Firmware| firmware.payload.image_sha256 == installed.image_sha256;
    match releases(set).into_iter().find(runs) {
        Some(firmware) if firmware.rollback_ok.contains(&to.seq) => None,
        Some(firmware) => Some((
            format!("the manufacturer does not permit going back from {}", firmware.version),
            format!("製造販売業者は {} からのロールバックを許可していません", firmware.version),
        )),
        None => both(
            "what runs on it is not listed by the manufacturer",
            "適用中の版が製造販売業者の一覧にありません",
        ),
    }
}

/// CVEs that open again when a device goes back: those that the releases after `to` and up to `from`
/// close; up to the newest when nobody knows what is installed.
#[must_use]
pub fn reexposed(set: &TrustedSet, to: Seq, from: Option<Seq>) -> BTreeSet<String> {
    let later = releases(set)
        .into_iter()
        .filter(|firmware| firmware.seq > to && from.is_none_or(|from| firmware.seq <= from));
    let still: BTreeSet<_> = releases(set)
        .into_iter()
        .filter(|firmware| firmware.seq == to)
        .flat_map(|fw| fw.cves)
        .collect();
    later.flat_map(|firmware| firmware.cves).filter(|cve| !still.contains(cve)).collect()
}

/// The newest release that runs on one of these devices.
#[must_use]
pub fn newest<'a>(views: impl Iterator<Item = &'a DeviceView>) -> Option<Seq> {
    views.filter_map(|view| view.installed.as_ref()).map(|image| image.seq).max()
}

/// Refuses devices that may not go back, all at once.
///
/// # Errors
/// [`Code::RollbackNotPermitted`].
pub fn must_be_permitted<'a>(
    set: &TrustedSet,
    to: &Firmware,
    views: impl Iterator<Item = &'a DeviceView>,
) -> Outcome<()> {
    let refused: Vec<_> = views
        .filter_map(|view| Some(format!("{}: {}", view.device, not_permitted(set, to, view)?.0)))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let what = format!("{} {} (seq {})", to.family, to.version, to.seq);
    Err(Failure::with_problems(Code::RollbackNotPermitted, what, refused))
}

/// Which holes open again, in words.
#[must_use]
pub fn lines(
    language: Language,
    set: &TrustedSet,
    to: &Firmware,
    views: &[DeviceView],
) -> Vec<String> {
    let of_family = views.iter().filter(|view| view.family == to.family);
    let cves = reexposed(set, to.seq, newest(of_family));
    let cves: Vec<_> = cves.into_iter().collect();
    if cves.is_empty() {
        let none = language.pick(
            "going back opens no hole that the manufacturer names",
            "ロールバックで再び生じる既知の脆弱性はありません",
        );
        return vec![none.to_owned()];
    }
    vec![match language {
        Language::En => format!(
            "! GOING BACK OPENS AGAIN: {} — the signer names a compensating control, its owner and a due date",
            cves.join(", ")
        ),
        Language::Ja => format!(
            "! ロールバックにより再び生じる脆弱性: {}。署名時に補完的対策・担当者・期限が必要です",
            cves.join("、")
        ),
    }]
}

fn releases(set: &TrustedSet) -> Vec<Firmware> {
    let listed = set.images().into_iter().filter_map(Result::ok);
    listed.map(|image| image.firmware.clone()).collect()
}
