-- How far each database was read, and how far it was told. Nothing here is of a person but the events.
CREATE TABLE route (
    database_id   TEXT    NOT NULL PRIMARY KEY,
    cursor        TEXT    NOT NULL, -- empty: from the oldest change
    sequence      INTEGER NOT NULL, -- of the last change that was handed on
    changes       INTEGER NOT NULL, -- how many were
    committed_us  INTEGER NOT NULL, -- when that change was committed at its source; 0 before the first
    told          INTEGER NOT NULL  -- sequence of the last event for it
) STRICT;

-- Events for a database, in their order. One that it has taken keeps its place, so that the same is never told twice
-- under other bytes, and nothing of what it said.
CREATE TABLE delivery (
    database_id TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    event_id    TEXT    NOT NULL,
    event       BLOB, -- an Event of the contract; null when it was taken
    PRIMARY KEY (database_id, sequence),
    UNIQUE (database_id, event_id)
) STRICT;

CREATE INDEX delivery_waiting ON delivery (database_id, sequence) WHERE event IS NOT NULL;

-- What does not go on by itself: nothing waits without an owner.
CREATE TABLE dead_letter (
    id          TEXT    NOT NULL PRIMARY KEY,
    database_id TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    about       TEXT    NOT NULL, -- id of the change or event; empty when it is the route
    noted_us    INTEGER NOT NULL
) STRICT;

CREATE INDEX dead_letter_of ON dead_letter (database_id, noted_us);
