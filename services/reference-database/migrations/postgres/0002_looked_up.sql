-- Up to which version each person that is followed was looked up in the register.
ALTER TABLE followed ADD COLUMN looked_up BIGINT NOT NULL DEFAULT 0;
