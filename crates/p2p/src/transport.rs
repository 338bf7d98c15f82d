//! All connections of a node: listeners, outbound connections, and one stream of events.

use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::set_ipv6_v6only;
use steward_wire::{Identity, NodeId};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::address::PeerAddress;
use crate::caps::{Admission, Caps, HandshakeSlot, Refusal};
use crate::config::{SessionConfig, TransportConfig};
use crate::dial::{ConnectError, dial};
use crate::driver::{Driver, Link, session_error};
use crate::event::{ConnectionId, DisconnectReason, Event};
use crate::features::Features;
use crate::limits::{
    ACCEPT_RETRY_DELAY, INBOUND_HANDSHAKE_TIMEOUT, LISTEN_BACKLOG, MAX_WAITING_EVENTS,
    OUTBOUND_HANDSHAKE_TIMEOUT,
};
use crate::message::CustomMessage;
use crate::registry::{Ended, Pair, Registration, Registry};
use crate::role::{PeerRole, PeerRoles};
use crate::session::{SendError, Session};
use crate::stats::{Stats, add, count};
use crate::unread::AllUnread;

/// All connections of a node. Clones are the same transport.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    config: TransportConfig,
    /// The roles of peers now; those in `config` are the first ones.
    roles: Mutex<PeerRoles>,
    registry: Arc<Registry>,
    caps: Caps,
    events: mpsc::Sender<Event>,
    stats: Arc<Stats>,
    unread: AllUnread,
    /// True when all tasks shall end. Each holds a receiver, so that the sender knows when the last
    /// has ended.
    shutdown: watch::Sender<bool>,
}

impl Inner {
    fn session_config(&self) -> SessionConfig {
        SessionConfig { roles: self.lock_roles().clone(), ..self.config.session.clone() }
    }

    fn lock_roles(&self) -> MutexGuard<'_, PeerRoles> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An outbound connection, to wait for its end.
#[derive(Debug)]
pub struct ConnectionHandle {
    conn: ConnectionId,
    ended: Ended,
}

impl ConnectionHandle {
    /// Returns the connection's id.
    pub fn id(&self) -> ConnectionId {
        self.conn
    }

    /// Waits until the connection has ended.
    pub async fn ended(mut self) -> DisconnectReason {
        wait_for_end(&mut self.ended).await
    }
}

impl Transport {
    /// Makes a transport without any connection, and its events. The consumer must keep taking
    /// them: connections are not read while [`MAX_WAITING_EVENTS`] wait.
    pub fn new(config: TransportConfig) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let inner = Inner {
            caps: Caps::new(&config),
            roles: Mutex::new(config.session.roles.clone()),
            config,
            registry: Arc::default(),
            events,
            stats: Arc::default(),
            unread: AllUnread::default(),
            shutdown: watch::Sender::new(false),
        };
        (Self(Arc::new(inner)), receiver)
    }

