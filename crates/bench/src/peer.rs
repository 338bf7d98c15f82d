//! One connection to a host, by this program itself instead of a daemon.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::SecretKey;
use steward_p2p::{PeerRoles, Session, SessionConfig};
use steward_wire::{Framing, Message, NodeId, framing};

use crate::process::Result;

/// The longest time that a step of a conversation takes.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes sent by all connections.
pub(crate) static SENT_BYTES: AtomicU64 = AtomicU64::new(0);

/// A host on loopback.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) host: NodeId,
    address: SocketAddr,
}

impl Target {
    /// Reads `id@address:port`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (host, address) = text.split_once('@').ok_or("no address")?;
        let (host, address): (NodeId, SocketAddr) =
            (host.parse().map_err(|_| "no node id")?, address.parse()?);
        if !address.ip().is_loopback() {
            return Err("only hosts on loopback are measured".into());
        }
        Ok(Self { host, address })
    }

    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address)
    }
}

/// One connection to the host.
pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) stream: TcpStream,
    pub(crate) key: SecretKey,
    pub(crate) host: NodeId,
}

impl Peer {
    /// Connects under a key made of `name`, of 16 bytes. `attempt` makes the session fresh.
    pub(crate) fn connect(target: &Target, name: &[u8; 16], attempt: u64) -> Result<Self> {
        let mut secret = [7u8; 32];
        secret[..16].copy_from_slice(name);
        let key = SecretKey::from_slice(&secret)?;
        let mut entropy = secret;
        entropy[16..24].copy_from_slice(&attempt.to_be_bytes());
        let config = SessionConfig {
            chain: ChainHash::REGTEST,
            hosted_channel_bits: true,
            attribution: true,
            roles: PeerRoles::default(),
        };
        let session = Session::outbound(key, target.host, entropy, &config)
            .map_err(|error| error.to_string())?;
        let stream = target.connect()?;
        let mut peer = Self { session, stream, key, host: target.host };
        peer.flush()?;
        peer.until(|peer| peer.session.is_established())?;
        Ok(peer)
    }

    pub(crate) fn set_nonblocking(&self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Reads what has come, and sends what that asks for.
    pub(crate) fn answer_pings(&mut self) -> Result<()> {
        self.read()?;
        self.session.take_events();
        self.flush()
    }

    pub(crate) fn send(&mut self, message: &Message) -> Result<()> {
        let (message_type, payload) = framing::encode(Framing::Modern, message)?;
        self.session.send(message_type, payload).map_err(|error| error.to_string())?;
        self.flush()
    }

    pub(crate) fn until(&mut self, mut is_done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + STEP_TIMEOUT;
        self.stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        while !is_done(self) {
            if Instant::now() > deadline {
                return Err("the host does not answer".into());
            }
            self.read()?;
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn read(&mut self) -> Result<()> {
        let mut buffer = vec![0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err("the host hung up".into()),
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                Ok(self.session.receive(bytes).map_err(|error| error.to_string())?)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        let bytes = self.session.take_outgoing();
        self.stream.write_all(&bytes)?;
        SENT_BYTES.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
