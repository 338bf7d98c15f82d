//! LDK's router over the graph, with our channels as first hops, and the reason if it finds
//! nothing.

use std::collections::BTreeMap;

use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::routing::gossip::{NodeId as LdkNodeId, ReadOnlyNetworkGraph};
use lightning::routing::router::{
    InFlightHtlcs, PaymentParameters, Route, RouteHint, RouteHintHop, RouteParameters,
    ScorerAccountingForInFlightHtlcs, find_route,
};
use lightning_types::features::Bolt11InvoiceFeatures;
use lightning_types::payment::PaymentSecret;
use lightning_types::routing::RoutingFees;
use steward_engine::io::FirstHop;
use steward_invoice::HintHop;
use steward_onion::{CreateError, PathHop};
use steward_wire::{NodeId, ShortChannelId};

use crate::error::RouteError;
use crate::first_hop::to_channel_details;
use crate::graph::Graph;
use crate::limits::{MAX_IN_FLIGHT_PATHS, MAX_MONEY_MSAT, MAX_PARTS, MAX_TOTAL_CLTV_BLOCKS};
use crate::log::LdkLog;
use crate::part::{Purpose, derive};
use crate::payment::{Payment, hint_ends};

/// Finds the paths of `payment`, one for each part.
pub(crate) fn find_paths(
    graph: &Graph,
    payment: &Payment<'_>,
    entropy: &[u8; 32],
) -> Result<Vec<Vec<PathHop>>, RouteError> {
    let mut query = Query::new(graph, payment, derive(entropy, Purpose::Router, 0))?;
    let found = query.run(graph, payment).or_else(|| query.run_with_small_parts(graph, payment));
    found.map_or_else(|| query.diagnose(graph, payment), Ok)
}

/// A payment in LDK's terms.
struct Query {
    payer: PublicKey,
    parameters: RouteParameters,
    first_hops: Vec<ChannelDetails>,
    in_flight: InFlightHtlcs,
    seed: [u8; 32],
}

impl Query {
    fn new(graph: &Graph, payment: &Payment<'_>, seed: [u8; 32]) -> Result<Self, RouteError> {
        let payer = payment.payer.public_key();
        let payer = payer.ok_or(RouteError::InvalidNodeId(payment.payer))?;
        let parameters = route_parameters(&graph.channels.read_only(), payment)?;
        let hops = payment.first_hops.iter();
        let first_hops: Vec<_> = hops.filter_map(|hop| to_channel_details(hop)).collect();
        if first_hops.is_empty() {
            return Err(RouteError::NoChannel);
        }
        Ok(Self { payer, parameters, first_hops, in_flight: in_flight(payment), seed })
    }

    fn run(&self, graph: &Graph, payment: &Payment<'_>) -> Option<Vec<Vec<PathHop>>> {
        let scorer = graph.scorer();
        let first_hops: Vec<&ChannelDetails> = self.first_hops.iter().collect();
        let route = find_route(
            &self.payer,
            &self.parameters,
            &graph.channels,
            Some(&first_hops),
            LdkLog,
            &ScorerAccountingForInFlightHtlcs::new(&*scorer, &self.in_flight),
            &graph.score_params,
            &self.seed,
        );
        match route {
            Ok(route) => paths_of(&route, payment),
            Err(reason) => {
                tracing::debug!(reason, "no route");
                None
            }
        }
    }

    /// Searches again for parts as small as LDK allows. LDK leaves out channels that carry less than
    /// an even share of the most parts, although they may be needed to reach the amount.
    fn run_with_small_parts(
        &mut self,
        graph: &Graph,
        payment: &Payment<'_>,
    ) -> Option<Vec<Vec<PathHop>>> {
        if !payment.mpp {
            return None;
        }
        let most = self.parameters.payment_params.max_path_count;
        self.parameters.payment_params.max_path_count = u8::MAX;
        let paths = self.run(graph, payment);
        self.parameters.payment_params.max_path_count = most;
        paths.filter(|paths| paths.len() <= usize::from(MAX_PARTS))
    }

