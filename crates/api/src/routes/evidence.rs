//! Evidence: list, show.

use axum::Json;
use axum::extract::State;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{PathNumber, Query, node_id, page};
use crate::model::{Evidence, EvidenceDetails, EvidenceList, EvidencePageQuery};
use crate::state::Shared;

/// Lists what was kept of peers that broke the protocol, or that hold other states than we do,
/// newest first.
#[utoipa::path(get, path = "/v1/evidence", tag = "operator", params(EvidencePageQuery),
    responses((status = 200, body = EvidenceList), Errors))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<EvidencePageQuery>,
) -> Result<Json<EvidenceList>, ApiError> {
    let page = page(query.limit, query.before)?;
    let peer = query.peer_id.as_deref().map(node_id).transpose()?;
    let page = shared.node.evidence(peer, page).await?;
    Ok(Json(EvidenceList {
        evidence: page.rows.iter().map(Evidence::from).collect(),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// Shows one message that was kept: what it holds, whose signatures hold, and the form in which
/// anyone can check it.
#[utoipa::path(get, path = "/v1/evidence/{number}", tag = "operator",
    params(("number" = u64, Path, description = "Its number.")),
    responses((status = 200, body = EvidenceDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathNumber(number): PathNumber,
) -> Result<Json<EvidenceDetails>, ApiError> {
    let examined = shared.node.examine(number).await?;
    Ok(Json(EvidenceDetails::from(&examined)))
}
