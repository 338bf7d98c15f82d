//! A request for a route, checked, and without the channels and hints that no route may use.

use std::collections::{BTreeMap, BTreeSet};

use steward_engine::io::{FirstHop, RouteRequest};
use steward_invoice::HintHop;
use steward_onion::{CreateError, PathHop};
use steward_wire::{NodeId, ShortChannelId};

use crate::error::RouteError;
use crate::limits::{
    FINAL_EXPIRY_SLACK_BLOCKS, MAX_FIRST_HOPS, MAX_HEIGHT, MAX_HINT_HOPS, MAX_HINTS,
    MAX_MONEY_MSAT, MAX_TOTAL_CLTV_BLOCKS,
};

/// The input of both ways to find a path.
pub(crate) struct Payment<'a> {
    pub(crate) request: &'a RouteRequest,
    pub(crate) payer: NodeId,
    /// Our channels that may carry something, each number once.
    pub(crate) first_hops: Vec<&'a FirstHop>,
    /// The routes to the payee that do not lead through the payer or the payee.
    pub(crate) hints: Vec<&'a [HintHop]>,
    /// True if the payment may be split: the payee joins parts by the payment secret.
    pub(crate) mpp: bool,
    /// The request's limit for the fee, kept small enough for sums, in millisatoshi.
    pub(crate) max_fee_msat: u64,
}

impl<'a> Payment<'a> {
    pub(crate) fn new(request: &'a RouteRequest, payer: NodeId) -> Result<Self, RouteError> {
        check_request(request, payer)?;
        let hints = usable_hints(request, payer);
        let first_hops = usable_first_hops(request, payer, &hints);
        if first_hops.is_empty() {
            return Err(RouteError::NoChannel);
        }
        let mpp = request.mpp && request.recipient.payment_secret.is_some();
        let max_fee_msat = request.max_fee_msat.min(MAX_MONEY_MSAT);
        let payment = Self { request, payer, first_hops, hints, mpp, max_fee_msat };
        let spendable_msat = payment.spendable_msat();
        if spendable_msat < request.amount_msat {
            let needed_msat = request.amount_msat;
            return Err(RouteError::InsufficientBalance { spendable_msat, needed_msat });
        }
        Ok(payment)
    }

    /// Returns what our channels can send, in millisatoshi: together if the payment may be split,
    /// else the best one.
    pub(crate) fn spendable_msat(&self) -> u64 {
        let each = self.first_hops.iter().map(|hop| hop.spendable_msat);
        if self.mpp { each.fold(0, u64::saturating_add) } else { each.max().unwrap_or(0) }
    }

    /// Returns the least that any of our channels carries, in millisatoshi.
    pub(crate) fn minimum_msat(&self) -> u64 {
        self.first_hops.iter().map(|hop| hop.htlc_minimum_msat).min().unwrap_or(0)
    }

    /// Returns the last hop of a path on which every node may know that it is the last.
    pub(crate) fn revealed_last_hop(&self, scid: ShortChannelId) -> PathHop {
        PathHop {
            node_id: self.request.destination,
            scid,
            fee_msat: self.request.amount_msat,
            cltv_expiry_delta: self.revealed_final_delta_blocks(),
        }
    }

    /// Returns the payee's delta on such a path: what it asks for, and a little for blocks to come.
    pub(crate) fn revealed_final_delta_blocks(&self) -> u32 {
        self.request.final_cltv_expiry_delta_blocks.saturating_add(FINAL_EXPIRY_SLACK_BLOCKS)
    }

    /// Checks that `paths` deliver the amount and cost no more than allowed.
    pub(crate) fn check_fee(&self, paths: &[Vec<PathHop>]) -> Result<(), RouteError> {
        let mut hops = paths.iter().flatten();
        let sent_msat = hops
            .try_fold(0u64, |sum, hop| sum.checked_add(hop.fee_msat))
            .ok_or(RouteError::AmountTooLarge)?;
        let max_fee_msat = self.max_fee_msat;
        match sent_msat.checked_sub(self.request.amount_msat) {
            None => Err(RouteError::NoRoute),
            Some(needed_msat) if needed_msat > max_fee_msat => {
                Err(RouteError::FeeTooHigh { needed_msat, max_fee_msat })
            }
            Some(_) => Ok(()),
        }
    }
}

