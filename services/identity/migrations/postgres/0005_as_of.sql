-- By which rules of authority a record was folded at each of its versions, so that what was known then can be folded again.
ALTER TABLE change ADD COLUMN authority TEXT NOT NULL DEFAULT '';

CREATE INDEX change_of_person ON change (person_id, version);

-- The rules of each id: JSON of model::AuthorityInForce.
CREATE TABLE rules (
    id    TEXT NOT NULL PRIMARY KEY,
    rules TEXT NOT NULL
);

-- From when on everybody was folded by them.
CREATE TABLE rules_applied (
    known_at_us BIGINT NOT NULL PRIMARY KEY, -- of the register
    id          TEXT NOT NULL REFERENCES rules (id)
);
