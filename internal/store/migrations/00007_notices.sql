-- +goose Up
-- What people are to be told of and no route has taken yet: written in the
-- transaction of what it tells.
CREATE TABLE notices (
    id    TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    event TEXT NOT NULL     -- JSON
);

-- What the routes made of them.
CREATE TABLE messages (
    id      TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    route   TEXT NOT NULL,
    thread  TEXT NOT NULL,    -- what it is about
    state   TEXT NOT NULL,    -- waiting, failed, sent, dropped
    due_at  BIGINT NOT NULL,  -- when it is to be sent, or tried again
    tries   BIGINT NOT NULL,
    ref     TEXT NOT NULL,    -- the channel's name for what was sent
    error   TEXT NOT NULL,    -- why the last try failed
    made_at BIGINT NOT NULL,
    done_at BIGINT NOT NULL,  -- when it was sent or dropped
    content TEXT NOT NULL     -- JSON
);
CREATE INDEX messages_threads ON messages (route, thread, id);
CREATE INDEX messages_due ON messages (route, due_at, id) WHERE state IN ('waiting', 'failed');
CREATE INDEX messages_made ON messages (route, id) WHERE state IN ('waiting', 'failed');
CREATE INDEX messages_done ON messages (route, done_at) WHERE state IN ('sent', 'dropped');

-- How many messages were dropped without anybody having been told.
CREATE TABLE message_losses (
    route TEXT PRIMARY KEY,
    lost  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE message_losses;
DROP TABLE messages;
DROP TABLE notices;
