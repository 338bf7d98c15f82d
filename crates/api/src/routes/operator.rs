//! The operator's decisions about a channel: suspend, override, resize; and preimages handed in.

use axum::Json;
use axum::extract::State;
use steward_engine::Code;
use steward_node::ops::OverrideBalance;
use steward_wire::Preimage;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, PathChannel, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{
    AcceptOverride, ChannelDetails, ProposeOverride, ResizeChannel, SubmitPreimage,
    SubmittedPreimage,
};
use crate::state::Shared;

/// Suspends a channel, for both sides: no new payments, until the host proposes a balance and the
/// client accepts it. What is in flight may still be fulfilled.
#[utoipa::path(post, path = "/v1/channels/{channel}/suspend", tag = "operator",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn suspend(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
) -> Result<Json<ChannelDetails>, ApiError> {
    Ok(Json(ChannelDetails::from(&*shared.node.suspend(channel).await?)))
}

/// As host: proposes to go on with a suspended channel, with these balances and without any HTLC:
/// what is in flight in it is given up. The channel stays suspended until the client accepts; a
/// further proposal replaces the one before.
#[utoipa::path(post, path = "/v1/channels/{channel}/override", tag = "operator",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    request_body = ProposeOverride,
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn propose_override(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
    Body(request): Body<ProposeOverride>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let info = shared.node.propose_override(channel, balance(&request)?).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

/// As client: accepts what the host proposes for a suspended channel, if it is this balance. It
/// replaces the balance signed before, for good: what is in flight in the channel is given up.
#[utoipa::path(post, path = "/v1/channels/{channel}/accept-override", tag = "operator",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    request_body = AcceptOverride,
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn accept_override(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
    Body(request): Body<AcceptOverride>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let info = shared.node.accept_override(channel, request.our_balance_msat).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

/// As client: asks the host for a larger channel. Balances stay as they are: the host is able to
/// owe more. A host that does not agree may suspend the channel: ask it before.
#[utoipa::path(post, path = "/v1/channels/{channel}/resize", tag = "operator",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    request_body = ResizeChannel,
    responses((status = 200, body = ChannelDetails, description = "The channel as it stands; with its old capacity if the host has not answered yet."), Errors))]
pub(crate) async fn resize(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
    Body(request): Body<ResizeChannel>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let new_capacity_sat = whole_sat(request.capacity_msat)?;
    let info = shared.node.resize(channel, new_capacity_sat, shared.wait(wait)).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

/// Hands in a preimage that was learned elsewhere. Every HTLC of ours that waits for it counts as
/// claimed: the peer that offered it to us is asked to pay. The channel it was sent in goes on; it
/// is suspended only if its other side has not fulfilled by itself shortly before the expiry.
#[utoipa::path(post, path = "/v1/preimages", tag = "operator", request_body = SubmitPreimage,
    responses((status = 200, body = SubmittedPreimage), Errors))]
pub(crate) async fn submit_preimage(
    State(shared): State<Shared>,
    Body(request): Body<SubmitPreimage>,
) -> Result<Json<SubmittedPreimage>, ApiError> {
    let preimage: Preimage = request
        .preimage
        .parse()
        .map_err(|_| ApiError::of(Code::BadPreimage, "a preimage has 64 hexadecimal digits"))?;
    shared.node.submit_preimage(preimage).await?;
    Ok(Json(SubmittedPreimage { payment_hash: preimage.hash().to_string() }))
}

/// Takes exactly one way to name the balances.
fn balance(request: &ProposeOverride) -> Result<OverrideBalance, ApiError> {
    match (request.our_balance_msat, request.client_balance_msat, request.as_proved) {
        (Some(msat), None, None) => Ok(OverrideBalance::Ours(msat)),
        (None, Some(msat), None) => Ok(OverrideBalance::Clients(msat)),
        (None, None, Some(number)) => Ok(OverrideBalance::AsProvedBy(number)),
        _ => Err(ApiError::of(
            Code::BadBalance,
            "exactly one balance, or one proof of it, is needed",
        )),
    }
}

fn whole_sat(capacity_msat: u64) -> Result<u64, ApiError> {
    if !capacity_msat.is_multiple_of(1000) {
        let text = "a capacity is a whole number of satoshi";
        return Err(ApiError::new(Code::BadCapacity, text, "make it divisible by 1000"));
    }
    Ok(capacity_msat / 1000)
}
