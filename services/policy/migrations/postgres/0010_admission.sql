-- Connections come of the operator's registry file, which takes the place of its own rows alone, or of an admission, whose moves
-- write them.
ALTER TABLE connection ADD COLUMN origin TEXT NOT NULL DEFAULT 'file' CHECK (origin IN ('file', 'admission'));

-- The digest of the registry file that was applied last; `digest` is over that and every admission.
ALTER TABLE registry_revision ADD COLUMN file TEXT NOT NULL DEFAULT '';

UPDATE registry_revision SET file = digest;

-- Admissions as their moves made them. `admission` is the fold of the moves as JSON, `state` its name at the last move.
CREATE TABLE admission (
    connection TEXT NOT NULL PRIMARY KEY REFERENCES connection (id),
    version    BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state <> ''),
    admission  TEXT NOT NULL
);

-- Every move, never changed. `request` is the exact bytes, `digest` their SHA-256. `answer` and `receipt` are what was answered
-- and the proof that it is in the access log; there are none while it is not.
CREATE TABLE admission_move (
    connection TEXT   NOT NULL REFERENCES admission (connection),
    version    BIGINT NOT NULL,
    request_id TEXT   NOT NULL UNIQUE,
    digest     BYTEA  NOT NULL,
    request    BYTEA  NOT NULL,
    made       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    made_at_us BIGINT NOT NULL,
    answer     BYTEA,
    receipt    BYTEA,
    PRIMARY KEY (connection, version)
);

CREATE INDEX admission_move_unrecorded ON admission_move (made_at_us) WHERE receipt IS NULL;
