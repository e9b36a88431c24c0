-- What needs a person at a place (`site:NAME`, `maker:NAME`): each matter once, named by a digest of place, kind and
-- subject; rows stay when it is closed. `step` says how far it was passed on, `step_due` when it is passed on next.
CREATE TABLE notices (
    id TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('urgent', 'important', 'normal')),
    subject TEXT NOT NULL,
    family TEXT,
    site TEXT,
    created BIGINT NOT NULL,
    due BIGINT,
    step BIGINT NOT NULL,
    step_due BIGINT,
    acknowledged BIGINT,
    acknowledged_by TEXT,
    closed BIGINT,
    closed_why TEXT
);
CREATE INDEX notices_of_place ON notices (place, closed, created);
CREATE INDEX notices_step ON notices (step_due) WHERE step_due IS NOT NULL;

-- What a hospital answered to a release; inserted only. `control` is what stands in for it meanwhile.
CREATE TABLE answers (
    id TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    family TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (answer IN ('acknowledged', 'deferred', 'declined')),
    reason TEXT NOT NULL,
    until BIGINT,
    control TEXT,
    printed_name TEXT NOT NULL,
    title TEXT NOT NULL,
    account BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX answers_of_site ON answers (site, family, at);
CREATE INDEX answers_of_family ON answers (family, at);
CREATE INDEX answers_of_image ON answers (image_sha256);

-- Questions of hospitals to manufacturers, and what both sides wrote below them.
CREATE TABLE questions (
    id TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    family TEXT NOT NULL,
    image_sha256 TEXT NOT NULL,
    asked BIGINT NOT NULL,
    answered BIGINT
);
CREATE INDEX questions_of_site ON questions (site, asked);
CREATE INDEX questions_of_family ON questions (family, asked);
CREATE TABLE question_words (
    question TEXT NOT NULL,
    n BIGINT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('site', 'maker')),
    printed_name TEXT NOT NULL,
    title TEXT NOT NULL,
    account BIGINT NOT NULL,
    at BIGINT NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (question, n)
);

-- Where notices go: a mailbox or a webhook of a place, or of one person there. Quiet hours are minutes of the day in
-- `tz`. Secrets of webhooks are not stored: they come from the server's own secret and `id`.
CREATE TABLE channels (
    id TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    account BIGINT,
    kind TEXT NOT NULL CHECK (kind IN ('mail', 'webhook')),
    address TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('en', 'ja')),
    circle TEXT NOT NULL CHECK (circle IN ('first', 'second', 'all')),
    least TEXT NOT NULL CHECK (least IN ('urgent', 'important', 'normal')),
    quiet_from BIGINT,
    quiet_to BIGINT,
    tz TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    removed BIGINT,
    proven BIGINT,
    sent BIGINT,
    failing_since BIGINT,
    failure TEXT
);
CREATE INDEX channels_of_place ON channels (place, removed);

-- Messages on their way, each once for a channel, a matter and a step. A message is claimed by compare-and-swap until
-- `claimed_until`; whoever finds a claim that has ended sends it again under the same id.
CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    place TEXT NOT NULL,
    topic TEXT NOT NULL CHECK (topic IN ('notice', 'drill')),
    about TEXT NOT NULL,
    step BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')),
    created BIGINT NOT NULL,
    next_try BIGINT,
    give_up BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    claimed_by TEXT,
    claimed_until BIGINT,
    ended BIGINT,
    failure TEXT
);
CREATE INDEX outbox_due ON outbox (next_try) WHERE next_try IS NOT NULL;
CREATE INDEX outbox_of_channel ON outbox (channel, created);

-- Drills: a message through every channel of a place, confirmed by whoever received it.
CREATE TABLE drills (
    id TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    started BIGINT NOT NULL,
    started_by TEXT NOT NULL
);
CREATE INDEX drills_of_place ON drills (place, started);
CREATE TABLE drill_channels (
    drill TEXT NOT NULL,
    channel TEXT NOT NULL,
    confirmed BIGINT,
    confirmed_by TEXT,
    PRIMARY KEY (drill, channel)
);
CREATE INDEX marks_troubled ON marks (stage) WHERE stage IN ('failed', 'silent');
CREATE INDEX devices_by_hand ON devices (site, family) WHERE device_key IS NULL;
