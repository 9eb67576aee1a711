-- The population register. Assertions are append-only; `person.record` is their fold, kept so that a lookup
-- reads one row, and always equal to a recomputation (I5).

-- One row: the newest version, and whether this register holds synthetic persons only.
CREATE TABLE register (
    id        SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version   BIGINT  NOT NULL,
    synthetic BOOLEAN NOT NULL
);

CREATE TABLE person (
    person_id TEXT    NOT NULL PRIMARY KEY,
    protected BOOLEAN NOT NULL,
    version   BIGINT  NOT NULL, -- of the register, when the record last changed
    record    TEXT    NOT NULL  -- JSON of model::GoldenRecord
);

-- Twelve digits and nine digits never meet, so the value alone is the key; a number is never reused.
CREATE TABLE identifier (
    value     TEXT NOT NULL PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('personal_number', 'old_number_9')),
    person_id TEXT NOT NULL REFERENCES person (person_id),
    state     TEXT NOT NULL CHECK (state IN ('active', 'cancelled'))
);

CREATE TABLE assertion (
    id              BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id       TEXT    NOT NULL REFERENCES person (person_id),
    item            TEXT    NOT NULL,
    value           TEXT    NOT NULL, -- JSON of model::Value
    source          TEXT    NOT NULL,
    contribution_id TEXT    NOT NULL,
    valid_from      TEXT,             -- JSON of model::PartialDate
    known_at_us     BIGINT  NOT NULL, -- microseconds since 1970 (UTC)
    version         BIGINT  NOT NULL
);

CREATE INDEX assertion_of_person ON assertion (person_id);

-- Each entry of a source brings one person, whatever key it is sent under.
CREATE TABLE source_entry (
    source    TEXT NOT NULL,
    entry     TEXT NOT NULL,
    person_id TEXT NOT NULL REFERENCES person (person_id),
    PRIMARY KEY (source, entry)
);

-- What became of each contribution, so that the same one is applied once (I4).
CREATE TABLE application (
    contribution_id TEXT NOT NULL PRIMARY KEY,
    digest          BYTEA NOT NULL,
    outcome         TEXT NOT NULL -- JSON of the outcome
);

-- Change events carry no values (I1).
CREATE TABLE change (
    version     BIGINT  NOT NULL PRIMARY KEY,
    person_id   TEXT    NOT NULL REFERENCES person (person_id),
    items       TEXT    NOT NULL, -- JSON array of item ids
    known_at_us BIGINT  NOT NULL
);

-- Lookups that matched nobody, counted per connection and window.
CREATE TABLE guessing (
    connection      TEXT    NOT NULL,
    window_start_ms BIGINT  NOT NULL,
    misses          BIGINT  NOT NULL,
    PRIMARY KEY (connection, window_start_ms)
);
