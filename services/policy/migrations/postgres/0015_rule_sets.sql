-- Rule sets as their moves made them. `content` is their exact bytes, `rule_set` the fold of the moves as JSON. Set 0 is the one that
-- comes with the program, and has no row.
CREATE TABLE rule_set (
    number   BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    version  BIGINT NOT NULL,
    content  BYTEA   NOT NULL,
    rule_set TEXT    NOT NULL
);

-- Every move, never changed; columns as those of `admission_move`.
CREATE TABLE rule_set_move (
    number     BIGINT NOT NULL REFERENCES rule_set (number),
    version    BIGINT NOT NULL,
    request_id TEXT    NOT NULL UNIQUE,
    digest     BYTEA   NOT NULL,
    request    BYTEA   NOT NULL,
    made       TEXT    NOT NULL,
    made_at_us BIGINT NOT NULL,
    answer     BYTEA,
    receipt    BYTEA,
    PRIMARY KEY (number, version)
);

CREATE INDEX rule_set_move_unrecorded ON rule_set_move (made_at_us) WHERE receipt IS NULL;

-- Which set decides, and the digest of its bytes; empty for set 0. It stands with the revision, so that whoever reads what it decides
-- about reads by which set as well.
ALTER TABLE registry_revision ADD COLUMN rules BIGINT NOT NULL DEFAULT 0 CHECK (rules >= 0);
ALTER TABLE registry_revision ADD COLUMN rules_digest TEXT NOT NULL DEFAULT '';

-- What policy was asked, without persons, cases and officers: `asked` is the question as JSON, `id` the SHA-256 of that.
CREATE TABLE question (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 64),
    agency    TEXT    NOT NULL,
    system    TEXT    NOT NULL,
    asked     TEXT    NOT NULL,
    times     BIGINT NOT NULL CHECK (times > 0),
    first_day TEXT    NOT NULL CHECK (length(first_day) = 10),
    last_day  TEXT    NOT NULL CHECK (length(last_day) = 10)
);

CREATE INDEX question_of_caller ON question (agency, system);
CREATE INDEX question_last_day ON question (last_day);
