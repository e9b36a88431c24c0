//! The tables as diesel sees them, once for both engines.
//!
//! Times are `BigInt` milliseconds, ids `Text`, enums `Text` with a CHECK, JSON `Text`. What they
//! mean stands in the migrations. Invariant: each column here is in both migration sets.
#![allow(
    missing_docs,
    reason = "diesel's macro makes the items; the migrations say what they hold"
)]

pub mod notice;

pub mod draft;

pub mod lifecycle;

diesel::table! {
    server_state (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    repositories (repository) {
        repository -> Text,
        kind -> Text,
        name -> Text,
        maker -> Nullable<Text>,
        title_en -> Text,
        title_ja -> Text,
        reading -> Text,
        quota_bytes -> BigInt,
        opened -> BigInt,
    }
}

diesel::table! {
    documents (repository, role, version) {
        repository -> Text,
        role -> Text,
        version -> BigInt,
        sha256 -> Text,
        bytes -> Binary,
        expires -> BigInt,
        published -> BigInt,
    }
}

diesel::table! {
    heads (repository) {
        repository -> Text,
        revision -> BigInt,
        root_version -> BigInt,
        targets_version -> BigInt,
        snapshot_version -> BigInt,
        timestamp_version -> BigInt,
        deltas_version -> BigInt,
    }
}

diesel::table! {
    delegated_documents (repository, role, version) {
        repository -> Text,
        role -> Text,
        version -> BigInt,
        sha256 -> Text,
        bytes -> Binary,
        expires -> BigInt,
        published -> BigInt,
    }
}

diesel::table! {
    delta_pairs (repository, from_sha256, to_sha256) {
        repository -> Text,
        from_sha256 -> Text,
        to_sha256 -> Text,
        to_seq -> BigInt,
        rank -> BigInt,
        devices -> BigInt,
        state -> Text,
        tries -> BigInt,
        claimed_by -> Nullable<Text>,
        claimed_until -> Nullable<BigInt>,
        since -> BigInt,
        outcome -> Text,
    }
}

diesel::table! {
    delta_uses (site, device) {
        site -> Text,
        device -> Text,
        family -> Text,
        image_sha256 -> Text,
        delta_sha256 -> Nullable<Text>,
        fetched_bytes -> BigInt,
        full_bytes -> BigInt,
        windows -> BigInt,
        windows_full -> BigInt,
        reason -> Nullable<Text>,
        at -> Nullable<BigInt>,
    }
}

diesel::table! {
    blobs (repository, sha256) {
        repository -> Text,
        sha256 -> Text,
        length -> BigInt,
        uploaded -> BigInt,
    }
}

diesel::table! {
    targets (repository, path, sha256) {
        repository -> Text,
        path -> Text,
        sha256 -> Text,
        length -> BigInt,
        since_version -> BigInt,
    }
}

diesel::table! {
    enrolment_tokens (sha256) {
        sha256 -> Text,
        site -> Text,
        families -> Text,
        device -> Nullable<Text>,
        created -> BigInt,
        expires -> BigInt,
        used_at -> Nullable<BigInt>,
        used_by -> Nullable<Text>,
    }
}

diesel::table! {
    devices (site, device) {
        site -> Text,
        device -> Text,
        management -> Text,
        family -> Text,
        hardware -> Nullable<Text>,
        device_key -> Nullable<Text>,
        link_key -> Nullable<Text>,
        link_n -> BigInt,
        agent_version -> Nullable<Text>,
        installed -> Nullable<Text>,
        state -> Nullable<Text>,
        reason -> Nullable<Text>,
        last_seen -> Nullable<BigInt>,
        boot_count -> BigInt,
        poll_n -> BigInt,
        ledger_id -> Nullable<Text>,
        ledger_seq -> BigInt,
        ledger_head -> Nullable<Text>,
        forked -> Bool,
        enrolled -> BigInt,
    }
}

diesel::table! {
    ledger_entries (site, device, ledger_id, seq) {
        site -> Text,
        device -> Text,
        ledger_id -> Text,
        seq -> BigInt,
        sha256 -> Text,
        kind -> Text,
        envelope -> Text,
        received -> BigInt,
    }
}

diesel::table! {
    ledger_forks (site, device, ledger_id, seq, sha256) {
        site -> Text,
        device -> Text,
        ledger_id -> Text,
        seq -> BigInt,
        sha256 -> Text,
        envelope -> Text,
        received -> BigInt,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Text,
        sha256 -> Text,
        label -> Text,
        scope -> Text,
        created -> BigInt,
        expires -> BigInt,
        revoked -> Nullable<BigInt>,
        account -> Nullable<BigInt>,
    }
}

diesel::table! {
    acts (n) {
        n -> BigInt,
        at -> BigInt,
        scope -> Text,
        who -> Text,
        act -> Text,
        detail -> Text,
    }
}

diesel::table! {
    changes (scope) {
        scope -> Text,
        seq -> BigInt,
    }
}

diesel::table! {
    inventories (site) {
        site -> Text,
        revision -> BigInt,
        document -> Text,
        frozen -> Text,
        changed -> BigInt,
        changed_by -> Text,
    }
}

diesel::table! {
    holds (id) {
        id -> Text,
        owned_by -> Text,
        site -> Nullable<Text>,
        family -> Nullable<Text>,
        target -> Text,
        reason -> Text,
        owner -> Text,
        set_by -> Text,
        set_at -> BigInt,
        review_at -> BigInt,
        overdue_told -> Nullable<BigInt>,
        lifted_at -> Nullable<BigInt>,
        lifted_by -> Nullable<Text>,
        lift -> Nullable<Text>,
    }
}

diesel::table! {
    person_acts (site, act_sha256) {
        site -> Text,
        act_sha256 -> Text,
        person -> Text,
        meaning -> Text,
        subject -> Text,
        envelope -> Text,
        filed -> BigInt,
        record_n -> BigInt,
    }
}

diesel::table! {
    campaigns (family, image_sha256) {
        family -> Text,
        image_sha256 -> Text,
        revision -> BigInt,
        document -> Text,
        changed -> BigInt,
    }
}

diesel::table! {
    rollouts (site, approval_sha256, image_sha256) {
        site -> Text,
        approval_sha256 -> Text,
        image_sha256 -> Text,
        image -> Text,
        terms -> Text,
        planted -> BigInt,
        ends -> BigInt,
        due -> Nullable<BigInt>,
    }
}

diesel::table! {
    rollout_devices (site, device, approval_sha256) {
        site -> Text,
        device -> Text,
        approval_sha256 -> Text,
        device_key -> Text,
        wave -> BigInt,
        pair -> Nullable<Text>,
    }
}

diesel::table! {
    waves (site, approval_sha256, image_sha256, wave) {
        site -> Text,
        approval_sha256 -> Text,
        image_sha256 -> Text,
        wave -> BigInt,
        revision -> BigInt,
        state -> Text,
        counters -> Text,
        proof_sha256 -> Nullable<Text>,
    }
}

diesel::table! {
    marks (site, approval_sha256, image_sha256, device) {
        site -> Text,
        approval_sha256 -> Text,
        image_sha256 -> Text,
        device -> Text,
        wave -> BigInt,
        stage -> Text,
        ledger_id -> Text,
        mark -> Text,
        silent_at -> Nullable<BigInt>,
        committed_seq -> Nullable<BigInt>,
        used_seq -> Nullable<BigInt>,
    }
}

diesel::table! {
    wave_proofs (site, sha256) {
        site -> Text,
        sha256 -> Text,
        document -> Binary,
        made -> BigInt,
    }
}

diesel::table! {
    record_entries (site, n) {
        site -> Text,
        n -> BigInt,
        at -> BigInt,
        kind -> Text,
        hashes -> Binary,
        entry -> Binary,
    }
}

diesel::table! {
    record_words (site, n) {
        site -> Text,
        n -> BigInt,
        at -> BigInt,
        who -> Text,
        topic -> Text,
        device -> Text,
        person -> Text,
    }
}

diesel::table! {
    record_heads (site) {
        site -> Text,
        size -> BigInt,
        edge -> Binary,
    }
}

diesel::table! {
    accounts (id) {
        id -> BigInt,
        login -> Text,
        name -> Text,
        title -> Text,
        language -> Text,
        password -> Text,
        second -> Nullable<Text>,
        second_step -> BigInt,
        enrol_until -> BigInt,
        created -> BigInt,
        disabled -> Nullable<BigInt>,
    }
}

diesel::table! {
    disabled_accounts (account) {
        account -> BigInt,
        disabled_by -> Text,
        why -> Text,
    }
}

diesel::table! {
    zones (holder) {
        holder -> Text,
        tz -> Text,
    }
}

diesel::table! {
    grants (account, place, role) {
        account -> BigInt,
        place -> Text,
        role -> Text,
        granted_by -> Text,
        granted -> BigInt,
    }
}

diesel::table! {
    account_persons (account, site) {
        account -> BigInt,
        site -> Text,
        person -> Text,
    }
}

diesel::table! {
    recovery_codes (account, sha256) {
        account -> BigInt,
        sha256 -> Text,
        used -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (sha256) {
        sha256 -> Text,
        account -> BigInt,
        stage -> Text,
        created -> BigInt,
        seen -> BigInt,
        ends -> BigInt,
        browser -> Text,
        address -> Text,
        pending -> Nullable<Text>,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Text,
        account -> BigInt,
        label -> Text,
        algorithm -> Text,
        public_key -> Text,
        counter -> BigInt,
        created -> BigInt,
        used -> Nullable<BigInt>,
    }
}

diesel::table! {
    used_challenges (sha256) {
        sha256 -> Text,
        ends -> BigInt,
    }
}

diesel::table! {
    invitations (id) {
        id -> Text,
        sha256 -> Text,
        purpose -> Text,
        place -> Text,
        role -> Text,
        person -> Nullable<Text>,
        account -> Nullable<BigInt>,
        name -> Text,
        title -> Text,
        language -> Text,
        inviter -> Nullable<BigInt>,
        invited_by -> Text,
        created -> BigInt,
        expires -> BigInt,
        used_at -> Nullable<BigInt>,
        used_by -> Nullable<BigInt>,
        revoked -> Nullable<BigInt>,
    }
}

diesel::table! {
    login_tries (bucket) {
        bucket -> Text,
        failures -> BigInt,
        last -> BigInt,
    }
}

diesel::table! {
    updates_by_hand (site, device, n) {
        site -> Text,
        device -> Text,
        n -> BigInt,
        performed -> BigInt,
        performed_by -> Text,
        from_version -> Nullable<Text>,
        to_version -> Text,
        image -> Nullable<Text>,
        verified -> Text,
        written -> BigInt,
        written_by -> Text,
        printed_name -> Text,
    }
}

diesel::table! {
    calendar_feeds (account, site) {
        account -> BigInt,
        site -> Text,
        digest -> Text,
        made -> BigInt,
    }
}

diesel::table! {
    schema_migrations (name) {
        name -> Text,
        sha256 -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(documents, heads, repositories, blobs, targets);
diesel::allow_tables_to_appear_in_same_query!(rollouts, rollout_devices);
