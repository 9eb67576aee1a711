-- An agreement may also grant that persons are found: one of whom enough is known, or several to choose among. A check cannot
-- be changed, so the table is made anew.
CREATE TABLE agreement_grant_4 (
    agreement   TEXT NOT NULL REFERENCES agreement (id),
    action      TEXT NOT NULL
                CHECK (action IN ('obtain', 'contribute', 'follow', 'explain', 'resolve', 'search')),
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    item        TEXT NOT NULL,
    PRIMARY KEY (agreement, action, procedure, legal_basis, item)
) STRICT, WITHOUT ROWID;

INSERT INTO agreement_grant_4 SELECT agreement, action, procedure, legal_basis, item FROM agreement_grant;

DROP TABLE agreement_grant;

ALTER TABLE agreement_grant_4 RENAME TO agreement_grant;
