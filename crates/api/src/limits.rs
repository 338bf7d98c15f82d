//! Every limit of the API, in one place.

/// Largest request body, in bytes: an invoice and some numbers.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Most connections at the same time. For one more the oldest goes on which nobody has shown the
/// token.
pub const MAX_CONNECTIONS: usize = 512;
/// Most connections of one address, or of the unix socket, on which nobody has shown the token.
pub const MAX_STRANGERS_PER_ADDRESS: usize = 128;
// However many strangers one machine sends, others find a place without anybody having to go.
const _: () = assert!(2 * MAX_STRANGERS_PER_ADDRESS <= MAX_CONNECTIONS);
/// A TLS handshake, the head of a request, or the wait for one on an idle connection takes no
/// longer than this, in milliseconds.
pub const HEAD_TIMEOUT_MS: u64 = 10_000;
/// Largest head of a request, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The body of a request takes no longer than this to arrive, in milliseconds.
pub const BODY_TIMEOUT_MS: u64 = 10_000;
// A request that waits for its body does not use up the time for its answer.
const _: () = assert!(BODY_TIMEOUT_MS < REQUEST_TIMEOUT_MS);
/// The system had no room for another connection: tried again after this, in milliseconds.
pub const ACCEPT_RETRY_MS: u64 = 200;
/// Most requests that are answered at once, at the same time.
pub const MAX_QUICK_REQUESTS: usize = 64;
/// Most requests that wait for a payment or an opening, at the same time.
pub const MAX_WAITING_REQUESTS: usize = 256;
/// Most subscribers to events, at the same time.
pub const MAX_SUBSCRIBERS: usize = 32;
/// A request is given up after this, not counting what its caller asked to wait, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// Longest a caller may ask to wait for a payment or an opening, in milliseconds.
pub const MAX_WAIT_MS: u64 = 600_000;
/// A caller that does not say how long to wait waits this long, in milliseconds.
pub const DEFAULT_WAIT_MS: u64 = 60_000;
/// Rows of a page if the caller does not say.
pub const DEFAULT_PAGE_ROWS: usize = 100;
/// Most rows of a page.
pub const MAX_PAGE_ROWS: usize = steward_store::limits::MAX_PAGE_ROWS;
/// Events read from the store at a time for a subscriber that is behind.
pub const EVENT_PAGE_ROWS: usize = 256;
/// A silent event stream says so this often, in milliseconds.
pub const KEEP_ALIVE_MS: u64 = 15_000;
/// An invoice lives this long if its maker does not say, in seconds.
pub const DEFAULT_INVOICE_EXPIRY_S: u32 = 3600;
/// Largest number of a row, a cursor or a time: columns are signed.
pub const MAX_NUMBER: u64 = steward_wire::limits::MAX_MSAT - 1;
/// Random bytes of the token.
pub const TOKEN_BYTES: usize = 32;
/// Open requests get this long to end once the node stops, in milliseconds.
pub const SHUTDOWN_GRACE_MS: u64 = 5_000;
