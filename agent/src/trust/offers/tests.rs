//! Which approval counts, on real signed repositories.

use super::*;
use crate::samples::{family_of, now, own, plan, site_of};
use patchward_protocol::approval::{Action, KnownExploited, StandingPolicy};
use patchward_protocol::id::{FamilyId, Seq};
use patchward_protocol::tuf::custom::{Class, Kind, Severity};

/// What a hospital decides about one release.
fn decides(family: &TrustedSet, seq: u64, serial: u64, action: Action) -> Approval {
    let path = TargetPath::new(&format!("img/infusion-a-{seq}.img")).unwrap();
    let mut approval = plan(&family.image(&path).unwrap().unwrap());
    approval.id = ApprovalId::new(&format!("plan-{serial}")).unwrap();
    (approval.serial, approval.action) = (serial, action);
    if action == Action::Standing {
        approval.release = None;
        approval.standing = Some(StandingPolicy {
            families: vec![FamilyId::new("acme.infusion-a").unwrap()],
            classes: vec![Class::Security, Class::SecurityAndFix, Class::Feature],
            severity_min: Severity::None,
            known_exploited: KnownExploited::BySeverity,
        });
    }
    approval
}

/// A device on which this rank runs.
fn running(family: &TrustedSet, seq: u64) -> Own {
    let path = TargetPath::new(&format!("img/infusion-a-{seq}.img")).unwrap();
    let image = family.image(&path).unwrap().unwrap().firmware.image();
    Own { installed: Some(image), ..own(Kind::Tree) }
}

/// What the approvals say to a device, read from disk as at run time.
fn offers(family: &TrustedSet, approvals: &[Approval], own: &Own) -> Offers {
    let folder = tempfile::tempdir().unwrap();
    let files = ApprovalFiles::new(folder.path().to_owned()).unwrap();
    for approval in approvals {
        let bytes = approval.write().unwrap();
        write_durably(&files.path(Sha256Digest::of(&bytes)), &bytes).unwrap();
    }
    read(&site_of(approvals), family, &files, own)
}

fn best(offers: &Offers) -> Option<(u64, u64)> {
    let best = offers.best(Some(now()))?;
    Some((best.admitted.serial, best.admitted.image.seq.0))
}

fn refused(offers: &Offers) -> Vec<Reason> {
    offers.refused.iter().map(|(_, refusal)| refusal.reason).collect()
}

#[test]
fn what_the_hospital_decided_last_counts_forward_or_back() {
    let family = family_of(&[1, 2, 3]);
    let forward = |serial| decides(&family, 3, serial, Action::Install);
    let back = |serial| decides(&family, 1, serial, Action::Rollback);
    let own = running(&family, 2);
    assert_eq!(best(&offers(&family, &[forward(1), back(2)], &own)), Some((2, 1)));
    assert_eq!(best(&offers(&family, &[forward(2), back(1)], &own)), Some((2, 3)));
}

#[test]
fn going_back_needs_a_maker_who_still_says_so_of_the_image_that_runs() {
    let family = family_of(&[1, 2, 3]);
    let one = [decides(&family, 1, 1, Action::Rollback)];
    assert_eq!(best(&offers(&family, &one, &running(&family, 2))), Some((1, 1)));
    let far = offers(&family, &one, &running(&family, 3));
    assert_eq!((best(&far), refused(&far)), (None, vec![Reason::RollbackNotPermitted]));
    // The image that runs is not listed any more: nobody can say what it permits.
    let mut gone = running(&family, 2);
    gone.installed.as_mut().unwrap().image_sha256 = Sha256Digest::of(b"gone");
    let gone = offers(&family, &one, &gone);
    assert_eq!((best(&gone), refused(&gone)), (None, vec![Reason::RollbackNotPermitted]));
    let floor = Own { image_floor: Seq(2), ..running(&family, 2) };
    assert_eq!(refused(&offers(&family, &one, &floor)), [Reason::BelowFloor]);
}

#[test]
fn a_standing_approval_offers_the_newest_release_once_and_an_older_one_is_no_news() {
    let family = family_of(&[1, 2, 3]);
    let standing = [decides(&family, 1, 4, Action::Standing)];
    let own = running(&family, 1);
    let read = offers(&family, &standing, &own);
    assert_eq!((best(&read), refused(&read)), (Some((4, 3)), vec![]));
    let spent = read.best(Some(now())).unwrap().admitted.spent_key;
    // It fell back: the newest is spent, the one before is still permitted.
    let read = offers(&family, &standing, &Own { spent: vec![spent], ..own });
    assert_eq!((best(&read), refused(&read)), (Some((4, 2)), vec![]));
    let read = offers(&family, &standing, &running(&family, 3));
    assert_eq!((best(&read), refused(&read)), (None, vec![]));
}

#[test]
fn after_a_fall_back_a_new_approval_offers_the_same_version_again() {
    let family = family_of(&[1, 2]);
    let first = decides(&family, 2, 1, Action::Install);
    let spent = Sha256Digest::of(&first.write().unwrap());
    let own = Own { spent: vec![spent], serial_floor: 1, ..running(&family, 1) };
    let read = offers(&family, std::slice::from_ref(&first), &own);
    assert_eq!((best(&read), refused(&read)), (None, vec![Reason::ApprovalReplayed]));
    let again = decides(&family, 2, 2, Action::Install);
    assert_eq!(best(&offers(&family, &[first, again], &own)), Some((2, 2)));
}
