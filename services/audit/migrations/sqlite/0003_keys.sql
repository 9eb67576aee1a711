-- What opens the commitments of a leaf. `sealed` holds both digests and the decision, encrypted under a key that comes from the
-- record's inner key. The context is method and caller, nothing of a person. Version 1 had all of it in clear: its rows are sealed
-- and moved here when the service starts, and `opening_clear` is empty from then on.
ALTER TABLE opening RENAME TO opening_clear;
CREATE TABLE opening (
    position INTEGER NOT NULL PRIMARY KEY,
    context  TEXT NOT NULL,
    sealed   BLOB NOT NULL
);

-- One key for the records of each day of Viet Nam (UTC+7), wrapped by the key-encryption key that is named.
CREATE TABLE data_key (
    day     TEXT NOT NULL PRIMARY KEY,
    kek     TEXT NOT NULL,
    wrapped BLOB NOT NULL
);

-- Outer and inner key of a record, wrapped by the key of the day. Erasing a row makes its leaf and its opening noise; the tree stands.
CREATE TABLE record_key (
    position INTEGER NOT NULL PRIMARY KEY,
    day      TEXT NOT NULL,
    wrapped  BLOB NOT NULL
);

-- Which keys were erased, and by which document. Append-only.
CREATE TABLE erasure (
    position INTEGER NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    time_ms  INTEGER NOT NULL
);
