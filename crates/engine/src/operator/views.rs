//! The operator's view of the channels and of the node as a whole.

use steward_hosted::Channel;
use steward_wire::proof::judge;
use steward_wire::{LinkId, Snapshot};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::{ChannelInfo, ChannelRef, Status};
use crate::face::error::Error;
use crate::face::limits::MAX_CHANNELS_PER_PAGE;
use crate::link::connections::Connections;
use crate::link::links::{Link, Links};
use crate::link::totals::Totals;
use crate::pay::payments::Payments;
use crate::relay::forward::Forwards;

/// The channel that an operator names.
pub(crate) fn find_channel(links: &Links, named: ChannelRef) -> Result<(LinkId, &Link), Error> {
    let (found, other) = match named {
        ChannelRef::Link(link) => (links.get(&link).map(|entry| (link, entry)), None),
        ChannelRef::Peer(peer) => {
            let mut channels = links.with_peer(&peer);
            (channels.next(), channels.next())
        }
    };
    match (found, other) {
        (Some(only), None) => Ok(only),
        (Some((first, _)), Some((second, _))) => {
            let text = format!("we have several channels with this node: {first}, {second}");
            Err(Error::new(Code::AmbiguousChannel, text))
        }
        (None, _) => Err(Error::new(Code::UnknownChannel, "we have no such channel")),
    }
}

/// One channel, with its signed state.
pub(crate) fn show_channel(
    cx: &Context,
    links: &Links,
    named: ChannelRef,
) -> Result<ChannelInfo, Error> {
    let (link, entry) = find_channel(links, named)?;
    let channel = entry.channel();
    let mut info = info(channel);
    info.state = channel.export(links.local_of(cx, &link));
    info.signatures_valid = info.state.as_ref().map(|state| {
        let (node_id_a, node_id_b) = (channel.local(), channel.remote());
        let snapshot = Snapshot { node_id_a, node_id_b, state: state.clone() };
        judge(&snapshot).is_some_and(|findings| findings.both_signed())
    });
    Ok(info)
}

/// The first channels after this one, or of all: as many as fit a page.
pub(crate) fn list_channels(links: &Links, after: Option<LinkId>) -> Vec<ChannelInfo> {
    let page = links.after(after).take(MAX_CHANNELS_PER_PAGE);
    page.map(|entry| info(entry.channel())).collect()
}

/// Numbers about the node as a whole. It sees the sums over the channels, never the channels.
pub(crate) fn status(
    cx: &Context,
    totals: &Totals,
    connections: &Connections,
    payments: &Payments,
    forwards: &Forwards,
) -> Status {
    Status {
        node_id: cx.node_id(),
        height: cx.height(),
        tip_is_stale: cx.tip().is_stale(),
        chain_age_ms: cx.chain_age_ms(),
        peers: count(connections.len()),
        channels: totals.phases(),
        owed_to_clients_msat: totals.owed_to_clients_msat(),
        owed_by_hosts_msat: totals.owed_by_hosts_msat(),
        spendable_msat: totals.spendable_msat(),
        receivable_msat: totals.receivable_msat(),
        pending_payments: count(payments.pending_count()),
        pending_forwards: count(forwards.len()),
    }
}

fn info(channel: &Channel) -> ChannelInfo {
    ChannelInfo {
        link: channel.channel_id().into(),
        peer: channel.remote(),
        local: channel.local(),
        short_channel_id: channel.scid(),
        summary: channel.state().map(|_| channel.summary()),
        phase: channel.phase(),
        role: channel.role(),
        suspension: channel.suspension(),
        peer_policy: channel.peer_policy().cloned(),
        override_balance_msat: channel.override_balance_msat(),
        state: None,
        signatures_valid: None,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
