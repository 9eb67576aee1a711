-- How far each database that follows persons was told of the register's changes.
CREATE TABLE follower (
    database_id TEXT NOT NULL PRIMARY KEY,
    cursor      TEXT NOT NULL
) STRICT;
