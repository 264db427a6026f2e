-- +goose Up
-- The last backup that was made of the state. In a state that was restored it is
-- the one that it comes from, whose size is not known.
CREATE TABLE backups (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    made_at  BIGINT NOT NULL, -- the moment that it shows
    bytes    BIGINT NOT NULL,
    took     BIGINT NOT NULL  -- microseconds
);

-- +goose Down
DROP TABLE backups;
