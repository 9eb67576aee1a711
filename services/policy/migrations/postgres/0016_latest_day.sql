-- The latest day on which something was decided, in Viet Nam: on an earlier one nothing is, because what ended would not have.
CREATE TABLE latest_day (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    day TEXT NOT NULL CHECK (length(day) = 10)
);
