//! Rows of accounts, of the persons of sites they are, and of their recovery codes.
//!
//! Not here: rules. Invariant: a code is used by compare-and-swap, a step of one-time codes only rises.

use super::column::{count, instant, parse, store_count};
use super::schema::{account_persons, accounts, disabled_accounts, recovery_codes};
use super::{Connection, DbError, queries};
use crate::people::account::Account;
use crate::people::name::{LoginName, Printed};
use crate::people::who::{AccountId, Language};
use diesel::prelude::*;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = accounts)]
struct Row {
    id: i64,
    login: String,
    name: String,
    title: String,
    language: String,
    password: String,
    second: Option<String>,
    second_step: i64,
    enrol_until: i64,
    created: i64,
    disabled: Option<i64>,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(accounts::table).values(row).execute(conn)?;
        Ok(())
    }

    fn last_id(conn) -> Result<Option<i64>, DbError> {
        Ok(accounts::table.select(diesel::dsl::max(accounts::id)).first::<Option<i64>>(conn)?)
    }

    fn row(conn, id: i64) -> Result<Option<Row>, DbError> {
        Ok(accounts::table.find(id).first::<Row>(conn).optional()?)
    }

    fn row_of(conn, login: &str) -> Result<Option<Row>, DbError> {
        let found = accounts::table.filter(accounts::login.eq(login));
        Ok(found.first::<Row>(conn).optional()?)
    }

    fn rows(conn) -> Result<Vec<Row>, DbError> {
        Ok(accounts::table.order(accounts::login).load(conn)?)
    }

    fn rows_in(conn, ids: &[i64]) -> Result<Vec<Row>, DbError> {
        let found = accounts::table.filter(accounts::id.eq_any(ids.to_vec()));
        Ok(found.order(accounts::login).load(conn)?)
    }

    fn set_password_row(conn, id: i64, password: &str) -> Result<(), DbError> {
        let row = accounts::table.find(id);
        diesel::update(row).set(accounts::password.eq(password)).execute(conn)?;
        Ok(())
    }

    fn set_words_row(conn, id: i64, name: &str, title: &str, language: &str) -> Result<(), DbError> {
        let words =
            (accounts::name.eq(name), accounts::title.eq(title), accounts::language.eq(language));
        diesel::update(accounts::table.find(id)).set(words).execute(conn)?;
        Ok(())
    }

    fn set_second_row(conn, id: i64, second: Option<String>, step: i64) -> Result<(), DbError> {
        let set = (accounts::second.eq(second), accounts::second_step.eq(step));
        diesel::update(accounts::table.find(id)).set(set).execute(conn)?;
        Ok(())
    }

    fn set_enrol_until_row(conn, id: i64, until: i64) -> Result<(), DbError> {
        let row = accounts::table.find(id);
        diesel::update(row).set(accounts::enrol_until.eq(until)).execute(conn)?;
        Ok(())
    }

    fn take_step_row(conn, id: i64, step: i64) -> Result<usize, DbError> {
        let older = accounts::table.find(id).filter(accounts::second_step.lt(step));
        Ok(diesel::update(older).set(accounts::second_step.eq(step)).execute(conn)?)
    }

    fn set_disabled_row(conn, id: i64, at: Option<i64>) -> Result<(), DbError> {
        let row = accounts::table.find(id);
        diesel::update(row).set(accounts::disabled.eq(at)).execute(conn)?;
        Ok(())
    }

    fn insert_disabled_row(conn, id: i64, by: &str, why: &str) -> Result<(), DbError> {
        let row = (
            disabled_accounts::account.eq(id),
            disabled_accounts::disabled_by.eq(by),
            disabled_accounts::why.eq(why),
        );
        diesel::insert_into(disabled_accounts::table).values(row).execute(conn)?;
        Ok(())
    }

    fn delete_disabled_row(conn, id: i64) -> Result<(), DbError> {
        diesel::delete(disabled_accounts::table.find(id)).execute(conn)?;
        Ok(())
    }

    fn disabled_row(conn, id: i64) -> Result<Option<(String, String)>, DbError> {
        let row = disabled_accounts::table.find(id);
        let both = (disabled_accounts::disabled_by, disabled_accounts::why);
        Ok(row.select(both).first::<(String, String)>(conn).optional()?)
    }

    fn person_rows(conn, id: i64) -> Result<Vec<(String, String)>, DbError> {
        let rows = account_persons::table.filter(account_persons::account.eq(id));
        let rows = rows.order(account_persons::site);
        Ok(rows.select((account_persons::site, account_persons::person)).load(conn)?)
    }

    fn holder_row(conn, site: &str, person: &str) -> Result<Option<i64>, DbError> {
        let row = account_persons::table
            .filter(account_persons::site.eq(site))
            .filter(account_persons::person.eq(person));
        Ok(row.select(account_persons::account).first::<i64>(conn).optional()?)
    }

    fn delete_person_row(conn, id: i64, site: &str) -> Result<(), DbError> {
        diesel::delete(account_persons::table.find((id, site))).execute(conn)?;
        Ok(())
    }

    fn insert_person_row(conn, id: i64, site: &str, person: &str) -> Result<(), DbError> {
        let row = (
            account_persons::account.eq(id),
            account_persons::site.eq(site),
            account_persons::person.eq(person),
        );
        diesel::insert_into(account_persons::table).values(row).execute(conn)?;
        Ok(())
    }

    fn delete_codes(conn, id: i64) -> Result<(), DbError> {
        let rows = recovery_codes::table.filter(recovery_codes::account.eq(id));
        diesel::delete(rows).execute(conn)?;
        Ok(())
    }

    fn insert_code(conn, id: i64, sha256: &str) -> Result<(), DbError> {
        let row = (recovery_codes::account.eq(id), recovery_codes::sha256.eq(sha256));
        diesel::insert_into(recovery_codes::table).values(row).execute(conn)?;
        Ok(())
    }

    fn use_code_row(conn, id: i64, sha256: &str, at: i64) -> Result<usize, DbError> {
        let row = recovery_codes::table.find((id, sha256)).filter(recovery_codes::used.is_null());
        Ok(diesel::update(row).set(recovery_codes::used.eq(Some(at))).execute(conn)?)
    }

    fn count_codes(conn, id: i64) -> Result<i64, DbError> {
        let rows = recovery_codes::table
            .filter(recovery_codes::account.eq(id))
            .filter(recovery_codes::used.is_null());
        Ok(rows.count().get_result(conn)?)
    }
}

