//! Channels: list, show with proof, open.

use axum::Json;
use axum::extract::State;
use hex::FromHex;
use steward_engine::command::ChannelInfo;
use steward_engine::{Command, EventKind, Reply};
use steward_wire::NodeId;
use tokio::time::Duration;

use super::{Errors, bug, wait_for_event};
use crate::error::ApiError;
use crate::extract::{Body, PathNodeId, node_address, wait};
use crate::limits::DEFAULT_WAIT_MS;
use crate::model::{Channel, ChannelDetails, Channels, InvokeChannel};
use crate::server::Shared;

/// All channels.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", responses((status = 200, body = Channels), Errors))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Channels>, ApiError> {
    let Reply::Channels(channels) = shared.backend.command(Command::ListChannels).await? else {
        return Err(bug("the engine did not answer with its channels"));
    };
    Ok(Json(Channels { channels: channels.iter().map(Channel::from).collect() }))
}

/// One channel, with the state both sides signed.
#[utoipa::path(get, path = "/v1/channels/{peer_id}", tag = "channels",
    params(("peer_id" = String, Path, description = "The other side's node id.")),
    responses((status = 200, body = ChannelDetails), Errors))]
pub(crate) async fn show(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
) -> Result<Json<ChannelDetails>, ApiError> {
    let info = show_channel(&shared, peer).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

/// Opens a hosted channel with a host, as client, or resumes the opening: no coins, no chain, one
/// exchange of signatures. What is received over it is in the host's custody.
#[utoipa::path(post, path = "/v1/channels", tag = "channels", request_body = InvokeChannel,
    responses((status = 200, body = ChannelDetails, description = "The channel as it stands; `opening` if the host has not answered yet."), Errors))]
pub(crate) async fn invoke(
    State(shared): State<Shared>,
    Body(request): Body<InvokeChannel>,
) -> Result<Json<ChannelDetails>, ApiError> {
    let wait = wait(request.wait_ms, DEFAULT_WAIT_MS)?;
    let (host, address) = node_address(&request.host)?;
    let secret = request.secret.as_deref().map(secret_bytes).transpose()?.unwrap_or_default();
    let mut events = shared.backend.events();
    let command = Command::InvokeChannel { host, addresses: vec![address], secret };
    let info = channel(shared.backend.command(command).await?)?;
    if info.phase != steward_channel::Phase::Opening || wait == Duration::ZERO {
        return Ok(Json(ChannelDetails::from(&*info)));
    }
    let outcome = wait_for_event(&shared, &mut events, wait, |kind| match kind {
        EventKind::ChannelOpened { peer, .. } if *peer == host => Some(Ok(())),
        EventKind::ChannelOpeningFailed { peer, reason } if *peer == host => {
            Some(Err(opening_failed(reason)))
        }
        _ => None,
    })
    .await;
    if let Some(Err(error)) = outcome {
        return Err(error);
    }
    let info = show_channel(&shared, host).await?;
    Ok(Json(ChannelDetails::from(&*info)))
}

pub(super) async fn show_channel(
    shared: &Shared,
    peer: NodeId,
) -> Result<Box<ChannelInfo>, ApiError> {
    channel(shared.backend.command(Command::ShowChannel { peer }).await?)
}

pub(super) fn channel(reply: Reply) -> Result<Box<ChannelInfo>, ApiError> {
    match reply {
        Reply::Channel(info) => Ok(info),
        _ => Err(bug("the engine did not answer with a channel")),
    }
}

fn opening_failed(reason: &str) -> ApiError {
    ApiError::of("opening_failed", format!("the channel was not opened: {reason}"))
}

fn secret_bytes(text: &str) -> Result<Vec<u8>, ApiError> {
    let Some(digits) = text.strip_prefix("hex:") else {
        return Ok(text.as_bytes().to_vec());
    };
    Vec::from_hex(digits)
        .map_err(|_| ApiError::of("bad_secret", "the secret after `hex:` is not hexadecimal"))
}
