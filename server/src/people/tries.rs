//! Counting attempts to sign in, in buckets: an account or an address, or a browser that is known.
//!
//! A browser in which somebody has signed in before counts for itself alone, so that guessing from
//! elsewhere keeps nobody out of it. A name that nobody has counts like one, in a bucket that nobody
//! outside can find out. Not here: how long a wait is ([`super::lockout`]).
//! Invariant: a try is stored before it is looked at.

use super::lockout::{ACCOUNT, ADDRESS, KEPT_S, Rule};
use super::session::Browser;
use super::vault::Vault;
use super::who::AccountId;
use crate::clock::{self, NoChance, Rng};
use crate::db::{Connection, DbError, login_try};
use crate::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use std::net::IpAddr;
use subtle::ConstantTimeEq as _;

/// A browser is known for so many seconds after somebody signed in with it: 180 days.
pub const KNOWN_S: i64 = 180 * 24 * 3600;
/// Most characters of its cookie.
const KNOWN_CHARS_MAX: usize = 300;

/// Who knocks.
#[derive(Clone, Default)]
pub struct Knock {
    /// From where.
    pub browser: Browser,
    /// The cookie of a browser that is known.
    pub known: Option<String>,
    /// The session's cookie of before, which ends when another begins.
    pub held: Option<String>,
}

impl std::fmt::Debug for Knock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knock").field("browser", &self.browser).finish_non_exhaustive()
    }
}

/// Where a try counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets(Vec<(String, Rule)>);

impl Buckets {
    /// For the password, or nothing but a name that nobody has.
    #[must_use]
    pub fn password(
        vault: &Vault,
        knock: &Knock,
        (login, account): (&str, Option<AccountId>),
        at: Timestamp,
    ) -> Self {
        let name = account.map_or_else(
            || format!("unknown:{}", vault.unknown(login)),
            |account| format!("account:{}", account.0),
        );
        Self::of(vault, knock, (name, account), at)
    }

    /// For the second factor.
    #[must_use]
    pub fn second(vault: &Vault, knock: &Knock, account: AccountId, at: Timestamp) -> Self {
        Self::of(vault, knock, (format!("second:{}", account.0), Some(account)), at)
    }

    /// For what has no account yet: links and passkeys.
    #[must_use]
    pub fn address(knock: &Knock) -> Self {
        Self(address(&knock.browser.address).into_iter().map(|name| (name, ADDRESS)).collect())
    }

    fn of(
        vault: &Vault,
        knock: &Knock,
        (name, account): (String, Option<AccountId>),
        at: Timestamp,
    ) -> Self {
        let known = knock.known.as_deref().zip(account);
        let known = known.and_then(|(token, account)| read_known(vault, token, account, at));
        if let Some(known) = known {
            return Self(vec![(known, ACCOUNT)]);
        }
        let mut all = vec![(name, ACCOUNT)];
        all.extend(Self::address(knock).0);
        Self(all)
    }
}

/// Counts a try, unless one has to wait: then for how many seconds.
///
/// # Errors
/// [`DbError`].
pub fn count(
    conn: &mut Connection,
    buckets: &Buckets,
    at: Timestamp,
) -> Result<Result<(), i64>, DbError> {
    login_try::sweep(conn, at.plus_seconds(KEPT_S.saturating_neg()))?;
    let mut read = Vec::new();
    for (name, rule) in &buckets.0 {
        let stored = login_try::read(conn, name)?;
        let tries = stored.not_after(at);
        let wait_s = tries.wait_s(*rule, at);
        if wait_s > 0 {
            if tries != stored {
                login_try::write(conn, name, tries)?;
            }
            return Ok(Err(wait_s));
        }
        read.push((name, tries.tried(at)));
    }
    for (name, tries) in read {
        login_try::write(conn, name, tries)?;
    }
    Ok(Ok(()))
}

/// The try was right: what is the account's is forgotten, what is the address's taken back.
///
/// # Errors
/// [`DbError`].
pub fn forgive(conn: &mut Connection, buckets: &Buckets) -> Result<(), DbError> {
    for (name, rule) in &buckets.0 {
        if *rule == ADDRESS {
            let tries = login_try::read(conn, name)?;
            login_try::write(conn, name, tries.untried())?;
        } else {
            login_try::clear(conn, name)?;
        }
    }
    Ok(())
}

