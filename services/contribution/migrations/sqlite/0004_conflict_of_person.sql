-- One contribution may say an item of several persons, of each of whom another source says otherwise: each is a conflict. A
-- constraint cannot be changed, so the table is made anew.
CREATE TABLE conflict_4 (
    conflict_id             TEXT    NOT NULL PRIMARY KEY,
    contribution_id         TEXT    NOT NULL, -- that disagrees
    item                    TEXT    NOT NULL,
    person                  TEXT    NOT NULL, -- the register's own id
    source                  TEXT    NOT NULL,
    against_contribution_id TEXT    NOT NULL, -- that says what is held
    against_source          TEXT    NOT NULL,
    register_version        INTEGER NOT NULL,
    state                   TEXT    NOT NULL
                            CHECK (state IN ('open', 'asked', 'accepted', 'rejected', 'overtaken')),
    owner                   TEXT    NOT NULL, -- a database; 'npd' for the register's own officers; none when it is closed
    -- Who decides it: the database whose word is held, or the register's own officers, to whom it went.
    decider                 TEXT    NOT NULL,
    due_at_us               INTEGER NOT NULL, -- microseconds since 1970 (UTC)
    opened_at_us            INTEGER NOT NULL,
    message                 TEXT    NOT NULL, -- what was written when it was handed over or decided last
    UNIQUE (contribution_id, item, person),
    CHECK ((owner = '') = (state IN ('accepted', 'rejected', 'overtaken')))
) STRICT;

INSERT INTO conflict_4 SELECT conflict_id, contribution_id, item, person, source, against_contribution_id, against_source,
    register_version, state, owner, CASE WHEN owner = 'npd' THEN 'npd' ELSE against_source END, due_at_us, opened_at_us, message
FROM conflict;

DROP TABLE conflict;

ALTER TABLE conflict_4 RENAME TO conflict;

CREATE INDEX conflict_of_owner ON conflict (owner, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_of_source ON conflict (source, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_against ON conflict (against_source, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_due ON conflict (due_at_us) WHERE owner <> '';

-- A contribution has one outcome of its own.
CREATE UNIQUE INDEX outcome_of_contribution ON outcome (contribution_id) WHERE conflict IS NULL;
