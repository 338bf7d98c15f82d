-- Schema 2. Never edited once released: changes go into v3.sql (docs/state-format.md).

-- Parts that are still out: a start loads their payments, even those that are complete.
CREATE INDEX payment_part_open ON payment_part (payment_hash) WHERE status = 1;
