//! Peers: list, connect.

use axum::Json;
use axum::extract::State;
use steward_engine::{Command, Reply};

use super::{Errors, bug};
use crate::error::ApiError;
use crate::extract::{Body, node_address};
use crate::model::{Connect, Peer, Peers};
use crate::server::Shared;

/// Connected and wanted peers.
#[utoipa::path(get, path = "/v1/peers", tag = "peers", responses((status = 200, body = Peers), Errors))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Peers>, ApiError> {
    peers(&shared).await.map(Json)
}

/// Keeps a connection to a peer from now on.
#[utoipa::path(post, path = "/v1/peers", tag = "peers", request_body = Connect,
    responses((status = 200, body = Peers, description = "All peers; the new one may not be connected yet."), Errors))]
pub(crate) async fn connect(
    State(shared): State<Shared>,
    Body(request): Body<Connect>,
) -> Result<Json<Peers>, ApiError> {
    let (peer, address) = node_address(&request.peer)?;
    shared.backend.command(Command::Connect { peer, addresses: vec![address] }).await?;
    peers(&shared).await.map(Json)
}

async fn peers(shared: &Shared) -> Result<Peers, ApiError> {
    let Reply::Peers(peers) = shared.backend.command(Command::ListPeers).await? else {
        return Err(bug("the engine did not answer with its peers"));
    };
    Ok(Peers { peers: peers.iter().map(Peer::from).collect() })
}
