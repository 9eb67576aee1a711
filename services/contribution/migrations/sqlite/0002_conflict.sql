-- Where a source says otherwise than one with more authority: who has to act next, and until when. One row for each item of a
-- contribution that disagrees. What the register said last counts, in whatever order it is heard: register_version says which.
CREATE TABLE conflict (
    conflict_id             TEXT    NOT NULL PRIMARY KEY,
    contribution_id         TEXT    NOT NULL, -- that disagrees
    item                    TEXT    NOT NULL,
    person                  TEXT    NOT NULL, -- the register's own id
    source                  TEXT    NOT NULL,
    against_contribution_id TEXT    NOT NULL, -- that says what is held
    against_source          TEXT    NOT NULL,
    register_version        INTEGER  NOT NULL,
    state                   TEXT    NOT NULL
                            CHECK (state IN ('open', 'asked', 'accepted', 'rejected', 'overtaken')),
    owner                   TEXT    NOT NULL, -- a database; 'npd' for the register's own officers; none when it is closed
    due_at_us               INTEGER  NOT NULL, -- microseconds since 1970 (UTC)
    opened_at_us            INTEGER  NOT NULL,
    message                 TEXT    NOT NULL, -- what was written when it was handed over or decided last
    UNIQUE (contribution_id, item),
    CHECK ((owner = '') = (state IN ('accepted', 'rejected', 'overtaken')))
) STRICT;

CREATE INDEX conflict_of_owner ON conflict (owner, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_of_source ON conflict (source, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_against ON conflict (against_source, due_at_us, conflict_id) WHERE owner <> '';
CREATE INDEX conflict_due ON conflict (due_at_us) WHERE owner <> '';

-- What each connection is told became of its contributions, in the order in which it came about. Whoever writes one keeps the
-- connection's row of outcome_last until it commits, so that one that is seen has none before it that is still to come.
CREATE TABLE outcome_last (
    connection TEXT    NOT NULL PRIMARY KEY,
    sequence   INTEGER  NOT NULL
) STRICT;

CREATE TABLE outcome (
    connection      TEXT    NOT NULL,
    sequence        INTEGER  NOT NULL,
    at_us           INTEGER  NOT NULL, -- microseconds since 1970 (UTC)
    contribution_id TEXT    NOT NULL,
    conflict        TEXT,             -- JSON of what became of a conflict; none where it is the contribution's own outcome
    PRIMARY KEY (connection, sequence)
) STRICT;

-- What was decided before there was this list, in the order in which it was received.
INSERT INTO outcome (connection, sequence, at_us, contribution_id)
SELECT connection, ROW_NUMBER() OVER (PARTITION BY connection ORDER BY received_at_us, contribution_id),
       received_at_us, contribution_id
FROM submission WHERE outcome IS NOT NULL;

INSERT INTO outcome_last (connection, sequence) SELECT connection, MAX(sequence) FROM outcome GROUP BY connection;
