-- People who use the console. Secrets are kept as digests; what must be read again (the secret of
-- one-time codes, what is shown on the next page) is sealed with a key that is not in the database.
CREATE TABLE accounts (
    id BIGINT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('en', 'ja')),
    password TEXT NOT NULL,
    second TEXT,
    second_step BIGINT NOT NULL,
    enrol_until BIGINT NOT NULL,
    created BIGINT NOT NULL,
    disabled BIGINT
);

-- Roles. `place` is `site:ID`, `maker:ID` or `server`.
CREATE TABLE grants (
    account BIGINT NOT NULL REFERENCES accounts (id),
    place TEXT NOT NULL,
    role TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    granted BIGINT NOT NULL,
    PRIMARY KEY (account, place, role)
);

CREATE INDEX grants_by_place ON grants (place);

-- Which person of a site's root an account is: one account for each, one person for each site.
CREATE TABLE account_persons (
    account BIGINT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (account, site),
    UNIQUE (site, person)
);

CREATE TABLE recovery_codes (
    account BIGINT NOT NULL REFERENCES accounts (id),
    sha256 TEXT NOT NULL,
    used BIGINT,
    PRIMARY KEY (account, sha256)
);

-- A row is a cookie that somebody holds; it is deleted when the session ends.
CREATE TABLE sessions (
    sha256 TEXT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id),
    stage TEXT NOT NULL CHECK (stage IN ('second', 'full')),
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    browser TEXT NOT NULL,
    address TEXT NOT NULL,
    pending TEXT
);

CREATE INDEX sessions_by_account ON sessions (account);

CREATE TABLE passkeys (
    id TEXT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id),
    label TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('es256', 'eddsa')),
    public_key TEXT NOT NULL,
    counter BIGINT NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT
);

CREATE INDEX passkeys_by_account ON passkeys (account);

-- Challenges whose answer was taken, until they would have ended anyway.
CREATE TABLE used_challenges (
    sha256 TEXT NOT NULL PRIMARY KEY,
    ends BIGINT NOT NULL
);

-- One-time links: to join with a role, or to choose a new password. Rows stay, for the list of who
-- was invited by whom.
CREATE TABLE invitations (
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

CREATE INDEX invitations_by_place ON invitations (place);

-- How often in a row signing in has failed, for an account, an address or a known browser.
CREATE TABLE login_tries (
    bucket TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last BIGINT NOT NULL
);
