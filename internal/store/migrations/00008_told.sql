-- +goose Up
-- What people were told of and is not over: it is told once, however often the
-- server starts meanwhile.
CREATE TABLE troubles (
    what  TEXT PRIMARY KEY, -- kind and subject
    since BIGINT NOT NULL
);

ALTER TABLE runs ADD COLUMN orphaned_at BIGINT NOT NULL DEFAULT 0; -- 0: nobody was told

-- +goose Down
ALTER TABLE runs DROP COLUMN orphaned_at;
DROP TABLE troubles;
