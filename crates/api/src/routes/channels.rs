//! Channels: list, show with proof, open.

use axum::Json;
use axum::extract::State;
use hex::FromHex;
use steward_engine::Code;
use steward_engine::command::ChannelInfo;
use steward_engine::row::LocalIdentity;

use crate::answers::Errors;
use crate::error::ApiError;
use crate::extract::{Body, PathChannel, node_address, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{Channel, ChannelDetails, Channels, InvokeChannel};
use crate::state::Shared;

/// Lists all channels.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", responses((status = 200, body = Channels), Errors))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Channels>, ApiError> {
    let channels = shared.node.channels().await?;
    let failures = shared.node.connection_failures();
    let channels = channels.iter().map(|info| Channel::from(info).with_failure(&failures));
    Ok(Json(Channels { channels: channels.collect() }))
}

/// Shows one channel, with the state both sides signed.
#[utoipa::path(get, path = "/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
) -> Result<Json<ChannelDetails>, ApiError> {
    let info = shared.node.channel(channel).await?;
    Ok(Json(details(&shared, &info)))
}

/// Opens a hosted channel with a host, as client, or resumes the opening: no coins, no chain, one
/// exchange of signatures. What is received over it is in the host's custody. A host that cannot be
/// reached is an error at once, and leaves nothing behind.
#[utoipa::path(post, path = "/v1/channels", tag = "channels", request_body = InvokeChannel,
    responses((status = 200, body = ChannelDetails, description = "The channel as it stands; `opening` if the host has not answered yet."), Errors))]
pub(crate) async fn invoke(
    State(shared): State<Shared>,
    Body(request): Body<InvokeChannel>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let (host, address) = node_address(&request.host)?;
    let secret = request.secret.as_deref().map(secret_bytes).transpose()?.unwrap_or_default();
    let identity = if request.as_node { LocalIdentity::Node } else { LocalIdentity::PerHost };
    let wait = shared.wait(wait);
    let info = shared.node.open_channel(host, address, identity, secret, wait).await?;
    Ok(Json(details(&shared, &info)))
}

/// Forgets a channel in which neither side has anything at stake: one that was never signed, or of
/// which the client's balance is 0 and nothing is in flight. A host never lets a client in again
/// that it has forgotten, if its channel was ever used.
#[utoipa::path(delete, path = "/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "The channel's id, or the other side's node id if there is one channel with it.")),
    responses((status = 200, body = Channels, description = "The channels that are left."), Errors))]
pub(crate) async fn forget(
    State(shared): State<Shared>,
    PathChannel(channel): PathChannel,
) -> Result<Json<Channels>, ApiError> {
    shared.node.forget_channel(channel).await?;
    list(State(shared)).await
}

fn details(shared: &Shared, info: &ChannelInfo) -> ChannelDetails {
    let details = ChannelDetails::from(info);
    let failures = shared.node.connection_failures();
    ChannelDetails { channel: details.channel.with_failure(&failures), ..details }
}

fn secret_bytes(text: &str) -> Result<Vec<u8>, ApiError> {
    let Some(digits) = text.strip_prefix("hex:") else {
        return Ok(text.as_bytes().to_vec());
    };
    Vec::from_hex(digits)
        .map_err(|_| ApiError::of(Code::BadSecret, "the secret after `hex:` is not hexadecimal"))
}
