//! TCP and TLS connections to electrum servers, which stop reading at a number of bytes and a point
//! in time. The protocol is in `electrum`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::error::ChainError;
use crate::limits::{CONNECT_TIMEOUT_MS, MAX_ANSWER_BYTES, REQUEST_TIMEOUT_MS};

/// An address `tcp://host:port` or `ssl://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElectrumUrl {
    text: String,
    host: String,
    port: u16,
    tls: bool,
}

impl ElectrumUrl {
    /// # Errors
    /// [`ChainError::Config`] if `url` is no such address.
    pub(crate) fn parse(url: &str) -> Result<Self, ChainError> {
        let problem = || {
            ChainError::config(
                "`chain.url` is not the address of an electrum server",
                "Write it like ssl://electrum.example.com:50002, or tcp://127.0.0.1:50001 for a server of your own.",
            )
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(problem)?;
        let tls = match scheme {
            "ssl" => true,
            "tcp" => false,
            _ => return Err(problem()),
        };
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(problem)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().map_err(|_| problem())?;
        if host.is_empty() || host.contains(['@', '/']) {
            return Err(problem());
        }
        Ok(Self { text: url.to_owned(), host, port, tls })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The bytes that may still be read before the next request: shared between a stream and its user.
#[derive(Clone)]
pub(crate) struct Allowance(Arc<Mutex<Budget>>);

struct Budget {
    bytes: usize,
    deadline: Instant,
}

impl Allowance {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Budget::full())))
    }

    /// Renews the allowance; called before each request.
    pub(crate) fn renew(&self) {
        *self.lock() = Budget::full();
    }

    /// Returns true once the other side has sent more than one answer may hold.
    pub(crate) fn is_spent(&self) -> bool {
        self.lock().bytes == 0
    }

    fn lock(&self) -> MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    fn full() -> Self {
        let deadline = Instant::now() + Duration::from_millis(REQUEST_TIMEOUT_MS);
        Self { bytes: MAX_ANSWER_BYTES, deadline }
    }
}

/// A connection by TCP or by TLS.
pub(crate) type Stream = Box<dyn Duplex>;

pub(crate) trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// Connects to `url`; reads on the stream draw on `allowance`.
pub(crate) fn connect(url: &ElectrumUrl, allowance: &Allowance) -> io::Result<Stream> {
    let tcp = Bounded { inner: connect_tcp(url)?, allowance: allowance.clone() };
    if !url.tls {
        return Ok(Box::new(tcp));
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(session, tcp)))
}

fn connect_tcp(url: &ElectrumUrl) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_millis(CONNECT_TIMEOUT_MS)) {
            Ok(stream) => {
                let timeout = Some(Duration::from_millis(REQUEST_TIMEOUT_MS));
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Bounded {
    inner: TcpStream,
    allowance: Allowance,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (bytes, deadline) = {
            let budget = self.allowance.lock();
            (budget.bytes, budget.deadline)
        };
        // A server that drips bytes never runs into the socket's own time-out.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no whole answer in time"));
        }
        let room = buffer.len().min(bytes);
        let (Some(window), false) = (buffer.get_mut(..room), room == 0) else {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the answer is too long"));
        };
        self.inner.set_read_timeout(Some(left))?;
        let read = self.inner.read(window).map_err(|error| match error.kind() {
            // Linux calls a socket's time-out so.
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no whole answer in time")
            }
            _ => error,
        })?;
        let mut budget = self.allowance.lock();
        budget.bytes = budget.bytes.saturating_sub(read);
        Ok(read)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
