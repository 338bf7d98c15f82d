-- Schema 1. Never edited once released: changes go into v2.sql (docs/state-format.md).

CREATE TABLE setting (
    name TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (
    number INTEGER PRIMARY KEY,
    peer BLOB NOT NULL UNIQUE,
    role INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    short_channel_id INTEGER NOT NULL,
    local_balance_msat INTEGER NOT NULL,
    remote_balance_msat INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;

CREATE TABLE htlc_origin (
    peer BLOB NOT NULL,
    htlc_id INTEGER NOT NULL,
    origin BLOB NOT NULL,
    PRIMARY KEY (peer, htlc_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    peer BLOB NOT NULL,
    htlc_id INTEGER NOT NULL,
    settlement BLOB NOT NULL,
    PRIMARY KEY (peer, htlc_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE preimage (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL UNIQUE,
    preimage BLOB NOT NULL,
    learned_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE payment (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL UNIQUE,
    destination BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    max_fee_msat INTEGER NOT NULL,
    status INTEGER NOT NULL,
    preimage BLOB,
    failure_code TEXT,
    failure_message TEXT,
    bolt11 TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER
) STRICT;
CREATE INDEX payment_status ON payment (status);

CREATE TABLE payment_part (
    payment_hash BLOB NOT NULL,
    part INTEGER NOT NULL,
    peer BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    session_key BLOB NOT NULL,
    path BLOB NOT NULL,
    status INTEGER NOT NULL,
    PRIMARY KEY (payment_hash, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE invoice (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL UNIQUE,
    preimage BLOB NOT NULL,
    payment_secret BLOB NOT NULL,
    amount_msat INTEGER,
    description TEXT NOT NULL,
    bolt11 TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    received_msat INTEGER NOT NULL,
    paid_ms INTEGER
) STRICT;
CREATE INDEX invoice_status ON invoice (status);
CREATE INDEX invoice_open ON invoice (expires_ms) WHERE status = 1;

CREATE TABLE forward (
    number INTEGER PRIMARY KEY,
    incoming_peer BLOB NOT NULL,
    incoming_id INTEGER NOT NULL,
    outgoing_peer BLOB NOT NULL,
    amount_in_msat INTEGER NOT NULL,
    amount_out_msat INTEGER NOT NULL,
    fulfilled INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    UNIQUE (incoming_peer, incoming_id)
) STRICT;

-- One row. Triggers keep it, so that the sums cost one page per commit and not a scan per
-- question. The sums stop at 2^63 - 1: an integer that overflows would become a float.
CREATE TABLE forward_total (
    fulfilled INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    amount_in_msat INTEGER NOT NULL,
    amount_out_msat INTEGER NOT NULL
) STRICT;
INSERT INTO forward_total VALUES (0, 0, 0, 0);

CREATE TRIGGER forward_inserted AFTER INSERT ON forward BEGIN
    UPDATE forward_total SET
        fulfilled = fulfilled + new.fulfilled,
        failed = failed + (1 - new.fulfilled),
        amount_in_msat = amount_in_msat
            + min(new.fulfilled * new.amount_in_msat, 9223372036854775807 - amount_in_msat),
        amount_out_msat = amount_out_msat
            + min(new.fulfilled * new.amount_out_msat, 9223372036854775807 - amount_out_msat);
END;

CREATE TRIGGER forward_updated AFTER UPDATE ON forward BEGIN
    UPDATE forward_total SET
        fulfilled = fulfilled - old.fulfilled,
        failed = failed - (1 - old.fulfilled),
        amount_in_msat = max(amount_in_msat - old.fulfilled * old.amount_in_msat, 0),
        amount_out_msat = max(amount_out_msat - old.fulfilled * old.amount_out_msat, 0);
    UPDATE forward_total SET
        fulfilled = fulfilled + new.fulfilled,
        failed = failed + (1 - new.fulfilled),
        amount_in_msat = amount_in_msat
            + min(new.fulfilled * new.amount_in_msat, 9223372036854775807 - amount_in_msat),
        amount_out_msat = amount_out_msat
            + min(new.fulfilled * new.amount_out_msat, 9223372036854775807 - amount_out_msat);
END;

CREATE TABLE evidence (
    number INTEGER PRIMARY KEY,
    peer BLOB NOT NULL,
    time_ms INTEGER NOT NULL,
    what TEXT NOT NULL,
    message_type INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX evidence_peer ON evidence (peer);

CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    kind BLOB NOT NULL
) STRICT;

CREATE TABLE peer (
    peer BLOB PRIMARY KEY NOT NULL,
    is_host INTEGER NOT NULL,
    addresses BLOB NOT NULL
) STRICT, WITHOUT ROWID;
