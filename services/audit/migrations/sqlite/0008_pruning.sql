-- What was pruned, a row for each order. The largest minimum is the log's minimum index (C2SP tlog-tiles, "Pruning"): leaves below it, and
-- what opens them, are in the archive, and here no longer, or as long as it takes to delete them. Their hashes stay. Append-only.
CREATE TABLE pruning (
    minimum   INTEGER NOT NULL PRIMARY KEY,
    newest_ms INTEGER NOT NULL, -- the latest time of the leaves below it
    days      INTEGER NOT NULL, -- of the retention that it was ordered under
    document  TEXT    NOT NULL,
    time_ms   INTEGER NOT NULL
);
