-- What each entry of a record is found by; it follows from the entry alone. The program that migrates fills
-- it in for entries that were there before. `who`: device, person or server; `topic`: hold, rollback or
-- nothing; `device` and `person`: lower case, several on lines of their own.
CREATE TABLE record_words (
    site TEXT NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    topic TEXT NOT NULL,
    device TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (site, n)
);
CREATE INDEX record_words_by_topic ON record_words (site, topic, n);
CREATE INDEX record_words_by_who ON record_words (site, who, n);
