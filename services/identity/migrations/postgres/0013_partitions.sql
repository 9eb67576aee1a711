-- For a hundred million persons: what grows with them lies in 16 parts, by hash of the person, and numbers by hash of the
-- number, so that a number stays unique over all of them. Each part is of a size that is indexed, vacuumed, copied and moved in
-- hours, and no statement of the service that is about one person or number reads more than one of them. A register that
-- is in use is copied here: nobody reads it meanwhile, and there has to be room for it twice.
SET LOCAL statement_timeout = 0;

LOCK TABLE person, identifier, assertion IN ACCESS EXCLUSIVE MODE;

-- Nothing asks for an assertion by its own number: what was said is told apart by what it is. Its index was the largest.
ALTER TABLE assertion DROP COLUMN id;

CREATE TABLE person_parts (LIKE person INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH (person_id);
CREATE TABLE identifier_parts (LIKE identifier INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH (value);
CREATE TABLE assertion_parts (LIKE assertion INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH (person_id);

DO $$
DECLARE
    name    TEXT;
    part    INTEGER;
    command TEXT;
    after   TEXT[];
BEGIN
    FOREACH name IN ARRAY ARRAY['person', 'identifier', 'assertion'] LOOP
        FOR part IN 0..15 LOOP
            EXECUTE format('CREATE TABLE %s_%s PARTITION OF %1$s_parts FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                name, to_char(part, 'FM00'), part);
        END LOOP;
        -- Columns are in the same order.
        EXECUTE format('INSERT INTO %s_parts SELECT * FROM %1$s', name);
    END LOOP;

    -- What lies on the tables and refers to them is taken off and put back, but for one: that an assertion is of a person
    -- would be asked for each of some seventeen rows of a person, and lock the person's row for each. Assertions are written in
    -- one place, in the transaction that writes the person's record, which fails where there is none; persons are not deleted.
    SELECT array_agg(format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)))
        INTO after FROM pg_constraint
        WHERE contype = 'f' AND (confrelid IN ('person'::regclass, 'identifier'::regclass)
        OR conrelid IN ('person'::regclass, 'identifier'::regclass, 'assertion'::regclass))
        AND NOT (conrelid = 'assertion'::regclass AND confrelid = 'person'::regclass);
    SELECT after || array_agg(pg_get_indexdef(indexrelid)) INTO after FROM pg_index
        WHERE indrelid IN ('person'::regclass, 'identifier'::regclass, 'assertion'::regclass) AND NOT indisprimary;
    FOR command IN SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
        WHERE contype = 'f' AND confrelid IN ('person'::regclass, 'identifier'::regclass) LOOP
        EXECUTE command;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['person', 'identifier', 'assertion'] LOOP
        EXECUTE format('DROP TABLE %s', name);
        EXECUTE format('ALTER TABLE %s_parts RENAME TO %1$s', name);
    END LOOP;
    ALTER TABLE person ADD PRIMARY KEY (person_id);
    ALTER TABLE identifier ADD PRIMARY KEY (value);
    FOREACH command IN ARRAY after LOOP
        EXECUTE command;
    END LOOP;
END $$;

-- Parts are analysed by themselves, the whole never is; whoever joins to it would be planned for anything.
ANALYZE person, identifier, assertion;

-- In the order in which budgets of windows that are past are taken away.
ALTER TABLE guessing DROP CONSTRAINT guessing_pkey, ADD PRIMARY KEY (window_start_ms, connection);
