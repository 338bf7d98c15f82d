//! What an operator decides about a channel: suspend, override, resize; and preimages handed in.

use axum::Json;
use axum::extract::State;
use steward_engine::command::ChannelInfo;
use steward_engine::{Command, EventKind};
use steward_wire::{NodeId, Preimage};
use tokio::time::Duration;

use super::channels::{channel, show_channel};
use super::evidence::proved_balance_msat;
use super::{Errors, wait_for_event};
use crate::error::ApiError;
use crate::extract::{Body, PathNodeId, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{
    AcceptOverride, ChannelDetails, ProposeOverride, ResizeChannel, SubmitPreimage,
    SubmittedPreimage,
};
use crate::server::Shared;

/// Suspends a channel, for both sides: no new payments, until the host proposes a balance and the
/// client accepts it. What is in flight may still be fulfilled.
#[utoipa::path(post, path = "/v1/channels/{peer_id}/suspend", tag = "operator",
    params(("peer_id" = String, Path, description = "The other side's node id.")),
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn suspend(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
) -> Result<Json<ChannelDetails>, ApiError> {
    act(&shared, Command::SuspendChannel { peer }).await
}

/// As host: proposes to go on with a suspended channel, with these balances and without any HTLC:
/// what is in flight in it is given up. The channel stays suspended until the client accepts; a
/// further proposal replaces the one before.
#[utoipa::path(post, path = "/v1/channels/{peer_id}/override", tag = "operator",
    params(("peer_id" = String, Path, description = "The client's node id.")),
    request_body = ProposeOverride,
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn propose_override(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
    Body(request): Body<ProposeOverride>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let local_balance_msat = proposed_balance_msat(&shared, peer, &request).await?;
    act(&shared, Command::ProposeOverride { peer, local_balance_msat }).await
}

/// As client: accepts what the host proposes for a suspended channel, if it is this balance. It
/// replaces the balance signed before, for good: what is in flight in the channel is given up.
#[utoipa::path(post, path = "/v1/channels/{peer_id}/accept-override", tag = "operator",
    params(("peer_id" = String, Path, description = "The host's node id.")),
    request_body = AcceptOverride,
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn accept_override(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
    Body(request): Body<AcceptOverride>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let our_balance_msat = request.our_balance_msat;
    act(&shared, Command::AcceptOverride { peer, our_balance_msat }).await
}

/// As client: asks the host for a larger channel. Balances stay as they are: the host is able to
/// owe more. A host that does not agree may suspend the channel: ask it before.
#[utoipa::path(post, path = "/v1/channels/{peer_id}/resize", tag = "operator",
    params(("peer_id" = String, Path, description = "The host's node id.")),
    request_body = ResizeChannel,
    responses((status = 200, body = ChannelDetails, description = "The channel as it stands; with its old capacity if the host has not answered yet."), Errors))]
pub(crate) async fn resize(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
    Body(request): Body<ResizeChannel>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let new_capacity_sat = whole_sat(request.capacity_msat)?;
    let mut events = shared.backend.events();
    let command = Command::ResizeChannel { peer, new_capacity_sat };
    let info = ask(&shared, command).await?;
    // A host that is away is asked when it is back.
    if info.phase != steward_hosted::Phase::Active || wait == Duration::ZERO {
        return Ok(Json(ChannelDetails::from(&*info)));
    }
    let outcome = wait_for_event(&shared, &mut events, wait, |kind| match kind {
        EventKind::ChannelResized { peer: resized, .. } if *resized == peer => Some(Ok(())),
        EventKind::ResizeRefused { peer: refusing, reason } if *refusing == peer => {
            Some(Err(resize_refused(reason)))
        }
        EventKind::ChannelSuspended { peer: suspended, suspension } if *suspended == peer => {
            Some(Err(resize_failed(&suspension.text)))
        }
        _ => None,
    })
    .await;
    if let Some(Err(error)) = outcome {
        return Err(error);
    }
    let info = show_channel(&shared, peer).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

/// Hands in a preimage that was learned elsewhere. Every HTLC of ours that waits for it counts as
/// claimed: who offered it to us is asked to pay. The channel it was offered in goes on; it is
/// suspended only if its other side has not fulfilled by itself shortly before the expiry.
#[utoipa::path(post, path = "/v1/preimages", tag = "operator", request_body = SubmitPreimage,
    responses((status = 200, body = SubmittedPreimage), Errors))]
pub(crate) async fn submit_preimage(
    State(shared): State<Shared>,
    Body(request): Body<SubmitPreimage>,
) -> Result<Json<SubmittedPreimage>, ApiError> {
    let preimage: Preimage = request
        .preimage
        .parse()
        .map_err(|_| ApiError::of("bad_preimage", "a preimage has 64 hexadecimal digits"))?;
    shared.backend.command(Command::SubmitPreimage { preimage }).await?;
    Ok(Json(SubmittedPreimage { payment_hash: preimage.hash().to_string() }))
}

/// Whichever way it was said, what would be ours.
async fn proposed_balance_msat(
    shared: &Shared,
    peer: NodeId,
    request: &ProposeOverride,
) -> Result<u64, ApiError> {
    match (request.our_balance_msat, request.client_balance_msat, request.as_proved) {
        (Some(our_balance_msat), None, None) => Ok(our_balance_msat),
        (None, Some(client_balance_msat), None) => {
            let channel = show_channel(shared, peer).await?;
            let capacity_msat = channel.summary.as_ref().map(|summary| summary.capacity_msat);
            let capacity_msat = capacity_msat.ok_or_else(|| {
                ApiError::of("channel_not_open", "the channel has no signed state yet")
            })?;
            capacity_msat.checked_sub(client_balance_msat).ok_or_else(|| {
                ApiError::of("balance_too_high", "the balance is more than the channel holds")
            })
        }
        (None, None, Some(number)) => proved_balance_msat(shared, peer, number).await,
        _ => Err(ApiError::of("bad_balance", "exactly one balance, or one proof of it, is needed")),
    }
}

async fn act(shared: &Shared, command: Command) -> Result<Json<ChannelDetails>, ApiError> {
    let info = ask(shared, command).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

async fn ask(shared: &Shared, command: Command) -> Result<Box<ChannelInfo>, ApiError> {
    channel(shared.backend.command(command).await?)
}

fn whole_sat(capacity_msat: u64) -> Result<u64, ApiError> {
    if !capacity_msat.is_multiple_of(1000) {
        let text = "a capacity is a whole number of satoshi";
        return Err(ApiError::new("bad_capacity", text, "make it divisible by 1000"));
    }
    Ok(capacity_msat / 1000)
}

fn resize_refused(reason: &str) -> ApiError {
    ApiError::of("resize_refused", format!("the host refused: {reason}"))
}

fn resize_failed(reason: &str) -> ApiError {
    ApiError::of("resize_failed", format!("the channel was suspended instead: {reason}"))
}
