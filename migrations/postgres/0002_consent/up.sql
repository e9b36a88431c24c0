-- What moved outside of repositories, by scope (`site:NAME`, `devices:SITE`, `family:NAME`, `server`): servers on one database follow it.
CREATE TABLE changes (
    scope TEXT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);

-- What a hospital says of its wards, devices, rules, windows, freezes and people; replaced by compare-and-swap.
-- `frozen` says for each freeze when it was entered.
CREATE TABLE inventories (
    site TEXT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    frozen TEXT NOT NULL,
    changed BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);

-- Stops; rows stay when they are lifted. A manufacturer's has a family, an operator's may have a site.
CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    owned_by TEXT NOT NULL CHECK (owned_by IN ('site', 'maker', 'operator')),
    site TEXT,
    family TEXT,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    review_at BIGINT NOT NULL,
    overdue_told BIGINT,
    lifted_at BIGINT,
    lifted_by TEXT,
    lift TEXT,
    CHECK ((owned_by = 'site') <= (site IS NOT NULL)),
    CHECK ((owned_by = 'maker') = (family IS NOT NULL))
);

-- What people signed, once each; `record_n` is its place in the site's record.
CREATE TABLE person_acts (
    site TEXT NOT NULL,
    act_sha256 TEXT NOT NULL,
    person TEXT NOT NULL,
    meaning TEXT NOT NULL,
    subject TEXT NOT NULL,
    envelope TEXT NOT NULL,
    filed BIGINT NOT NULL,
    record_n BIGINT NOT NULL,
    PRIMARY KEY (site, act_sha256)
);

-- A manufacturer's outer limit for a release; replaced by compare-and-swap.
CREATE TABLE campaigns (
    family TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (family, image_sha256)
);

-- An approval and an image on its way. `terms` is the approval without its devices; `due` is when time alone may
-- move a wave next.
CREATE TABLE rollouts (
    site TEXT NOT NULL,
    approval_sha256 TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    image TEXT NOT NULL,
    terms TEXT NOT NULL,
    planted BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    due BIGINT,
    PRIMARY KEY (site, approval_sha256, image_sha256)
);

-- The devices that an approval names, each with its wave and partner.
CREATE TABLE rollout_devices (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    approval_sha256 TEXT NOT NULL,
    device_key TEXT NOT NULL,
    wave BIGINT NOT NULL,
    pair TEXT,
    PRIMARY KEY (site, device, approval_sha256)
);
CREATE INDEX rollout_devices_of_wave ON rollout_devices (site, approval_sha256, wave);

-- How each wave stands, with its counters; moved by compare-and-swap on `revision`.
CREATE TABLE waves (
    site TEXT NOT NULL,
    approval_sha256 TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    wave BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'open', 'soaking', 'passed', 'halted', 'cancelled')),
    counters TEXT NOT NULL,
    proof_sha256 TEXT,
    PRIMARY KEY (site, approval_sha256, image_sha256, wave)
);

-- How far each device of a rollout has come, by its own signed entries; `silent_at` is when it counts as silent.
CREATE TABLE marks (
    site TEXT NOT NULL,
    approval_sha256 TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    device TEXT NOT NULL,
    wave BIGINT NOT NULL,
    stage TEXT NOT NULL,
    ledger_id TEXT NOT NULL,
    mark TEXT NOT NULL,
    silent_at BIGINT,
    committed_seq BIGINT,
    used_seq BIGINT,
    PRIMARY KEY (site, approval_sha256, image_sha256, device)
);
CREATE INDEX marks_silent ON marks (silent_at) WHERE silent_at IS NOT NULL;

-- Proofs that waves are open, by digest; never changed.
CREATE TABLE wave_proofs (
    site TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    document BYTEA NOT NULL,
    made BIGINT NOT NULL,
    PRIMARY KEY (site, sha256)
);
