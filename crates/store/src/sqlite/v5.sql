-- Schema 5. Never edited once released: changes go into v6.sql (docs/state-format.md).
--
-- A channel has a name of its own, its link: two nodes may have several channels. Until here a row
-- named a channel by its other side. `hosted_link(a, b)` is the id of the hosted channel between two
-- nodes; the program provides it while this runs.

-- The channel with each node, as there was one at most. Our id in it is in its record.
CREATE TABLE link_of_peer (peer BLOB PRIMARY KEY NOT NULL, link BLOB NOT NULL)
    STRICT, WITHOUT ROWID;
INSERT INTO link_of_peer SELECT peer, hosted_link(substr(record, 3, 33), peer) FROM channel;
-- Of channels that were forgotten only the books are left, which need a name and no more.
INSERT OR IGNORE INTO link_of_peer
    SELECT peer, hosted_link(value, peer) FROM setting, (
        SELECT incoming_peer AS peer FROM forward
        UNION SELECT outgoing_peer FROM forward
        UNION SELECT peer FROM payment_part
        UNION SELECT peer FROM htlc_origin
        UNION SELECT substr(origin, 3, 33) FROM htlc_origin WHERE substr(origin, 1, 2) = X'0101'
        UNION SELECT peer FROM outbox
    ) WHERE name = 'node_id';

