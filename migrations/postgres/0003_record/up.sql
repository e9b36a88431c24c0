-- The record of each site: an append-only tree (RFC 6962). Rows are inserted, never changed or removed.
-- `hashes` holds the hash of the leaf and of every subtree that is complete with it, from below, 32 bytes each.
CREATE TABLE record_entries (
    site TEXT NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('ledger', 'act', 'server', 'note')),
    hashes BYTEA NOT NULL,
    entry BYTEA NOT NULL,
    PRIMARY KEY (site, n)
);

-- How long each record is, with the roots of the perfect subtrees that it consists of, largest first.
CREATE TABLE record_heads (
    site TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    edge BYTEA NOT NULL
);
