-- By which rules of authority each record was folded, and by which every one was: model::AuthorityInForce::id; empty before
-- there were any.
ALTER TABLE person ADD COLUMN authority TEXT NOT NULL DEFAULT '';
ALTER TABLE register ADD COLUMN authority TEXT NOT NULL DEFAULT '';
