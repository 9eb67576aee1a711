-- Under whom each access stands, so that a person can be told of it. Numbered from 1 in the order of the log, without a gap, in the
-- transaction that records it.
CREATE TABLE subject_entry (
    subject         TEXT    NOT NULL, -- `p:` and the register's opaque id, or `m:` and the digest of a number that nobody bore
    position        BIGINT NOT NULL, -- of the leaf
    number          BIGINT NOT NULL,
    time_ms         BIGINT NOT NULL, -- of the leaf
    sealed_until_ms BIGINT NOT NULL, -- nothing but its number is told before; 0 where it is not sealed
    PRIMARY KEY (subject, position),
    UNIQUE (subject, number)
);
