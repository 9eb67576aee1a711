-- Agencies, connections and agreements; no personal data. Days are ISO dates as text, so that both engines
-- hold and compare them alike; an end is the first day on which the thing no longer holds.
CREATE TABLE agency (
    code TEXT NOT NULL PRIMARY KEY,
    vi   TEXT NOT NULL,
    en   TEXT NOT NULL
);

-- The path of the system's SPIFFE id is /agency/<agency>/system/<system>.
CREATE TABLE connection (
    id             TEXT NOT NULL PRIMARY KEY,
    agency         TEXT NOT NULL REFERENCES agency (code),
    system         TEXT NOT NULL,
    database_id    TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'REVOKED')),
    legal_basis    TEXT NOT NULL,
    assessed_until TEXT NOT NULL CHECK (length(assessed_until) = 10),
    UNIQUE (agency, system)
);

CREATE TABLE agreement (
    id         TEXT NOT NULL PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    valid_from TEXT NOT NULL CHECK (length(valid_from) = 10),
    valid_to   TEXT NOT NULL CHECK (length(valid_to) = 10),
    CHECK (valid_from < valid_to)
);

CREATE INDEX agreement_of_connection ON agreement (connection);

-- One row for each item that an agreement grants for an act, a procedure and a ground.
CREATE TABLE agreement_grant (
    agreement   TEXT NOT NULL REFERENCES agreement (id),
    action      TEXT NOT NULL CHECK (action IN ('obtain', 'contribute')),
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    item        TEXT NOT NULL,
    PRIMARY KEY (agreement, action, procedure, legal_basis, item)
);

-- One row: the digest of all of the above, written in the transaction that changes it; empty before the
-- first. It is also what two processes that apply a registry at once wait for.
CREATE TABLE registry_revision (
    id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    digest TEXT   NOT NULL
);

INSERT INTO registry_revision (id, digest) VALUES (1, '');
