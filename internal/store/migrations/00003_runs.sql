-- +goose Up
-- The table of runs is made anew rather than grown: what is looked up comes
-- first in a row and what is long comes last, so that a search reads no JSON.
ALTER TABLE runs RENAME TO runs_of_00001;
DROP INDEX unfinished_runs;

CREATE TABLE runs (
    id             TEXT PRIMARY KEY, -- UUIDv7: sorts by submit
    namespace      TEXT NOT NULL,    -- this and the next three: copies out of terms, to be found by
    run_key        TEXT NOT NULL,
    epoch          BIGINT NOT NULL,
    scope          TEXT NOT NULL,
    idempotency    TEXT NOT NULL,    -- empty: the call was not repeatable
    image          TEXT NOT NULL,
    track          TEXT NOT NULL,    -- empty in records made before this migration
    pin            TEXT NOT NULL,    -- empty while queued for a first promotion
    after_run      TEXT NOT NULL,
    same_as        TEXT NOT NULL,
    rejected       INTEGER NOT NULL,
    host           TEXT NOT NULL,
    engine_marker  TEXT NOT NULL,
    engine_life    TEXT NOT NULL,
    engine_version TEXT NOT NULL,
    container_id   TEXT NOT NULL,
    state          TEXT NOT NULL,
    ended          INTEGER NOT NULL, -- 1: the state is an outcome
    owed           INTEGER NOT NULL, -- 1: a stop is owed to the container
    reason         TEXT NOT NULL,
    exit_code      INTEGER,          -- NULL: nothing exited
    signal         INTEGER NOT NULL,
    oom_killed     INTEGER NOT NULL,
    submitted_at   BIGINT NOT NULL,
    placed_at      BIGINT NOT NULL,  -- 0, here and below: did not happen
    started_at     BIGINT NOT NULL,
    first_line_at  BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL,
    stop           TEXT NOT NULL,    -- JSON, and so are the next four
    log            TEXT NOT NULL,
    terms          TEXT NOT NULL,
    asked          TEXT NOT NULL,
    spec           TEXT NOT NULL,
    detail         TEXT NOT NULL,
    result         BLOB              -- JSON; NULL: none
);

INSERT INTO runs (
    id, namespace, run_key, epoch, scope, idempotency, image, track, pin, after_run, same_as, rejected,
    host, engine_marker, engine_life, engine_version, container_id, state, ended, owed, reason, exit_code, signal, oom_killed,
    submitted_at, placed_at, started_at, first_line_at, ended_at, stop, log, terms, asked, spec, detail, result
) SELECT
    id, 'default', '', 0, '', '', image, '', pin, '', '', 0,
    host, engine_marker, '', '', container_id, state, ended, 0, reason, exit_code, 0, oom_killed,
    submitted_at, placed_at, started_at, first_line_at, ended_at, '{}', '{}', '{"Namespace":"default"}', spec, spec, detail, NULL
FROM runs_of_00001;

DROP TABLE runs_of_00001;

-- Two runs for one call are impossible, whatever the program does.
CREATE UNIQUE INDEX run_of_call ON runs (namespace, idempotency) WHERE idempotency <> '';

-- What is filtered by beside the first column stands at the end, so that a page
-- of few among many is found without looking into the runs.
CREATE INDEX unfinished_runs ON runs (id) WHERE ended = 0 OR owed = 1;
CREATE INDEX ended_runs ON runs (ended_at) WHERE ended = 1 AND owed = 0;
CREATE INDEX runs_of_key ON runs (run_key, namespace, id) WHERE run_key <> '';
CREATE INDEX runs_of_scope ON runs (scope, id, state) WHERE scope <> '';
CREATE INDEX runs_of_host ON runs (host, id, state) WHERE host <> '';
CREATE INDEX runs_answered_by ON runs (same_as) WHERE same_as <> '';
CREATE INDEX runs_of_image ON runs (image, id, state, host);
CREATE INDEX runs_in_state ON runs (state, id);

-- Values of secret variables, sealed, until their container exists.
CREATE TABLE run_secrets (
    run    TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL
);

-- Calls that a run answered which another call had made.
CREATE TABLE joined_calls (
    namespace   TEXT NOT NULL,
    idempotency TEXT NOT NULL,
    run         TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    joined_at   BIGINT NOT NULL,
    PRIMARY KEY (namespace, idempotency)
);

CREATE INDEX calls_of_run ON joined_calls (run, joined_at);

CREATE TABLE scopes (
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    host       TEXT NOT NULL,    -- of its volume; empty: it has none
    marker     TEXT NOT NULL,
    volume     TEXT NOT NULL,
    keep       INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,  -- 0: it lives
    PRIMARY KEY (namespace, name)
);

-- Promise 2: one digest for a track in a scope, whoever comes first.
CREATE TABLE scope_pins (
    namespace TEXT NOT NULL,
    scope     TEXT NOT NULL,
    track     TEXT NOT NULL,
    image     TEXT NOT NULL,
    pin       TEXT NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (namespace, scope, track),
    FOREIGN KEY (namespace, scope) REFERENCES scopes (namespace, name) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE scope_pins;
DROP TABLE scopes;
DROP TABLE joined_calls;
DROP TABLE run_secrets;
DROP INDEX runs_in_state;
DROP INDEX runs_of_image;
DROP INDEX runs_answered_by;
DROP INDEX runs_of_host;
DROP INDEX runs_of_scope;
DROP INDEX runs_of_key;
DROP INDEX ended_runs;
DROP INDEX unfinished_runs;
DROP INDEX run_of_call;
ALTER TABLE runs DROP COLUMN result;
ALTER TABLE runs DROP COLUMN asked;
ALTER TABLE runs DROP COLUMN terms;
ALTER TABLE runs DROP COLUMN log;
ALTER TABLE runs DROP COLUMN stop;
ALTER TABLE runs DROP COLUMN signal;
ALTER TABLE runs DROP COLUMN owed;
ALTER TABLE runs DROP COLUMN engine_version;
ALTER TABLE runs DROP COLUMN engine_life;
ALTER TABLE runs DROP COLUMN rejected;
ALTER TABLE runs DROP COLUMN same_as;
ALTER TABLE runs DROP COLUMN after_run;
ALTER TABLE runs DROP COLUMN track;
ALTER TABLE runs DROP COLUMN idempotency;
ALTER TABLE runs DROP COLUMN namespace;
-- What is filtered by beside the first column stands at the end, so that a page
-- of few among many is found without looking into the runs.
CREATE INDEX unfinished_runs ON runs (id) WHERE ended = 0;
