//! The place of a daemon's API: written by the daemon into a file, read by the command line.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use steward_engine::Code;

use steward_api::{ListenError, Listener};
use steward_node::config::ApiConfig;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// The place of the API. As text it is `ip:port`, `https://ip:port` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Plain HTTP.
    Plain(String),
    /// HTTP in TLS.
    Tls(String),
    /// A unix socket.
    Unix(PathBuf),
}

impl Place {
    fn of(api: &ApiConfig, address: SocketAddr) -> Self {
        match (&api.socket, &api.tls_certificate) {
            (Some(path), _) => Self::Unix(path.clone()),
            (None, Some(_)) => Self::Tls(reachable(address).to_string()),
            (None, None) => Self::Plain(reachable(address).to_string()),
        }
    }

    /// Reads it from the text.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        match (text.strip_prefix("unix:"), text.strip_prefix("https://")) {
            (Some(path), _) => Self::Unix(PathBuf::from(path)),
            (None, Some(address)) => Self::Tls(address.to_owned()),
            (None, None) => Self::Plain(text.to_owned()),
        }
    }

    /// Shows it for people.
    pub(crate) fn url(text: &str) -> String {
        match Self::parse(text) {
            Self::Plain(address) => format!("http://{address}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => f.write_str(address),
            Self::Tls(address) => write!(f, "https://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Returns where a listener is reached: one on all addresses is reached by loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Listens where the configuration says.
///
/// # Errors
/// `api_listen_failed`, with what to do.
pub(crate) async fn listen(api: &ApiConfig) -> Result<(Listener, Place), Failure> {
    if let Some(path) = &api.socket {
        return Ok((
            Listener::unix(path).map_err(|e| cannot_listen(&e))?,
            Place::of(api, api.address),
        ));
    }
    let refused = |error: std::io::Error| {
        Failure::new(
            Code::ApiListenFailed,
            format!("the API cannot listen on {}: {error}", api.address),
            "is another daemon running? choose another address with --set api.address=...",
        )
    };
    let listener = TcpListener::bind(api.address).await.map_err(refused)?;
    let place = Place::of(api, listener.local_addr().map_err(refused)?);
    let listener = match (&api.tls_certificate, &api.tls_key) {
        (Some(certificate), Some(key)) => tls(listener, certificate, key)?,
        _ => listener.into(),
    };
    Ok((listener, place))
}

fn tls(listener: TcpListener, certificate: &Path, key: &Path) -> Result<Listener, Failure> {
    Listener::tls(listener, certificate, key).map_err(|error| cannot_listen(&error))
}

fn cannot_listen(error: &ListenError) -> Failure {
    let hint = match error {
        ListenError::InUse { .. } => "is another daemon running? choose another api.socket",
        ListenError::NoSocket { .. } => "choose another api.socket, where nothing is yet",
        ListenError::Exposed { .. } => "chmod 600 the key",
        ListenError::Io { .. } => {
            "the path of a socket has at most 107 bytes, and its directory must exist"
        }
        _ => "api.tls_certificate and api.tls_key are PEM files that belong together",
    };
    Failure::new(Code::ApiListenFailed, format!("the API cannot listen: {error}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for text in
            ["127.0.0.1:9737", "[::1]:1", "https://127.0.0.1:9737", "unix:/run/steward.sock"]
        {
            assert_eq!(Place::parse(&format!("{text}\n")).to_string(), text);
        }
    }

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        let api = ApiConfig { address: "0.0.0.0:7".parse().unwrap(), ..ApiConfig::default() };
        assert_eq!(Place::of(&api, api.address).to_string(), "127.0.0.1:7");
        let api = ApiConfig { address: "[::]:7".parse().unwrap(), ..ApiConfig::default() };
        assert_eq!(Place::of(&api, api.address).to_string(), "[::1]:7");
    }
}
