-- Whom a record names by number (model::item::RELATIVES, HOUSEHOLD), and the number of its residence file: written with the keys of
-- the record in `search_key`, and of the same version and form. A number leads to its bearer by `identifier`, also one that
-- another has replaced; a number may be named before anybody bears it.
CREATE TABLE relation_key (
    item      TEXT NOT NULL,
    value     TEXT NOT NULL, -- the number
    person_id TEXT NOT NULL REFERENCES person (person_id), -- whose record it is
    PRIMARY KEY (item, value, person_id)
);

CREATE INDEX relation_key_of_person ON relation_key (person_id);

-- Epochs of the tokens of a connection, but for the first one, which has the number 0 and no row. Append-only.
CREATE TABLE token_epoch (
    connection       TEXT   NOT NULL,
    epoch            BIGINT NOT NULL,
    begun_us         BIGINT NOT NULL, -- microseconds since 1970 (UTC)
    earlier_until_us BIGINT NOT NULL, -- until when tokens of all epochs before it are accepted
    idempotency_key  TEXT   NOT NULL, -- of the call that began it
    digest           BYTEA  NOT NULL, -- SHA-256 of that call's bytes
    PRIMARY KEY (connection, epoch),
    UNIQUE (connection, idempotency_key)
);

-- A person has one token in each epoch.
ALTER TABLE token ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token DROP CONSTRAINT token_pkey;
ALTER TABLE token ADD PRIMARY KEY (connection, person_id, epoch);
