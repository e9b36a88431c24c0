//! Rows of what people signed: each act once, named by the digest of what was signed.
//!
//! Not here: whether an act counts ([`crate::consent::act`]). Invariant: a stored act is never
//! changed or removed, and is an entry of its site's record.

use super::column::{count, from_json, parse, store_count, to_json, to_name};
use super::schema::person_acts;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;

/// An act as it is filed.
#[derive(Debug, Clone)]
pub struct FiledAct {
    /// Digest of what was signed.
    pub sha256: Sha256Digest,
    /// What it says.
    pub act: Act,
    /// Its signed form.
    pub envelope: Envelope,
    /// When it was filed, by the server's clock.
    pub filed: Timestamp,
    /// Its place in the site's record.
    pub record_n: u64,
}

#[derive(Insertable)]
#[diesel(table_name = person_acts)]
struct Row {
    site: String,
    act_sha256: String,
    person: String,
    meaning: String,
    subject: String,
    envelope: String,
    filed: i64,
    record_n: i64,
}

/// Digest, signed form, when filed, place in the record.
type MentionRow = (String, String, i64, i64);

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(person_acts::table).values(row).execute(conn)?;
        Ok(())
    }

    fn record_n_row(conn, site: &str, sha256: &str) -> Result<Option<i64>, DbError> {
        let row = person_acts::table.find((site, sha256));
        Ok(row.select(person_acts::record_n).first::<i64>(conn).optional()?)
    }

    fn mentioning_rows(conn, site: &str, like: &str) -> Result<Vec<MentionRow>, DbError> {
        let rows = person_acts::table
            .filter(person_acts::site.eq(site))
            .filter(person_acts::subject.like(like))
            .order(person_acts::record_n);
        let columns = (
            person_acts::act_sha256,
            person_acts::envelope,
            person_acts::filed,
            person_acts::record_n,
        );
        Ok(rows.select(columns).load(conn)?)
    }

    fn about_rows(conn, site: &str, meaning: &str) -> Result<Vec<(String, String)>, DbError> {
        let rows = person_acts::table
            .filter(person_acts::site.eq(site))
            .filter(person_acts::meaning.eq(meaning))
            .order(person_acts::record_n);
        Ok(rows.select((person_acts::subject, person_acts::envelope)).load(conn)?)
    }
}

/// Stores an act.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, filed: &FiledAct) -> Result<(), DbError> {
    let act = &filed.act;
    insert_row(
        conn,
        &Row {
            site: act.site.to_string(),
            act_sha256: filed.sha256.to_string(),
            person: act.person.to_string(),
            meaning: to_name("person_acts.meaning", &act.meaning)?,
            subject: to_json("person_acts.subject", &act.subject)?,
            envelope: to_json("person_acts.envelope", &filed.envelope)?,
            filed: filed.filed.millis(),
            record_n: store_count("person_acts.record_n", filed.record_n)?,
        },
    )
}

/// Where an act stands in the record, when it was filed before.
///
/// # Errors
/// [`DbError`].
pub fn record_n(
    conn: &mut Connection,
    site: &SiteId,
    sha256: &Sha256Digest,
) -> Result<Option<u64>, DbError> {
    let found = record_n_row(conn, site.as_str(), &sha256.to_string())?;
    found.map(|n| count("person_acts.record_n", n)).transpose()
}

/// The acts of a meaning, with their subjects, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_meaning(
    conn: &mut Connection,
    site: &SiteId,
    meaning: Meaning,
) -> Result<Vec<(Subject, Envelope)>, DbError> {
    let meaning = to_name("person_acts.meaning", &meaning)?;
    let read = |(subject, envelope): (String, String)| {
        Ok((
            from_json("person_acts.subject", &subject)?,
            from_json("person_acts.envelope", &envelope)?,
        ))
    };
    about_rows(conn, site.as_str(), &meaning)?.into_iter().map(read).collect()
}

/// The acts whose subject holds this piece of JSON, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn mentioning(
    conn: &mut Connection,
    site: &SiteId,
    piece: &str,
) -> Result<Vec<FiledAct>, DbError> {
    let read = |(sha256, envelope, filed, record_n): MentionRow| {
        let envelope: Envelope = from_json("person_acts.envelope", &envelope)?;
        // It was checked before it was stored.
        let act: Act = envelope.insecure_peek().map_err(|_| DbError::Column {
            column: "person_acts.envelope",
            kind: "act",
            value: sha256.clone(),
        })?;
        Ok(FiledAct {
            sha256: parse("person_acts.act_sha256", &sha256)?,
            act,
            envelope,
            filed: Timestamp::from_millis(filed),
            record_n: count("person_acts.record_n", record_n)?,
        })
    };
    let rows = mentioning_rows(conn, site.as_str(), &format!("%{piece}%"))?;
    rows.into_iter().map(read).collect()
}