/// What is told to somebody who has to wait.
#[must_use]
pub fn delayed(wait_s: i64) -> ApiError {
    let wait_s = u32::try_from(wait_s).unwrap_or(u32::MAX);
    ApiError::Refused {
        code: ErrorCode::LoginDelayed,
        detail: Some(format!("{wait_s} s")),
        retry_after_s: Some(wait_s),
    }
}

/// The cookie of a browser in which an account has signed in.
///
/// # Errors
/// [`NoChance`].
pub fn known(
    vault: &Vault,
    rng: &dyn Rng,
    account: AccountId,
    at: Timestamp,
) -> Result<String, NoChance> {
    let random: [u8; 16] = clock::random(rng)?;
    let ends = at.plus_seconds(KNOWN_S).millis();
    let says = format!("{}.{}.{ends}", account.0, hex::encode(random));
    let mark = URL_SAFE_NO_PAD.encode(vault.known(says.as_bytes()));
    Ok(format!("{says}.{mark}"))
}

/// The bucket of a known browser, when its cookie is ours, for this account, and has not ended.
fn read_known(vault: &Vault, token: &str, account: AccountId, at: Timestamp) -> Option<String> {
    if token.len() > KNOWN_CHARS_MAX {
        return None;
    }
    let (says, mark) = token.rsplit_once('.')?;
    let mark = URL_SAFE_NO_PAD.decode(mark).ok()?;
    let good: bool = vault.known(says.as_bytes()).ct_eq(&mark).into();
    let mut parts = says.split('.');
    let whose: i64 = parts.next()?.parse().ok()?;
    let ends: i64 = parts.nth(1)?.parse().ok()?;
    let good = good && whose == account.0 && at < Timestamp::from_millis(ends);
    good.then(|| format!("known:{}", Sha256Digest::of(says.as_bytes())))
}

/// The bucket of an address: IPv6 by its network of 64 bits, which one household has.
fn address(text: &str) -> Option<String> {
    Some(match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => {
            let network: Vec<_> =
                address.segments().iter().take(4).map(|part| format!("{part:x}")).collect();
            format!("address:{}::", network.join(":"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use crate::people::vault::tests::vault;

    const ME: AccountId = AccountId(7);

    fn knock(address: &str, known: Option<String>) -> Knock {
        let browser = Browser { agent: String::new(), address: address.to_owned() };
        Knock { browser, known, held: None }
    }

    fn names(buckets: &Buckets) -> Vec<&str> {
        buckets.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_known_browser_counts_for_itself_alone() {
        let (vault, at) = (vault(1), Timestamp::from_millis(1000));
        let token = known(&vault, &SeededRng::new(1), ME, at).unwrap();
        let mine = knock("192.0.2.1", Some(token.clone()));
        let buckets = Buckets::password(&vault, &mine, ("tanaka", Some(ME)), at);
        assert_eq!(names(&buckets).len(), 1);
        assert!(names(&buckets)[0].starts_with("known:"));
        let other = Buckets::password(&vault, &mine, ("sato", Some(AccountId(8))), at);
        assert_eq!(names(&other), ["account:8", "address:192.0.2.1"]);
        let late = at.plus_seconds(KNOWN_S);
        let late = Buckets::password(&vault, &mine, ("tanaka", Some(ME)), late);
        assert_eq!(names(&late), ["account:7", "address:192.0.2.1"]);
        for index in 0..token.len() {
            let mut broken = token.clone().into_bytes();
            broken[index] = if broken[index] == b'1' { b'2' } else { b'1' };
            let broken = knock("192.0.2.1", String::from_utf8(broken).ok());
            let buckets = Buckets::password(&vault, &broken, ("tanaka", Some(ME)), at);
            assert!(!names(&buckets)[0].starts_with("known:"), "byte {index}");
        }
    }

    #[test]
    fn a_name_that_nobody_has_counts_too() {
        let vault = vault(1);
        let at = Timestamp::from_millis(1000);
        let buckets = Buckets::password(&vault, &knock("", None), ("nobody", None), at);
        assert!(names(&buckets)[0].starts_with("unknown:"));
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        assert_eq!(address("2001:db8:1:2:3:4:5:6"), address("2001:db8:1:2::1"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:192.0.2.1").as_deref(), Some("address:192.0.2.1"));
        assert_eq!(address(""), None);
    }
}
