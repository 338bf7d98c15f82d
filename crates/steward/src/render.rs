//! The answers as people read them.

use steward_api::model::{
    Channel, ChannelDetails, Channels, ConnectionFailure, DecodedInvoice, Forwards, Invoice,
    InvoiceState, Invoices, Metrics, Payment, PaymentDetails, PaymentState, Payments, Peers, Phase,
    ProofWords, Role, Status,
};

use steward_wire::ErrorCode;
use steward_wire::amount::grouped;

pub use self::evidence::{evidence, evidence_list, proved_override};
use self::foreign::visible;
use self::table::Table;
use self::when::{date, date_and_distance, distance_from_now};
use crate::amount::Amount;

mod evidence;
pub mod foreign;
pub mod table;
pub mod when;

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

/// `steward channel list`
pub fn channels(channels: &Channels) -> String {
    if channels.channels.is_empty() {
        return "no channels; `steward channel invoke` opens one".to_owned();
    }
    let texts: Vec<String> = channels.channels.iter().map(channel).collect();
    texts.join("\n\n")
}

/// Shows one channel.
pub fn channel(channel: &Channel) -> String {
    let peer = &channel.peer_id;
    let mut lines = vec![match channel.role {
        Role::Client => format!("{peer}\n  host of ours: custodial, it keeps the money"),
        Role::Host => format!("{peer}\n  client of ours: we keep the money"),
    }];
    lines.push(format!("  {}, {}", phase(channel.phase), channel.short_channel_id));
    lines.push(format!("  channel {}", channel.channel_id));
    if channel.role == Role::Client {
        lines.push(format!("  we are known to it as {}", channel.local_id));
    }
    if let Some(suspension) = &channel.suspension {
        let by = if suspension.by_us { "us" } else { "the other side" };
        lines.push(format!("  suspended by {by}: {}", visible(&suspension.reason)));
        if suspension.error_code == Some(ErrorCode::WrongBlockDay.number()) {
            lines.push("  the two sides see other block heights: `steward doctor` looks at our clock and chain source".to_owned());
        }
    }
    lines.extend(
        channel.connection_failure.as_ref().map(|failure| format!("  {}", unreached(failure))),
    );
    if let Some(msat_proposed) = channel.override_balance_msat {
        lines.push(format!("  the host proposes a balance of {} for us", msat(msat_proposed)));
    }
    if let Some(balances) = &channel.balances {
        lines.push(format!(
            "  signed: {} ours, {} theirs, of {}",
            msat(balances.local_balance_msat),
            msat(balances.remote_balance_msat),
            msat(balances.capacity_msat)
        ));
        lines.push(format!(
            "  can send {}, can receive {}; {} HTLCs out, {} in",
            msat(balances.spendable_msat),
            msat(balances.receivable_msat),
            balances.outgoing_htlcs,
            balances.incoming_htlcs
        ));
    }
    lines.join("\n")
}

fn unreached(failure: &ConnectionFailure) -> String {
    format!(
        "not reached at {} {}: {}; next attempt {}",
        visible(&failure.address),
        distance_from_now(failure.failed_ms),
        visible(&failure.reason),
        distance_from_now(failure.next_attempt_ms)
    )
}

/// `steward channel show`
pub fn channel_details(details: &ChannelDetails) -> String {
    let mut text = channel(&details.channel);
    text.push_str(match details.signatures_valid {
        Some(true) => "\n  both signatures hold",
        Some(false) => "\n  A SIGNATURE DOES NOT HOLD: keep a backup and ask the other side",
        None => "\n  nothing is signed yet",
    });
    if let Some(words) = &details.proof {
        text.push_str(&format!("\n\n{}", proof(words)));
    }
    if let Some(snapshot) = &details.snapshot {
        text.push_str(&format!(
            "\n\nThe signed state, to be checked with `steward verify`:\n{snapshot}"
        ));
    }
    text
}

/// Shows what a signed state proves: `steward verify`, and below `steward channel show`.
pub fn proof(words: &ProofWords) -> String {
    let block = |title: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("\n  - {line}")).collect();
        format!("{title}{}", if lines.is_empty() { "\n  nothing" } else { &lines })
    };
    [
        block("Proved by signatures:", &words.proved),
        block("Only said:", &words.said),
        block("Not known from this state:", &words.not_known),
    ]
    .join("\n")
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

