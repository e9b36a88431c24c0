-- Documents of roles that a family's targets delegate to; rows are inserted, never changed.
CREATE TABLE delegated_documents (
    repository TEXT NOT NULL REFERENCES repositories (repository),
    role TEXT NOT NULL CHECK (role IN ('deltas')),
    version BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BLOB NOT NULL,
    expires BIGINT NOT NULL,
    published BIGINT NOT NULL,
    PRIMARY KEY (repository, role, version)
);

-- 0 while targets have never delegated to `deltas`; listed once, listed for ever.
ALTER TABLE heads ADD COLUMN deltas_version BIGINT NOT NULL DEFAULT 0;

-- Pairs of images, by the digest of what stands in the slot. A pair is claimed by compare-and-swap until
-- `claimed_until`; whoever builds it says now and then that it still does. `outcome` is JSON.
CREATE TABLE delta_pairs (
    repository TEXT NOT NULL REFERENCES repositories (repository),
    from_sha256 TEXT NOT NULL,
    to_sha256 TEXT NOT NULL,
    to_seq BIGINT NOT NULL,
    rank BIGINT NOT NULL,
    devices BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'building', 'published', 'too-large', 'base-unknown', 'over-budget', 'failed', 'retired')),
    tries BIGINT NOT NULL,
    claimed_by TEXT,
    claimed_until BIGINT,
    since BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (repository, from_sha256, to_sha256)
);

-- How each device got the image that it staged last, as it signed it.
CREATE TABLE delta_uses (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    family TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    delta_sha256 TEXT,
    fetched_bytes BIGINT NOT NULL,
    full_bytes BIGINT NOT NULL,
    windows BIGINT NOT NULL,
    windows_full BIGINT NOT NULL,
    reason TEXT,
    at BIGINT,
    PRIMARY KEY (site, device)
);