fn check_request(request: &RouteRequest, payer: NodeId) -> Result<(), RouteError> {
    if request.destination == payer {
        return Err(RouteError::ToSelf);
    }
    if request.destination.public_key().is_none() {
        return Err(RouteError::InvalidNodeId(request.destination));
    }
    if request.amount_msat == 0 {
        return Err(RouteError::AmountTooSmall { minimum_msat: 1 });
    }
    if request.amount_msat >= MAX_MONEY_MSAT {
        return Err(RouteError::AmountTooLarge);
    }
    if request.final_cltv_expiry_delta_blocks >= MAX_TOTAL_CLTV_BLOCKS {
        return Err(RouteError::ExpiryTooFar);
    }
    // There must be room for the longest path and its random offset: LDK adds up unchecked.
    if request.height >= MAX_HEIGHT - 4 * MAX_TOTAL_CLTV_BLOCKS {
        return Err(RouteError::Onion(CreateError::BadExpiry));
    }
    Ok(())
}

/// Returns the usable parts of the hints, without those in which one number names two channels: the
/// router would count both as one.
fn usable_hints(request: &RouteRequest, payer: NodeId) -> Vec<&[HintHop]> {
    let mut ends_of: BTreeMap<ShortChannelId, (NodeId, NodeId)> = BTreeMap::new();
    let mut is_consistent = |hint: &&[HintHop]| {
        let ends = hint_ends(hint, request.destination);
        hint.iter().zip(ends).all(|(hop, ends)| {
            let is_ours = request.first_hops.iter().any(|ours| ours.short_channel_id == hop.scid);
            !is_ours && *ends_of.entry(hop.scid).or_insert(ends) == ends
        })
    };
    let hints = request.hints.iter().take(MAX_HINTS);
    hints
        .filter_map(|hint| usable_hint(request, payer, hint))
        .filter(|hint| is_consistent(hint))
        .collect()
}

/// Lists the two ends of each of a hint's channels, in order.
pub(crate) fn hint_ends(
    hint: &[HintHop],
    payee: NodeId,
) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
    let targets = hint.iter().skip(1).map(|hop| hop.node_id).chain([payee]);
    hint.iter().map(|hop| hop.node_id).zip(targets)
}

/// Returns the part of `hint` after the last passage through payer, payee or a channel to avoid: we
/// know ourselves how to get there, and a loop is of no use.
fn usable_hint<'a>(
    request: &RouteRequest,
    payer: NodeId,
    hint: &'a [HintHop],
) -> Option<&'a [HintHop]> {
    let is_barred = |hop: &HintHop| {
        let is_end = hop.node_id == payer || hop.node_id == request.destination;
        is_end || request.avoid.contains(&hop.scid)
    };
    let start = hint.iter().rposition(is_barred).map_or(0, |at| at.saturating_add(1));
    let usable = hint.get(start..)?;
    (1..=MAX_HINT_HOPS).contains(&usable.len()).then_some(usable)
}

fn usable_first_hops<'a>(
    request: &'a RouteRequest,
    payer: NodeId,
    hints: &[&[HintHop]],
) -> Vec<&'a FirstHop> {
    let mut seen = BTreeSet::new();
    let mut hops: Vec<&FirstHop> = request
        .first_hops
        .iter()
        .filter(|hop| hop.peer != payer && !request.avoid.contains(&hop.short_channel_id))
        .filter(|hop| hop.spendable_msat >= hop.htlc_minimum_msat.max(1))
        .filter(|hop| seen.insert(hop.short_channel_id))
        .collect();
    if hops.len() > MAX_FIRST_HOPS {
        // Hints that lead straight to the payee are kept first, then the largest.
        let near: BTreeSet<NodeId> = hints
            .iter()
            .flat_map(|hint| hint.iter().map(|hop| hop.node_id))
            .chain([request.destination])
            .collect();
        hops.sort_by_key(|hop| (!near.contains(&hop.peer), u64::MAX - hop.spendable_msat));
        hops.truncate(MAX_FIRST_HOPS);
    }
    hops
}
