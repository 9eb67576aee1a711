-- What a witness, named by its verifier key, said of the checkpoint of a size: its line (C2SP tlog-cosignature). Said again, it is
-- the later one that stands.
CREATE TABLE cosignature (
    witness TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    line    TEXT    NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (witness, size)
);
CREATE INDEX cosignature_of_size ON cosignature (size);

-- Checkpoints that a quorum of the witnesses cosigned, each with its lines: what is shown.
CREATE TABLE cosigned (
    size    INTEGER NOT NULL PRIMARY KEY,
    note    TEXT    NOT NULL,
    time_ms INTEGER NOT NULL
);
