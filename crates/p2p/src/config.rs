//! The settings of a transport, and of each of its sessions.

use bitcoin::constants::ChainHash;

use crate::dial::ProxyConfig;
use crate::limits::{MAX_INBOUND_CONNECTIONS, MAX_INBOUND_HANDSHAKES, MAX_INBOUND_PER_IP};
use crate::role::PeerRoles;

/// The content of our `init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Our chain. A peer that lists other chains only is refused.
    pub chain: ChainHash,
    /// True to announce hosted channels, bits 257 and 32973 (docs/protocol.md section 1.5). They
    /// make `init` 4 kB long.
    pub hosted_channel_bits: bool,
    /// True to announce attribution data, bit 37.
    pub attribution: bool,
    /// The peers to which `init` offers more, and from which more messages pass.
    pub roles: PeerRoles,
}

/// The settings of a [`crate::Transport`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// The content of our `init`.
    pub session: SessionConfig,
    /// The most inbound connections in total.
    pub max_inbound: usize,
    /// The most inbound connections of one IPv4 address or one IPv6 /64.
    pub max_inbound_per_ip: usize,
    /// The most inbound connections that have not finished their handshake.
    pub max_inbound_handshakes: usize,
    /// True if `max_inbound_per_ip` and the back-off after a flood hold for the loopback address
    /// too, from which all visitors of an onion service come.
    pub limit_loopback: bool,
    /// The proxy for outbound connections.
    pub proxy: Option<ProxyConfig>,
}

impl TransportConfig {
    /// Returns the defaults of [`crate::limits`], without a proxy.
    pub fn new(session: SessionConfig) -> Self {
        Self {
            session,
            max_inbound: MAX_INBOUND_CONNECTIONS,
            max_inbound_per_ip: MAX_INBOUND_PER_IP,
            max_inbound_handshakes: MAX_INBOUND_HANDSHAKES,
            limit_loopback: false,
            proxy: None,
        }
    }
}
