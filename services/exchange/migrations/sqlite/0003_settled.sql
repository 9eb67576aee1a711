-- A dead letter that was seen to is put away, and kept.
ALTER TABLE dead_letter ADD COLUMN settled_us INTEGER;
ALTER TABLE dead_letter ADD COLUMN settled_by TEXT NOT NULL DEFAULT '';

CREATE INDEX dead_letter_newest ON dead_letter (noted_us, id);
