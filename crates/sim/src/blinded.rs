//! A payment over a blinded path: a payer that can pay through a host can make one to any of its
//! clients, and the host's HTLC then carries an even TLV (BOLT4, `path_key`).

use bitcoin::secp256k1::{PublicKey, SECP256K1};
use lightning::blinded_path::payment::{
    BlindedPaymentPath, Bolt12RefundContext, ForwardTlvs, PaymentConstraints, PaymentContext,
    PaymentForwardNode, PaymentRelay, ReceiveTlvs,
};
use lightning::routing::router::BlindedTail;
use lightning::sign::{EntropySource, ReceiveAuthKey};
use lightning_types::features::BlindedHopFeatures;
use lightning_types::payment::PaymentSecret;
use steward_engine::config::Policy;
use steward_engine::io::{RouteRequest, RoutedPart};
use steward_engine::{AnswerAt, Command};
use steward_onion::{OnionSeed, PathHop, Recipient, create_blinded};
use steward_wire::{Identity as _, PaymentHash, Preimage};

use crate::fault::FaultKind;
use crate::topology::{Edge, Topology};
use crate::traffic::GENEROUS_FEE_MSAT;
use crate::world::World;
use steward_testkit::TestKeys;

/// Blocks that such a path allows on top of the present height.
const PATH_BLOCKS: u32 = 1_000;

/// The way of a blinded payment: the channels to the host and on to its client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlindedWay {
    /// The payer's channel with the host.
    first: usize,
    /// The host's channel with the client.
    last: usize,
}

struct Entropy([u8; 32]);

impl EntropySource for Entropy {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl World {
    /// One client of a host pays another one, over a path that the other never made.
    pub(crate) fn pay_blinded(&mut self) -> bool {
        let last = self.rng.index(self.edges.len());
        let to = self.topology.edges[last];
        let firsts: Vec<usize> = self.topology.edges_of(to.host).map(|(edge, _)| edge).collect();
        let Some(first) = self.rng.pick(&firsts).filter(|first| *first != last) else {
            return false;
        };
        let payer = self.topology.edges[first].other(to.host);
        let is_open = |edge: usize, node: usize| self.durable(edge, node).is_some();
        if !self.nodes[payer].is_up() || !is_open(first, payer) || !is_open(last, to.host) {
            return false;
        }
        let preimage = Preimage(self.rng.bytes32());
        let amount_msat = self.rng.between(10_000, 1_000_000);
        self.oracles.asked_to_pay(payer, preimage.hash(), amount_msat, GENEROUS_FEE_MSAT);
        self.traffic.blinded.insert(preimage.hash(), BlindedWay { first, last });
        let command = Command::Keysend {
            destination: to.client_id,
            via: Some(to.host_id),
            amount_msat,
            max_fee_msat: Some(GENEROUS_FEE_MSAT),
            preimage,
            answer: AnswerAt::Start,
        };
        self.issue(payer, command);
        self.count(FaultKind::BlindedPayment);
        true
    }

    /// The route of such a payment, if it is one.
    pub(crate) fn blinded_route(
        &mut self,
        request: &RouteRequest,
    ) -> Option<Result<Vec<RoutedPart>, String>> {
        let way = *self.traffic.blinded.get(&request.payment_hash)?;
        if request.attempt > 1 {
            return Some(Err("there is one way only".to_owned()));
        }
        let entropy = self.rng.bytes32();
        let seed = OnionSeed {
            session_key: self.rng.bytes32(),
            prng_seed: self.rng.bytes32(),
            height: request.height,
        };
        let built =
            build(&self.topology, way, request.amount_msat, &request.payment_hash, entropy, &seed);
        Some(built.map(|part| vec![part]).ok_or_else(|| "no blinded path".to_owned()))
    }
}

/// Makes the HTLC of a payment over a blinded path that the payer made itself.
fn build(
    topology: &Topology,
    way: BlindedWay,
    amount_msat: u64,
    hash: &PaymentHash,
    entropy: [u8; 32],
    seed: &OnionSeed,
) -> Option<RoutedPart> {
    let (first, last) = (topology.edges[way.first], topology.edges[way.last]);
    let policy = &topology.policies[last.host];
    let path = blinded_path(&last, policy, entropy, seed.height)?;
    let tail = BlindedTail {
        trampoline_hops: Vec::new(),
        hops: path.blinded_hops().to_vec(),
        blinding_point: path.blinding_point(),
        excess_final_cltv_expiry_delta: 0,
        final_value_msat: amount_msat,
    };
    let hop = PathHop {
        node_id: first.id_of(last.host),
        scid: first.scid,
        fee_msat: policy.fee_msat(amount_msat)? + 1,
        cltv_expiry_delta: u32::from(path.payinfo.cltv_expiry_delta),
    };
    let recipient = Recipient { total_msat: amount_msat, ..Recipient::default() };
    let onion = create_blinded(&[hop], tail, &recipient, hash, seed).ok()?;
    Some(RoutedPart {
        path: vec![hop],
        amount_msat: onion.amount_msat,
        fee_msat: onion.amount_msat - amount_msat,
        cltv_expiry: onion.cltv_expiry,
        onion: onion.onion,
        session_key: seed.session_key,
    })
}

/// Makes a blinded path through the host of a channel to its client.
fn blinded_path(
    last: &Edge,
    policy: &Policy,
    entropy: [u8; 32],
    height: u32,
) -> Option<BlindedPaymentPath> {
    let constraints =
        PaymentConstraints { max_cltv_expiry: height + PATH_BLOCKS, htlc_minimum_msat: 1 };
    let host = PaymentForwardNode {
        tlvs: ForwardTlvs {
            short_channel_id: last.scid.0,
            payment_relay: PaymentRelay {
                cltv_expiry_delta: policy.cltv_expiry_delta_blocks,
                fee_proportional_millionths: policy.fee_ppm,
                fee_base_msat: policy.fee_base_msat,
            },
            payment_constraints: constraints,
            features: BlindedHopFeatures::empty(),
            next_blinding_override: None,
        },
        node_id: last.host_id.public_key()?,
        htlc_maximum_msat: u64::from(u32::MAX),
    };
    let client_key = TestKeys(last.client as u8 + 1).towards_host(&last.host_id);
    let tlvs = ReceiveTlvs {
        payment_secret: PaymentSecret(entropy),
        payment_constraints: constraints,
        payment_context: PaymentContext::Bolt12Refund(Bolt12RefundContext {
            payment_metadata: None,
        }),
    };
    BlindedPaymentPath::new(
        &[host],
        PublicKey::from_secret_key(SECP256K1, &client_key),
        ReceiveAuthKey(client_key.receive_auth_key()),
        tlvs,
        u64::MAX,
        144,
        Entropy(entropy),
        SECP256K1,
    )
    .ok()
}
