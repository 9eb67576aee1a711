-- Revisions of the registry are numbered, so that whoever keeps decisions is told what to drop, and sees when this database was
-- set back. What is there counts as the first one.
ALTER TABLE registry_revision ADD COLUMN number INTEGER NOT NULL DEFAULT 0 CHECK (number >= 0);
UPDATE registry_revision SET number = 1 WHERE digest <> '';

-- The last revisions, for callers that go on from one of them. One that touches too many connections to name touches everything.
CREATE TABLE revision (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    digest     TEXT    NOT NULL,
    everything INTEGER NOT NULL CHECK (everything IN (0, 1))
) STRICT;

-- The connections that a revision touches, also those that it took away.
CREATE TABLE revision_connection (
    number     INTEGER NOT NULL REFERENCES revision (number),
    connection TEXT    NOT NULL,
    PRIMARY KEY (number, connection)
) STRICT, WITHOUT ROWID;

INSERT INTO revision (number, digest, everything)
SELECT number, digest, 1 FROM registry_revision WHERE number > 0;
