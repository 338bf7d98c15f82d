//! The settings of a transport.

use crate::dial::ProxyConfig;
use crate::limits::{MAX_INBOUND_CONNECTIONS, MAX_INBOUND_HANDSHAKES, MAX_INBOUND_PER_IP};
use crate::session::SessionConfig;

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
