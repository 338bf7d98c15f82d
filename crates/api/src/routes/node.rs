//! The node as a whole: status, metrics, forwards, backup, stop.

use std::path::PathBuf;
use steward_engine::Code;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use steward_node::clock::now_ms;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, Query, page};
use crate::model::{
    Backup, BackupRequest, Forward, ForwardTotals, Forwards, Metrics, PageQuery, Status, Stopping,
};
use crate::state::Shared;

/// Shows the node as a whole.
#[utoipa::path(get, path = "/v1/status", tag = "node", responses((status = 200, body = Status), Errors))]
pub(crate) async fn status(State(shared): State<Shared>) -> Result<Json<Status>, ApiError> {
    let status = shared.node.status().await?;
    let info = shared.node.info();
    Ok(Json(Status {
        node_id: info.node_id.to_string(),
        network: steward_chain::network_name(info.network).to_owned(),
        version: info.version.to_owned(),
        data_dir: info.data_dir.display().to_string(),
        listen_addresses: info.listen.iter().map(ToString::to_string).collect(),
        public_addresses: info.public_addresses.iter().map(ToString::to_string).collect(),
        block_height: status.height,
        chain_is_stale: status.tip_is_stale,
        chain_age_ms: status.chain_age_ms,
        connected_peers: status.peers,
        channels: status.channels.into(),
        owed_to_clients_msat: status.owed_to_clients_msat,
        owed_by_hosts_msat: status.owed_by_hosts_msat,
        spendable_msat: status.spendable_msat,
        receivable_msat: status.receivable_msat,
        pending_payments: status.pending_payments,
        pending_forwards: status.pending_forwards,
    }))
}

/// Returns the counters of the node since it was started.
#[utoipa::path(get, path = "/v1/metrics", tag = "node", responses((status = 200, body = Metrics), Errors))]
pub(crate) async fn metrics(State(shared): State<Shared>) -> Json<Metrics> {
    let started_at_ms = shared.node.info().started_at_ms;
    Json(Metrics::at(shared.node.metrics(), now_ms().saturating_sub(started_at_ms)))
}

/// Lists what was forwarded between channels, newest first.
#[utoipa::path(get, path = "/v1/forwards", tag = "node", params(PageQuery), responses((status = 200, body = Forwards), Errors))]
pub(crate) async fn forwards(
    State(shared): State<Shared>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Forwards>, ApiError> {
    let page = page(query.limit, query.before)?;
    let (page, totals) = shared.node.forwards(page).await?;
    Ok(Json(Forwards {
        forwards: page.rows.into_iter().map(Forward::from).collect(),
        totals: ForwardTotals::from(totals),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// Writes a copy of the database into a new file on the node's machine. Together with the words of
/// the seed it is all that the node needs; older copies than the newest are dangerous to run.
#[utoipa::path(post, path = "/v1/backup", tag = "node", request_body = BackupRequest, responses((status = 200, body = Backup), Errors))]
pub(crate) async fn backup(
    State(shared): State<Shared>,
    Body(request): Body<BackupRequest>,
) -> Result<Json<Backup>, ApiError> {
    let path = PathBuf::from(&request.path);
    if !path.is_absolute() || request.path.contains('\0') {
        return Err(ApiError::of(
            Code::RelativePath,
            "the path of a backup must be absolute, and a path",
        ));
    }
    shared.node.backup(path).await?;
    Ok(Json(Backup { path: request.path }))
}

/// Stops the node: what is under way is made durable, then the process ends.
#[utoipa::path(post, path = "/v1/stop", tag = "node", responses((status = 202, body = Stopping), Errors))]
pub(crate) async fn stop(State(shared): State<Shared>) -> (StatusCode, Json<Stopping>) {
    shared.stop.notify_one();
    (StatusCode::ACCEPTED, Json(Stopping { stopping: true }))
}