/// `steward invoice list`
pub fn invoices(invoices: &Invoices) -> String {
    if invoices.invoices.is_empty() {
        return "no invoices".to_owned();
    }
    let headers = ["STATUS", "MADE", "AMOUNT", "RECEIVED", "PAYMENT HASH", "DESCRIPTION"];
    let mut table = Table::new(headers);
    for invoice in &invoices.invoices {
        let is_paid = invoice.status == InvoiceState::Complete;
        table.push([
            invoice_state(invoice.status).to_owned(),
            date(invoice.created_ms),
            invoice_amount(invoice.amount_msat),
            if is_paid { msat(invoice.received_msat).to_string() } else { String::new() },
            invoice.payment_hash.clone(),
            visible(&invoice.description),
        ]);
    }
    let mut lines = table.lines();
    lines.extend(next_page(invoices.next));
    lines.join("\n")
}

/// Shows one invoice, with what is to be copied alone on its last line.
pub fn invoice(invoice: &Invoice) -> String {
    let mut lines = vec![
        format!("payment hash  {}", invoice.payment_hash),
        format!("amount        {}", invoice_amount(invoice.amount_msat)),
        format!("description   {}", visible(&invoice.description)),
        format!("status        {}", invoice_state(invoice.status)),
        format!("made          {}", date(invoice.created_ms)),
    ];
    match invoice.paid_ms {
        Some(paid_ms) => lines.push(format!("paid          {}", date_and_distance(paid_ms))),
        None => lines.push(format!("expires       {}", date_and_distance(invoice.expires_ms))),
    }
    if invoice.status == InvoiceState::Complete {
        lines.push(format!("received      {}", msat(invoice.received_msat)));
    }
    lines.extend(invoice.preimage.iter().map(|preimage| format!("preimage      {preimage}")));
    lines.extend(invoice.bolt11.clone());
    lines.join("\n")
}

/// `steward decode`
pub fn decoded(invoice: &DecodedInvoice) -> String {
    let description = match (&invoice.description, &invoice.description_hash) {
        (Some(text), _) => visible(text),
        (None, Some(hash)) => format!("sha256 {hash}"),
        (None, None) => String::new(),
    };
    let expires = if invoice.expired { "expired       " } else { "expires       " };
    let mut lines = vec![
        format!("network       {}", invoice.network),
        format!("payee         {}", invoice.payee),
        format!("amount        {}", invoice_amount(invoice.amount_msat)),
        format!("description   {description}"),
        format!("payment hash  {}", invoice.payment_hash),
        format!("made          {}", date_and_distance(invoice.created_ms)),
        format!("{expires}{}", date_and_distance(invoice.expires_ms)),
        format!("last expiry   {} blocks", invoice.min_final_cltv_expiry_delta_blocks),
        format!("in parts      {}", if invoice.multi_part { "yes" } else { "no" }),
        format!("features      {}", or_none(&features(&invoice.features))),
    ];
    for address in &invoice.fallback_addresses {
        lines.push(format!("fallback      {address}, on chain: Steward does not pay there"));
    }
    lines.extend(invoice.metadata.iter().map(|metadata| format!("metadata      {metadata}")));
    for hint in &invoice.route_hints {
        let hops = hint.iter().map(|hop| {
            let (base, ppm) = (msat(u64::from(hop.fee_base_msat)), hop.fee_ppm);
            format!("{} by {} (fee {base} and {ppm} ppm)", hop.node_id, hop.short_channel_id)
        });
        lines.push(format!("route hint    {}", hops.collect::<Vec<_>>().join(" -> ")));
    }
    lines.join("\n")
}

/// `steward payments`
pub fn payments(payments: &Payments) -> String {
    if payments.payments.is_empty() {
        return "no payments".to_owned();
    }
    let mut table = Table::new(["STATUS", "BEGUN", "AMOUNT", "FEE", "PAYMENT HASH"]);
    for payment in &payments.payments {
        table.push([
            payment_state(payment.status).to_owned(),
            date(payment.created_ms),
            msat(payment.amount_msat).to_string(),
            msat(payment.fee_msat).to_string(),
            payment.payment_hash.clone(),
        ]);
    }
    let mut lines = table.lines();
    lines.extend(next_page(payments.next));
    lines.join("\n")
}

/// Shows one payment.
pub fn payment(payment: &Payment) -> String {
    let first = match payment.already_paid {
        true => format!("already paid before, nothing was paid now: {}", msat(payment.amount_msat)),
        false => format!("{}: {}", payment_state(payment.status), msat(payment.amount_msat)),
    };
    let mut lines = vec![
        first,
        format!("fee           {}", msat(payment.fee_msat)),
        format!("payment hash  {}", payment.payment_hash),
    ];
    lines.push(format!("begun         {}", date(payment.created_ms)));
    lines.extend(payment.ended_ms.map(|ended_ms| format!("ended         {}", date(ended_ms))));
    if let Some(preimage) = &payment.preimage {
        lines.push(format!("proof         {preimage}"));
    }
    if let Some(failure) = &payment.failure {
        lines.push(format!("failure       {} ({})", visible(&failure.message), failure.code));
    }
    match payment.status {
        PaymentState::Pending => {
            lines.push("It goes on; do not pay by other means before it has ended.".to_owned());
        }
        PaymentState::Unknown => lines.push(
            "Ask the payee. If it was paid, hand in the proof with `steward preimage`; do not pay by \
             other means before you know."
                .to_owned(),
        ),
        PaymentState::Complete | PaymentState::Failed => {}
    }
    lines.join("\n")
}

