-- +goose Up
-- What senders told of pushes, written down before they are answered.
CREATE TABLE deliveries (
    id      TEXT PRIMARY KEY,   -- UUIDv7: sorts by time
    hook    TEXT NOT NULL,
    refused INTEGER NOT NULL,   -- 1: it is kept apart, so that no flood of them drives out the others
    led     TEXT NOT NULL,      -- what it led to; empty: nothing yet
    record  TEXT NOT NULL       -- JSON
);

CREATE INDEX deliveries_of_hook ON deliveries (hook, refused, id);

-- +goose Down
DROP TABLE deliveries;