/// The number of the next account: writers come one after the other.
///
/// # Errors
/// [`DbError`].
pub fn next_id(conn: &mut Connection) -> Result<AccountId, DbError> {
    Ok(AccountId(last_id(conn)?.unwrap_or(0).saturating_add(1)))
}

/// Stores a new account.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, account: &Account) -> Result<(), DbError> {
    insert_row(
        conn,
        &Row {
            id: account.id.0,
            login: account.login.to_string(),
            name: account.name.to_string(),
            title: account.title.to_string(),
            language: account.language.tag().to_owned(),
            password: account.password.clone(),
            second: account.second.clone(),
            second_step: store_count("accounts.second_step", account.second_step)?,
            enrol_until: account.enrol_until.millis(),
            created: account.created.millis(),
            disabled: account.disabled.map(Timestamp::millis),
        },
    )
}

/// The account of a number.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, id: AccountId) -> Result<Option<Account>, DbError> {
    row(conn, id.0)?.map(Row::read).transpose()
}

/// The account of a login name.
///
/// # Errors
/// [`DbError`].
pub fn find_login(conn: &mut Connection, login: &LoginName) -> Result<Option<Account>, DbError> {
    row_of(conn, login.as_str())?.map(Row::read).transpose()
}

/// Every account, by login name.
///
/// # Errors
/// [`DbError`].
pub fn all(conn: &mut Connection) -> Result<Vec<Account>, DbError> {
    rows(conn)?.into_iter().map(Row::read).collect()
}

/// These accounts, by login name.
///
/// # Errors
/// [`DbError`].
pub fn some(conn: &mut Connection, ids: &[AccountId]) -> Result<Vec<Account>, DbError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    rows_in(conn, &ids)?.into_iter().map(Row::read).collect()
}

/// Changes the password's hash.
///
/// # Errors
/// [`DbError`].
pub fn set_password(conn: &mut Connection, id: AccountId, hash: &str) -> Result<(), DbError> {
    set_password_row(conn, id.0, hash)
}

/// Changes the printed name, the role in words and the language.
///
/// # Errors
/// [`DbError`].
pub fn set_words(
    conn: &mut Connection,
    id: AccountId,
    name: &Printed,
    title: &Printed,
    language: Language,
) -> Result<(), DbError> {
    set_words_row(conn, id.0, name.as_str(), title.as_str(), language.tag())
}

/// Sets the sealed second factor and the step that was taken to prove it; none removes it.
///
/// # Errors
/// [`DbError`].
pub fn set_second(
    conn: &mut Connection,
    id: AccountId,
    second: Option<String>,
    step: u64,
) -> Result<(), DbError> {
    set_second_row(conn, id.0, second, store_count("accounts.second_step", step)?)
}

