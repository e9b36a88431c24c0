-- Ids TEXT, instants BIGINT milliseconds since 1970 (UTC), enums TEXT with a CHECK, JSON as TEXT.
-- No patient data, ever. The other engine's file of this name differs in the type of bytes and in storage hints alone.

CREATE TABLE server_state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row per TUF repository: a manufacturer's family or a hospital's site.
CREATE TABLE repositories (
    repository TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('family', 'site')),
    name TEXT NOT NULL,
    maker TEXT,
    title_en TEXT NOT NULL,
    title_ja TEXT NOT NULL,
    reading TEXT NOT NULL CHECK (reading IN ('public', 'restricted')),
    quota_bytes BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    CHECK ((kind = 'family') = (maker IS NOT NULL))
);

-- Every signed document that was ever published; rows are inserted, never changed.
CREATE TABLE documents (
    repository TEXT NOT NULL REFERENCES repositories (repository),
    role TEXT NOT NULL CHECK (role IN ('root', 'targets', 'snapshot', 'timestamp')),
    version BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    published BIGINT NOT NULL,
    PRIMARY KEY (repository, role, version)
);

-- What is current; moved by compare-and-swap on `revision`.
CREATE TABLE heads (
    repository TEXT NOT NULL PRIMARY KEY REFERENCES repositories (repository),
    revision BIGINT NOT NULL,
    root_version BIGINT NOT NULL,
    targets_version BIGINT NOT NULL,
    snapshot_version BIGINT NOT NULL,
    timestamp_version BIGINT NOT NULL
);

-- Bytes that a repository has uploaded, listed or not; they count against its quota.
CREATE TABLE blobs (
    repository TEXT NOT NULL REFERENCES repositories (repository),
    sha256 TEXT NOT NULL,
    length BIGINT NOT NULL,
    uploaded BIGINT NOT NULL,
    PRIMARY KEY (repository, sha256)
);

-- Targets that a published document has listed; listed once, readable for ever.
CREATE TABLE targets (
    repository TEXT NOT NULL REFERENCES repositories (repository),
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    length BIGINT NOT NULL,
    since_version BIGINT NOT NULL,
    PRIMARY KEY (repository, path, sha256)
);

CREATE TABLE enrolment_tokens (
    sha256 TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    families TEXT NOT NULL,
    device TEXT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    used_at BIGINT,
    used_by TEXT
);

CREATE TABLE devices (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    management TEXT NOT NULL CHECK (management IN ('agent', 'manual', 'observed')),
    family TEXT NOT NULL,
    hardware TEXT,
    device_key TEXT,
    link_key TEXT,
    link_n BIGINT NOT NULL,
    agent_version TEXT,
    installed TEXT,
    state TEXT,
    reason TEXT,
    last_seen BIGINT,
    boot_count BIGINT NOT NULL,
    poll_n BIGINT NOT NULL,
    ledger_id TEXT,
    ledger_seq BIGINT NOT NULL,
    ledger_head TEXT,
    forked BOOLEAN NOT NULL,
    enrolled BIGINT NOT NULL,
    PRIMARY KEY (site, device)
);

-- The devices' own signed entries. Deduplicated by `devices.ledger_seq`, not by a further index.
CREATE TABLE ledger_entries (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    ledger_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    envelope TEXT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (site, device, ledger_id, seq)
);

CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    scope TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT
);

-- What people and the server did; rows are inserted, never changed.
CREATE TABLE acts (
    n BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    scope TEXT NOT NULL,
    who TEXT NOT NULL,
    act TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- Entries that continue another history than the stored one: a cloned or restored device. Kept as
-- evidence, the first diverging entry of each report.
CREATE TABLE ledger_forks (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    ledger_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    envelope TEXT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (site, device, ledger_id, seq, sha256)
);
