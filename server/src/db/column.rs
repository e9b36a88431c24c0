//! Between columns and types: ids and enums as text, counters as 64-bit integers.
//!
//! Invariant: a stored value that does not read is an error with its column, never a default.

use super::DbError;
use patchward_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a text column as an id, digest or key.
///
/// # Errors
/// [`DbError::Column`].
pub fn parse<T: std::str::FromStr>(column: &'static str, value: &str) -> Result<T, DbError> {
    value.parse().map_err(|_| wrong::<T>(column, value))
}

/// Reads a text column that may be null.
///
/// # Errors
/// [`DbError::Column`].
pub fn parse_some<T: std::str::FromStr>(
    column: &'static str,
    value: Option<&str>,
) -> Result<Option<T>, DbError> {
    value.map(|value| parse(column, value)).transpose()
}

/// Reads a column that holds JSON.
///
/// # Errors
/// [`DbError::Column`].
pub fn from_json<T: DeserializeOwned>(column: &'static str, value: &str) -> Result<T, DbError> {
    serde_json::from_str(value).map_err(|_| wrong::<T>(column, value))
}

/// Writes a value as JSON. The types that are stored so have only text keys and cannot fail.
///
/// # Errors
/// [`DbError::Column`].
pub fn to_json<T: Serialize>(column: &'static str, value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|_| wrong::<T>(column, "?"))
}

/// Reads an enum that is stored as serde names it, e.g. `manual`.
///
/// # Errors
/// [`DbError::Column`].
pub fn from_name<T: DeserializeOwned>(column: &'static str, value: &str) -> Result<T, DbError> {
    let value = serde_json::Value::String(value.to_owned());
    T::deserialize(&value).map_err(|_| wrong::<T>(column, &value.to_string()))
}

/// Writes an enum as serde names it.
///
/// # Errors
/// [`DbError::Column`] for a value that serde does not write as text.
pub fn to_name<T: Serialize>(column: &'static str, value: &T) -> Result<String, DbError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(wrong::<T>(column, "?")),
    }
}

/// Reads a counter.
///
/// # Errors
/// [`DbError::Column`] for a negative one.
pub fn count(column: &'static str, value: i64) -> Result<u64, DbError> {
    u64::try_from(value).map_err(|_| wrong::<u64>(column, &value.to_string()))
}

/// Writes a counter.
///
/// # Errors
/// [`DbError::Column`] for one over 2^63 - 1.
pub fn store_count(column: &'static str, value: u64) -> Result<i64, DbError> {
    i64::try_from(value).map_err(|_| wrong::<i64>(column, &value.to_string()))
}

/// Reads an instant that may be null.
#[must_use]
pub fn instant(value: Option<i64>) -> Option<Timestamp> {
    value.map(Timestamp::from_millis)
}

fn wrong<T>(column: &'static str, value: &str) -> DbError {
    let value = value.chars().take(80).collect();
    DbError::Column { column, kind: std::any::type_name::<T>(), value }
}