    /// Accepts connections on `address` as `identity`, until [`shutdown`](Self::shutdown). Returns
    /// the address bound, which matters if the port was zero.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn listen(
        &self,
        address: SocketAddr,
        identity: impl Identity + 'static,
    ) -> std::io::Result<SocketAddr> {
        self.accept_on(TcpListener::bind(address).await?, Arc::new(identity))
    }

    /// Listens on IPv6 alone, where the system would accept IPv4 as well: so a second listener can
    /// use the same port for IPv4.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn listen_ipv6_only(
        &self,
        address: SocketAddrV6,
        identity: impl Identity + 'static,
    ) -> std::io::Result<SocketAddr> {
        let socket = TcpSocket::new_v6()?;
        socket.set_reuseaddr(true)?;
        set_ipv6_v6only(&socket, true)?;
        socket.bind(address.into())?;
        self.accept_on(socket.listen(LISTEN_BACKLOG)?, Arc::new(identity))
    }

    fn accept_on(
        &self,
        listener: TcpListener,
        identity: Arc<dyn Identity>,
    ) -> std::io::Result<SocketAddr> {
        let bound = listener.local_addr()?;
        tokio::spawn(accept_loop(self.0.clone(), listener, identity));
        Ok(bound)
    }

    /// Connects to `peer` as `identity`. The handshake is done when this returns; the `Connected`
    /// event follows. It replaces an older connection of the same pair, and may be cancelled.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        &self,
        identity: impl Identity + 'static,
        peer: NodeId,
        address: &PeerAddress,
    ) -> Result<ConnectionHandle, ConnectError> {
        let shutdown = self.0.shutdown.subscribe();
        if *shutdown.borrow() {
            return Err(ConnectError::ShuttingDown);
        }
        let session = Session::outbound(identity, peer, entropy()?, &self.0.session_config())
            .map_err(|_| ConnectError::InvalidNodeId)?;
        if session.local_node_id() == peer {
            return Err(ConnectError::InvalidNodeId);
        }
        let stream = dial(address, self.0.config.proxy.as_ref()).await?;
        let time = OUTBOUND_HANDSHAKE_TIMEOUT;
        let (session, stream) = handshake(&self.0.stats, session, stream, time, shutdown.clone())
            .await
            .map_err(ConnectError::Handshake)?;
        let connection =
            Connection { session, stream, address: address.clone(), admission: None, shutdown };
        let (registration, features) =
            register(&self.0, &connection).ok_or(ConnectError::InvalidNodeId)?;
        let handle = ConnectionHandle { conn: registration.conn, ended: registration.ended() };
        tokio::spawn(run(self.0.clone(), connection, registration, features));
        Ok(handle)
    }

    /// Queues messages on a connection, in order. On a connection that has ended they are dropped
    /// and counted.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] if a payload is too large, [`SendError::NotOffered`] if the peer's
    /// role does not allow a type: none of the messages is sent.
    /// [`SendError::QueueFull`] if the peer is too far behind: the connection ends.
    pub fn try_send(
        &self,
        conn: ConnectionId,
        messages: Vec<CustomMessage>,
    ) -> Result<(), SendError> {
        let len = messages.len();
        let pushed = match self.0.registry.outbox_and_role(conn) {
            Some((outbox, role)) => {
                check_offered(role, &messages).and_then(|()| outbox.push(messages))
            }
            None => Err(SendError::NotEstablished),
        };
        match pushed {
            Ok(()) => add(&self.0.stats.messages_sent, len),
            Err(SendError::NotEstablished) => add(&self.0.stats.messages_dropped, len),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Changes the roles of peers. A connection with a peer whose role is now another ends, since
    /// its `init` offered something else; the next one offers the right thing.
    pub fn set_peer_roles(&self, roles: PeerRoles) {
        // The order matters: a connection that is entered meanwhile compares its role afterwards.
        *self.0.lock_roles() = roles.clone();
        self.0.registry.end_outdated(&roles);
    }

    /// Returns the live connection of one of our identities with a peer.
    pub fn connection(&self, local: NodeId, peer: NodeId) -> Option<ConnectionHandle> {
        let (conn, ended) = self.0.registry.of_pair(&(local, peer))?;
        Some(ConnectionHandle { conn, ended })
    }

    /// Returns the counters.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.0.stats
    }

    /// Ends all listeners and connections, and waits until all events are delivered: the caller
    /// keeps taking them meanwhile, or drops the receiver.
    pub async fn shutdown(&self) {
        self.0.shutdown.send_replace(true);
        self.0.shutdown.closed().await;
    }
}

impl Transport {
    /// Queues messages, in order, like [`Transport::try_send`]. To a connection that is gone they
    /// are dropped. A message that cannot be sent ends the connection: the reestablishment on the
    /// next one is a way back to agreement, a gap is not.
    pub fn send(&self, conn: ConnectionId, messages: Vec<CustomMessage>) {
        if let Err(error) = self.try_send(conn, messages) {
            tracing::warn!(%conn, %error, "cannot send");
            self.disconnect(conn, &error.to_string());
        }
    }

    /// Ends a connection. The `Disconnected` event follows.
    pub fn disconnect(&self, conn: ConnectionId, reason: &str) {
        if let Some(outbox) = self.0.registry.outbox(conn) {
            outbox.end(DisconnectReason::Requested(reason.to_owned()));
        }
    }

    /// Ends a connection as [`Self::disconnect`], because the peer floods us: its address is not
    /// let in again at once.
    pub fn refuse(&self, conn: ConnectionId, reason: &str) {
        if let Some(outbox) = self.0.registry.outbox(conn) {
            outbox.end(DisconnectReason::Flooding(reason.to_owned()));
        }
    }
}

/// A connection past its handshake.
struct Connection {
    session: Session,
    stream: TcpStream,
    address: PeerAddress,
    /// The place of an inbound connection; `None` if we connected to the peer.
    admission: Option<Admission>,
    shutdown: watch::Receiver<bool>,
}

async fn accept_loop(inner: Arc<Inner>, listener: TcpListener, identity: Arc<dyn Identity>) {
    let mut shutdown = inner.shutdown.subscribe();
    while !*shutdown.borrow_and_update() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.changed() => return,
            () = inner.events.closed() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        count(&inner.stats.accepted);
        match inner.caps.admit(address.ip()) {
            Ok((admission, slot)) => {
                let identity = Arc::clone(&identity);
                tokio::spawn(accept(inner.clone(), stream, address, identity, admission, slot));
            }
            Err(refusal) => {
                tracing::debug!(%address, ?refusal, "connection refused");
                count(match refusal {
                    Refusal::BackOff => &inner.stats.refused_back_off,
                    Refusal::Total => &inner.stats.refused_total_cap,
                    Refusal::PerIp => &inner.stats.refused_ip_cap,
                });
            }
        }
    }
}

