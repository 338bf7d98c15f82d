//! Every error code an answer may have: which status goes with it, what it means, what to do.
//! docs/errors.md is this table for readers.
//!
//! Statuses
//! - 400: the request is not what the document describes
//! - 422: it is, but a value in it cannot be meant
//! - 404: the very thing asked for does not exist
//! - 409: no, as things stand; the same request is refused until something else changes
//! - 503: not now; the same request may succeed later, by itself
//! - 500: a bug or a disk

/// One error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable, snake_case.
    pub name: &'static str,
    /// The HTTP status it comes with, always.
    pub status: u16,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it, where the error itself does not say it better.
    pub hint: &'static str,
}

/// Statuses of errors, with what each means: the document lists them for every operation.
pub(crate) const STATUSES: &[(u16, &str)] = &[
    (400, "The request is not what this document describes."),
    (401, "The token is missing or wrong."),
    (404, "There is no such thing."),
    (405, "This path is not asked in this way."),
    (409, "No, as things stand: asking again changes nothing by itself."),
    (413, "The body is too large."),
    (422, "A value in the request cannot be meant."),
    (500, "A bug or a disk."),
    (502, "A peer misbehaved."),
    (503, "Not now: try later."),
    (504, "The node did not answer in time: what was asked may still be carried out."),
];

/// The code of this name.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

macro_rules! codes {
    ($($name:literal $status:literal $meaning:literal $hint:literal;)*) => {
        /// Every code, by status and name.
        pub const CODES: &[Code] = &[$(
            Code { name: $name, status: $status, meaning: $meaning, hint: $hint }
        ),*];
    };
}

