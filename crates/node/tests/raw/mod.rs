//! A hosted-channel client in raw bytes, written from the protocol's description: it shares no
//! codec, no framing, no state hash and no state machine with the host it tests. Only BOLT8 and
//! the onion are the host's own crates, both opaque here.
//!
//! It takes nothing on trust: a message that the protocol does not call for at that moment, that
//! has a byte too many, or that differs from what it computed by itself ends the test.

mod bytes;
mod client;
mod connection;
mod crypto;
mod exchange;
mod policy;
mod state;

pub(crate) use client::Client;
pub(crate) use connection::Framing;
pub(crate) use crypto::{sha256, short_channel_id};
pub(crate) use policy::Policy;
pub(crate) use state::Htlc;

/// The message types (docs/protocol.md section 1.3).
mod message {
    pub(super) const INVOKE_HOSTED_CHANNEL: u16 = 65535;
    pub(super) const INIT_HOSTED_CHANNEL: u16 = 65533;
    pub(super) const LAST_CROSS_SIGNED_STATE: u16 = 65531;
    pub(super) const STATE_UPDATE: u16 = 65529;
    pub(super) const HOSTED_CHANNEL_BRANDING: u16 = 65525;
    pub(super) const ASK_BRANDING_INFO: u16 = 65511;
    pub(super) const CHANNEL_UPDATE: u16 = 64509;
    pub(super) const UPDATE_ADD_HTLC: u16 = 63505;
    pub(super) const UPDATE_FULFILL_HTLC: u16 = 63503;
    pub(super) const UPDATE_FAIL_HTLC: u16 = 63501;
}
