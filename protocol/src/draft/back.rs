//! Going back: whether the manufacturer permits it from what is installed, and which holes open again.
//!
//! The manufacturer's word stands in the installed image's own signed entry (`rollback_ok`); the
//! device asks it again. Not here: automatic ways back.
//! Invariant: an installed image that the verified repository does not list permits nothing.

use super::left_out::{Left, LeftOut};
use crate::api::site::DeviceView;
use crate::approval::Approval;
use crate::id::Seq;
use crate::language::Language;
use crate::tuf::custom::Firmware;
use std::collections::BTreeSet;

/// Why a device may not go back to a release; nothing when it may.
#[must_use]
pub fn not_permitted(releases: &[Firmware], to: &Firmware, view: &DeviceView) -> Option<Left> {
    let because = |reason| Left::new(view.device.clone(), reason);
    let Some(installed) = &view.installed else {
        return Some(because(LeftOut::RunsUnknown));
    };
    if installed.seq <= to.seq {
        return Some(because(LeftOut::RunsOlder));
    }
    let runs = |firmware: &&Firmware| firmware.payload.image_sha256 == installed.image_sha256;
    match releases.iter().find(runs) {
        Some(firmware) if firmware.rollback_ok.contains(&to.seq) => None,
        Some(firmware) => Some(because(LeftOut::BackNotPermitted).about(&firmware.version)),
        None => Some(because(LeftOut::ImageUnlisted)),
    }
}

/// CVEs that open again when a device goes back: those that the releases after `to` and up to `from`
/// close; up to the newest when nobody knows what is installed.
#[must_use]
pub fn reexposed(releases: &[Firmware], to: Seq, from: Option<Seq>) -> BTreeSet<String> {
    let later = releases
        .iter()
        .filter(|firmware| firmware.seq > to && from.is_none_or(|from| firmware.seq <= from));
    let still: BTreeSet<_> =
        releases.iter().filter(|firmware| firmware.seq == to).flat_map(|fw| &fw.cves).collect();
    later.flat_map(|firmware| &firmware.cves).filter(|cve| !still.contains(cve)).cloned().collect()
}

/// The holes that a rollback approval opens again on the devices that it names. Where one device's
/// image is unknown here, every later release counts.
#[must_use]
pub fn reexposed_by(
    approval: &Approval,
    releases: &[Firmware],
    views: &[DeviceView],
) -> BTreeSet<String> {
    let Some(release) = &approval.release else { return BTreeSet::new() };
    let named: Vec<_> = named(approval, views).collect();
    let all_known = named.len() == approval.devices.len();
    let from = newest(named.into_iter()).filter(|_| all_known);
    reexposed(releases, release.seq, from)
}

/// The views of the devices that an approval names.
pub fn named<'a>(
    approval: &'a Approval,
    views: &'a [DeviceView],
) -> impl Iterator<Item = &'a DeviceView> {
    let ids: BTreeSet<_> = approval.devices.iter().map(|device| &device.id).collect();
    views.iter().filter(move |view| ids.contains(&view.device))
}

/// The newest release that runs on one of these devices.
#[must_use]
pub fn newest<'a>(views: impl Iterator<Item = &'a DeviceView>) -> Option<Seq> {
    views.filter_map(|view| view.installed.as_ref()).map(|image| image.seq).max()
}

/// The devices that may not go back, each with the reason.
#[must_use]
pub fn refused<'a>(
    releases: &[Firmware],
    to: &Firmware,
    views: impl Iterator<Item = &'a DeviceView>,
) -> Vec<Left> {
    views.filter_map(|view| not_permitted(releases, to, view)).collect()
}

/// Which holes open again, in words, when a plan for devices of a family is drawn up.
#[must_use]
pub fn lines(
    language: Language,
    releases: &[Firmware],
    to: &Firmware,
    views: &[DeviceView],
) -> Vec<String> {
    let of_family = views.iter().filter(|view| view.family == to.family);
    let cves = reexposed(releases, to.seq, newest(of_family));
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

/// Which holes an approval opens again, in one line; none where it opens none.
#[must_use]
pub fn opens_again(language: Language, cves: &BTreeSet<String>) -> Option<String> {
    let cves: Vec<_> = cves.iter().cloned().collect();
    let word = language.pick("! GOING BACK OPENS AGAIN:", "! ロールバックにより再び生じる脆弱性:");
    (!cves.is_empty()).then(|| format!("{word} {}", cves.join(", ")))
}
