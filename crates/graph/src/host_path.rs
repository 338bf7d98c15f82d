//! The short cut for the commonest hosted payment: to a peer of ours, or to a payee behind one.
//!
//! No way through the graph is shorter, so none is looked for; LDK's router is the way for all
//! else: payments that must be split, longer hints, payees without a hint.

use steward_engine::io::FirstHop;
use steward_invoice::HintHop;
use steward_onion::PathHop;

use crate::limits::MAX_TOTAL_CLTV_BLOCKS;
use crate::payment::Payment;

/// The cheapest path of one or two channels that carries the whole amount, as LDK's router would
/// build it.
pub(crate) fn find(payment: &Payment<'_>) -> Option<Vec<PathHop>> {
    let direct = payment.first_hops.iter().find_map(|first| direct_path(payment, first));
    direct.or_else(|| cheapest_by_hint(payment))
}

fn direct_path(payment: &Payment<'_>, first: &FirstHop) -> Option<Vec<PathHop>> {
    if first.peer != payment.request.destination || !carries(first, payment.request.amount_msat) {
        return None;
    }
    Some(vec![payment.plain_last_hop(first.short_channel_id)])
}

fn cheapest_by_hint(payment: &Payment<'_>) -> Option<Vec<PathHop>> {
    let last_channels = payment.hints.iter().filter_map(|hint| match hint {
        [hop] => Some(hop),
        _ => None,
    });
    let paths = last_channels.flat_map(|hint| {
        let first_hops = payment.first_hops.iter();
        first_hops.filter_map(|first| path_by_hint(payment, first, hint))
    });
    // One without a fee is not beaten; of equals the first hint wins.
    paths.min_by_key(|path| path.first().map(|hop| hop.fee_msat))
}

fn path_by_hint(payment: &Payment<'_>, first: &FirstHop, hint: &HintHop) -> Option<Vec<PathHop>> {
    if first.peer != hint.node_id {
        return None;
    }
    let fee_msat = forwarding_fee_msat(hint, payment.request.amount_msat)?;
    let sent_msat = payment.request.amount_msat.checked_add(fee_msat)?;
    let last = payment.plain_last_hop(hint.scid);
    let delta_blocks = u32::from(hint.cltv_expiry_delta).checked_add(last.cltv_expiry_delta)?;
    if fee_msat > payment.max_fee_msat
        || !carries(first, sent_msat)
        || delta_blocks > MAX_TOTAL_CLTV_BLOCKS
    {
        return None;
    }
    let host = PathHop {
        node_id: first.peer,
        scid: first.short_channel_id,
        fee_msat,
        cltv_expiry_delta: u32::from(hint.cltv_expiry_delta),
    };
    Some(vec![host, last])
}

fn carries(first: &FirstHop, amount_msat: u64) -> bool {
    (first.htlc_minimum_msat..=first.spendable_msat).contains(&amount_msat)
}

/// BOLT7 "HTLC Fees": what the forwarding node asks for an HTLC that goes out with `amount_msat`.
fn forwarding_fee_msat(hint: &HintHop, amount_msat: u64) -> Option<u64> {
    let proportional_msat = amount_msat.checked_mul(u64::from(hint.fee_ppm))? / 1_000_000;
    proportional_msat.checked_add(u64::from(hint.fee_base_msat))
}
