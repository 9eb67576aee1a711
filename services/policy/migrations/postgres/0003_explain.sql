-- An agreement may also grant that values are explained.
ALTER TABLE agreement_grant DROP CONSTRAINT agreement_grant_action_check;
ALTER TABLE agreement_grant ADD CONSTRAINT agreement_grant_action_check
    CHECK (action IN ('obtain', 'contribute', 'follow', 'explain'));
