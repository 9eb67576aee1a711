-- Agreements come of the operator's registry file, or are signed by their parties; both grant by the same tables.
ALTER TABLE agreement ADD COLUMN origin TEXT NOT NULL DEFAULT 'file' CHECK (origin IN ('file', 'signed'));

-- What an agreement demands of whoever uses what it grants for one action, procedure and ground, as JSON, and from when to when it
-- does so. What the registry file grants demands nothing.
CREATE TABLE agreement_terms (
    agreement   TEXT NOT NULL REFERENCES agreement (id),
    action      TEXT NOT NULL,
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    valid_from  TEXT NOT NULL CHECK (length(valid_from) = 10),
    valid_to    TEXT NOT NULL CHECK (length(valid_to) = 10),
    terms       TEXT NOT NULL,
    PRIMARY KEY (agreement, action, procedure, legal_basis)
);

-- Agreements as their moves made them. `content` is their exact bytes, `agreement` the fold of the moves as JSON, `fold` the
-- SHA-256 of that.
CREATE TABLE signed_agreement (
    id         TEXT   NOT NULL PRIMARY KEY,
    connection TEXT   NOT NULL REFERENCES connection (id),
    version    BIGINT NOT NULL,
    content    BYTEA  NOT NULL,
    agreement  TEXT   NOT NULL,
    fold       TEXT   NOT NULL CHECK (length(fold) = 64)
);

CREATE INDEX signed_agreement_of_connection ON signed_agreement (connection);

-- Every move, never changed; columns as those of `admission_move`.
CREATE TABLE agreement_move (
    agreement  TEXT   NOT NULL REFERENCES signed_agreement (id),
    version    BIGINT NOT NULL,
    request_id TEXT   NOT NULL UNIQUE,
    digest     BYTEA  NOT NULL,
    request    BYTEA  NOT NULL,
    made       TEXT   NOT NULL,
    made_at_us BIGINT NOT NULL,
    answer     BYTEA,
    receipt    BYTEA,
    PRIMARY KEY (agreement, version)
);

CREATE INDEX agreement_move_unrecorded ON agreement_move (made_at_us) WHERE receipt IS NULL;
