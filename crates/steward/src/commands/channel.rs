//! `steward channel`.

use steward_api::check_node_address;
use steward_api::model::{ChannelDetails, Channels, InvokeChannel, Phase};
use steward_engine::Code;

use super::{Context, operator};
use crate::cli::ChannelCommand;
use crate::failure::Failure;
use crate::limits::MAX_OPENING_WAIT;
use crate::render;
use crate::secret::read_secret;

pub(super) fn run(context: &Context, command: ChannelCommand) -> Result<(), Failure> {
    match command {
        ChannelCommand::Invoke { host, secret, secret_file, as_node } => {
            let secret = read_secret(context.output, secret, secret_file.as_deref())?;
            invoke(context, host, secret, as_node)
        }
        ChannelCommand::List => {
            let channels: Channels = context.client()?.get("/v1/channels", &[])?;
            context.output.answer(&channels, render::channels)
        }
        ChannelCommand::Show { peer_id } => {
            let channel: ChannelDetails = context.client()?.get(&channel_path(&peer_id)?, &[])?;
            context.output.answer(&channel, render::channel_details)
        }
        ChannelCommand::Forget { peer_id } => {
            let channels: Channels = context.client()?.delete(&channel_path(&peer_id)?)?;
            context.output.answer(&channels, render::channels)
        }
        ChannelCommand::Suspend { peer_id } => operator::suspend(context, &peer_id),
        ChannelCommand::Override { peer_id, balance, yes } => {
            operator::propose_override(context, &peer_id, balance, yes)
        }
        ChannelCommand::AcceptOverride { peer_id, our_balance } => {
            operator::accept_override(context, &peer_id, our_balance)
        }
        ChannelCommand::Resize { peer_id, capacity } => {
            operator::resize(context, &peer_id, capacity)
        }
    }
}

fn invoke(
    context: &Context,
    host: String,
    secret: Option<String>,
    as_node: bool,
) -> Result<(), Failure> {
    check_node_address(&host)?;
    let client = context.client()?;
    context.output.progress("connecting, and asking the host for a channel...");
    let wait_ms = u64::try_from(MAX_OPENING_WAIT.as_millis()).ok();
    let request = InvokeChannel { host, secret, as_node, wait_ms };
    let channel: ChannelDetails = client.post_for("/v1/channels", &request, MAX_OPENING_WAIT)?;
    context.output.answer(&channel, render::channel_details)?;
    if channel.channel.phase != Phase::Opening {
        return Ok(());
    }
    let channel_id = &channel.channel.channel_id;
    let failure = Failure::new(
        Code::NotOpenYet,
        "the host has not answered yet; the daemon keeps asking",
        format!("is it a host? `steward channel forget {channel_id}` gives up"),
    );
    Err(failure.in_answer())
}

/// Returns the API's path of this channel, named by its id or by its other side.
pub(super) fn channel_path(peer_id: &str) -> Result<String, Failure> {
    Ok(format!("/v1/channels/{}", path_segment(peer_id)?))
}

/// Returns an id as part of a path; anything else would be another path.
pub(super) fn path_segment(id: &str) -> Result<&str, Failure> {
    let is_hex = !id.is_empty() && id.bytes().all(|c| c.is_ascii_hexdigit());
    is_hex.then_some(id).ok_or_else(|| {
        Failure::new(Code::BadId, format!("`{id}` is not hexadecimal"), "copy the whole id")
    })
}
