-- When records could be written, without which nothing is given: what each process notes every 20 seconds, in a row for each stretch
-- without a break. The reports say from it how long nothing could be given.
CREATE TABLE alive (
    process  TEXT    NOT NULL, -- a random name
    from_ms  BIGINT  NOT NULL, -- milliseconds since 1970 (UTC)
    until_ms BIGINT  NOT NULL,
    PRIMARY KEY (process, from_ms)
);
CREATE INDEX alive_until ON alive (until_ms);