async fn accept(
    inner: Arc<Inner>,
    stream: TcpStream,
    address: SocketAddr,
    identity: Arc<dyn Identity>,
    admission: Admission,
    slot: HandshakeSlot,
) {
    let shutdown = inner.shutdown.subscribe();
    let entropy = match entropy() {
        Ok(entropy) => entropy,
        Err(error) => {
            tracing::error!(%error, "connection refused");
            return;
        }
    };
    let session = Session::inbound(identity, entropy, &inner.session_config());
    let established = match session.map_err(session_error) {
        Ok(session) => {
            let time = INBOUND_HANDSHAKE_TIMEOUT;
            tokio::select! {
                done = handshake(&inner.stats, session, stream, time, shutdown.clone()) => done,
                () = slot.lost() => {
                    count(&inner.stats.refused_handshake_cap);
                    return;
                }
            }
        }
        Err(reason) => Err(reason),
    };
    drop(slot);
    let (session, stream) = match established {
        Ok(established) => established,
        Err(reason) => {
            tracing::debug!(%address, %reason, "handshake failed");
            count(&inner.stats.failed_handshakes);
            return;
        }
    };
    let admission = Some(admission);
    let connection = Connection { session, stream, address: address.into(), admission, shutdown };
    if let Some((registration, features)) = register(&inner, &connection) {
        run(inner, connection, registration, features).await;
    }
}

async fn handshake(
    stats: &Stats,
    session: Session,
    stream: TcpStream,
    time: Duration,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(Session, TcpStream), DisconnectReason> {
    // Small messages must not wait for the acknowledgement of earlier ones.
    stream.set_nodelay(true).map_err(|error| DisconnectReason::Io(error.to_string()))?;
    let mut link = Link { stream, session, stats };
    tokio::select! {
        done = link.handshake(time) => done?,
        _ = shutdown.wait_for(|shutdown| *shutdown) => return Err(DisconnectReason::Shutdown),
    }
    Ok((link.session, link.stream))
}

/// Enters an established connection, unless we talk to ourselves.
fn register(inner: &Inner, connection: &Connection) -> Option<(Registration, Features)> {
    let local = connection.session.local_node_id();
    let peer = connection.session.their_node_id()?;
    let features = connection.session.their_features()?.clone();
    if local == peer {
        return None;
    }
    let role = connection.session.role();
    let registration = inner.registry.register((local, peer), role);
    if inner.lock_roles().of(local, peer) != role {
        registration.outbox.end(DisconnectReason::RoleChanged);
    }
    count(&inner.stats.established);
    if registration.predecessor.is_some() {
        count(&inner.stats.replaced);
    }
    Some((registration, features))
}

/// Reports and runs a connection. Events of another connection of its pair never come between its
/// own.
async fn run(
    inner: Arc<Inner>,
    connection: Connection,
    mut registration: Registration,
    features: Features,
) {
    let Connection { session, stream, address, admission, mut shutdown } = connection;
    if let Some(predecessor) = &mut registration.predecessor {
        wait_for_end(predecessor).await;
    }
    // It was replaced before it began, so no event has named it.
    if let Some(reason) = registration.outbox.end_reason() {
        return registration.end(reason);
    }
    let conn = registration.conn;
    let (local, peer): Pair = registration.pair();
    let (inbound, role) = (admission.is_some(), session.role());
    let connected = Event::Connected { conn, local, peer, features, role, inbound, address };
    if inner.events.send(connected).await.is_err() {
        return registration.end(DisconnectReason::Shutdown);
    }
    tracing::debug!(%conn, %peer, inbound, "connected");
    let link = Link { stream, session, stats: &inner.stats };
    let outbox = registration.outbox.clone();
    let unread = inner.unread.connection();
    let reason = Driver::new(link, conn, &outbox, &inner.events, unread).run(&mut shutdown).await;
    if let (DisconnectReason::Flooding(_), Some(admission)) = (&reason, &admission) {
        admission.back_off();
    }
    if reason == DisconnectReason::SendQueueFull {
        count(&inner.stats.send_queue_full);
    }
    tracing::debug!(%conn, %peer, %reason, "disconnected");
    // An error means that the consumer is gone, and needs no event.
    let _ = inner.events.send(Event::Disconnected { conn, reason: reason.clone() }).await;
    drop(admission);
    registration.end(reason);
}

/// Checks that the peer was offered messages of these types.
fn check_offered(role: PeerRole, messages: &[CustomMessage]) -> Result<(), SendError> {
    match messages.iter().find(|(message_type, _)| !role.may_be_sent(*message_type)) {
        Some((message_type, _)) => Err(SendError::NotOffered { message_type: *message_type }),
        None => Ok(()),
    }
}

async fn wait_for_end(ended: &mut Ended) -> DisconnectReason {
    // The sender disappears without a value only if its task was torn down with the runtime.
    let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
    reason.unwrap_or(DisconnectReason::Shutdown)
}

fn entropy() -> Result<[u8; 32], ConnectError> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(|error| ConnectError::Entropy(error.to_string()))?;
    Ok(entropy)
}
