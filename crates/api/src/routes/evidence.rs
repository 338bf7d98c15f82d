//! Evidence: list, show, and the balance that it proves.

use axum::Json;
use axum::extract::State;
use steward_engine::command::ChannelInfo;
use steward_hosted::Role;
use steward_store::NumberedEvidence;
use steward_wire::NodeId;

use super::channels::show_channel;
use super::{Errors, read};
use crate::error::ApiError;
use crate::extract::{PathNumber, Query, node_id, page};
use crate::model::{Evidence, EvidenceDetails, EvidenceList, EvidencePageQuery};
use crate::server::Shared;

/// What was kept of peers that broke the protocol, or that hold other states than we do, newest
/// first.
#[utoipa::path(get, path = "/v1/evidence", tag = "operator", params(EvidencePageQuery),
    responses((status = 200, body = EvidenceList), Errors))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<EvidencePageQuery>,
) -> Result<Json<EvidenceList>, ApiError> {
    let page = page(query.limit, query.before)?;
    let peer = query.peer_id.as_deref().map(node_id).transpose()?;
    let page = read(&shared, move |history| history.evidence(peer.as_ref(), page)).await?;
    Ok(Json(EvidenceList {
        evidence: page.rows.iter().map(Evidence::from).collect(),
        next: page.next.map(|cursor| cursor.0),
    }))
}

/// One message that was kept: what it holds, whose signatures hold, and the form in which anybody
/// can check it.
#[utoipa::path(get, path = "/v1/evidence/{number}", tag = "operator",
    params(("number" = u64, Path, description = "Its number.")),
    responses((status = 200, body = EvidenceDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathNumber(number): PathNumber,
) -> Result<Json<EvidenceDetails>, ApiError> {
    let kept = kept(&shared, number).await?;
    let channel = show_channel(&shared, kept.row.peer).await.ok();
    Ok(Json(details(&shared, &kept, channel.as_deref())))
}

/// Our balance in the state that this evidence proves, to go on with it: a state that both sides
/// signed, newer than ours, of the same capacity, in which nothing is in flight.
pub(super) async fn proved_balance_msat(
    shared: &Shared,
    peer: NodeId,
    number: u64,
) -> Result<u64, ApiError> {
    let kept = kept(shared, number).await?;
    if kept.row.peer != peer {
        return Err(unusable("it is about another peer"));
    }
    let channel = show_channel(shared, peer).await?;
    let state = details(shared, &kept, Some(&channel)).state;
    let state = state.ok_or_else(|| unusable("it is no state that anybody signed"))?;
    if channel.role != Role::Host {
        return Err(ApiError::of("wrong_role", "only the host proposes an override"));
    }
    if !state.our_signature_holds || !state.peer_signature_holds || !state.flaws.is_empty() {
        return Err(unusable("not both signatures hold over a state that a channel can have"));
    }
    if state.newer_than_ours != Some(true) {
        return Err(unusable("the state is not newer than the one we have"));
    }
    if state.htlcs > 0 {
        return Err(unusable("HTLCs are in flight in it: nobody knows yet what they are worth"));
    }
    let capacity_msat = channel.summary.as_ref().map(|summary| summary.capacity_msat);
    if capacity_msat != Some(state.capacity_msat) {
        return Err(unusable("it is of another capacity than our state"));
    }
    Ok(state.our_balance_msat)
}

async fn kept(shared: &Shared, number: u64) -> Result<NumberedEvidence, ApiError> {
    let row = read(shared, move |history| history.evidence_row(number)).await?;
    row.ok_or_else(|| ApiError::of("unknown_evidence", "there is no evidence of this number"))
}

/// Without a channel the peer was a stranger to the node itself.
fn details(
    shared: &Shared,
    kept: &NumberedEvidence,
    channel: Option<&ChannelInfo>,
) -> EvidenceDetails {
    let local = channel.map_or_else(|| shared.backend.info().node_id, |channel| channel.local);
    EvidenceDetails::of(kept, local, channel.and_then(|channel| channel.state.as_ref()))
}

fn unusable(why: &str) -> ApiError {
    ApiError::of(
        "evidence_unusable",
        format!("this evidence proves no balance to go on with: {why}"),
    )
}
