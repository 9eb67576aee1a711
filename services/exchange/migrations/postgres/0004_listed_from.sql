-- From where a change of the register was listed, of which an event tells: there its database goes on when it may not be
-- told of it now. Null for what tells of its own changes.
ALTER TABLE delivery ADD COLUMN listed_from TEXT;
