//! Peers: list, connect, forget.

use axum::Json;
use axum::extract::State;
use steward_engine::command::PeerInfo;
use steward_engine::{Command, Reply};
use steward_wire::NodeId;

use super::{Errors, bug};
use crate::error::ApiError;
use crate::extract::{Body, PathNodeId, node_address};
use crate::model::{Connect, ConnectionFailure, Peer, Peers};
use crate::server::Shared;

/// Connected and wanted peers.
#[utoipa::path(get, path = "/v1/peers", tag = "peers", responses((status = 200, body = Peers), Errors))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Peers>, ApiError> {
    peers(&shared).await.map(Json)
}

/// Connects to a peer and keeps that connection from now on. A peer that cannot be reached is not
/// kept.
#[utoipa::path(post, path = "/v1/peers", tag = "peers", request_body = Connect,
    responses((status = 200, body = Peers, description = "All peers."), Errors))]
pub(crate) async fn connect(
    State(shared): State<Shared>,
    Body(request): Body<Connect>,
) -> Result<Json<Peers>, ApiError> {
    let (peer, address) = node_address(&request.peer)?;
    let is_host = is_host_of_ours(&shared, peer).await?;
    let command = Command::Connect { peer, addresses: vec![address.to_string()] };
    shared.backend.reach_and_command(peer, is_host, address, command).await?;
    peers(&shared).await.map(Json)
}

/// No longer keeps a connection to a peer. A channel with it stays; a host of ours is forgotten with
/// its channel.
#[utoipa::path(delete, path = "/v1/peers/{peer_id}", tag = "peers",
    params(("peer_id" = String, Path, description = "The peer's node id.")),
    responses((status = 200, body = Peers, description = "The peers that are left."), Errors))]
pub(crate) async fn forget(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
) -> Result<Json<Peers>, ApiError> {
    shared.backend.command(Command::ForgetPeer { peer }).await?;
    peers(&shared).await.map(Json)
}

/// Hosts are met with an identity derived for them.
async fn is_host_of_ours(shared: &Shared, peer: NodeId) -> Result<bool, ApiError> {
    let node_id = shared.backend.info().node_id;
    let peers = list_peers(shared).await?;
    Ok(peers.iter().any(|info| info.peer == peer && info.local != node_id))
}

async fn peers(shared: &Shared) -> Result<Peers, ApiError> {
    let failures = shared.backend.connection_failures();
    let peers = list_peers(shared).await?;
    let with_failure = |info: &PeerInfo| {
        let failure = failures.iter().find(|failure| failure.peer == info.peer);
        let connection_failure = failure.filter(|_| !info.connected).map(ConnectionFailure::from);
        Peer { connection_failure, ..Peer::from(info) }
    };
    Ok(Peers { peers: peers.iter().map(with_failure).collect() })
}

async fn list_peers(shared: &Shared) -> Result<Vec<PeerInfo>, ApiError> {
    match shared.backend.command(Command::ListPeers).await? {
        Reply::Peers(peers) => Ok(peers),
        _ => Err(bug("the engine did not answer with its peers")),
    }
}
