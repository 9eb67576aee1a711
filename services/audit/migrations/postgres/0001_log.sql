-- The one row that every append must find as its process last saw it; whoever does not is fenced.
CREATE TABLE log_state (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    size  BIGINT NOT NULL,
    epoch BIGINT NOT NULL
);
INSERT INTO log_state (id, size, epoch) VALUES (1, 0, 0);

-- Append-only. A leaf holds commitments, nothing of a person.
CREATE TABLE leaf (
    position  BIGINT NOT NULL PRIMARY KEY,
    record_id BYTEA  NOT NULL UNIQUE,
    leaf      BYTEA  NOT NULL
);

-- What opens the commitments of a leaf. Erasing a row makes its leaf noise; the tree stands.
CREATE TABLE opening (
    position       BIGINT NOT NULL PRIMARY KEY,
    outer_key      BYTEA  NOT NULL,
    inner_key      BYTEA  NOT NULL,
    context        TEXT   NOT NULL,
    request_digest BYTEA  NOT NULL,
    answer_digest  BYTEA  NOT NULL,
    decision       BYTEA  NOT NULL
);

-- Hashes of completed subtrees, numbered as in Go's sumdb/tlog. Append-only.
CREATE TABLE node (
    position BIGINT NOT NULL PRIMARY KEY,
    hash     BYTEA  NOT NULL
);

-- Every checkpoint ever signed. Append-only.
CREATE TABLE checkpoint (
    size    BIGINT NOT NULL PRIMARY KEY,
    root    BYTEA  NOT NULL,
    note    TEXT   NOT NULL,
    time_ms BIGINT NOT NULL
);
