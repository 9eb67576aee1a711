-- What was submitted, and what became of it. A row is written before the register is asked, so that no
-- contribution that was received is ever lost.
CREATE TABLE submission (
    connection      TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    contribution_id TEXT    NOT NULL UNIQUE,
    digest          BYTEA   NOT NULL, -- SHA-256 of the exact request bytes
    application     TEXT    NOT NULL, -- JSON of what the register is asked to apply
    received_at_us  BIGINT  NOT NULL, -- microseconds since 1970 (UTC)
    outcome         TEXT,             -- JSON; none while it is being applied
    -- What the source was answered, with the receipt of that: the same bytes get the same answer (I4).
    answer          BYTEA,
    receipt         BYTEA,
    PRIMARY KEY (connection, idempotency_key),
    CHECK ((answer IS NULL) = (receipt IS NULL)),
    CHECK (answer IS NULL OR outcome IS NOT NULL)
);

CREATE INDEX submission_unfinished ON submission (received_at_us) WHERE outcome IS NULL;
