-- The newest known time: what the register learns later it learns at a later time, whatever clocks say, so that an
-- answer for a past known time never changes (I6).
ALTER TABLE register ADD COLUMN known_at_us INTEGER NOT NULL DEFAULT 0;
