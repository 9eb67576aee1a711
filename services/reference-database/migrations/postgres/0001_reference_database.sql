-- One row: the last change, from which on changes are kept, when the last one was committed, and the secret that makes
-- a cursor of this database.
CREATE TABLE state (
    id              BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence        BIGINT NOT NULL,
    kept_from       BIGINT NOT NULL,
    committed_at_us BIGINT NOT NULL,
    cursor_key      BYTEA   NOT NULL
);

-- What is known of each person. A birth has no number until the register has given it one.
CREATE TABLE record (
    record_id TEXT NOT NULL PRIMARY KEY,
    number    TEXT UNIQUE,
    golden    TEXT NOT NULL -- JSON of model::GoldenRecord
);

-- What was registered here, in commit order (rule SRC-1).
CREATE TABLE change (
    sequence        BIGINT NOT NULL PRIMARY KEY,
    change_id       TEXT    NOT NULL UNIQUE,
    record_id       TEXT    NOT NULL,
    committed_at_us BIGINT NOT NULL,
    change          BYTEA   NOT NULL -- a Change of the contract, without its cursor
);

-- Events that were delivered (rules SNK-2, SNK-3).
CREATE TABLE event (
    event_id     TEXT    NOT NULL PRIMARY KEY,
    digest       BYTEA   NOT NULL,
    sequence     BIGINT NOT NULL,
    stored_at_us BIGINT NOT NULL,
    event        BYTEA   NOT NULL -- an Event of the contract
);

-- The newest version of each person that is followed (rule SNK-4).
CREATE TABLE followed (
    token   TEXT    NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
