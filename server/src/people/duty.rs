//! Separation of duties: which roles one account may hold, and what everybody at a place must know.
//!
//! Nobody changes their own roles. An auditor at a place holds nothing else there. Who prepares releases
//! of a manufacturer does not publish them. A place keeps an administrator. And where the only person
//! who signs for a site also administers it, that is allowed (a clinic may have one), but never silent:
//! it stands on the page and in the record. Pure. Not here: rows.
//! Invariant: every rule is asked at every change of roles, whoever changes them.

use super::role::{Grant, MakerPower, MakerRole, SitePower, SiteRole};
use super::who::AccountId;
use patchward_protocol::api::error::ErrorCode;
use std::collections::BTreeSet;

/// Who changes roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// A person in the console.
    Account(AccountId),
    /// Whoever runs the server, at its command line.
    CommandLine,
}

/// What everybody at a place must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// The only account that signs for the site also administers it: nobody looks at what it does.
    SoleApprover(AccountId),
    /// Nobody can sign for the site in the console.
    NoApprover,
    /// One administrator only: when they are away, nobody can let anybody in.
    SoleAdministrator(AccountId),
}

impl Notice {
    /// The word in records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SoleApprover(_) => "sole-approver",
            Self::NoApprover => "no-approver",
            Self::SoleAdministrator(_) => "sole-administrator",
        }
    }
}

/// Whether an account may be given a role beside those it holds.
///
/// # Errors
/// `grant_own`, `grant_held`, `grant_apart`.
pub fn may_give(
    hand: Hand,
    account: AccountId,
    held: &[Grant],
    grant: &Grant,
) -> Result<(), ErrorCode> {
    if hand == Hand::Account(account) {
        return Err(ErrorCode::GrantOwn);
    }
    if held.contains(grant) {
        return Err(ErrorCode::GrantHeld);
    }
    let here = held.iter().filter(|other| other.place() == grant.place());
    if here.clone().any(|other| !go_together(other, grant)) {
        return Err(ErrorCode::GrantApart);
    }
    Ok(())
}

/// Whether a role may be taken from an account; `members` are the roles of enabled accounts there.
///
/// # Errors
/// `grant_own`, and `grant_last` for the last administrator, whom only the command line takes away.
pub fn may_take(
    hand: Hand,
    account: AccountId,
    grant: &Grant,
    members: &[(AccountId, Grant)],
) -> Result<(), ErrorCode> {
    if hand == Hand::Account(account) {
        return Err(ErrorCode::GrantOwn);
    }
    let mut others = members.iter().filter(|(other, _)| *other != account);
    let is_last = grant.administers() && !others.any(|(_, other)| other.administers());
    if is_last && hand != Hand::CommandLine { Err(ErrorCode::GrantLast) } else { Ok(()) }
}

/// Whether a person in the console, who holds `own`, may disable an account, let it in again or reset
/// its second factor: never the own one, and only one all of whose places they administer, since an
/// account is disabled everywhere at once.
///
/// # Errors
/// `account_own`, `account_elsewhere`.
pub fn may_close(
    hand: Hand,
    own: &[Grant],
    account: AccountId,
    held: &[Grant],
) -> Result<(), ErrorCode> {
    match hand {
        Hand::CommandLine => return Ok(()),
        Hand::Account(mine) if mine == account => return Err(ErrorCode::AccountOwn),
        Hand::Account(_) => {}
    }
    let administers = |place| own.iter().any(|grant| grant.administers() && grant.place() == place);
    let everywhere = held.iter().all(|grant| administers(grant.place()));
    if everywhere { Ok(()) } else { Err(ErrorCode::AccountElsewhere) }
}

/// What everybody at the place of these roles must know.
#[must_use]
pub fn notices(members: &[(AccountId, Grant)]) -> Vec<Notice> {
    let mut notices = Vec::new();
    let who = |holds: &dyn Fn(&Grant) -> bool| -> BTreeSet<AccountId> {
        members.iter().filter(|(_, grant)| holds(grant)).map(|(account, _)| *account).collect()
    };
    let administers = who(&Grant::administers);
    let is_site = members.iter().any(|(_, grant)| matches!(grant, Grant::Site(..)));
    if is_site {
        let signs =
            who(&|grant| matches!(grant, Grant::Site(_, role) if role.may(SitePower::Sign)));
        match (signs.len(), signs.first()) {
            (0, _) => notices.push(Notice::NoApprover),
            (1, Some(only)) if administers.contains(only) => {
                notices.push(Notice::SoleApprover(*only));
            }
            _ => {}
        }
    }
    if let (1, Some(only)) = (administers.len(), administers.first()) {
        notices.push(Notice::SoleAdministrator(*only));
    }
    notices
}

