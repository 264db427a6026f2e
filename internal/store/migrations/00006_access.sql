-- +goose Up
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    grants     TEXT NOT NULL,    -- JSON
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,  -- 0, here and below: never
    revoked_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);

CREATE TABLE audit (
    id        TEXT PRIMARY KEY, -- UUIDv7: sorts by time
    at        BIGINT NOT NULL,
    caller    TEXT NOT NULL,    -- empty: anonymous
    namespace TEXT NOT NULL,
    operation TEXT NOT NULL,
    path      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    remote    TEXT NOT NULL,
    status    INTEGER NOT NULL, -- 0: it was never answered
    run       TEXT NOT NULL
);

CREATE INDEX audit_of_caller ON audit (caller, id);

CREATE INDEX runs_of_namespace ON runs (namespace, id, state);

-- +goose Down
DROP INDEX runs_of_namespace;
DROP TABLE audit;
DROP TABLE tokens;
