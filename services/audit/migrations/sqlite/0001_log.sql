-- The one row that every append must find as its process last saw it; whoever does not is fenced.
CREATE TABLE log_state (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    size  INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);
INSERT INTO log_state (id, size, epoch) VALUES (1, 0, 0);

-- Append-only. A leaf holds commitments, nothing of a person.
CREATE TABLE leaf (
    position  INTEGER NOT NULL PRIMARY KEY,
    record_id BLOB  NOT NULL UNIQUE,
    leaf      BLOB  NOT NULL
);

-- What opens the commitments of a leaf. Erasing a row makes its leaf noise; the tree stands.
CREATE TABLE opening (
    position       INTEGER NOT NULL PRIMARY KEY,
    outer_key      BLOB  NOT NULL,
    inner_key      BLOB  NOT NULL,
    context        TEXT   NOT NULL,
    request_digest BLOB  NOT NULL,
    answer_digest  BLOB  NOT NULL,
    decision       BLOB  NOT NULL
);

-- Hashes of completed subtrees, numbered as in Go's sumdb/tlog. Append-only.
CREATE TABLE node (
    position INTEGER NOT NULL PRIMARY KEY,
    hash     BLOB  NOT NULL
);

-- Every checkpoint ever signed. Append-only.
CREATE TABLE checkpoint (
    size    INTEGER NOT NULL PRIMARY KEY,
    root    BLOB  NOT NULL,
    note    TEXT   NOT NULL,
    time_ms INTEGER NOT NULL
);
