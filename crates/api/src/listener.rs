//! The listener of the API: a TCP port, in the clear or by TLS, or a unix socket.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

/// A listener of the API.
pub struct Listener(Kind);

enum Kind {
    Tcp(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// A socket file, which is removed with the listener.
struct SocketFile(PathBuf);

/// A connection that was accepted, before anything is said on it.
pub(crate) enum Accepted {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}

/// The reasons why the API cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The system refuses.
    #[error("{place}: {source}")]
    Io {
        /// Address or path.
        place: String,
        /// The system's error.
        source: io::Error,
    },
    /// A process answers at the socket.
    #[error("{}: another program listens there", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else than a socket is at the path.
    #[error("{}: this is no socket", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The certificate or its key cannot be read.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The fault found.
        problem: String,
    },
    /// Other users can read the key.
    #[error("{} can be read by all users of this machine (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The certificate and key do not fit, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Tls(rustls::Error),
}

impl Listener {
    /// Speaks TLS on `listener`, with the certificates (the own one first) and the key of these
    /// PEM files.
    ///
    /// # Errors
    /// If the files cannot be used together, or other users can read the key.
    pub fn tls(listener: TcpListener, certificate: &Path, key: &Path) -> Result<Self, ListenError> {
        let chain = certificates(certificate)?;
        let unreadable = |error| unreadable(key, &error);
        let mode = fs::metadata(key).map_err(|source| io_error(key, source))?.permissions().mode();
        if mode & 0o007 != 0 {
            return Err(ListenError::Exposed { path: key.to_owned(), mode: mode & 0o777 });
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ListenError::Tls)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(ListenError::Tls)?;
        Ok(Self(Kind::Tls(listener, TlsAcceptor::from(Arc::new(config)))))
    }

    /// Listens on a unix socket that only this user can open. One that a process which died left
    /// behind is replaced.
    ///
    /// # Errors
    /// If a process listens there, or something else is there, or the system refuses.
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ListenError::NoSocket { path: path.to_owned() });
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(ListenError::InUse { path: path.to_owned() });
            }
            Ok(_) => fs::remove_file(path).map_err(|source| io_error(path, source))?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(|source| io_error(path, source))?;
        let _file = SocketFile(path.to_owned());
        // A connection made before this is asked for the token like any other.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|source| io_error(path, source))?;
        Ok(Self(Kind::Unix { listener, _file }))
    }

    /// Accepts the next connection, with the address it comes from, if it has one.
    pub(crate) async fn accept(&self) -> io::Result<(Accepted, Option<IpAddr>)> {
        let accepted = match &self.0 {
            Kind::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                (Accepted::Tcp(quick(stream)), Some(from.ip()))
            }
            Kind::Tls(listener, acceptor) => {
                let (stream, from) = listener.accept().await?;
                (Accepted::Tls(quick(stream), acceptor.clone()), Some(from.ip()))
            }
            Kind::Unix { listener, .. } => (Accepted::Unix(listener.accept().await?.0), None),
        };
        Ok(accepted)
    }
}

impl From<TcpListener> for Listener {
    /// Plain HTTP.
    fn from(listener: TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads the certificates of a PEM file, the node's own first.
///
/// # Errors
/// If there is none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(unreadable(path, &pem::Error::NoItemsFound)),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Sends without delay: answers are small and must not wait for the acknowledgement of earlier
/// ones.
fn quick(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}

fn unreadable(path: &Path, error: &pem::Error) -> ListenError {
    let problem = match error {
        pem::Error::NoItemsFound => "it holds no PEM of the kind that is needed".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    ListenError::Unreadable { path: path.to_owned(), problem }
}

fn io_error(path: &Path, source: io::Error) -> ListenError {
    ListenError::Io { place: path.display().to_string(), source }
}
