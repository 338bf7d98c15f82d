//! BOLT 8 connections over TCP: one LDK `PeerManager` per connection behind our own driver.
//!
//! The crate carries opaque messages between two nodes and knows nothing of channels: custom ones
//! with everybody, those of BOLT 2 and BOLT 7 with the peers that have a role ([`PeerRole`]).
//! Inbound connections use the node's key, outbound ones any identity that the caller has.
//!
//! Layout
//! - `transport`: all connections of a node: listen, connect, send, one stream of events; `config`:
//!   its settings
//! - [`Reconnector`] (`reconnect`): keeps outbound connections up; `backoff`: its delays
//! - `session`: one connection without a socket, for the driver here and for simulators
//! - `event`: the consumer's interface: events and reasons
//! - `address`: [`PeerAddress`]; `dial`: opens TCP connections, directly or through a proxy
//! - `driver`: moves bytes and messages between one socket, its session and the consumer
//! - `message`: a message that is passed up or sent, and its size on the wire
//! - `outbox`: messages waiting to be sent; `unread`: messages waiting to be handled
//! - `registry`: the connection that serves a pair of nodes
//! - `caps`: caps on inbound connections; `keep_out`: addresses that flooded us
//! - `handlers`: LDK's callbacks; `signer`: the key that LDK needs; `features`: the bits of `init`
//! - `role`: what a peer is to us, and so what `init` offers it and which messages pass
//! - `channel_messages`: the messages of funded channels, passed up, refused or ignored
//! - `gossip_messages`: gossip, passed up or ignored
//! - `stats`: counters
//! - [`limits`]: every limit of this crate
//!
//! ```
//! use bitcoin::{Network, constants::ChainHash, secp256k1::{Secp256k1, SecretKey}};
//! use steward_p2p::{Event, PeerRoles, SessionConfig, Transport, TransportConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TransportConfig::new(SessionConfig {
//!     chain: ChainHash::using_genesis_block_const(Network::Regtest),
//!     hosted_channel_bits: true,
//!     attribution: false,
//!     roles: PeerRoles::default(),
//! });
//! let (host_key, client_key) = (SecretKey::from_slice(&[2; 32])?, SecretKey::from_slice(&[1; 32])?);
//! let (host, mut host_events) = Transport::new(config.clone());
//! let address = host.listen("127.0.0.1:0".parse()?, host_key).await?;
//!
//! let (client, _client_events) = Transport::new(config);
//! let host_id = host_key.public_key(&Secp256k1::new()).into();
//! let connection = client.connect(client_key, host_id, &address.into()).await?;
//! client.try_send(connection.id(), vec![(63505, b"hello".to_vec())])?;
//!
//! assert!(matches!(host_events.recv().await, Some(Event::Connected { inbound: true, .. })));
//! let Some(Event::Messages { messages, .. }) = host_events.recv().await else { panic!() };
//! assert_eq!(messages, [(63505, b"hello".to_vec())]);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod event;
pub mod limits;
mod session;
mod stats;
mod transport;

mod address;
mod backoff;
mod caps;
mod channel_messages;
mod config;
mod dial;
mod driver;
mod features;
mod gossip_messages;
mod handlers;
mod keep_out;
mod message;
mod outbox;
mod reconnect;
mod registry;
mod role;
mod signer;
mod unread;

pub use address::{DEFAULT_PORT, Host, ParseAddressError, PeerAddress};
pub use backoff::Backoff;
pub use config::{SessionConfig, TransportConfig};
pub use dial::{ConnectError, ProxyConfig, ProxyScope};
pub use event::{ConnectionId, DisconnectReason, Event, PeerTextKind};
pub use features::Features;
pub use handlers::SessionEvent;
pub use message::CustomMessage;
pub use reconnect::{AddPeerError, FailedAttempt, Reconnector};
pub use role::{PeerRole, PeerRoles, TooManyRoles};
pub use session::{SendError, Session, SessionError};
pub use stats::Stats;
pub use transport::{ConnectionHandle, Transport};
pub use unread::Held;
