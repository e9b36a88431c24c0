//! The one way to write and the one way to read signed JSON.
//!
//! Writing: OLPC canonical JSON (TUF specification 4.2), the form that TUF signatures are made over.
//! Reading: strict JSON; duplicate keys, floating-point numbers and over-long texts are refused
//! before anything is parsed into a type, because a map keeps the last duplicate silently and
//! canonical forms differ on floats. Not here: any cryptography.
//! Invariant: `write(read(bytes))` gives the same signed bytes on every side.

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use std::collections::HashSet;
use std::fmt;

/// Why bytes were not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadJson {
    /// More bytes than the limit of this kind of document.
    #[error("{length} bytes are more than the limit of {length_max}")]
    TooLong {
        /// How many there are.
        length: usize,
        /// How many there may be.
        length_max: usize,
    },
    /// Not strict JSON: broken, a duplicate key, a float, or non-ASCII where ASCII is asked for.
    #[error("not strict JSON")]
    Strict(#[source] serde_json::Error),
    /// Strict JSON, but not of this shape.
    #[error("not of the expected shape")]
    Shape(#[source] serde_json::Error),
}

/// Which characters a document may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Printable ASCII only: signed metadata, where Unicode forms would differ between readers.
    Ascii,
    /// Any Unicode text.
    Unicode,
}

/// Writes a value in canonical form.
///
/// # Errors
/// When the value cannot be written as JSON (a map with keys that are no strings, a float).
pub fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::new();
    let formatter = olpc_cjson::CanonicalFormatter::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    Ok(bytes)
}

/// Reads strict JSON of at most `length_max` bytes into a value.
///
/// # Errors
/// [`ReadJson`] says which rule the bytes break and where.
pub fn read<T: DeserializeOwned>(
    bytes: &[u8],
    length_max: usize,
    charset: Charset,
) -> Result<T, ReadJson> {
    check(bytes, length_max, charset)?;
    serde_json::from_slice(bytes).map_err(ReadJson::Shape)
}

/// Checks that bytes are strict JSON of at most `length_max` bytes.
///
/// # Errors
/// [`ReadJson::TooLong`] or [`ReadJson::Strict`].
pub fn check(bytes: &[u8], length_max: usize, charset: Charset) -> Result<(), ReadJson> {
    if bytes.len() > length_max {
        return Err(ReadJson::TooLong { length: bytes.len(), length_max });
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    Strict(charset).deserialize(&mut json).map_err(ReadJson::Strict)?;
    json.end().map_err(ReadJson::Strict)
}

/// Walks a document without building it.
#[derive(Clone, Copy)]
struct Strict(Charset);

impl Strict {
    fn text<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let plain = |c: char| c == ' ' || c.is_ascii_graphic();
        if self.0 == Charset::Ascii && !text.chars().all(plain) {
            return Err(E::custom("text outside printable ASCII in signed metadata"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with unique keys and no floats")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom("a floating-point or oversized number"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.text::<A::Error>(&key)?;
            map.next_value_seed(self)?;
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format!("the key {twice:?} stands twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(text: &str) -> bool {
        check(text.as_bytes(), 1000, Charset::Ascii).is_ok()
    }

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        assert!(strict(r#"{"a":1,"b":[{"a":1}]}"#));
        assert!(!strict(r#"{"a":1,"a":1}"#));
        assert!(!strict(r#"{"b":[{"a":1,"\u0061":2}]}"#));
    }

    #[test]
    fn floats_exponents_and_trailing_bytes_are_refused() {
        for bad in [
            "1.0",
            "1e3",
            "18446744073709551616",
            "{} {}",
            "{}x",
            "nul",
            "\"\u{301}\"",
            "\"\\u0000\"",
        ] {
            assert!(!strict(bad), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_overflow() {
        let deep = "[".repeat(100_000);
        assert!(check(deep.as_bytes(), 1 << 20, Charset::Ascii).is_err());
    }

    #[test]
    fn keys_are_written_in_order_without_space() {
        let value = serde_json::json!({"b": 1, "a": [true, null, "x"]});
        assert_eq!(write(&value).unwrap(), br#"{"a":[true,null,"x"],"b":1}"#);
    }
}
