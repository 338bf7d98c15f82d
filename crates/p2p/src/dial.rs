//! Opens TCP connections, directly or through a SOCKS5 proxy.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;

use crate::address::{Host, PeerAddress};
use crate::event::DisconnectReason;
use crate::limits::{CONNECT_TIMEOUT, PROXY_CONNECT_TIMEOUT};

/// A SOCKS5 proxy, usually Tor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The address on which the proxy listens.
    pub address: SocketAddr,
    /// The connections that go through it.
    pub scope: ProxyScope,
}

/// The outbound connections that use the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyScope {
    /// All connections use it, names included: nothing is resolved or dialled past the proxy.
    All,
    /// Only connections to `.onion` addresses use it.
    OnionOnly,
}

/// The reason why a connection was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The node id is not a public key, or our own.
    #[error("the node id is not a public key, or our own")]
    InvalidNodeId,
    /// The address is an onion service, and there is no proxy to reach it.
    #[error("an onion address needs a proxy")]
    OnionNeedsProxy,
    /// The TCP connection failed, or the name did not resolve.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The TCP connection took too long.
    #[error("connecting timed out")]
    Timeout,
    /// BOLT 8 or `init` failed, or the peer is not the expected node.
    #[error("the handshake failed: {0}")]
    Handshake(DisconnectReason),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Entropy(String),
    /// The transport is shutting down.
    #[error("shutting down")]
    ShuttingDown,
}

/// Connects to a peer's address.
pub(crate) async fn dial(
    address: &PeerAddress,
    proxy: Option<&ProxyConfig>,
) -> Result<TcpStream, ConnectError> {
    let is_onion = matches!(address.host, Host::Onion(_));
    let through_proxy = proxy.filter(|proxy| is_onion || proxy.scope == ProxyScope::All);
    match through_proxy {
        Some(proxy) => dial_through(proxy.address, address).await,
        None if is_onion => Err(ConnectError::OnionNeedsProxy),
        None => dial_directly(address).await,
    }
}

async fn dial_directly(address: &PeerAddress) -> Result<TcpStream, ConnectError> {
    let connecting = async {
        match &address.host {
            Host::Ip(ip) => TcpStream::connect((*ip, address.port)).await,
            Host::Name(name) | Host::Onion(name) => {
                TcpStream::connect((name.as_str(), address.port)).await
            }
        }
    };
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| ConnectError::Timeout)?
        .map_err(unreachable)
}

async fn dial_through(proxy: SocketAddr, address: &PeerAddress) -> Result<TcpStream, ConnectError> {
    let target = match &address.host {
        Host::Ip(ip) => TargetAddr::Ip(SocketAddr::new(*ip, address.port)),
        Host::Name(name) | Host::Onion(name) => {
            TargetAddr::Domain(name.as_str().into(), address.port)
        }
    };
    let connecting = Socks5Stream::connect(proxy, target);
    let stream =
        timeout(PROXY_CONNECT_TIMEOUT, connecting).await.map_err(|_| ConnectError::Timeout)?;
    Ok(stream.map_err(unreachable)?.into_inner())
}

fn unreachable(error: impl std::fmt::Display) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}
