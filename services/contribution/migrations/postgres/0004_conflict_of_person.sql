-- One contribution may say an item of several persons, of each of whom another source says otherwise: each is a conflict.
ALTER TABLE conflict DROP CONSTRAINT conflict_contribution_id_item_key;
ALTER TABLE conflict ADD UNIQUE (contribution_id, item, person);

-- Who decides it: the database whose word is held, or the register's own officers, to whom it went.
ALTER TABLE conflict ADD COLUMN decider TEXT NOT NULL DEFAULT '';
UPDATE conflict SET decider = CASE WHEN owner = 'npd' THEN 'npd' ELSE against_source END;
ALTER TABLE conflict ALTER COLUMN decider DROP DEFAULT;

-- A contribution has one outcome of its own.
CREATE UNIQUE INDEX outcome_of_contribution ON outcome (contribution_id) WHERE conflict IS NULL;
