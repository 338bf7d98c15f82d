//! The address of a peer: an IP address, a DNS name or a Tor onion service, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::limits::MAX_HOST_NAME_BYTES;

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, in lower case.
    Name(String),
    /// A Tor onion service, in lower case, `.onion` included. It needs a proxy.
    Onion(String),
}

/// The port of Lightning, which is meant where none is written (BOLT 1).
pub const DEFAULT_PORT: u16 = 9735;

/// The address of a peer, written `host:port`, with an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    /// The IP address or name.
    pub host: Host,
    /// The TCP port, never zero.
    pub port: u16,
}

/// The reason why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    InvalidPort,
    /// The host is neither an IP address nor a host name.
    #[error("the host is neither an IP address nor a host name; IPv6 needs brackets")]
    InvalidHost,
}

impl FromStr for PeerAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, port),
            _ => return Ok(Self { host: parse_host(text)?, port: DEFAULT_PORT }),
        };
        let host = parse_host(host)?;
        // `u16::from_str` accepts a leading plus sign; an address does not.
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0);
        Ok(Self { host, port: port.ok_or(ParseAddressError::InvalidPort)? })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) | Host::Onion(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Ip(address.ip()), port: address.port() }
    }
}

fn parse_host(text: &str) -> Result<Host, ParseAddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(ParseAddressError::InvalidHost)?;
        let ip: Ipv6Addr = inner.parse().map_err(|_| ParseAddressError::InvalidHost)?;
        return Ok(Host::Ip(ip.into()));
    }
    if let Ok(ip @ IpAddr::V4(_)) = text.parse() {
        return Ok(Host::Ip(ip));
    }
    let name = text.to_ascii_lowercase();
    if name.len() > MAX_HOST_NAME_BYTES || !name.split('.').all(is_label) {
        return Err(ParseAddressError::InvalidHost);
    }
    Ok(if name.ends_with(".onion") { Host::Onion(name) } else { Host::Name(name) })
}

/// Returns true for a DNS label. Underscores are not legal in host names, but people use them.
fn is_label(label: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(legal)
}
