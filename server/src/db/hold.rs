//! Rows of holds. A row stays when its hold is lifted.
//!
//! Not here: who may set or lift one. Invariant: a hold is lifted once, by compare-and-swap.

use super::column::{from_json, from_name, instant, to_json, to_name};
use super::schema::holds;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::directive::{HoldBy, HoldNotice, HoldTarget};
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{FamilyId, HoldId, SiteId};
use patchward_protocol::time::Timestamp;

/// A hold as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whose it is: never [`HoldBy::Freeze`].
    pub by: HoldBy,
    /// The site it concerns; every site when absent.
    pub site: Option<SiteId>,
    /// The manufacturer's family.
    pub family: Option<FamilyId>,
    /// What it holds.
    pub target: HoldTarget,
    /// Why.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
    /// Who set it: the label of a token.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
    /// When somebody must look at it again.
    pub review_at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// The signed act that lifted it (a site's).
    pub lift: Option<Envelope>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = holds)]
struct Row {
    id: String,
    owned_by: String,
    site: Option<String>,
    family: Option<String>,
    target: String,
    reason: String,
    owner: String,
    set_by: String,
    set_at: i64,
    review_at: i64,
    overdue_told: Option<i64>,
    lifted_at: Option<i64>,
    lifted_by: Option<String>,
    lift: Option<String>,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(holds::table).values(row).execute(conn)?;
        Ok(())
    }

    fn row(conn, id: &str) -> Result<Option<Row>, DbError> {
        Ok(holds::table.find(id).first::<Row>(conn).optional()?)
    }

    fn count_like(conn, pattern: &str) -> Result<i64, DbError> {
        Ok(holds::table.filter(holds::id.like(pattern)).count().get_result(conn)?)
    }

    fn site_rows(conn, site: &str, since: i64) -> Result<Vec<Row>, DbError> {
        let recent = holds::lifted_at.is_null().or(holds::lifted_at.ge(since));
        let rows = holds::table.filter(holds::site.eq(site)).filter(recent);
        Ok(rows.order((holds::set_at, holds::id)).load(conn)?)
    }

    fn family_rows(conn, family: &str, since: i64) -> Result<Vec<Row>, DbError> {
        let recent = holds::lifted_at.is_null().or(holds::lifted_at.ge(since));
        let rows = holds::table.filter(holds::family.eq(family)).filter(recent);
        Ok(rows.order((holds::set_at, holds::id)).load(conn)?)
    }

    fn server_rows(conn, since: i64) -> Result<Vec<Row>, DbError> {
        let recent = holds::lifted_at.is_null().or(holds::lifted_at.ge(since));
        let rows = holds::table
            .filter(holds::owned_by.eq("operator"))
            .filter(holds::site.is_null())
            .filter(recent);
        Ok(rows.order((holds::set_at, holds::id)).load(conn)?)
    }

    fn lift_row(conn, id: &str, at: i64, by: &str, lift: Option<String>) -> Result<usize, DbError> {
        let standing = holds::table.filter(holds::id.eq(id)).filter(holds::lifted_at.is_null());
        let lifted = (
            holds::lifted_at.eq(Some(at)),
            holds::lifted_by.eq(Some(by.to_owned())),
            holds::lift.eq(lift),
        );
        Ok(diesel::update(standing).set(lifted).execute(conn)?)
    }

    fn overdue_rows(conn, at: i64) -> Result<Vec<Row>, DbError> {
        let rows = holds::table
            .filter(holds::lifted_at.is_null())
            .filter(holds::overdue_told.is_null())
            .filter(holds::review_at.le(at));
        Ok(rows.order(holds::id).load(conn)?)
    }

    fn told_row(conn, id: &str, at: i64) -> Result<usize, DbError> {
        let untold = holds::table.filter(holds::id.eq(id)).filter(holds::overdue_told.is_null());
        Ok(diesel::update(untold).set(holds::overdue_told.eq(Some(at))).execute(conn)?)
    }
}

/// Stores a new hold.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, hold: &Hold) -> Result<(), DbError> {
    insert_row(conn, &Row::of(hold)?)
}

/// A hold.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, id: &HoldId) -> Result<Option<Hold>, DbError> {
    row(conn, id.as_str())?.map(Row::hold).transpose()
}

