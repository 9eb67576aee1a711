-- How good the values are that sources contribute (Decision 1911/QD-TTg, Art. 2(2)). They are counted after their outcome is
-- stored, each contribution once. What was decided before there was this counts too: it is not counted yet.

-- 0 when it is not, 1 when it is, 2 when it cannot be read.
ALTER TABLE submission ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;

CREATE INDEX submission_uncounted ON submission (received_at_us) WHERE outcome IS NOT NULL AND counted = 0;

-- Whoever counts keeps this row until it commits: one after the other.
CREATE TABLE quality_turn (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1)) STRICT;

INSERT INTO quality_turn (one) VALUES (1);

-- What is counted of an item of a contribution, and what has become of it since. Never a value.
CREATE TABLE contributed_value (
    contribution_id TEXT NOT NULL,
    item            TEXT NOT NULL,
    set_aside_by    TEXT NOT NULL, -- the decision that set it aside last, whether it counts or not; empty when none did
    counts          TEXT NOT NULL, -- JSON
    PRIMARY KEY (contribution_id, item)
) STRICT;

CREATE INDEX contributed_value_set_aside ON contributed_value (set_aside_by) WHERE set_aside_by <> '';

-- Whether a contribution counts that was annulled, or whose annulment was. What the register said last counts, in whatever
-- order it is heard.
CREATE TABLE annulment (
    contribution_id  TEXT    NOT NULL PRIMARY KEY,
    annulled         INTEGER NOT NULL CHECK (annulled IN (0, 1)),
    register_version INTEGER NOT NULL
) STRICT;

-- The sums of what is counted, of a source, the month in which it was received in Viet Nam (YYYY-MM), and an item.
CREATE TABLE quality (
    source TEXT NOT NULL,
    month  TEXT NOT NULL,
    item   TEXT NOT NULL,
    counts TEXT NOT NULL, -- JSON
    PRIMARY KEY (source, month, item)
) STRICT;

CREATE INDEX quality_of_all ON quality (month, source, item);
