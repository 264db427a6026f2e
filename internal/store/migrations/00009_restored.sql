-- +goose Up
-- The state comes from a backup, and what happened on the hosts since then has not
-- been looked at yet.
CREATE TABLE restored (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    made_at     BIGINT NOT NULL, -- the backup
    restored_at BIGINT NOT NULL
);

-- The runs that waited in it. Those that were submitted after the restore are not
-- among them, and a clock could not tell them apart.
CREATE TABLE restored_runs (
    id TEXT PRIMARY KEY
);

-- +goose Down
DROP TABLE restored_runs;
DROP TABLE restored;
