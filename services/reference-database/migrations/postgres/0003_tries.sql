-- How often a person was looked up without an answer that could be used, so that nobody waits behind such a one.
ALTER TABLE followed ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
