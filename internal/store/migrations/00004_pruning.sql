-- +goose Up
-- What engines don't keep: since when an image is on a host, and when it was
-- used there last.
CREATE TABLE host_images (
    host    TEXT NOT NULL,
    image   TEXT NOT NULL,   -- the engine's id
    seen_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL, -- 0: nobody saw that
    PRIMARY KEY (host, image)
);

-- Promise 6: digests that are being removed from a host, and those that were
-- just now. A run is never written down beside one, nor one beside a run.
CREATE TABLE removals (
    host     TEXT NOT NULL,
    pin      TEXT NOT NULL,
    pass     TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL, -- 0: it is under way
    PRIMARY KEY (host, pin)
);

CREATE INDEX removals_of_pin ON removals (pin);

-- Digests that are kept for a rollback and went from a host for want of space:
-- they are not pulled again for that alone.
CREATE TABLE given_up (
    host  TEXT NOT NULL,
    pin   TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (host, pin)
);

CREATE TABLE passes (
    id       TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    host     TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,  -- 0: cut short
    record   TEXT NOT NULL     -- JSON
);

CREATE INDEX passes_of_host ON passes (host, id);

-- Who wants a digest is asked before each removal.
CREATE INDEX unfinished_pins ON runs (pin) WHERE ended = 0 OR owed = 1;
CREATE INDEX scopes_of_pin ON scope_pins (pin);
CREATE INDEX runs_started ON runs (host, pin, started_at) WHERE host <> '' AND started_at > 0;

-- +goose Down
DROP INDEX runs_started;
DROP INDEX scopes_of_pin;
DROP INDEX unfinished_pins;
DROP TABLE passes;
DROP TABLE given_up;
DROP TABLE removals;
DROP TABLE host_images;
