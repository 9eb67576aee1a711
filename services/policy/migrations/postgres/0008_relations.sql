-- An agreement may also grant that a person's relations are listed, in either direction, and the household, and that tokens are
-- issued anew. What an action is the program says alone, which asks for none that it does not know: the check here is one for
-- form, so that a further action needs no other table.
ALTER TABLE agreement_grant DROP CONSTRAINT agreement_grant_action_check;
ALTER TABLE agreement_grant ADD CONSTRAINT agreement_grant_action_check CHECK (action <> '');
