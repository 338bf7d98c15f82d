-- Schema 3. Never edited once released: changes go into v4.sql (docs/state-format.md).

-- The sum of the live rows. Empty until the next commit: the last was of a version without it.
INSERT INTO setting (name, value) VALUES ('live_rows', X'');
