-- What a grant obliges whoever is given something by it to do: words of a closed list, joined by commas. The grants of before
-- oblige to nothing.
ALTER TABLE agreement_grant ADD COLUMN obligations TEXT NOT NULL DEFAULT '';
