//! The operator's view of the channels and of the node as a whole.

use steward_hosted::{Channel, Phase, Role};
use steward_wire::proof::judge;
use steward_wire::{LinkId, Snapshot};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::{ChannelInfo, ChannelRef, Status};
use crate::face::error::Error;
use crate::link::connections::Connections;
use crate::link::links::{Link, Links};
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

/// All channels.
pub(crate) fn list_channels(links: &Links) -> Vec<ChannelInfo> {
    links.iter().map(|(_, entry)| info(entry.channel())).collect()
}

/// Numbers about the node as a whole.
pub(crate) fn status(
    cx: &Context,
    links: &Links,
    connections: &Connections,
    payments: &Payments,
    forwards: &Forwards,
) -> Status {
    let mut status = Status {
        node_id: cx.node_id(),
        height: cx.height(),
        tip_is_stale: cx.tip().is_stale(),
        chain_age_ms: cx.chain_age_ms(),
        peers: count(connections.len()),
        channels: [0; 5],
        owed_to_clients_msat: 0,
        owed_by_hosts_msat: 0,
        spendable_msat: 0,
        receivable_msat: 0,
        pending_payments: count(payments.pending_count()),
        pending_forwards: count(forwards.len()),
    };
    for (_, entry) in links.iter() {
        let summary = entry.channel().summary();
        let index = match summary.phase {
            Phase::Opening => 0,
            Phase::Offline => 1,
            Phase::Syncing => 2,
            Phase::Active => 3,
            Phase::Suspended => 4,
        };
        if let Some(phase_count) = status.channels.get_mut(index) {
            *phase_count += 1;
        }
        let add = |sum: &mut u64, msat: u64| *sum = sum.saturating_add(msat);
        add(&mut status.spendable_msat, summary.spendable_msat);
        match summary.role {
            Role::Host => add(&mut status.owed_to_clients_msat, summary.remote_balance_msat),
            Role::Client => {
                add(&mut status.owed_by_hosts_msat, summary.local_balance_msat);
                if summary.phase == Phase::Active {
                    add(&mut status.receivable_msat, summary.receivable_msat);
                }
            }
        }
    }
    status
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
