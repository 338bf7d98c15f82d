//! BOLT8 connections over TCP: one LDK `PeerManager` per connection behind our own driver.
//!
//! Carries opaque custom messages between two nodes and knows nothing of hosted channels.
//! Inbound connections use the node's key, outbound ones any identity the caller has.
//!
//! Layout
//! - [`transport`]: all connections of a node: listen, connect, send, one stream of events
//! - [`Reconnector`]: keeps outbound connections up
//! - [`session`]: one connection without a socket, for the driver here and for simulators
//! - [`event`]: what a consumer sees, and [`PeerTransport`], what it can do
//! - [`limits`]: every bound
#![forbid(unsafe_code)]

pub mod event;
pub mod limits;
pub mod session;
pub mod stats;
pub mod transport;

mod address;
mod backoff;
mod caps;
mod channel_messages;
mod dial;
mod driver;
mod features;
mod handlers;
mod outbox;
mod reconnect;
mod registry;
mod signer;

pub use address::{Host, ParseAddressError, PeerAddress};
pub use backoff::Backoff;
pub use dial::{ConnectError, ProxyConfig, ProxyScope};
pub use event::{
    ConnectionId, CustomMessage, DisconnectReason, Event, PeerTextKind, PeerTransport,
};
pub use features::Features;
pub use reconnect::{AddPeerError, Reconnector};
pub use session::{SendError, Session, SessionConfig, SessionError, SessionEvent};
pub use stats::Stats;
pub use transport::{ConnectionHandle, Transport, TransportConfig};
