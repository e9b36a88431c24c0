-- Updates of devices without an agent, as a person wrote them down. Rows are inserted only; a later one corrects an
-- earlier one. Each is an entry of the site's record too. `image` is the release, where the repository has it.
CREATE TABLE updates_by_hand (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    n BIGINT NOT NULL,
    performed BIGINT NOT NULL,
    performed_by TEXT NOT NULL,
    from_version TEXT,
    to_version TEXT NOT NULL,
    image TEXT,
    verified TEXT NOT NULL,
    written BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    printed_name TEXT NOT NULL,
    PRIMARY KEY (site, device, n)
);
