-- What persons consented to: that a system obtains items of them, for a procedure, for a while. A consent is the person's whose number
-- or token was named, and goes with that person's record where it is merged into another one.
CREATE TABLE consent (
    reference       TEXT   NOT NULL PRIMARY KEY, -- drawn at random; a lookup names it by this
    person_id       TEXT   NOT NULL REFERENCES person (person_id),
    agency          TEXT   NOT NULL, -- who may obtain the items
    system          TEXT   NOT NULL,
    procedure       TEXT   NOT NULL,
    items           TEXT   NOT NULL, -- their ids, a JSON array
    begins_us       BIGINT NOT NULL, -- microseconds since 1970 (UTC)
    ends_us         BIGINT NOT NULL, -- the first moment at which it counts no more
    channel         TEXT   NOT NULL, -- how it was given: own-app or on-paper
    evidence        BYTEA, -- SHA-256 of what shows that it was given
    notice_version  TEXT   NOT NULL, -- of what the person was shown
    connection      TEXT   NOT NULL, -- who had it recorded
    idempotency_key TEXT   NOT NULL, -- of the call that recorded it
    digest          BYTEA  NOT NULL, -- SHA-256 of that call's bytes
    recorded_us     BIGINT NOT NULL,
    withdrawn_us    BIGINT, -- since when it is withdrawn
    withdrawn_by    TEXT, -- the connection that withdrew it
    UNIQUE (connection, idempotency_key)
);
