-- PostgreSQL has persons, numbers and assertions in parts from here on; a file is one.

-- In the order in which budgets of windows that are past are taken away.
CREATE TABLE guessing_by_window (
    connection      TEXT    NOT NULL,
    window_start_ms INTEGER NOT NULL,
    misses          INTEGER NOT NULL,
    PRIMARY KEY (window_start_ms, connection)
) STRICT;

INSERT INTO guessing_by_window SELECT connection, window_start_ms, misses FROM guessing;

DROP TABLE guessing;

ALTER TABLE guessing_by_window RENAME TO guessing;
