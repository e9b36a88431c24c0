-- Why an account is disabled, and by whom; the row goes when it is let in again.
CREATE TABLE disabled_accounts (
    account BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    disabled_by TEXT NOT NULL,
    why TEXT NOT NULL
);

-- The account that made a token in the console; none for tokens made by another token or by the claim.
ALTER TABLE api_tokens ADD COLUMN account BIGINT;
CREATE INDEX api_tokens_by_account ON api_tokens (account);

-- IANA zones in which hours are read; `holder` is `maker:ID` or `account:NUMBER`. A hospital's stands in its inventory.
CREATE TABLE zones (
    holder TEXT NOT NULL PRIMARY KEY,
    tz TEXT NOT NULL
);

-- A third kind of one-time links: to set up a second factor after a reset.
CREATE TABLE invitations_next (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL CHECK (purpose IN ('join', 'password', 'second')),
    place TEXT NOT NULL,
    role TEXT NOT NULL,
    person TEXT,
    account BIGINT REFERENCES accounts (id),
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('en', 'ja')),
    inviter BIGINT REFERENCES accounts (id),
    invited_by TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    used_at BIGINT,
    used_by BIGINT REFERENCES accounts (id),
    revoked BIGINT
);
INSERT INTO invitations_next
    SELECT id, sha256, purpose, place, role, person, account, name, title, language, inviter, invited_by,
        created, expires, used_at, used_by, revoked
    FROM invitations;
DROP TABLE invitations;
ALTER TABLE invitations_next RENAME TO invitations;
CREATE INDEX invitations_by_place ON invitations (place);
