//! Tables of life cycles, of manufacturers' staged files and of the hours of the field.
//!
//! What they mean stands in migration 0009. Invariant: each column here is in both migration sets.
#![allow(
    missing_docs,
    reason = "diesel's macro makes the items; the migrations say what they hold"
)]

diesel::table! {
    lifecycles (family, revision) {
        family -> Text,
        revision -> BigInt,
        maker -> Text,
        document -> Text,
        said -> BigInt,
        said_by -> Text,
        printed_name -> Text,
    }
}

diesel::table! {
    staged_files (repository, role) {
        repository -> Text,
        role -> Text,
        revision -> BigInt,
        bytes -> Binary,
        author -> BigInt,
        printed_name -> Text,
        brought -> BigInt,
        changed -> BigInt,
        changed_by -> Text,
    }
}

diesel::table! {
    field_hours (family, image_sha256, hour, wave) {
        family -> Text,
        image_sha256 -> Text,
        hour -> BigInt,
        wave -> BigInt,
        updated -> BigInt,
        failed -> BigInt,
        silent -> BigInt,
    }
}