codes! {
    "bad_body" 400 "The body cannot be read, or there is one where none is taken."
        "send what /openapi.json describes";
    "bad_content_type" 400 "The body does not say that it is JSON."
        "send `Content-Type: application/json`";
    "bad_expiry" 400 "An invoice cannot live that long, or not at all."
        "choose at least a second and at most a year";
    "bad_field" 400 "A field of the body is missing, unknown, there twice, or not what it must be."
        "/openapi.json describes every request";
    "bad_json" 400 "The body is not JSON."
        "/openapi.json describes every request";
    "bad_last_event_id" 400 "`Last-Event-ID` is not the number of an event."
        "send the `id` of the last event as it came";
    "bad_limit" 400 "A page has 1 to 1000 rows."
        "ask for the next page with `before`";
    "bad_node_id" 400 "A node id has 66 hexadecimal digits and begins with 02 or 03."
        "the status of the other node shows it";
    "bad_number" 400 "A row's number has decimal digits only."
        "the lists show the numbers";
    "bad_path" 400 "The path of the request is not UTF-8."
        "/openapi.json lists every path";
    "bad_payment_hash" 400 "A payment hash has 64 hexadecimal digits."
        "the lists of payments and invoices show them";
    "bad_preimage" 400 "A preimage has 64 hexadecimal digits."
        "whoever was paid can show it";
    "bad_query" 400 "A query parameter is missing, unknown, there twice, or not what it must be."
        "/openapi.json describes every request";
    "bad_wait" 400 "Nobody may wait longer than 600 000 ms."
        "wait less, and ask again";
    "relative_path" 400 "The path of a backup is not absolute."
        "it is a path on the node's machine";

    "unauthorized" 401 "The token is missing or wrong."
        "send `Authorization: Bearer` and what is in api-token of the data directory";

    "unknown_channel" 404 "We have no channel with this node."
        "the list of channels names all";
    "unknown_evidence" 404 "There is no evidence of this number."
        "the list of evidence shows all";
    "unknown_invoice" 404 "We made no invoice with this payment hash."
        "the list of invoices shows all";
    "unknown_peer" 404 "We keep no connection to this node."
        "the list of peers shows those that are wanted";
    "unknown_path" 404 "There is nothing at this path."
        "/openapi.json lists every path";
    "unknown_payment" 404 "We made no payment with this hash."
        "the list of payments shows all";

    "wrong_method" 405 "This path is not asked in this way."
        "/openapi.json lists the methods of every path";

    "already_our_client" 409 "The node is our client: it has a channel with us already."
        "one channel per pair of nodes is enough for both directions";
    "amount_below_minimum" 409 "No channel of ours carries so little."
        "ask for more";
    "backup_not_possible" 409 "The backup's file cannot be made where it was asked for."
        "check the path and its permissions, on the node's machine";
    "balance_too_high" 409 "The balance is more than the channel holds."
        "it is our part of the capacity; the client gets the rest";
    "cannot_receive" 409 "No channel can receive this amount."
        "open a channel with a host, or ask for less";
    "channel_not_empty" 409 "The client has money in the channel."
        "pay it out first: only the client can spend it";
    "channel_not_open" 409 "The channel has no signed state yet."
        "open it first: both sides must have signed a first state";
    "channel_not_resizable" 409 "The channel cannot be resized."
        "the host did not offer this when the channel was opened";
    "channel_not_suspended" 409 "The channel is not suspended."
        "suspend it first, if it shall go on with another balance";
    "channel_suspended" 409 "The channel is suspended."
        "an override makes it active again";
    "counters_exhausted" 409 "The channel has had as many updates as it can have."
        "open another channel";
    "evidence_unusable" 409 "The evidence proves no balance to go on with."
        "agree on a balance with the client, and propose that";
    "file_exists" 409 "A backup never replaces a file."
        "choose another name";
    "handshake_failed" 409 "What listens at the address is not the node it should be."
        "compare the id with what the other node's status shows";
    "insufficient_balance" 409 "The amount is more than can be sent now."
        "receive something first, or wait for payments under way to end";
    "invoice_expired" 409 "The invoice has expired."
        "ask the payee for a new one";
    "no_override" 409 "The host proposes no balance."
        "ask the host to propose one";
    "no_such_htlc" 409 "No HTLC of ours waits for this preimage."
        "it may have been settled, or given up as expired, before";
    "no_usable_channel" 409 "There is no channel, or all of them wait for a person."
        "open a channel, or look at what the list of channels says about those there are";
    "opening_failed" 409 "The host did not open the channel."
        "ask the host whether it opens channels, and whether it wants a secret";
    "override_differs" 409 "The host proposes another balance by now."
        "accept what it proposes, or ask it for another proposal";
    "override_proposed" 409 "The host proposes a balance for us in this channel."
        "accept the override, or ask the host for another proposal";
    "peer_is_host" 409 "The node is our host."
        "forget the channel, once it is empty: the connection goes with it";
    "peer_unreachable" 409 "Nothing answers at the address."
        "is the address right, and does the other node run?";
    "proxy_needed" 409 "An onion address needs a proxy."
        "run Tor and set proxy.socks5";
    "resize_failed" 409 "The channel was suspended instead of resized."
        "ask the host which capacity it agrees to, and for an override";
    "resize_pending" 409 "The host has not signed the last request for a capacity yet."
        "wait until the host has signed it";
    "resize_refused" 409 "The host does not give that capacity; the channel goes on as it was."
        "ask for less: the message says what the host gives";
    "scid_collision" 409 "Another channel has the same short channel id."
        "choose another host";
    "self_payment" 409 "The invoice is our own."
        "money of one's own need not be moved";
    "too_many_forgotten" 409 "So many clients cannot be forgotten."
        "an empty channel costs nothing but its place: leave it";
    "wrong_role" 409 "This is the other side's to do."
        "the host proposes an override; the client accepts it, and resizes";

    "body_too_large" 413 "The body is longer than 64 KiB."
        "/openapi.json describes every request";

    "address_too_long" 422 "The address is longer than a host name can be."
        "write node_id@host:port";
    "amount_fixed" 422 "The invoice names its amount: not everything can be sent to it."
        "ask the payee for an invoice that leaves the amount open";
    "amount_needed" 422 "The invoice leaves the amount open."
        "say how much to pay";
    "amount_too_high" 422 "The amount is more than ten million bitcoin."
        "amounts are in millisatoshi: 1000 of them are a satoshi";
    "bad_amount" 422 "Both an amount and `all` were given."
        "give one of them";
    "bad_balance" 422 "None or several of the ways to name a balance were given."
        "give one of `our_balance_msat`, `client_balance_msat` and `as_proved`";
    "bad_capacity" 422 "A capacity is a whole number of satoshi, and more than before."
        "a channel can only grow; the balances stay as they are";
    "bad_invoice" 422 "The text is no invoice that can be paid."
        "ask the payee for a BOLT11 invoice; the answer says what was given instead, and what to do";
    "bad_node_address" 422 "The text is no node and address."
        "write node_id@host:port";
    "bad_secret" 422 "The secret after `hex:` is not hexadecimal."
        "without `hex:` it is taken as text";
    "description_too_long" 422 "The description is longer than an invoice can carry."
        "shorten it: what counts is its length in bytes, at most 639";
    "invoice_not_possible" 422 "No invoice can say this."
        "ask for another amount, or with another description";
    "not_a_public_key" 422 "The digits have the form of a node id, but are no public key."
        "copy the node id again, all of it";
    "own_node" 422 "The node is this one."
        "name another node";
    "secret_too_long" 422 "The secret is longer than 128 bytes."
        "use the secret that the host gave out";
    "too_many_addresses" 422 "So many addresses are not kept of one peer."
        "name the best of them";
    "unknown_host" 422 "We have no channel with the host named as `via`, or not its terms."
        "`via` must be one of our own hosts";
    "wrong_amount" 422 "The invoice names another amount."
        "leave the amount out: the invoice names it";
    "wrong_network" 422 "The invoice was made for another chain."
        "ask the payee for one of this network";
    "zero_amount" 422 "Nothing cannot be sent or asked for."
        "name an amount above 0; without any, an invoice's payer chooses";

    "bad_row" 500 "A bug: something was to be stored that contradicts itself."
        "this is a bug: please report it with the log";
    "bug" 500 "A bug."
        "this is a bug: please report it with the log";
    "chain_source_unusable" 500 "The chain source turned out to be unusable: the node stops."
        "see the log, and what the doctor says about the chain source";
    "database_damaged" 500 "The database cannot be read."
        "stop the node and see what recovery says about restoring a backup";
    "database_error" 500 "The database refuses."
        "see the log";
    "database_not_found" 500 "The database is gone."
        "stop the node: is the right disk mounted?";
    "disk_full" 500 "The disk is full."
        "free some space, then start the node again; nothing was lost";
    "io_error" 500 "The disk cannot be read or written."
        "check the disk, its mount and the file's permissions";
    "no_randomness" 500 "The operating system gives no random bytes."
        "check the system's sandbox";
    "second_writer" 500 "Another program writes into the database."
        "stop the other program, then start the node again";
    "store_failed" 500 "A commit failed: the node stops."
        "see the log; nothing that was confirmed is lost";
    "store_stopped" 500 "The store has stopped after an error."
        "see the first error in the log, then start the node again";

    "chain_unknown" 503 "The block height is not known yet."
        "try again when the chain source has answered; the doctor checks it";
    "database_busy" 503 "Another program holds the database."
        "close the other program; read the database in read-only mode";
    "htlcs_in_flight" 503 "HTLCs of this channel are on their way to others."
        "wait until they are settled or have expired";
    "no_active_channel" 503 "No channel is active at the moment."
        "wait until a host is connected again; the list of channels tells the state of each";
    "node_busy" 503 "Too many commands wait for their answer."
        "try again in a moment";
    "node_stopped" 503 "The node is stopping or has stopped."
        "start it again";
    "peer_not_connected" 503 "The peer is not connected."
        "try again when the peer is connected";
    "too_many_invoices" 503 "Too many invoices are open."
        "wait until some are paid or have expired";
    "too_many_payments" 503 "Too many payments are under way."
        "wait until some have ended";
    "too_many_requests" 503 "Too many requests are being answered."
        "try again in a moment";
    "too_many_subscribers" 503 "Too many programs listen to events."
        "close one of them";

    "timeout" 504 "The node did not answer in time."
        "what was asked may still be carried out: look before you ask again";
}
