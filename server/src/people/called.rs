//! What people are called whom a record names by their account (`account:tanaka`).
//!
//! Not here: who may read a record. Invariant: what stands in a record is never changed; a page says the
//! name that the account has now, and the record's own words stand beside it where they are shown.

use super::name::LoginName;
use crate::db::{Connection, DbError, account};
use std::collections::BTreeMap;

/// How a record names an account ([`super::who::Who::by`]).
const PREFIX: &str = "account:";

/// Names of people, by the login names of their accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called(BTreeMap<String, String>);

impl Called {
    /// Reads the names of everybody whom these name by an account.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn read<'a>(
        conn: &mut Connection,
        named: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, DbError> {
        let mut names = BTreeMap::new();
        for login in named.into_iter().filter_map(|who| who.strip_prefix(PREFIX)) {
            if names.contains_key(login) {
                continue;
            }
            let Ok(read) = LoginName::read(login) else { continue };
            if let Some(account) = account::find_login(conn, &read)? {
                names.insert(login.to_owned(), account.name.to_string());
            }
        }
        Ok(Self(names))
    }

    /// These names, by login name.
    #[must_use]
    pub fn of_logins<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let names = names.into_iter().map(|(login, name)| (login.to_owned(), name.to_owned()));
        Self(names.collect())
    }

    /// What somebody is called: the person's name; the login name of an account that is not there; what
    /// is no account (a token, the server) as it is.
    #[must_use]
    pub fn name<'a>(&'a self, who: &'a str) -> &'a str {
        let Some(login) = who.strip_prefix(PREFIX) else { return who };
        self.0.get(login).map_or(login, String::as_str)
    }

    /// The same with the login name beside it, where one is known: two people may have one name, and a
    /// search in a record finds the account.
    #[must_use]
    pub fn line(&self, who: &str) -> String {
        let known = who.strip_prefix(PREFIX).and_then(|login| Some((self.0.get(login)?, login)));
        known.map_or_else(|| self.name(who).to_owned(), |(name, login)| format!("{name} ({login})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_called_by_name_and_nobody_by_the_word_for_an_account() {
        let called = Called::of_logins([("tanaka", "田中 由紀")]);
        assert_eq!(called.name("account:tanaka"), "田中 由紀");
        assert_eq!(called.name("account:sato"), "sato");
        assert_eq!(called.name("release-desk"), "release-desk");
        let lines = ["account:tanaka", "account:sato", "server"].map(|who| called.line(who));
        assert_eq!(lines, ["田中 由紀 (tanaka)", "sato", "server"]);
    }
}
