//! Peers: list, connect, forget.

use axum::Json;
use axum::extract::State;
use steward_engine::command::PeerInfo;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, PathNodeId, node_address};
use crate::model::{Connect, ConnectionFailure, Peer, Peers};
use crate::state::Shared;

/// Lists connected and wanted peers.
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
    shared.node.connect(peer, address).await?;
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
    shared.node.forget_peer(peer).await?;
    peers(&shared).await.map(Json)
}

async fn peers(shared: &Shared) -> Result<Peers, ApiError> {
    let failures = shared.node.connection_failures();
    let peers = shared.node.peers().await?;
    let with_failure = |info: &PeerInfo| {
        let failure = failures.iter().find(|failure| failure.peer == info.peer);
        let connection_failure = failure.filter(|_| !info.connected).map(ConnectionFailure::from);
        Peer { connection_failure, ..Peer::from(info) }
    };
    Ok(Peers { peers: peers.iter().map(with_failure).collect() })
}
