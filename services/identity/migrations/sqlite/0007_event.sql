-- The kind of event that asserted it (model::EventKind): of a date of death or of being missing, which of the two it is. None
-- where it was not kept.
ALTER TABLE assertion ADD COLUMN event TEXT;

-- Entries of sources, with the contribution that brought each, and whether that was annulled: then the entry can be contributed
-- again. Those in source_entry were kept before, without their contribution, and stay taken.
CREATE TABLE contributed_entry (
    contribution_id TEXT    NOT NULL PRIMARY KEY,
    source          TEXT    NOT NULL,
    entry           TEXT    NOT NULL,
    annulled        INTEGER NOT NULL DEFAULT FALSE
) STRICT;

CREATE INDEX contributed_entry_of_source ON contributed_entry (source, entry);
