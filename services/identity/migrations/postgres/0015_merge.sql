-- Persons who were registered twice: the record that stays, of one that is merged into it, through however many; none of a
-- record of its own. It follows from the assertions, as the record does (I5), and is kept so that a lookup by any number or
-- token of a person reads it in one statement.
--
-- That it is a person is not held by a key, as it is not for assertions: a key of a table to itself would be asked for each of a
-- hundred million persons who are copied in, of whom next to none is merged. It is written in one place, of persons whose
-- records are written in the same transaction, and persons are not deleted.
ALTER TABLE person ADD COLUMN merged_into TEXT;

-- Who was ever said to be one with whom, each way round, also where that was annulled or split: of them alone a record is
-- folded, and what counts the fold decides.
CREATE TABLE once_merged (
    person_id TEXT NOT NULL REFERENCES person (person_id),
    other_id  TEXT NOT NULL REFERENCES person (person_id),
    PRIMARY KEY (person_id, other_id)
);
