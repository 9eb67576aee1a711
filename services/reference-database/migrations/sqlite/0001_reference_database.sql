-- One row: the last change, from which on changes are kept, when the last one was committed, and the secret that makes
-- a cursor of this database.
CREATE TABLE state (
    id              INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence        INTEGER NOT NULL,
    kept_from       INTEGER NOT NULL,
    committed_at_us INTEGER NOT NULL,
    cursor_key      BLOB    NOT NULL
) STRICT;

-- What is known of each person. A birth has no number until the register has given it one.
CREATE TABLE record (
    record_id TEXT NOT NULL PRIMARY KEY,
    number    TEXT UNIQUE,
    golden    TEXT NOT NULL -- JSON of model::GoldenRecord
) STRICT;

-- What was registered here, in commit order (rule SRC-1).
CREATE TABLE change (
    sequence        INTEGER NOT NULL PRIMARY KEY,
    change_id       TEXT    NOT NULL UNIQUE,
    record_id       TEXT    NOT NULL,
    committed_at_us INTEGER NOT NULL,
    change          BLOB    NOT NULL -- a Change of the contract, without its cursor
) STRICT;

-- Events that were delivered (rules SNK-2, SNK-3).
CREATE TABLE event (
    event_id     TEXT    NOT NULL PRIMARY KEY,
    digest       BLOB    NOT NULL,
    sequence     INTEGER NOT NULL,
    stored_at_us INTEGER NOT NULL,
    event        BLOB    NOT NULL -- an Event of the contract
) STRICT;

-- The newest version of each person that is followed (rule SNK-4).
CREATE TABLE followed (
    token   TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;
