-- What lists of open notices ask for again and again, without reading what is closed.
CREATE INDEX notices_open ON notices (kind, family) WHERE closed IS NULL;