    /// Searches again without each of our limits in turn, to find out which of them prevents a
    /// route. LDK misses some routes at the edge of the fee limit, so a second search may still
    /// find one.
    fn diagnose(
        &mut self,
        graph: &Graph,
        payment: &Payment<'_>,
    ) -> Result<Vec<Vec<PathHop>>, RouteError> {
        let amount_msat = payment.request.amount_msat;
        let minimum_msat = payment.minimum_msat();
        if amount_msat < minimum_msat {
            return Err(RouteError::AmountTooSmall { minimum_msat });
        }
        self.parameters.max_total_routing_fee_msat = Some(MAX_MONEY_MSAT);
        if let Some(paths) = self.run(graph, payment) {
            return payment.check_fee(&paths).map(|()| paths);
        }
        for hop in &mut self.first_hops {
            hop.outbound_capacity_msat = MAX_MONEY_MSAT;
            hop.next_outbound_htlc_limit_msat = MAX_MONEY_MSAT;
        }
        let paths = self.run(graph, payment).ok_or(RouteError::NoRoute)?;
        Err(out_of_balance(payment, &paths))
    }
}

/// Returns the error for the case that `paths` would do if the channels they start with had enough.
fn out_of_balance(payment: &Payment<'_>, paths: &[Vec<PathHop>]) -> RouteError {
    let hops = paths.iter().flatten();
    let needed_msat = hops.fold(0u64, |sum, hop| sum.saturating_add(hop.fee_msat));
    let first = |ours: &&&FirstHop| {
        let starts = paths.iter().filter_map(|path| path.first());
        starts.map(|hop| hop.scid).any(|scid| scid == ours.short_channel_id)
    };
    let leading = payment.first_hops.iter().filter(first);
    let spendable_msat = leading.fold(0u64, |sum, ours| sum.saturating_add(ours.spendable_msat));
    RouteError::InsufficientBalance { spendable_msat, needed_msat }
}

fn route_parameters(
    known: &ReadOnlyNetworkGraph<'_>,
    payment: &Payment<'_>,
) -> Result<RouteParameters, RouteError> {
    let request = payment.request;
    let payee = request.destination;
    let payee = payee.public_key().ok_or(RouteError::InvalidNodeId(payee))?;
    let mut features = Bolt11InvoiceFeatures::empty();
    if payment.mpp {
        features.set_basic_mpp_optional();
    }
    let hints = payment.hints.iter();
    let hints = hints.filter(|hint| {
        let mut ends = hint.iter().zip(hint_ends(hint, request.destination));
        ends.all(|(hop, ends)| !is_taken(known, hop.scid, ends))
    });
    let hints = hints.filter_map(|hint| to_route_hint(hint)).collect();
    let mut to = PaymentParameters::from_node_id(payee, request.final_cltv_expiry_delta_blocks)
        .with_bolt11_features(features)
        .and_then(|to| to.with_route_hints(hints))
        // Only a blinded payee has no features and hints of this kind.
        .map_err(|()| RouteError::NoRoute)?
        .with_max_total_cltv_expiry_delta(MAX_TOTAL_CLTV_BLOCKS)
        .with_max_path_count(if payment.mpp { MAX_PARTS } else { 1 });
    to.previously_failed_channels = request.avoid.iter().map(|scid| scid.0).collect();
    let mut parameters = RouteParameters::from_payment_params_and_value(to, request.amount_msat);
    parameters.max_total_routing_fee_msat = Some(payment.max_fee_msat);
    let mut fields = RecipientOnionFields::spontaneous_empty(request.recipient.total_msat);
    fields.payment_secret = request.recipient.payment_secret.map(PaymentSecret);
    fields.payment_metadata = request.recipient.metadata.clone();
    let is_keysend = request.recipient.keysend_preimage.is_some();
    parameters.set_max_path_length(&fields, is_keysend, request.height).map_err(|()| {
        CreateError::Refused("what the payee asked to be told does not fit".to_owned())
    })?;
    Ok(parameters)
}

