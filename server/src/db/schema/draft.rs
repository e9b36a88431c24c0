//! Tables of drafts and of keys that the server keeps for people.
//!
//! What they mean stands in migration 0006. Invariant: each column here is in both migration sets.
#![allow(
    missing_docs,
    reason = "diesel's macro makes the items; the migrations say what they hold"
)]

diesel::table! {
    drafts (site) {
        site -> Text,
        revision -> BigInt,
        changed -> BigInt,
        document -> Text,
    }
}

diesel::table! {
    custodial_keys (site, person) {
        site -> Text,
        person -> Text,
        public_key -> Text,
        salt -> Text,
        sealed -> Text,
        created -> BigInt,
    }
}
