-- What an assertion says: that its value holds, that it ends, or that the contribution of which the value is the id was never
-- so (model::Says).
ALTER TABLE assertion ADD COLUMN says TEXT NOT NULL DEFAULT 'holds' CHECK (says IN ('holds', 'ends', 'annuls'));