/// Whether one account may hold both of two roles at one place.
fn go_together(one: &Grant, other: &Grant) -> bool {
    match (one, other) {
        (Grant::Site(_, one), Grant::Site(_, other)) => {
            (*one == SiteRole::Auditor) == (*other == SiteRole::Auditor)
        }
        (Grant::Maker(_, one), Grant::Maker(_, other)) => {
            let writes = |role: &MakerRole| role.may(MakerPower::Release);
            let publishes = |role: &MakerRole| role.may(MakerPower::Publish);
            !(writes(one) && publishes(other) || publishes(one) && writes(other))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::{MakerId, SiteId};

    const ME: AccountId = AccountId(1);
    const OTHER: AccountId = AccountId(2);

    fn site(role: SiteRole) -> Grant {
        Grant::Site(SiteId::new("city").unwrap(), role)
    }

    fn maker(role: MakerRole) -> Grant {
        Grant::Maker(MakerId::new("acme").unwrap(), role)
    }

    #[test]
    fn nobody_gives_themselves_a_role_or_takes_one_away() {
        let admin = site(SiteRole::Admin);
        let hand = Hand::Account(ME);
        assert_eq!(may_give(hand, ME, &[], &admin), Err(ErrorCode::GrantOwn));
        assert_eq!(may_give(hand, OTHER, &[], &admin), Ok(()));
        let two = [(ME, admin.clone()), (OTHER, admin.clone())];
        assert_eq!(may_take(hand, ME, &admin, &two), Err(ErrorCode::GrantOwn));
        assert_eq!(may_take(hand, OTHER, &admin, &two), Ok(()));
    }

    #[test]
    fn an_auditor_holds_nothing_else_at_that_place() {
        let hand = Hand::Account(ME);
        for role in SiteRole::ALL {
            let alone = role == SiteRole::Auditor;
            let held = [site(SiteRole::Auditor)];
            let told = may_give(hand, OTHER, &held, &site(role)).unwrap_err();
            let expected = if alone { ErrorCode::GrantHeld } else { ErrorCode::GrantApart };
            assert_eq!(told, expected, "{role:?}");
        }
        let elsewhere = Grant::Site(SiteId::new("other").unwrap(), SiteRole::Admin);
        assert_eq!(may_give(hand, OTHER, &[elsewhere], &site(SiteRole::Auditor)), Ok(()));
    }

    #[test]
    fn who_prepares_releases_does_not_publish_them() {
        for writer in [MakerRole::Release, MakerRole::Psirt] {
            let key = maker(MakerRole::KeyHolder);
            let hand = Hand::CommandLine;
            let told = may_give(hand, OTHER, &[maker(writer)], &key);
            assert_eq!(told, Err(ErrorCode::GrantApart));
            let told = may_give(hand, OTHER, &[key], &maker(writer));
            assert_eq!(told, Err(ErrorCode::GrantApart));
        }
    }

    #[test]
    fn the_last_administrator_stays_unless_the_command_line_says_so() {
        let admin = site(SiteRole::Admin);
        let members = [(OTHER, admin.clone()), (ME, site(SiteRole::Approver))];
        let told = may_take(Hand::Account(ME), OTHER, &admin, &members);
        assert_eq!(told, Err(ErrorCode::GrantLast));
        assert_eq!(may_take(Hand::CommandLine, OTHER, &admin, &members), Ok(()));
    }

    #[test]
    fn nobody_closes_the_own_account_or_one_of_another_place_too() {
        let (admin, here) = (site(SiteRole::Admin), site(SiteRole::Approver));
        let hand = Hand::Account(ME);
        let own = [admin];
        assert_eq!(may_close(hand, &own, ME, &own), Err(ErrorCode::AccountOwn));
        assert_eq!(may_close(hand, &own, OTHER, std::slice::from_ref(&here)), Ok(()));
        let elsewhere = Grant::Site(SiteId::new("other").unwrap(), SiteRole::Viewer);
        for more in [elsewhere, Grant::Operator, maker(MakerRole::Viewer)] {
            let held = [here.clone(), more];
            assert_eq!(may_close(hand, &own, OTHER, &held), Err(ErrorCode::AccountElsewhere));
            assert_eq!(may_close(Hand::CommandLine, &[], OTHER, &held), Ok(()));
        }
        let approver = [site(SiteRole::Approver)];
        let told = may_close(hand, &approver, OTHER, &[here]);
        assert_eq!(told, Err(ErrorCode::AccountElsewhere), "an approver administers nothing");
    }

    #[test]
    fn an_administrator_who_alone_approves_is_named() {
        let alone = [(ME, site(SiteRole::Admin)), (OTHER, site(SiteRole::Ward))];
        let told = notices(&alone);
        assert_eq!(told, [Notice::SoleApprover(ME), Notice::SoleAdministrator(ME)]);
        let two = [(ME, site(SiteRole::Admin)), (OTHER, site(SiteRole::Approver))];
        assert_eq!(notices(&two), [Notice::SoleAdministrator(ME)]);
        let apart = [(OTHER, site(SiteRole::Approver)), (OTHER, site(SiteRole::Ward))];
        assert_eq!(notices(&apart), []);
        assert_eq!(notices(&[(ME, site(SiteRole::Viewer))]), [Notice::NoApprover]);
        assert_eq!(notices(&[(ME, Grant::Operator)]), [Notice::SoleAdministrator(ME)]);
    }
}
