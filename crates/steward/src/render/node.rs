//! The node itself, its peers and its forwards, as people read them.

use steward_api::model::{Forwards, Metrics, Peers, Status};
use steward_wire::amount::grouped;

use super::table::Table;
use super::when::date;
use super::words::{msat, next_page, or_none, short, unreached};

/// `steward status`
pub fn status(status: &Status) -> String {
    let channels = status.channels;
    let mut lines = vec![
        format!("node         {}", status.node_id),
        format!("network      {}, steward {}", status.network, status.version),
        format!("height       {}{}", status.block_height, stale(status.chain_is_stale)),
        format!("listening    {}", or_none(&status.listen_addresses.join(", "))),
        format!("reached at   {}", or_none(&status.public_addresses.join(", "))),
        format!("peers        {} connected", status.connected_peers),
        format!(
            "channels     {} active, {} offline, {} syncing, {} opening, {} suspended",
            channels.active,
            channels.offline,
            channels.syncing,
            channels.opening,
            channels.suspended
        ),
        format!("we owe       {} to clients", msat(status.owed_to_clients_msat)),
        format!("owed to us   {} by hosts (in their custody)", msat(status.owed_by_hosts_msat)),
        format!("can send     {}", msat(status.spendable_msat)),
        format!("can receive  {}", msat(status.receivable_msat)),
        format!(
            "under way    {} payments, {} forwards",
            status.pending_payments, status.pending_forwards
        ),
    ];
    if channels.suspended > 0 {
        lines.push("`steward channel list` says why channels are suspended".to_owned());
    }
    lines.join("\n")
}

/// `steward metrics`
pub fn metrics(metrics: &Metrics) -> String {
    let (store, engine, peers) = (&metrics.store, &metrics.engine, &metrics.peers);
    let mut lines = vec![
        format!("up        {} s", grouped(metrics.uptime_ms / 1000)),
        format!(
            "store     {} commits, {} rows, {} fsyncs, {} bytes of log",
            grouped(store.commits),
            grouped(store.rows),
            grouped(store.fsyncs),
            grouped(store.log_bytes)
        ),
        format!(
            "engine    {} inputs, {} batches, {} actions",
            grouped(engine.inputs),
            grouped(engine.batches),
            grouped(engine.actions)
        ),
        format!(
            "waiting   {} inputs, {} commands, {} routes",
            metrics.queues.input_weight, metrics.queues.commands, metrics.queues.routes
        ),
        format!(
            "peers     {} connections, {} messages in, {} out",
            grouped(peers.established),
            grouped(peers.messages_received),
            grouped(peers.messages_sent)
        ),
    ];
    if engine.bugs > 0 {
        let found = grouped(engine.bugs);
        lines.push(format!("bugs      {found}: please report the lines of code `bug` in the log"));
    }
    lines.join("\n")
}

/// `steward peers`
pub fn peers(peers: &Peers) -> String {
    if peers.peers.is_empty() {
        return "no peers".to_owned();
    }
    let lines = peers.peers.iter().map(|peer| {
        let state = match (peer.connected, peer.inbound) {
            (true, true) => "connected, by the peer",
            (true, false) => "connected",
            (false, _) => "not connected",
        };
        let hosted = if peer.supports_hosted_channels { ", hosted channels" } else { "" };
        let addresses = peer.addresses.join(", ");
        let text = format!("{}\n  {state}{hosted}, {}", peer.node_id, or_none(&addresses));
        match &peer.connection_failure {
            Some(failure) => format!("{text}\n  {}", unreached(failure)),
            None => text,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `steward forwards`
pub fn forwards(forwards: &Forwards) -> String {
    let totals = &forwards.totals;
    let mut lines = vec![format!(
        "{} paid, {} failed; {} forwarded, {} earned",
        grouped(totals.fulfilled),
        grouped(totals.failed),
        msat(totals.amount_out_msat),
        msat(totals.fees_msat)
    )];
    let mut table = Table::new(["STATUS", "ENDED", "AMOUNT", "FEE", "FROM", "TO"]);
    for forward in &forwards.forwards {
        table.push([
            (if forward.fulfilled { "paid" } else { "failed" }).to_owned(),
            date(forward.ended_ms),
            msat(forward.amount_out_msat).to_string(),
            msat(forward.fee_msat).to_string(),
            short(&forward.incoming_peer_id).to_owned(),
            short(&forward.outgoing_peer_id).to_owned(),
        ]);
    }
    if !forwards.forwards.is_empty() {
        lines.extend(table.lines());
    }
    lines.extend(next_page(forwards.next));
    lines.join("\n")
}

fn stale(is_stale: bool) -> &'static str {
    if is_stale { ", STALE: no news of the chain, nothing is forwarded" } else { "" }
}