/// Until when a second factor may be enrolled with the password alone.
///
/// # Errors
/// [`DbError`].
pub fn set_enrol_until(
    conn: &mut Connection,
    id: AccountId,
    until: Timestamp,
) -> Result<(), DbError> {
    set_enrol_until_row(conn, id.0, until.millis())
}

/// Takes the code of a step; `false` when it, or that of a later one, was taken before.
///
/// # Errors
/// [`DbError`].
pub fn take_step(conn: &mut Connection, id: AccountId, step: u64) -> Result<bool, DbError> {
    Ok(take_step_row(conn, id.0, store_count("accounts.second_step", step)?)? == 1)
}

/// Disables an account: when, by whom, why.
///
/// # Errors
/// [`DbError`].
pub fn disable(
    conn: &mut Connection,
    id: AccountId,
    at: Timestamp,
    (by, why): (&str, &str),
) -> Result<(), DbError> {
    set_disabled_row(conn, id.0, Some(at.millis()))?;
    delete_disabled_row(conn, id.0)?;
    insert_disabled_row(conn, id.0, by, why)
}

/// Lets a disabled account in again.
///
/// # Errors
/// [`DbError`].
pub fn enable(conn: &mut Connection, id: AccountId) -> Result<(), DbError> {
    set_disabled_row(conn, id.0, None)?;
    delete_disabled_row(conn, id.0)
}

/// Who disabled an account, and why.
///
/// # Errors
/// [`DbError`].
pub fn disabled_by(
    conn: &mut Connection,
    id: AccountId,
) -> Result<Option<(String, String)>, DbError> {
    disabled_row(conn, id.0)
}

/// Which persons of sites an account is.
///
/// # Errors
/// [`DbError`].
pub fn persons(conn: &mut Connection, id: AccountId) -> Result<Vec<(SiteId, PersonId)>, DbError> {
    let read = |(site, person): (String, String)| {
        Ok((parse("account_persons.site", &site)?, parse("account_persons.person", &person)?))
    };
    person_rows(conn, id.0)?.into_iter().map(read).collect()
}

/// Which account is a person of a site.
///
/// # Errors
/// [`DbError`].
pub fn of_person(
    conn: &mut Connection,
    site: &SiteId,
    person: &PersonId,
) -> Result<Option<AccountId>, DbError> {
    Ok(holder_row(conn, site.as_str(), person.as_str())?.map(AccountId))
}

/// Says which person of a site an account is; none: it is nobody there.
///
/// # Errors
/// [`DbError`], also where another account is that person.
pub fn set_person(
    conn: &mut Connection,
    id: AccountId,
    site: &SiteId,
    person: Option<&PersonId>,
) -> Result<(), DbError> {
    delete_person_row(conn, id.0, site.as_str())?;
    person.map_or(Ok(()), |person| insert_person_row(conn, id.0, site.as_str(), person.as_str()))
}

/// Replaces all recovery codes by these digests.
///
/// # Errors
/// [`DbError`].
pub fn set_codes(conn: &mut Connection, id: AccountId, digests: &[String]) -> Result<(), DbError> {
    delete_codes(conn, id.0)?;
    digests.iter().try_for_each(|digest| insert_code(conn, id.0, digest))
}

/// Uses a recovery code up; `false` when there is none, or it was used.
///
/// # Errors
/// [`DbError`].
pub fn use_code(
    conn: &mut Connection,
    id: AccountId,
    digest: &str,
    at: Timestamp,
) -> Result<bool, DbError> {
    Ok(use_code_row(conn, id.0, digest, at.millis())? == 1)
}

/// How many recovery codes are left.
///
/// # Errors
/// [`DbError`].
pub fn codes_left(conn: &mut Connection, id: AccountId) -> Result<u64, DbError> {
    count("recovery_codes", count_codes(conn, id.0)?)
}

impl Row {
    fn read(self) -> Result<Account, DbError> {
        let wrong = |column, value: &str| DbError::wrong("account word", column, value);
        let printed = |column, text: &str| Printed::read(text).map_err(|_| wrong(column, text));
        Ok(Account {
            id: AccountId(self.id),
            login: parse("accounts.login", &self.login)?,
            name: printed("accounts.name", &self.name)?,
            title: printed("accounts.title", &self.title)?,
            language: Language::of(&self.language)
                .ok_or_else(|| wrong("accounts.language", &self.language))?,
            password: self.password,
            second: self.second,
            second_step: count("accounts.second_step", self.second_step)?,
            enrol_until: Timestamp::from_millis(self.enrol_until),
            created: Timestamp::from_millis(self.created),
            disabled: instant(self.disabled),
        })
    }
}
