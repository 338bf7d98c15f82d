-- Schema 4. Never edited once released: changes go into v5.sql (docs/state-format.md).

-- How the peer frames its messages: 1 modern, 2 legacy, NULL not known yet.
ALTER TABLE peer ADD COLUMN framing INTEGER;
-- What became of a claim that its channel did not sign in time: a code and a sentence.
ALTER TABLE invoice ADD COLUMN failure_code TEXT;
ALTER TABLE invoice ADD COLUMN failure_message TEXT;
