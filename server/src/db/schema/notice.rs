//! The tables of notices, answers, questions, channels and messages.
//!
//! What they mean stands in migration 0007. Invariant: each column here is in both migration sets.
#![allow(
    missing_docs,
    reason = "diesel's macro makes the items; the migrations say what they hold"
)]

diesel::table! {
    notices (id) {
        id -> Text,
        place -> Text,
        kind -> Text,
        severity -> Text,
        subject -> Text,
        family -> Nullable<Text>,
        site -> Nullable<Text>,
        created -> BigInt,
        due -> Nullable<BigInt>,
        step -> BigInt,
        step_due -> Nullable<BigInt>,
        acknowledged -> Nullable<BigInt>,
        acknowledged_by -> Nullable<Text>,
        closed -> Nullable<BigInt>,
        closed_why -> Nullable<Text>,
    }
}

diesel::table! {
    answers (id) {
        id -> Text,
        site -> Text,
        family -> Text,
        image_sha256 -> Text,
        answer -> Text,
        reason -> Text,
        until -> Nullable<BigInt>,
        control -> Nullable<Text>,
        printed_name -> Text,
        title -> Text,
        account -> BigInt,
        at -> BigInt,
    }
}

diesel::table! {
    questions (id) {
        id -> Text,
        site -> Text,
        family -> Text,
        image_sha256 -> Text,
        asked -> BigInt,
        answered -> Nullable<BigInt>,
    }
}

diesel::table! {
    question_words (question, n) {
        question -> Text,
        n -> BigInt,
        side -> Text,
        printed_name -> Text,
        title -> Text,
        account -> BigInt,
        at -> BigInt,
        words -> Text,
    }
}

diesel::table! {
    channels (id) {
        id -> Text,
        place -> Text,
        account -> Nullable<BigInt>,
        kind -> Text,
        address -> Text,
        language -> Text,
        circle -> Text,
        least -> Text,
        quiet_from -> Nullable<BigInt>,
        quiet_to -> Nullable<BigInt>,
        tz -> Text,
        created -> BigInt,
        created_by -> Text,
        removed -> Nullable<BigInt>,
        proven -> Nullable<BigInt>,
        sent -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        failure -> Nullable<Text>,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        channel -> Text,
        place -> Text,
        topic -> Text,
        about -> Text,
        step -> BigInt,
        state -> Text,
        created -> BigInt,
        next_try -> Nullable<BigInt>,
        give_up -> BigInt,
        tries -> BigInt,
        claimed_by -> Nullable<Text>,
        claimed_until -> Nullable<BigInt>,
        ended -> Nullable<BigInt>,
        failure -> Nullable<Text>,
    }
}

diesel::table! {
    drills (id) {
        id -> Text,
        place -> Text,
        started -> BigInt,
        started_by -> Text,
    }
}

diesel::table! {
    drill_channels (drill, channel) {
        drill -> Text,
        channel -> Text,
        confirmed -> Nullable<BigInt>,
        confirmed_by -> Nullable<Text>,
    }
}
