-- Who may read which site's calendar by a secret address: one for a person and a site. `digest` is the SHA-256 of the
-- secret, which is stored nowhere.
CREATE TABLE calendar_feeds (
    account BIGINT NOT NULL,
    site TEXT NOT NULL,
    digest TEXT NOT NULL,
    made BIGINT NOT NULL,
    PRIMARY KEY (account, site)
);
CREATE UNIQUE INDEX calendar_feeds_by_digest ON calendar_feeds (digest);
