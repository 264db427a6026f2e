-- +goose Up
-- What is known of whether a digest may be warmed (JSON), who made it current,
-- and why it came to be: empty where the tag showed it.
ALTER TABLE rollouts ADD COLUMN trust TEXT NOT NULL DEFAULT '{}';
ALTER TABLE rollouts ADD COLUMN promoted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE rollouts ADD COLUMN origin TEXT NOT NULL DEFAULT '';

CREATE INDEX rollouts_of_image ON rollouts (image, id);

-- What is known of an image beside its rollouts.
CREATE TABLE images (
    image      TEXT PRIMARY KEY,
    repository TEXT NOT NULL,   -- where the tags were listed
    chosen     TEXT NOT NULL,   -- JSON: those that its selection chose last, newest first
    held_at    BIGINT NOT NULL, -- 0: promotions are not held
    held_by    TEXT NOT NULL
);

CREATE TABLE pauses (
    what  TEXT NOT NULL,
    host  TEXT NOT NULL,     -- empty: the fleet
    since BIGINT NOT NULL,
    who   TEXT NOT NULL,
    PRIMARY KEY (what, host)
);

-- Which engine answered for a host last: another marker is another engine.
CREATE TABLE engines (
    host   TEXT PRIMARY KEY,
    marker TEXT NOT NULL
);

-- What people did.
CREATE TABLE acts (
    id     TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    at     BIGINT NOT NULL,
    who    TEXT NOT NULL,
    verb   TEXT NOT NULL,
    image  TEXT NOT NULL,
    tag    TEXT NOT NULL,
    digest TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX acts_of_image ON acts (image, id);

-- +goose Down
DROP TABLE acts;
DROP TABLE engines;
DROP TABLE pauses;
DROP TABLE images;
DROP INDEX rollouts_of_image;
ALTER TABLE rollouts DROP COLUMN origin;
ALTER TABLE rollouts DROP COLUMN promoted_by;
ALTER TABLE rollouts DROP COLUMN trust;
