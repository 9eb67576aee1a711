-- Warrants that were taken, by their ids, until they could not be taken any more (rule LKP-48).
CREATE TABLE used_warrant (
    jti TEXT NOT NULL PRIMARY KEY,
    -- Seconds since 1970 from which on it may be forgotten.
    forget_at BIGINT NOT NULL
);
CREATE INDEX used_warrant_forget_at ON used_warrant (forget_at);
