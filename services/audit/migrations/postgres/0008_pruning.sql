-- What was pruned, a row for each order. The largest minimum is the log's minimum index (C2SP tlog-tiles, "Pruning"): leaves below it, and
-- what opens them, are in the archive, and here no longer, or as long as it takes to delete them. Their hashes stay. Append-only.
CREATE TABLE pruning (
    minimum   BIGINT NOT NULL PRIMARY KEY,
    newest_ms BIGINT NOT NULL, -- the latest time of the leaves below it
    days      BIGINT NOT NULL, -- of the retention that it was ordered under
    document  TEXT    NOT NULL,
    time_ms   BIGINT NOT NULL
);

-- What is known of erased records is looked up by their places, which go with the order of the rows: an index of ranges takes nothing from
-- whoever appends.
CREATE INDEX subject_entry_position ON subject_entry USING brin (position);
