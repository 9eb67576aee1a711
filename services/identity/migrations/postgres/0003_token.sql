-- By which name a connection knows a person: its own, so that two of them cannot tell that they know the same one (I7).
CREATE TABLE token (
    connection TEXT NOT NULL,
    person_id  TEXT NOT NULL REFERENCES person (person_id),
    token      TEXT NOT NULL,
    PRIMARY KEY (connection, person_id),
    UNIQUE (connection, token)
);