/// How many holds have an id that begins so; ids hold neither `%` nor `_`.
///
/// # Errors
/// [`DbError`].
pub fn count_prefix(conn: &mut Connection, prefix: &str) -> Result<u64, DbError> {
    super::column::count("holds.id", count_like(conn, &format!("{prefix}%"))?)
}

/// A site's own holds and the operator's for it: those that stand, and those lifted since `since`.
///
/// # Errors
/// [`DbError`].
pub fn of_site(
    conn: &mut Connection,
    site: &SiteId,
    since: Timestamp,
) -> Result<Vec<Hold>, DbError> {
    site_rows(conn, site.as_str(), since.millis())?.into_iter().map(Row::hold).collect()
}

/// A manufacturer's holds in a family: those that stand, and those lifted since `since`.
///
/// # Errors
/// [`DbError`].
pub fn of_family(
    conn: &mut Connection,
    family: &FamilyId,
    since: Timestamp,
) -> Result<Vec<Hold>, DbError> {
    family_rows(conn, family.as_str(), since.millis())?.into_iter().map(Row::hold).collect()
}

/// The operator's holds of every site: those that stand, and those lifted since `since`.
///
/// # Errors
/// [`DbError`].
pub fn of_server(conn: &mut Connection, since: Timestamp) -> Result<Vec<Hold>, DbError> {
    server_rows(conn, since.millis())?.into_iter().map(Row::hold).collect()
}

/// Lifts a hold; `false` when it does not stand.
///
/// # Errors
/// [`DbError`].
pub fn lift(
    conn: &mut Connection,
    id: &HoldId,
    at: Timestamp,
    by: &str,
    act: Option<&Envelope>,
) -> Result<bool, DbError> {
    let act = act.map(|envelope| to_json("holds.lift", envelope)).transpose()?;
    Ok(lift_row(conn, id.as_str(), at.millis(), by, act)? == 1)
}

/// Standing holds that should have been looked at by `at` and of which nobody was told yet.
///
/// # Errors
/// [`DbError`].
pub fn overdue(conn: &mut Connection, at: Timestamp) -> Result<Vec<Hold>, DbError> {
    overdue_rows(conn, at.millis())?.into_iter().map(Row::hold).collect()
}

/// Notes that somebody was told; `false` when it was noted before.
///
/// # Errors
/// [`DbError`].
pub fn tell_overdue(conn: &mut Connection, id: &HoldId, at: Timestamp) -> Result<bool, DbError> {
    Ok(told_row(conn, id.as_str(), at.millis())? == 1)
}

impl Hold {
    /// What a device is told of it.
    #[must_use]
    pub fn notice(&self) -> HoldNotice {
        HoldNotice {
            id: self.id.clone(),
            target: self.target.clone(),
            by: self.by,
            reason: self.reason.clone(),
            review_at: self.review_at,
        }
    }
}

impl Row {
    fn of(hold: &Hold) -> Result<Self, DbError> {
        Ok(Self {
            id: hold.id.to_string(),
            owned_by: to_name("holds.owned_by", &hold.by)?,
            site: hold.site.as_ref().map(ToString::to_string),
            family: hold.family.as_ref().map(ToString::to_string),
            target: to_json("holds.target", &hold.target)?,
            reason: hold.reason.clone(),
            owner: hold.owner.clone(),
            set_by: hold.set_by.clone(),
            set_at: hold.set_at.millis(),
            review_at: hold.review_at.millis(),
            overdue_told: None,
            lifted_at: hold.lifted_at.map(Timestamp::millis),
            lifted_by: None,
            lift: hold.lift.as_ref().map(|act| to_json("holds.lift", act)).transpose()?,
        })
    }

    fn hold(self) -> Result<Hold, DbError> {
        let (site, family) = (self.site.as_deref(), self.family.as_deref());
        let lift = self.lift.as_deref();
        Ok(Hold {
            id: from_name("holds.id", &self.id)?,
            by: from_name("holds.owned_by", &self.owned_by)?,
            site: site.map(|text| from_name("holds.site", text)).transpose()?,
            family: family.map(|text| from_name("holds.family", text)).transpose()?,
            target: from_json("holds.target", &self.target)?,
            lift: lift.map(|json| from_json("holds.lift", json)).transpose()?,
            reason: self.reason,
            owner: self.owner,
            set_by: self.set_by,
            set_at: Timestamp::from_millis(self.set_at),
            review_at: Timestamp::from_millis(self.review_at),
            lifted_at: instant(self.lifted_at),
        })
    }
}
