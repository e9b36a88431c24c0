-- How long a family is supported, as its manufacturer said: every statement stays, the highest revision counts.
-- `document` holds four days, or until when it is undecided.
CREATE TABLE lifecycles (
    family TEXT NOT NULL,
    revision BIGINT NOT NULL,
    maker TEXT NOT NULL,
    document TEXT NOT NULL,
    said BIGINT NOT NULL,
    said_by TEXT NOT NULL,
    printed_name TEXT NOT NULL,
    PRIMARY KEY (family, revision)
);
CREATE INDEX lifecycles_of_maker ON lifecycles (maker, family, revision);

-- Staged files of families on their way through several hands: one open file for each repository and role. `author` is
-- the account that brought it; whoever brought it does not publish it.
CREATE TABLE staged_files (
    repository TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('root', 'targets')),
    revision BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    author BIGINT NOT NULL,
    printed_name TEXT NOT NULL,
    brought BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (repository, role)
);

-- What each hour changed in the numbers of a release, all sites together: counted in the transaction that moves a wave.
CREATE TABLE field_hours (
    family TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    hour BIGINT NOT NULL,
    wave BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    silent BIGINT NOT NULL,
    PRIMARY KEY (family, image_sha256, hour, wave)
);
CREATE INDEX acts_of_scope ON acts (scope, n);