/// Returns true if the graph has another channel of this number: the router would count both as
/// one.
fn is_taken(
    known: &ReadOnlyNetworkGraph<'_>,
    scid: ShortChannelId,
    ends: (NodeId, NodeId),
) -> bool {
    known.channel(scid.0).is_some_and(|channel| {
        let nodes = (NodeId(*channel.node_one.as_array()), NodeId(*channel.node_two.as_array()));
        nodes != ends && nodes != (ends.1, ends.0)
    })
}

/// Converts a hint. Returns `None` if a node id is not a public key.
fn to_route_hint(hint: &[HintHop]) -> Option<RouteHint> {
    let to_hop = |hop: &HintHop| {
        Some(RouteHintHop {
            src_node_id: hop.node_id.public_key()?,
            short_channel_id: hop.scid.0,
            fees: RoutingFees {
                base_msat: hop.fee_base_msat,
                proportional_millionths: hop.fee_ppm,
            },
            cltv_expiry_delta: hop.cltv_expiry_delta,
            htlc_minimum_msat: None,
            htlc_maximum_msat: None,
        })
    };
    hint.iter().map(to_hop).collect::<Option<_>>().map(RouteHint)
}

/// Adds up what parts in flight occupy of each channel, by direction. We add it up because LDK's
/// own sums overflow.
fn in_flight(payment: &Payment<'_>) -> InFlightHtlcs {
    let mut used: BTreeMap<(ShortChannelId, bool), (NodeId, NodeId, u64)> = BTreeMap::new();
    for (path, amount_msat) in payment.request.in_flight.iter().take(MAX_IN_FLIGHT_PATHS) {
        let mut from = payment.payer;
        for &(to, scid) in path {
            let (_, _, sum_msat) = used.entry((scid, from < to)).or_insert((from, to, 0));
            *sum_msat = sum_msat.saturating_add(*amount_msat).min(MAX_MONEY_MSAT);
            from = to;
        }
    }
    let mut in_flight = InFlightHtlcs::new();
    for ((scid, _), (from, to, sum_msat)) in used {
        if let (Ok(from), Ok(to)) = (LdkNodeId::from_slice(&from.0), LdkNodeId::from_slice(&to.0)) {
            in_flight.add_inflight_htlc(&from, &to, scid.0, sum_msat);
        }
    }
    in_flight
}

/// Converts LDK's route. Returns `None` if it does not start with a channel of ours.
fn paths_of(route: &Route, payment: &Payment<'_>) -> Option<Vec<Vec<PathHop>>> {
    let paths = route.paths.iter().map(|path| {
        let hops = path.hops.iter().map(|hop| PathHop {
            node_id: hop.pubkey.into(),
            scid: ShortChannelId(hop.short_channel_id),
            fee_msat: hop.fee_msat,
            cltv_expiry_delta: hop.cltv_expiry_delta,
        });
        let mut hops: Vec<PathHop> = hops.collect();
        let first = *hops.first()?;
        let is_ours =
            |ours: &&FirstHop| ours.peer == first.node_id && ours.short_channel_id == first.scid;
        payment.first_hops.iter().copied().find(is_ours)?;
        if may_reveal_payee(payment, &hops) {
            hops.last_mut()?.cltv_expiry_delta = payment.revealed_final_delta_blocks();
        }
        Some(hops)
    });
    paths.collect()
}

/// Returns true if every node on the path may know who the payee is: it is our peer, or our peer is
/// its host, who knows where its client's channel ends. LDK's random expiry offset would only lock
/// money for longer.
fn may_reveal_payee(payment: &Payment<'_>, path: &[PathHop]) -> bool {
    match path {
        [_] => true,
        [host, last] => payment.hints.iter().any(
            |hint| matches!(hint, [hop] if hop.node_id == host.node_id && hop.scid == last.scid),
        ),
        _ => false,
    }
}
