-- Drafts of sites' targets that people sign in the console: one open draft for each site. The document
-- holds what was asked for, the staged file with its signatures, the approvals and what the planner saw.
CREATE TABLE drafts (
    site TEXT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    document TEXT NOT NULL
);

-- Keys of persons that the server keeps, sealed: opened with the person's password and a secret that is
-- not in the database. Only where the site's root says `custodial`.
CREATE TABLE custodial_keys (
    site TEXT NOT NULL,
    person TEXT NOT NULL,
    public_key TEXT NOT NULL,
    salt TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (site, person)
);
