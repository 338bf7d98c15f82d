//! The limits of the API.

/// The largest request body, which holds an invoice and some numbers, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The most connections at the same time. For one more, the oldest of those has to go on which the
/// token has not been shown.
pub const MAX_CONNECTIONS: usize = 512;
/// The most connections of one address, or of the unix socket, on which the token has not been
/// shown.
pub const MAX_STRANGERS_PER_ADDRESS: usize = 128;
// However many strangers one machine sends, others find a place without another having to go.
const _: () = assert!(2 * MAX_STRANGERS_PER_ADDRESS <= MAX_CONNECTIONS);
/// The longest time that a TLS handshake, the head of a request, or the wait for one on an idle
/// connection may take, in milliseconds.
pub const HEAD_TIMEOUT_MS: u64 = 10_000;
/// The largest head of a request, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The longest time that the body of a request may take to arrive, in milliseconds.
pub const BODY_TIMEOUT_MS: u64 = 10_000;
// A request that waits for its body does not use up the time for its answer.
const _: () = assert!(BODY_TIMEOUT_MS < REQUEST_TIMEOUT_MS);
/// The time until the next try to accept, after the system had no room for another connection, in
/// milliseconds.
pub const ACCEPT_RETRY_MS: u64 = 200;
/// The most requests of those that are answered at once, at the same time.
pub const MAX_QUICK_REQUESTS: usize = 64;
/// The most requests that wait for a payment or an opening, at the same time.
pub const MAX_WAITING_REQUESTS: usize = 256;
// Requests that wait keep no connection from those that do not.
const _: () =
    assert!(MAX_WAITING_REQUESTS + MAX_SUBSCRIBERS + MAX_QUICK_REQUESTS <= MAX_CONNECTIONS);
/// The most subscribers to events, at the same time.
pub const MAX_SUBSCRIBERS: usize = 32;
/// The time after which a request is given up, beyond what its caller asked to wait, in
/// milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// The longest time a caller may ask to wait for a payment or an opening, in milliseconds.
pub const MAX_WAIT_MS: u64 = 600_000;
/// The time that a caller waits who does not say how long, in milliseconds.
pub const DEFAULT_WAIT_MS: u64 = 60_000;
const _: () = assert!(DEFAULT_WAIT_MS <= MAX_WAIT_MS);
/// The number of rows of a page if the caller does not say.
pub const DEFAULT_PAGE_ROWS: usize = 100;
/// The most rows of a page.
pub const MAX_PAGE_ROWS: usize = steward_store::limits::MAX_PAGE_ROWS;
/// The number of events read from the store at a time for a subscriber that is behind.
pub const EVENT_PAGE_ROWS: usize = 256;
const _: () = assert!(DEFAULT_PAGE_ROWS <= MAX_PAGE_ROWS && EVENT_PAGE_ROWS <= MAX_PAGE_ROWS);
/// The time between two keep-alive comments of a silent event stream, in milliseconds.
pub const KEEP_ALIVE_MS: u64 = 15_000;
/// The lifetime of an invoice if its maker does not say, in seconds.
pub const DEFAULT_INVOICE_EXPIRY_S: u32 = 3600;
/// The largest number of a row, a cursor or a time: columns are signed.
pub const MAX_NUMBER: u64 = steward_wire::limits::MAX_MSAT - 1;
/// The number of random bytes in the token.
pub const TOKEN_BYTES: usize = 32;
/// The time that open requests get to end once the node stops, in milliseconds.
pub const SHUTDOWN_GRACE_MS: u64 = 5_000;
