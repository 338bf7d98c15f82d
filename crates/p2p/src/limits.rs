//! Every limit of this crate: sizes, counts and times.

use std::time::Duration;

/// The largest payload of one message: 65535 bytes of BOLT 8 plaintext less the two bytes of type.
pub const MAX_PAYLOAD_BYTES: usize = 65_533;
const _: () = assert!(MAX_PAYLOAD_BYTES == steward_wire::limits::MAX_PAYLOAD_BYTES);

/// The size of one message on the wire beyond its payload: length (2), its MAC (16), type (2) and
/// the body's MAC (16). It counts when a queue is measured, so that empty messages are not free.
pub const MESSAGE_OVERHEAD_BYTES: usize = 36;

/// The bytes that may wait to be sent to one peer. A peer so far behind is disconnected: its state
/// is reestablished when it comes back, while the memory would stay occupied.
pub const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// The queue above which reading from a peer pauses, so that a peer that asks (pings) but does not
/// read the answers throttles itself.
pub const READ_PAUSE_QUEUED_BYTES: usize = 256 * 1024;
const _: () = assert!(READ_PAUSE_QUEUED_BYTES < MAX_QUEUED_BYTES);

/// The size of the messages that are encrypted and written together; the rest of the outbox waits
/// in plain form, so that a slow peer costs one buffer of this size.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// The bytes taken from a socket in one read.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The most bytes of a connection that may wait to be handled; above it the connection is not read.
pub const MAX_UNREAD_BYTES: usize = 32 * 1024;

/// The most bytes that all connections together may have waiting; above it each is read only up to
/// [`MIN_UNREAD_BYTES`].
pub const MAX_UNREAD_BYTES_IN_ALL: usize = 16 * 1024 * 1024;

/// The bytes that every connection may have waiting, however much others have.
pub const MIN_UNREAD_BYTES: usize = 1024;
const _: () = assert!(MIN_UNREAD_BYTES < MAX_UNREAD_BYTES);
// All connections may have that much at once, so that none waits for another.
const _: () = assert!(MIN_UNREAD_BYTES * MAX_INBOUND_CONNECTIONS <= MAX_UNREAD_BYTES_IN_ALL);

/// The bytes passed to LDK at a time. A ping of 40 bytes may ask for a pong of 64 KiB, so the
/// answers to one slice must stay small between two checks of the queue.
pub const READ_SLICE_BYTES: usize = 4 * 1024;

/// The size above which a send buffer is released once it is empty.
pub const KEEP_BUFFER_BYTES: usize = 64 * 1024;

/// The length at which a text of a peer (error, warning) or of LDK (why it refused) is cut.
pub const MAX_TEXT_BYTES: usize = 512;

/// The lowest message type passed up. BOLT 1 leaves 32768 and above to custom messages.
pub const MIN_CUSTOM_TYPE: u16 = 32_768;

/// The most peers that may have a role of their own.
pub const MAX_PEER_ROLES: usize = 1024;

/// The events that may wait for the consumer before connections stop being read.
pub const MAX_WAITING_EVENTS: usize = 1024;

/// The most inbound connections in total, handshakes included.
pub const MAX_INBOUND_CONNECTIONS: usize = 10_000;

/// The most inbound connections of one IPv4 address or one IPv6 /64.
pub const MAX_INBOUND_PER_IP: usize = 64;

/// The most inbound connections of the loopback address, from which all visitors of an onion
/// service come: half, so that other addresses always find room.
pub const MAX_INBOUND_OF_LOOPBACK: usize = MAX_INBOUND_CONNECTIONS / 2;

/// The most inbound connections that have not finished their handshake. The oldest makes room.
pub const MAX_INBOUND_HANDSHAKES: usize = 1024;

/// The most of these of one IPv4 address or one IPv6 /64. The oldest of them makes room.
pub const MAX_HANDSHAKES_PER_IP: usize = 16;

/// The most of these of the loopback address, from which all visitors of an onion service come.
pub const MAX_HANDSHAKES_OF_LOOPBACK: usize = 512;
const _: () = assert!(MAX_HANDSHAKES_PER_IP < MAX_HANDSHAKES_OF_LOOPBACK);
const _: () = assert!(MAX_HANDSHAKES_OF_LOOPBACK < MAX_INBOUND_HANDSHAKES);

/// The time for the BOLT 8 handshake and `init`, both ways, of a peer that connects to us.
pub const INBOUND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for the same with a peer that we connect to: the connection may lead through Tor.
pub const OUTBOUND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// The time for which an address that flooded us is not admitted; it doubles each further time.
pub const MIN_BACK_OFF: Duration = Duration::from_secs(2);

/// The longest time for which an address is not admitted.
pub const MAX_BACK_OFF: Duration = Duration::from_secs(5 * 60);

/// The time for which an address is remembered after its last back-off ended.
pub const BACK_OFF_MEMORY: Duration = Duration::from_secs(10 * 60);
const _: () = assert!(MIN_BACK_OFF.as_secs() < MAX_BACK_OFF.as_secs());
const _: () = assert!(MAX_BACK_OFF.as_secs() <= BACK_OFF_MEMORY.as_secs());

/// The most addresses in back-off. Above it the one whose back-off ended, or ends, first is
/// forgotten.
pub const MAX_BACK_OFFS: usize = 4096;

/// The admissions per second of the loopback address after a flood, for [`LOOPBACK_BACK_OFF`]. It
/// is never kept out, because honest visitors of an onion service come from it as well.
pub const LOOPBACK_ADMISSIONS_PER_S: u32 = 32;

/// The time after a flood from the loopback address during which its admissions are counted.
pub const LOOPBACK_BACK_OFF: Duration = Duration::from_secs(5);

/// The time for a TCP connection, name resolution included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time for a TCP connection through a proxy; building a Tor circuit is slow.
pub const PROXY_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// The interval of pings; a peer that is silent for two of them is disconnected.
pub const TICK_INTERVAL: Duration = Duration::from_secs(10);

/// The time for the last bytes and the FIN of a connection that we close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause of the accept loop after an error such as running out of file descriptors.
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The first delay between two attempts to reach a peer.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest delay between two attempts to reach a peer.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
const _: () = assert!(BACKOFF_MIN.as_secs() < BACKOFF_MAX.as_secs());

/// The age from which on a connection was a good one: the next delay is the first again.
pub const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(60);
// A peer that is silent from the start does not count as a good connection.
const _: () = assert!(2 * TICK_INTERVAL.as_secs() < BACKOFF_RESET_AFTER.as_secs());

/// The most peers that a reconnector keeps connected.
pub const MAX_KEPT_PEERS: usize = 1024;

/// The most addresses that are tried for one peer.
pub const MAX_ADDRESSES_PER_PEER: usize = 16;

/// The longest host name (RFC 1035).
pub const MAX_HOST_NAME_BYTES: usize = 253;

/// The connections that wait in the system to be accepted.
pub const LISTEN_BACKLOG: u32 = 1024;
