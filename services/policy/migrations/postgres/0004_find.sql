-- An agreement may also grant that persons are found: one of whom enough is known, or several to choose among.
ALTER TABLE agreement_grant DROP CONSTRAINT agreement_grant_action_check;
ALTER TABLE agreement_grant ADD CONSTRAINT agreement_grant_action_check
    CHECK (action IN ('obtain', 'contribute', 'follow', 'explain', 'resolve', 'search'));
