-- What a change was (domain::feed::ChangeKind), and the job that changed many persons at once. None where it was not kept.
ALTER TABLE change ADD COLUMN kind TEXT;
ALTER TABLE change ADD COLUMN bulk_job TEXT;

-- The persons whom a connection follows by name, by its own tokens. Whether a token is of anybody is not looked at, so that
-- nobody can tell (I7).
CREATE TABLE followed (
    connection TEXT NOT NULL,
    token      TEXT NOT NULL,
    PRIMARY KEY (connection, token)
) STRICT;

-- One row: up to where changes are not told any more. Their items are taken away; that there was a change, and by which rules
-- the record was folded, stays, because what was known at a moment rests on it (I6).
CREATE TABLE feed (
    id                INTEGER  NOT NULL PRIMARY KEY CHECK (id = 1),
    floor_version     INTEGER  NOT NULL, -- 0 while all are kept
    floor_known_at_us INTEGER  NOT NULL
) STRICT;

INSERT INTO feed (id, floor_version, floor_known_at_us) VALUES (1, 0, 0);
