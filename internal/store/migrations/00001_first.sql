-- +goose Up
CREATE TABLE instance (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL
);

-- A track is (image, tag); tag is empty where the image follows a digest.
CREATE TABLE rollouts (
    id          TEXT PRIMARY KEY, -- UUIDv7: sorts by sighting
    image       TEXT NOT NULL,
    tag         TEXT NOT NULL,
    pin         TEXT NOT NULL,
    manifest    TEXT NOT NULL,    -- JSON
    phase       TEXT NOT NULL,
    seen_at     BIGINT NOT NULL,
    promoted_at BIGINT NOT NULL,  -- 0: never
    ended_at    BIGINT NOT NULL   -- 0: not yet
);

-- Promise 3: one current digest per tracked tag, whatever the program does.
CREATE UNIQUE INDEX one_current ON rollouts (image, tag) WHERE phase = 'current';

CREATE TABLE runs (
    id            TEXT PRIMARY KEY, -- UUIDv7: sorts by submit
    run_key       TEXT NOT NULL DEFAULT '',
    epoch         BIGINT NOT NULL DEFAULT 0,
    scope         TEXT NOT NULL DEFAULT '',
    spec          TEXT NOT NULL,    -- JSON
    image         TEXT NOT NULL,
    pin           TEXT NOT NULL,    -- empty while queued for a first promotion
    host          TEXT NOT NULL,
    engine_marker TEXT NOT NULL,
    container_id  TEXT NOT NULL,
    state         TEXT NOT NULL,
    ended         INTEGER NOT NULL, -- 1: the state is an outcome
    reason        TEXT NOT NULL,
    detail        TEXT NOT NULL,
    exit_code     INTEGER,          -- NULL: nothing exited
    oom_killed    INTEGER NOT NULL,
    submitted_at  BIGINT NOT NULL,
    placed_at     BIGINT NOT NULL,  -- 0, here and below: did not happen
    started_at    BIGINT NOT NULL,
    first_line_at BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL
);

CREATE INDEX unfinished_runs ON runs (id) WHERE ended = 0;

-- +goose Down
DROP TABLE runs;
DROP TABLE rollouts;
DROP TABLE instance;
