CREATE TABLE invitations_before (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL CHECK (purpose IN ('join', 'password')),
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
INSERT INTO invitations_before
    SELECT id, sha256, purpose, place, role, person, account, name, title, language, inviter, invited_by,
        created, expires, used_at, used_by, revoked
    FROM invitations WHERE purpose <> 'second';
DROP TABLE invitations;
ALTER TABLE invitations_before RENAME TO invitations;
CREATE INDEX invitations_by_place ON invitations (place);
DROP TABLE zones;
DROP INDEX api_tokens_by_account;
ALTER TABLE api_tokens DROP COLUMN account;
DROP TABLE disabled_accounts;
