-- An agreement may also grant that a database is told of changes.
ALTER TABLE agreement_grant DROP CONSTRAINT agreement_grant_action_check;
ALTER TABLE agreement_grant ADD CONSTRAINT agreement_grant_action_check
    CHECK (action IN ('obtain', 'contribute', 'follow'));
