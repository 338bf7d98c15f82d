//! The ways to a daemon that our HTTP client does not know: a unix socket, and TLS with exactly
//! one certificate, whatever its signer and the name it carries.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Connects to a unix socket, whatever the URL says.
#[derive(Debug)]
pub(crate) struct UnixConnector(pub(crate) PathBuf);

/// Connects to where the URL says, and speaks TLS.
pub(crate) struct PinnedConnector(Arc<ClientConfig>);

impl PinnedConnector {
    /// Trusts just this certificate.
    ///
    /// # Errors
    /// If TLS cannot be spoken: a bug.
    pub(crate) fn new(certificate: CertificateDer<'static>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Pinned { certificate, provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

impl Connector<()> for UnixConnector {
    type Out = Connection<UnixStream>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(Some(Connection::new(UnixStream::connect(&self.0)?, details)))
    }
}

impl Connector<()> for PinnedConnector {
    type Out = Connection<StreamOwned<ClientConnection, TcpStream>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let refused = || Error::Io(ErrorKind::ConnectionRefused.into());
        let address = details.addrs.first().ok_or_else(refused)?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // It sends no name for an address, and none is compared.
        let name = ServerName::IpAddress(address.ip().into());
        let session = ClientConnection::new(Arc::clone(&self.0), name)
            .map_err(|error| Error::Io(io::Error::other(error)))?;
        Ok(Some(Connection::new(StreamOwned::new(session, stream), details)))
    }
}

impl fmt::Debug for PinnedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinnedConnector")
    }
}

/// A stream whose waits can be bounded.
pub(crate) trait Stream: Read + Write + Send + Sync + 'static {
    /// Bounds the next reads and writes.
    fn set_timeouts(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// Tells whether nothing was received on it, and it is not closed.
    fn is_quiet(&self) -> bool;
}

impl Stream for UnixStream {
    fn set_timeouts(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }

    fn is_quiet(&self) -> bool {
        let read = self.set_nonblocking(true).and_then(|()| (&mut &*self).read(&mut [0]));
        let is_quiet = read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        is_quiet && self.set_nonblocking(false).is_ok()
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn set_timeouts(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sock.set_read_timeout(timeout)?;
        self.sock.set_write_timeout(timeout)
    }

    fn is_quiet(&self) -> bool {
        // TLS has words of its own, between answers too: a new connection costs less than to tell
        // them from an end.
        false
    }
}

/// A connection as the HTTP client wants it.
pub(crate) struct Connection<S> {
    stream: S,
    buffers: LazyBuffers,
}

impl<S: Stream> Connection<S> {
    fn new(stream: S, details: &ConnectionDetails<'_>) -> Self {
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Self { stream, buffers }
    }

    fn limit(&self, timeout: &NextTimeout) -> Result<(), Error> {
        Ok(self.stream.set_timeouts(timeout.not_zero().map(|left| *left))?)
    }
}

impl<S: Stream> Transport for Connection<S> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.limit(&timeout)?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = self.stream.write_all(output).and_then(|()| self.stream.flush());
        written.map_err(|error| late(error, &timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.limit(&timeout)?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let amount = read.map_err(|error| late(error, &timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.is_quiet()
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

fn late(error: io::Error, timeout: &NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

/// The daemon's own certificate, byte by byte: it is on this machine, and so is the file.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
