//! Channels: list, show with proof, open.

use axum::Json;
use axum::extract::State;
use hex::FromHex;
use steward_engine::command::ChannelInfo;
use steward_engine::{Command, EventKind, Reply};
use steward_wire::{ErrorCode, ErrorText, NodeId};
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
    let failures = shared.backend.connection_failures();
    let channels = channels.iter().map(|info| Channel::from(info).with_failure(&failures));
    Ok(Json(Channels { channels: channels.collect() }))
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
    let has_secret = !secret.is_empty();
    let mut events = shared.backend.events();
    let addresses = vec![address.to_string()];
    let command = Command::InvokeChannel { host, addresses, secret };
    let info = channel(shared.backend.reach_and_command(host, true, address, command).await?)?;
    if info.phase != steward_hosted::Phase::Opening || wait == Duration::ZERO {
        return Ok(Json(ChannelDetails::from(&*info)));
    }
    let outcome = wait_for_event(&shared, &mut events, wait, |kind| match kind {
        EventKind::ChannelOpened { peer, .. } if *peer == host => Some(Ok(())),
        EventKind::ChannelOpeningFailed { peer, reason } if *peer == host => {
            Some(Err(opening_failed(reason, has_secret)))
        }
        _ => None,
    })
    .await;
    if let Some(Err(error)) = outcome {
        return Err(error);
    }
    let info = show_channel(&shared, host).await?;
    Ok(Json(details(&shared, &info)))
}

/// Forgets a channel in which nobody has anything: one that was never signed, or of which the
/// client's balance is 0 and nothing is in flight. A host lets a client it has forgotten never in
/// again, if its channel was ever used.
#[utoipa::path(delete, path = "/v1/channels/{peer_id}", tag = "channels",
    params(("peer_id" = String, Path, description = "The other side's node id.")),
    responses((status = 200, body = Channels, description = "The channels that are left."), Errors))]
pub(crate) async fn forget(
    State(shared): State<Shared>,
    PathNodeId(peer): PathNodeId,
) -> Result<Json<Channels>, ApiError> {
    shared.backend.command(Command::ForgetChannel { peer }).await?;
    list(State(shared)).await
}

fn details(shared: &Shared, info: &ChannelInfo) -> ChannelDetails {
    let details = ChannelDetails::from(info);
    let failures = shared.backend.connection_failures();
    ChannelDetails { channel: details.channel.with_failure(&failures), ..details }
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

fn opening_failed(reason: &str, has_secret: bool) -> ApiError {
    let said = ErrorText::parse(reason.as_bytes());
    let is_bare = said.code == Some(ErrorCode::ChannelDenied) && !said.text.trim().contains(' ');
    // Hosts that are not Steward's say no more than "channel denied" to a secret they do not like.
    let may_be_the_secret = reason.to_ascii_lowercase().contains("secret") || is_bare;
    let hint = if reason.contains("block day") {
        // Code 0001: the heights of the two sides are days apart.
        "the two sides see other block heights: look with the doctor at our own clock and \
         chain source; if they are right, the host's are not"
    } else if may_be_the_secret && has_secret {
        "the secret sent was not accepted: ask the host for the right one, and name it again (`secret`; \
         on the command line --secret-file FILE, or --secret)"
    } else if may_be_the_secret {
        "no secret was sent: ask the host for one, and name it (`secret`; on the command line \
         --secret-file FILE, or --secret)"
    } else if reason.contains("has forgotten") {
        "a host never lets a client in again whose channel it has forgotten: use another host, or a \
         wallet with another seed"
    } else {
        ""
    };
    let message = format!("the channel was not opened: {reason}");
    ApiError::new("opening_failed", message, hint)
}

fn secret_bytes(text: &str) -> Result<Vec<u8>, ApiError> {
    let Some(digits) = text.strip_prefix("hex:") else {
        return Ok(text.as_bytes().to_vec());
    };
    Vec::from_hex(digits)
        .map_err(|_| ApiError::of("bad_secret", "the secret after `hex:` is not hexadecimal"))
}
