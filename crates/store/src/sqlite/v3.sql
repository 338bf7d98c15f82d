-- Schema 3. Never edited once released: changes go into v4.sql (docs/state-format.md).

-- The sum of the live rows. Empty until the first commit that changes one: a version without it
-- may have written the last.
INSERT INTO setting (name, value) VALUES ('live_rows', X'');
