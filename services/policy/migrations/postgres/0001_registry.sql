-- Agencies, connections and agreements. Days are ISO dates as text, so that both engines compare them
-- alike; ends are the first day on which the thing no longer holds.
CREATE TABLE agency (
    code TEXT NOT NULL PRIMARY KEY,
    vi   TEXT NOT NULL,
    en   TEXT NOT NULL
);

CREATE TABLE connection (
    id             TEXT NOT NULL PRIMARY KEY,
    agency         TEXT NOT NULL REFERENCES agency (code),
    -- The path of the system's SPIFFE id is /agency/<agency>/system/<system>.
    system         TEXT NOT NULL,
    database_id    TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'REVOKED')),
    legal_basis    TEXT NOT NULL,
    assessed_until TEXT NOT NULL,
    UNIQUE (agency, system)
);

CREATE TABLE agreement (
    id         TEXT NOT NULL PRIMARY KEY,
    connection TEXT NOT NULL REFERENCES connection (id),
    valid_from TEXT NOT NULL,
    valid_to   TEXT NOT NULL
);

CREATE INDEX agreement_of_connection ON agreement (connection);

CREATE TABLE agreement_grant (
    agreement   TEXT    NOT NULL REFERENCES agreement (id),
    ordinal     INTEGER NOT NULL,
    action      TEXT    NOT NULL CHECK (action IN ('obtain', 'contribute')),
    procedure   TEXT    NOT NULL,
    legal_basis TEXT    NOT NULL,
    items       TEXT    NOT NULL, -- a JSON array of item ids
    PRIMARY KEY (agreement, ordinal)
);

-- One row: the digest of all of the above, written with every change of it.
CREATE TABLE registry_revision (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    digest TEXT    NOT NULL
);

INSERT INTO registry_revision (id, digest) VALUES (1, '');