ALTER TABLE channel RENAME TO channel_4;
CREATE TABLE channel (
    number INTEGER PRIMARY KEY,
    link BLOB NOT NULL UNIQUE,
    peer BLOB NOT NULL,
    -- Our key in it: 1 the node's, 2 one derived for this host.
    identity INTEGER NOT NULL,
    role INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    short_channel_id INTEGER NOT NULL,
    local_balance_msat INTEGER NOT NULL,
    remote_balance_msat INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
INSERT INTO channel
    SELECT number, link, channel_4.peer,
        CASE substr(record, 3, 33) WHEN value THEN 1 ELSE 2 END,
        role, phase, short_channel_id, local_balance_msat, remote_balance_msat, record
    FROM setting, channel_4 JOIN link_of_peer ON link_of_peer.peer = channel_4.peer
    WHERE name = 'node_id' ORDER BY number;
DROP TABLE channel_4;

ALTER TABLE htlc_origin RENAME COLUMN peer TO link;
UPDATE htlc_origin SET link = (SELECT link FROM link_of_peer WHERE peer = htlc_origin.link);
-- Blobs of version 2 name the incoming channel by its link too.
UPDATE htlc_origin SET origin = CAST(X'0201' || (
        SELECT link FROM link_of_peer WHERE peer = substr(origin, 3, 33)
    ) || substr(origin, 36) AS BLOB)
    WHERE substr(origin, 1, 2) = X'0101';
UPDATE htlc_origin SET origin = CAST(X'02' || substr(origin, 2) AS BLOB)
    WHERE substr(origin, 1, 2) = X'0102';

ALTER TABLE outbox RENAME COLUMN peer TO link;
UPDATE outbox SET link = (SELECT link FROM link_of_peer WHERE peer = outbox.link);

-- Parts lie in the order of their payments. By a hash each would lie somewhere else in the file: a
-- node with many payments would write a page for each of them, a new one a few for all.
DROP INDEX payment_part_open;
ALTER TABLE payment_part RENAME TO payment_part_4;
CREATE TABLE payment_part (
    payment INTEGER NOT NULL,
    part INTEGER NOT NULL,
    link BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    session_key BLOB NOT NULL,
    path BLOB NOT NULL,
    status INTEGER NOT NULL,
    PRIMARY KEY (payment, part)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_part
    SELECT payment.number, part, link, part_4.amount_msat, part_4.fee_msat, session_key, path,
        part_4.status
    FROM payment_part_4 AS part_4
    JOIN payment ON payment.payment_hash = part_4.payment_hash
    JOIN link_of_peer ON link_of_peer.peer = part_4.peer
    ORDER BY payment.number, part;
DROP TABLE payment_part_4;
CREATE INDEX payment_part_open ON payment_part (payment) WHERE status = 1;

-- Nothing looks for a preimage by its hash, and an index of hashes is written somewhere else each
-- time. A preimage that is learned again has a second row.
ALTER TABLE preimage RENAME TO preimage_4;
CREATE TABLE preimage (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL,
    preimage BLOB NOT NULL,
    learned_ms INTEGER NOT NULL
) STRICT;
INSERT INTO preimage SELECT number, payment_hash, preimage, learned_ms FROM preimage_4
    ORDER BY number;
DROP TABLE preimage_4;

DROP TRIGGER forward_inserted;
DROP TRIGGER forward_updated;
ALTER TABLE forward RENAME TO forward_4;
CREATE TABLE forward (
    number INTEGER PRIMARY KEY,
    incoming_link BLOB NOT NULL,
    incoming_id INTEGER NOT NULL,
    incoming_peer BLOB NOT NULL,
    outgoing_link BLOB NOT NULL,
    outgoing_peer BLOB NOT NULL,
    amount_in_msat INTEGER NOT NULL,
    amount_out_msat INTEGER NOT NULL,
    fulfilled INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    UNIQUE (incoming_link, incoming_id)
) STRICT;
INSERT INTO forward
    SELECT number, i.link, incoming_id, incoming_peer, o.link, outgoing_peer, amount_in_msat,
        amount_out_msat, fulfilled, ended_ms
    FROM forward_4
    JOIN link_of_peer AS i ON i.peer = incoming_peer
    JOIN link_of_peer AS o ON o.peer = outgoing_peer
    ORDER BY number;
DROP TABLE forward_4;

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

ALTER TABLE evidence ADD COLUMN link BLOB;
UPDATE evidence SET link = (SELECT link FROM link_of_peer WHERE peer = evidence.peer);

DROP TABLE link_of_peer;

-- We may meet a peer under several keys of ours: 1 the node's, 2 one derived for this host.
ALTER TABLE peer RENAME TO peer_4;
CREATE TABLE peer (
    peer BLOB NOT NULL,
    identity INTEGER NOT NULL,
    addresses BLOB NOT NULL,
    framing INTEGER,
    PRIMARY KEY (peer, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO peer SELECT peer, 1 + is_host, addresses, framing FROM peer_4;
DROP TABLE peer_4;

-- Payments and invoices are found by their hash in segments of 65 536 numbers: an index in the
-- order of hashes alone would be written somewhere else for each of them. The writer sees to it that
-- a hash has one row.
--
-- What asked for a payment: 1 an invoice, whose text is there, 2 nothing (keysend). A payment whose
-- end is not known has a status of its own, 4.
ALTER TABLE payment RENAME TO payment_4;
CREATE TABLE payment (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL,
    destination BLOB NOT NULL,
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    max_fee_msat INTEGER NOT NULL,
    status INTEGER NOT NULL,
    preimage BLOB,
    failure_code TEXT,
    failure_message TEXT,
    kind INTEGER NOT NULL,
    bolt11 TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER
) STRICT;
INSERT INTO payment
    SELECT number, payment_hash, destination, amount_msat, fee_msat, max_fee_msat,
        CASE WHEN status = 1 AND failure_code = 'outcome_unknown' THEN 4 ELSE status END,
        preimage, failure_code, failure_message, CASE bolt11 WHEN '' THEN 2 ELSE 1 END, bolt11,
        created_ms, ended_ms
    FROM payment_4 ORDER BY number;
DROP TABLE payment_4;
CREATE INDEX payment_status ON payment (status);
CREATE INDEX payment_by_hash ON payment (number >> 16, substr(payment_hash, 1, 8));

ALTER TABLE invoice RENAME TO invoice_4;
CREATE TABLE invoice (
    number INTEGER PRIMARY KEY,
    payment_hash BLOB NOT NULL,
    preimage BLOB NOT NULL,
    payment_secret BLOB NOT NULL,
    amount_msat INTEGER,
    description TEXT NOT NULL,
    kind INTEGER NOT NULL,
    bolt11 TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    received_msat INTEGER NOT NULL,
    paid_ms INTEGER,
    failure_code TEXT,
    failure_message TEXT
) STRICT;
INSERT INTO invoice
    SELECT number, payment_hash, preimage, payment_secret, amount_msat, description,
        CASE bolt11 WHEN '' THEN 2 ELSE 1 END, bolt11, created_ms, expires_ms, status,
        received_msat, paid_ms, failure_code, failure_message
    FROM invoice_4 ORDER BY number;
DROP TABLE invoice_4;
CREATE INDEX invoice_status ON invoice (status);
CREATE INDEX invoice_open ON invoice (expires_ms) WHERE status = 1;
CREATE INDEX invoice_by_hash ON invoice (number >> 16, substr(payment_hash, 1, 8));

-- The sum of the live rows was checked before, and is taken anew: the rows are others now.
UPDATE setting SET value = X'' WHERE name = 'live_rows';
