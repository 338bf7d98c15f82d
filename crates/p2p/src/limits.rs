//! Every bound of this crate in one place: sizes, counts and times. No logic.

use std::time::Duration;

/// Largest payload of one message: 65535 bytes of BOLT8 plaintext less the two bytes of type.
pub const MAX_PAYLOAD_BYTES: usize = 65_533;

/// What one message costs on the wire beyond its payload: length (2), its MAC (16), type (2) and
/// the body's MAC (16). Counted when a queue is measured, so that empty messages are not free.
pub const MESSAGE_OVERHEAD_BYTES: usize = 36;

/// Bytes that may wait to be sent to one peer. A peer so far behind is disconnected: its state
/// is resynchronised when it comes back, while memory here would be gone for good.
pub const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;

/// Reading from a peer pauses while more than this waits to go to it, so that a peer which asks
/// (pings) but does not read what it asked for throttles itself.
pub const READ_PAUSE_QUEUED_BYTES: usize = 256 * 1024;

/// Messages encrypted and written together; the rest of the outbox waits in plain form, so that
/// a slow peer costs one buffer of this size.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// Bytes taken from a socket in one read.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// A connection is not read while this much of it waits to be worked off.
pub const MAX_UNREAD_BYTES: usize = 32 * 1024;

/// While all connections together hold more than this, each is read only up to
/// [`MIN_UNREAD_BYTES`].
pub const MAX_UNREAD_BYTES_IN_ALL: usize = 16 * 1024 * 1024;

/// What every connection may have waiting, however much others have.
pub const MIN_UNREAD_BYTES: usize = 1024;

/// Bytes handed to LDK at a time. A 40 byte ping may ask for a 64 KiB pong, so what one slice can
/// make us queue must stay small between two checks of the queue.
pub const READ_SLICE_BYTES: usize = 4 * 1024;

/// A send buffer that grew beyond this is released once it is empty.
pub const KEEP_BUFFER_BYTES: usize = 64 * 1024;

/// Text of a peer (error, warning) and of LDK (why it refused) is cut here.
pub const MAX_TEXT_BYTES: usize = 512;

/// Lowest message type passed up. BOLT1 leaves 32768 and above to custom messages.
pub const MIN_CUSTOM_TYPE: u16 = 32_768;

/// Events that may wait for the consumer before connections stop being read.
pub const MAX_WAITING_EVENTS: usize = 1024;

/// Inbound connections in total, handshakes included.
pub const MAX_INBOUND_CONNECTIONS: usize = 10_000;

/// Inbound connections of one IPv4 address or one IPv6 /64.
pub const MAX_INBOUND_PER_IP: usize = 64;

/// Inbound connections of the loopback address, from which all visitors of an onion service come:
/// half, so that other addresses always find room.
pub const MAX_INBOUND_OF_LOOPBACK: usize = MAX_INBOUND_CONNECTIONS / 2;

/// Inbound connections which have not finished their handshake. The oldest makes room.
pub const MAX_INBOUND_HANDSHAKES: usize = 1024;

/// Of these, of one IPv4 address or one IPv6 /64. The oldest of them makes room.
pub const MAX_HANDSHAKES_PER_IP: usize = 16;

/// Of these, of the loopback address, from which all visitors of an onion service come.
pub const MAX_HANDSHAKES_OF_LOOPBACK: usize = 512;
const _: () = assert!(MAX_HANDSHAKES_PER_IP < MAX_HANDSHAKES_OF_LOOPBACK);
const _: () = assert!(MAX_HANDSHAKES_OF_LOOPBACK < MAX_INBOUND_HANDSHAKES);

/// Time for the BOLT8 handshake and `init`, both ways, of a peer that connects to us.
pub const INBOUND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the same with a peer that we connect to: the way may lead through Tor.
pub const OUTBOUND_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// An address that flooded us is not let in for this long; twice as long each further time.
pub const MIN_BACK_OFF: Duration = Duration::from_secs(2);

/// The longest time an address is not let in.
pub const MAX_BACK_OFF: Duration = Duration::from_secs(5 * 60);

/// How long an address is remembered after its last back-off ended.
pub const BACK_OFF_MEMORY: Duration = Duration::from_secs(10 * 60);

/// Addresses in back-off. Beyond that the one whose back-off ended, or ends, first is forgotten.
pub const MAX_BACK_OFFS: usize = 4096;

/// The loopback address is never kept out, honest visitors of an onion service come from it as
/// well: after a flood it is let in this many times per second only, for [`LOOPBACK_BACK_OFF`].
pub const LOOPBACK_ADMISSIONS_PER_S: u32 = 32;

/// How long after a flood from the loopback address its admissions are counted.
pub const LOOPBACK_BACK_OFF: Duration = Duration::from_secs(5);

/// Time for a TCP connection, name resolution included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a TCP connection through a proxy; building a Tor circuit is slow.
pub const PROXY_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval of pings; a peer that is silent for two of them is disconnected.
pub const TICK_INTERVAL: Duration = Duration::from_secs(10);

/// Time for the last bytes and the FIN of a connection we close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause of the accept loop after an error such as running out of file descriptors.
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// First delay between two attempts to reach a peer.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// Longest delay between two attempts to reach a peer.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);

/// A connection that lived this long was a good one: the next delay is the first again.
pub const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(60);

/// Peers a reconnector keeps connected.
pub const MAX_KEPT_PEERS: usize = 1024;

/// Addresses tried for one peer.
pub const MAX_ADDRESSES_PER_PEER: usize = 16;

/// Longest host name (RFC 1035).
pub const MAX_HOST_NAME_BYTES: usize = 253;

/// Connections that wait in the system to be accepted.
pub const LISTEN_BACKLOG: u32 = 1024;