/// Shows one payment with everything tried for it.
pub fn payment_details(details: &PaymentDetails) -> String {
    let mut lines = vec![payment(&details.payment)];
    lines.extend(details.parts.iter().map(|part| {
        let path: Vec<&str> = part.path.iter().map(|hop| short(&hop.node_id)).collect();
        format!(
            "part {}        {}: {}, fee {}, over {}",
            part.part,
            payment_state(part.status),
            msat(part.amount_msat),
            msat(part.fee_msat),
            path.join(" -> ")
        )
    }));
    lines.join("\n")
}

/// Returns feature bits by their names (BOLT9); an even bit is required.
fn features(bits: &[u16]) -> String {
    let names = bits.iter().map(|bit| {
        let name = match bit & !1 {
            8 => "variable onion",
            14 => "payment secret",
            16 => "parts",
            24 => "route blinding",
            48 => "metadata",
            54 => "keysend",
            _ => return format!("feature {bit}"),
        };
        if bit & 1 == 0 { format!("{name} (required)") } else { name.to_owned() }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn msat(msat: u64) -> Amount {
    Amount::from_msat(msat)
}

fn invoice_amount(amount_msat: Option<u64>) -> String {
    amount_msat.map_or_else(|| "any".to_owned(), |amount_msat| msat(amount_msat).to_string())
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Opening => "opening: the host has not answered yet",
        Phase::Offline => "offline: the other side is not connected",
        Phase::Syncing => "syncing",
        Phase::Active => "active",
        Phase::Suspended => "suspended: no new payments until a person acts",
    }
}

fn payment_state(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Pending => "pending",
        PaymentState::Complete => "complete",
        PaymentState::Failed => "failed",
        PaymentState::Unknown => "unknown",
    }
}

fn invoice_state(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Pending => "pending",
        InvoiceState::Complete => "complete",
        InvoiceState::Expired => "expired",
    }
}

fn stale(is_stale: bool) -> &'static str {
    if is_stale { ", STALE: no news of the chain, nothing is forwarded" } else { "" }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

fn next_page(next: Option<u64>) -> Option<String> {
    next.map(|cursor| format!("more: --before {cursor}"))
}

#[cfg(test)]
mod tests {
    use steward_api::model::{ChannelBalances, Suspension, Terms};

    use super::*;

    fn a_channel(role: Role) -> Channel {
        Channel {
            channel_id: "cc".to_owned(),
            peer_id: "02aa".to_owned(),
            local_id: "02bb".to_owned(),
            short_channel_id: "1x2x3".to_owned(),
            role,
            custodial: role == Role::Client,
            phase: Phase::Active,
            suspension: None,
            balances: Some(ChannelBalances {
                capacity_msat: 1_000_000_000,
                local_balance_msat: 250_000_000,
                remote_balance_msat: 750_000_000,
                spendable_msat: 250_000_000,
                receivable_msat: 750_000_000,
                outgoing_htlcs: 0,
                incoming_htlcs: 0,
                terms: Terms {
                    max_htlc_value_in_flight_msat: 1_000_000_000,
                    htlc_minimum_msat: 1000,
                    max_accepted_htlcs: 21,
                    initial_client_balance_msat: 0,
                },
            }),
            host_policy: None,
            override_balance_msat: None,
            connection_failure: None,
        }
    }

    #[test]
    fn a_client_is_told_that_the_host_keeps_the_money() {
        assert!(channel(&a_channel(Role::Client)).contains("custodial"));
        assert!(!channel(&a_channel(Role::Host)).contains("custodial"));
    }

    #[test]
    fn balances_are_shown_in_satoshi_with_their_unit() {
        let text = channel(&a_channel(Role::Client));
        assert!(text.contains("signed: 250 000 sat ours, 750 000 sat theirs"), "{text}");
    }

    #[test]
    fn a_suspended_channel_says_why_and_by_which_side() {
        let suspension =
            Suspension { by_us: false, error_code: Some(3), reason: "wrong sig".to_owned() };
        let suspended = Channel {
            phase: Phase::Suspended,
            suspension: Some(suspension),
            ..a_channel(Role::Client)
        };
        assert!(channel(&suspended).contains("suspended by the other side: wrong sig"));
    }
}
