//! JSON schemas of the words that are texts on the wire, for the OpenAPI document.
//!
//! Types whose JSON is their Rust shape derive theirs; this file holds the rest. Built with the
//! feature `schema` only. Invariant: a schema never allows less than the type's own reader.

use super::error::ErrorCode;
use crate::digest::Sha256Digest;
use crate::id::{
    ApprovalId, DeviceId, FamilyId, FreezeId, HardwareId, HoldId, KindId, LedgerId, PersonId,
    RepositoryId, SiteId, Version, WardId, WindowId,
};
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::receipt::Nonce;
use crate::slot::Slot;
use crate::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

macro_rules! texts {
    ($($name:ident, $pattern:literal, $what:literal;)*) => {
        $(
            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "pattern": $pattern, "description": $what })
                }
            }
        )*
    };
}

texts! {
    ApprovalId, "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", "An approval within its site";
    DeviceId, "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", "A device within its site";
    FamilyId, "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\\.[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", "A device family: manufacturer, dot, name";
    FreezeId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A freeze of a site";
    HoldId, "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", "A hold";
    KindId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A kind of equipment";
    WardId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A ward of a site";
    WindowId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A usual window of a site";
    HardwareId, "^[a-z0-9_-][a-z0-9._-]{0,63}$", "A hardware model that an image fits";
    LedgerId, "^[0-9a-fA-F]{32}$", "A device's ledger: 16 random bytes";
    Nonce, "^[0-9a-fA-F]{32}$", "Sixteen random bytes";
    PersonId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A person who signs; never a patient";
    PublicKey, "^[0-9a-f]{64}$", "An Ed25519 public key, 32 bytes";
    RepositoryId, "^(family|site):[a-z0-9.-]{1,65}$", "A TUF repository";
    Sha256Digest, "^[0-9a-f]{64}$", "A SHA-256 digest";
    SiteId, "^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", "A hospital site";
    Timestamp, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?Z$", "An instant in UTC (RFC 3339)";
    Version, "^[a-z0-9._+-]{1,48}$", "A version as people read it";
}

impl JsonSchema for Slot {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Slot")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let instant = generator.subschema_for::<Timestamp>();
        json_schema!({
            "type": "array", "items": instant, "minItems": 2, "maxItems": 2,
            "description": "First instant in the slot, first instant after it",
        })
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("ErrorCode")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Self::ALL.iter().map(|code| code.code()).collect();
        json_schema!({ "type": "string", "enum": codes, "description": "A stable error code" })
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Reason")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Self::ALL.iter().map(|reason| reason.code()).collect();
        json_schema!({ "type": "string", "enum": codes, "description": "Why a device does not act" })
    }
}
