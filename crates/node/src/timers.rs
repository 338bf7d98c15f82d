//! The relations between the timers of the crates. Each crate has its own limits; that they fit
//! together is checked here, when the program is compiled, because only here all are known.

use std::time::Duration;

use steward_chain::limits as chain;
use steward_engine::limits as engine;
use steward_hosted::limits as channel;
use steward_p2p::limits as p2p;
use steward_runtime::limits::MAX_TICK_INTERVAL;

const fn ms(duration: Duration) -> u64 {
    // Every limit is far below u64.
    duration.as_millis() as u64
}

/// A peer that sends nothing at all is disconnected after two pings.
const SILENCE_LIMIT_MS: u64 = 2 * ms(p2p::TICK_INTERVAL);

/// An invoke that was lost is repeated, in the framing that the peer speaks, before the first ping:
/// a host that was not ready for the first one has answered when its silence would count.
const _: () = assert!(2 * channel::REPEAT_INVOKE_MS < ms(p2p::TICK_INTERVAL));
/// The engine looks at its timers often enough for the shortest of them.
const _: () = assert!(2 * ms(MAX_TICK_INTERVAL) <= channel::REPEAT_INVOKE_MS);

/// A peer that has stopped reading is found by its silence, and the next connection tries the other
/// framing if none was ever shown; only one that lives and does not answer is left to the channel.
const _: () = assert!(SILENCE_LIMIT_MS < channel::ANSWER_TIMEOUT_MS);
/// A connection on which nothing is answered is no good one: the waits between two such grow.
const _: () = assert!(channel::ANSWER_TIMEOUT_MS < ms(p2p::BACKOFF_RESET_AFTER));
/// A host that has forgotten a channel is asked again on a connection that was no good one either.
const _: () = assert!(channel::FORGOTTEN_RETRY_MS < ms(p2p::BACKOFF_RESET_AFTER));
/// An opening outlives the answers it consists of.
const _: () = assert!(channel::ANSWER_TIMEOUT_MS < channel::OPENING_TIMEOUT_MS);

/// Peers are back, after a start, before forwards stop waiting for them.
const _: () = assert!(
    ms(p2p::BACKOFF_MIN) + ms(p2p::CONNECT_TIMEOUT) + ms(p2p::OUTBOUND_HANDSHAKE_TIMEOUT)
        < engine::RESUME_WAIT_MS
);

/// A forward does not wait for a slot as long as its payer does, nor a payer as long as a payee
/// holds the parts that have come.
const _: () = assert!(engine::FORWARD_WAIT_MS < engine::PAYMENT_WAIT_MS);
const _: () = assert!(engine::PAYMENT_WAIT_MS < engine::MPP_TIMEOUT_MS);
const _: () = assert!(engine::PAYMENT_WAIT_MS < engine::PAYMENT_RETRY_MS);

/// With a source that answers at its usual pace a payee need not ask before it claims; if it must,
/// the answer comes, or fails to, while it still holds the payment.
const _: () = assert!(2 * chain::DEFAULT_POLL_INTERVAL_MS <= engine::CHAIN_FRESH_MS);
const _: () =
    assert!(chain::MIN_HURRIED_POLL_INTERVAL_MS + chain::POLL_TIMEOUT_MS < engine::MPP_TIMEOUT_MS);

/// The tips that are remembered reach further back than the blocks that are searched again.
const _: () = assert!(chain::REORG_MEMORY_BLOCKS as u64 > engine::SEARCH_REORG_BLOCKS as u64);
