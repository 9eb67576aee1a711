-- By what persons are found whose number is not known: keys of the record, written with it, at the version that it has then.
-- They are personal data like the record. Every person has a row; what the record does not hold is NULL and finds nobody.
CREATE TABLE search_key (
    person_id       TEXT   NOT NULL PRIMARY KEY REFERENCES person (person_id),
    version         BIGINT NOT NULL, -- of the record whose keys these are
    form            BIGINT NOT NULL, -- of these keys: domain::find::SearchKey::FORM
    name_l3         TEXT,            -- model::Name::match_key
    name_l4         TEXT,
    born            TEXT,            -- as precise as the record: 1990-05-06, 1990-05 or 1990
    birth_year      BIGINT,
    sex             TEXT,            -- list/version/code
    native_province TEXT,            -- version/code
    commune         TEXT             -- version/code, of permanent residence
);

-- One person is looked for by name and date of birth, several by a name.
CREATE INDEX search_key_one ON search_key (name_l3, born);
CREATE INDEX search_key_name ON search_key (name_l4, person_id);

-- One row: the form of the keys that everybody has, 0 while somebody may have none and less than 0 while they are given that
-- form, and the version of the register up to which that was seen; and a key, drawn at random, under which names of budgets hide the names of persons and cursors cannot be made
-- up. It is here so that it is the same for all processes, and goes where the budgets go.
CREATE TABLE search (
    id      SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    form    BIGINT   NOT NULL,
    version BIGINT   NOT NULL,
    secret  BYTEA    NOT NULL
);
