//! Rows of manufacturers' campaigns, moved by compare-and-swap.
//!
//! Not here: what a campaign lets through ([`crate::consent::campaign`]). Invariant: a revision is
//! followed by the next one, once.

use super::column::{count, from_json, from_name, store_count, to_json};
use super::schema::campaigns;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::api::consent::Campaign;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = campaigns)]
struct Row {
    family: String,
    image_sha256: String,
    revision: i64,
    document: String,
    changed: i64,
}

queries! {
    fn rows(conn, family: &str) -> Result<Vec<Row>, DbError> {
        Ok(campaigns::table.filter(campaigns::family.eq(family)).load(conn)?)
    }

    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(campaigns::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn update_row(conn, row: &Row, from: i64) -> Result<usize, DbError> {
        let old = campaigns::table
            .filter(campaigns::family.eq(&row.family))
            .filter(campaigns::image_sha256.eq(&row.image_sha256))
            .filter(campaigns::revision.eq(from));
        Ok(diesel::update(old).set(row).execute(conn)?)
    }
}

/// The campaigns of a family: image, campaign, when it was changed.
///
/// # Errors
/// [`DbError`].
pub fn of_family(
    conn: &mut Connection,
    family: &FamilyId,
) -> Result<Vec<(Sha256Digest, Campaign, Timestamp)>, DbError> {
    rows(conn, family.as_str())?.into_iter().map(Row::read).collect()
}

/// Stores a campaign after revision `from` (0: there was none); `false` when another is stored.
///
/// # Errors
/// [`DbError`].
pub fn swap(
    conn: &mut Connection,
    family: &FamilyId,
    image: &Sha256Digest,
    campaign: &Campaign,
    from: u64,
    at: Timestamp,
) -> Result<bool, DbError> {
    let row = Row {
        family: family.to_string(),
        image_sha256: image.to_string(),
        revision: store_count("campaigns.revision", campaign.revision)?,
        document: to_json("campaigns.document", campaign)?,
        changed: at.millis(),
    };
    let moved = match from {
        0 => insert_row(conn, &row)?,
        _ => update_row(conn, &row, store_count("campaigns.revision", from)?)?,
    };
    Ok(moved == 1)
}

impl Row {
    fn read(self) -> Result<(Sha256Digest, Campaign, Timestamp), DbError> {
        let mut campaign: Campaign = from_json("campaigns.document", &self.document)?;
        campaign.revision = count("campaigns.revision", self.revision)?;
        let image = from_name("campaigns.image_sha256", &self.image_sha256)?;
        Ok((image, campaign, Timestamp::from_millis(self.changed)))
    }
}
