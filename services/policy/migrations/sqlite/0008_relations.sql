-- An agreement may also grant that a person's relations are listed, in either direction, and the household, and that tokens are
-- issued anew. What an action is the program says alone, which asks for none that it does not know: the check here is one for
-- form, so that a further action needs no other table. A check cannot be changed, so the table is made anew.
CREATE TABLE agreement_grant_8 (
    agreement   TEXT NOT NULL REFERENCES agreement (id),
    action      TEXT NOT NULL CHECK (action <> ''),
    procedure   TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    item        TEXT NOT NULL,
    PRIMARY KEY (agreement, action, procedure, legal_basis, item)
) STRICT, WITHOUT ROWID;

INSERT INTO agreement_grant_8 SELECT agreement, action, procedure, legal_basis, item FROM agreement_grant;

DROP TABLE agreement_grant;

ALTER TABLE agreement_grant_8 RENAME TO agreement_grant;
