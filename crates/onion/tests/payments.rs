//! Whole payments: an onion made by LDK, peeled hop by hop with our code, received or failed.

use steward_onion::{
    CreateError, Failure, Hop, OnionSeed, PathHop, PaymentOnion, PeelError, Received, Recipient,
    build_attributed_failure, build_failure, create, decode_failure, peel,
    read_failure_attribution, receive, wrap_attributed_failure, wrap_failure,
};
use steward_testkit::onion::{self, key, node_id};
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};

const HEIGHT: u32 = 800_000;
const PREIMAGE: Preimage = Preimage([7; 32]);
const SEED: OnionSeed = OnionSeed { session_key: [9; 32], prng_seed: [8; 32], height: HEIGHT };

/// Makes a route over nodes 1 to `length`, which pays 50 000 msat to the last one.
fn route(length: u8) -> Vec<PathHop> {
    let hop = |n: u8| PathHop {
        node_id: node_id(n),
        scid: ShortChannelId(u64::from(n)),
        fee_msat: if n == length { 50_000 } else { 1_000 },
        cltv_expiry_delta: if n == length { 50 } else { 144 },
    };
    (1..=length).map(hop).collect()
}

fn node_ids(length: u8) -> Vec<NodeId> {
    (1..=length).map(node_id).collect()
}

fn invoice_recipient() -> Recipient {
    Recipient {
        payment_secret: Some([5; 32]),
        total_msat: 80_000,
        metadata: Some(vec![1, 2, 3]),
        keysend_preimage: None,
        custom_tlvs: vec![(65_537, vec![4]), (65_539, vec![])],
    }
}

/// An HTLC on its way: what the next node gets.
struct Travelling {
    onion: PaymentOnion,
    hash: PaymentHash,
}

impl Travelling {
    fn new(length: u8, recipient: &Recipient) -> Self {
        let hash = PREIMAGE.hash();
        Self { onion: create(&route(length), recipient, &hash, &SEED).unwrap(), hash }
    }

    fn htlc(&self) -> steward_onion::IncomingHtlc<'_> {
        steward_onion::IncomingHtlc {
            onion: &self.onion.onion,
            payment_hash: self.hash,
            amount_msat: self.onion.amount_msat,
            cltv_expiry: self.onion.cltv_expiry,
            path_key: None,
        }
    }

    /// Passes node `n` and returns its shared secret.
    fn pass(&mut self, n: u8) -> [u8; 32] {
        let (secret, forward) = onion::forward(&key(n), &self.htlc());
        assert_eq!(forward.scid(), Some(ShortChannelId(u64::from(n) + 1)));
        self.onion = PaymentOnion {
            onion: forward.onion,
            amount_msat: forward.amt_to_forward_msat,
            cltv_expiry: forward.outgoing_cltv_expiry,
        };
        secret
    }

    fn receive(&self, n: u8) -> Result<Received, PeelError> {
        assert_eq!(peel(&key(n), &self.htlc()).unwrap().hop, Hop::Final);
        receive(&key(n), &self.htlc(), HEIGHT)
    }
}

#[track_caller]
fn assert_refused(result: Result<Received, PeelError>, expected: Failure) {
    match result {
        Err(PeelError::Failure { failure, .. }) => assert_eq!(failure, expected),
        other => panic!("not an encrypted failure: {other:?}"),
    }
}

#[test]
fn a_payment_over_three_hops_arrives() {
    let mut payment = Travelling::new(3, &invoice_recipient());
    assert_eq!(payment.onion.amount_msat, 52_000);
    assert_eq!(payment.onion.cltv_expiry, HEIGHT + 1 + 50 + 2 * 144);
    payment.pass(1);
    assert_eq!(payment.onion.amount_msat, 51_000);
    assert_eq!(payment.onion.cltv_expiry, HEIGHT + 1 + 50 + 144);
    payment.pass(2);
    let received = payment.receive(3).unwrap();
    assert_eq!(received.amount_msat, 50_000);
    assert_eq!(received.total_msat, 80_000);
    assert_eq!(received.payment_secret, Some([5; 32]));
    assert_eq!(received.metadata, Some(vec![1, 2, 3]));
    assert_eq!(received.custom_tlvs, [(65_537, vec![4]), (65_539, vec![])]);
    assert_eq!(received.keysend_preimage, None);
    assert!(!received.blinding.is_blinded());
    assert_eq!(received.shared_secret, peel(&key(3), &payment.htlc()).unwrap().shared_secret);
}

#[test]
fn a_payment_over_the_longest_route_arrives() {
    let recipient =
        Recipient { payment_secret: Some([5; 32]), total_msat: 50_000, ..Recipient::default() };
    let mut payment = Travelling::new(20, &recipient);
    for n in 1..20 {
        payment.pass(n);
    }
    assert_eq!(payment.receive(20).unwrap().amount_msat, 50_000);
}

/// LDK would let the hop before the last keep nothing and forward its fee.
#[test]
fn an_onion_that_pays_nothing_is_not_made() {
    let mut path = route(3);
    path[2].fee_msat = 0;
    let made = create(&path, &invoice_recipient(), &PREIMAGE.hash(), &SEED);
    assert_eq!(made, Err(CreateError::BadAmount));
}

#[test]
fn a_keysend_payment_brings_its_preimage() {
    let recipient = Recipient { keysend_preimage: Some(PREIMAGE), ..Recipient::default() };
    let mut payment = Travelling::new(2, &recipient);
    payment.pass(1);
    let received = payment.receive(2).unwrap();
    assert_eq!(received.keysend_preimage, Some(PREIMAGE));
    assert_eq!(received.payment_secret, None);
    assert_eq!(received.total_msat, 50_000);
}

#[test]
fn a_keysend_preimage_of_another_payment_is_refused() {
    let other = Preimage([6; 32]);
    let recipient = Recipient { keysend_preimage: Some(other), ..Recipient::default() };
    let payment = Travelling::new(1, &recipient);
    let expected = Failure::incorrect_or_unknown_payment_details(50_000, HEIGHT);
    assert_refused(payment.receive(1), expected);
}

#[test]
fn a_payment_without_secret_or_preimage_is_refused() {
    let payment = Travelling::new(1, &Recipient::default());
    let expected = Failure::incorrect_or_unknown_payment_details(50_000, HEIGHT);
    assert_refused(payment.receive(1), expected);
}

#[test]
fn a_payment_that_lost_money_on_the_way_is_refused() {
    let mut payment = Travelling::new(1, &invoice_recipient());
    payment.onion.amount_msat -= 1;
    assert_refused(payment.receive(1), Failure::final_incorrect_htlc_amount(49_999));
}

#[test]
fn a_payment_that_lost_time_on_the_way_is_refused() {
    let mut payment = Travelling::new(1, &invoice_recipient());
    payment.onion.cltv_expiry -= 1;
    assert_refused(payment.receive(1), Failure::final_incorrect_cltv_expiry(HEIGHT + 50));
}

#[test]
fn a_payment_is_refused_from_the_documented_distance_on() {
    let payment = Travelling::new(1, &invoice_recipient());
    let last = payment.onion.cltv_expiry - steward_onion::limits::MIN_FINAL_EXPIRY_BLOCKS;
    assert!(receive(&key(1), &payment.htlc(), last).is_ok());
    assert_refused(
        receive(&key(1), &payment.htlc(), last + 1),
        Failure::incorrect_or_unknown_payment_details(50_000, last + 1),
    );
}

/// Returns what node 1 answers to a last layer with these records.
fn refusal_of(payload: &[u8]) -> Failure {
    let hops = [(onion::public(&key(1)), onion::with_length(payload))];
    let onion = onion::construct(&key(9), &hops, &onion::PAYMENT_HASH.0);
    match receive(&key(1), &onion::htlc(&onion, 50_000, HEIGHT + 50), HEIGHT) {
        Err(PeelError::Failure { failure, .. }) => failure,
        other => panic!("not an encrypted failure: {other:?}"),
    }
}

#[test]
fn an_even_record_we_do_not_know_is_refused_by_name() {
    let amounts = [onion::tlv(2, &[1]), onion::tlv(4, &[1])].concat();
    // Type 20 would be a trampoline onion.
    for even in [14, 20, 65_536, 100_000] {
        let payload = [amounts.clone(), onion::tlv(even, &[1])].concat();
        let offset = 1 + amounts.len() as u16;
        assert_eq!(refusal_of(&payload), Failure::invalid_onion_payload(even, offset));
    }
}

#[test]
fn a_last_layer_that_says_forward_is_refused() {
    let payload = onion::clear_payload(7, 50_000, HEIGHT);
    assert_eq!(refusal_of(&payload), Failure::invalid_onion_payload(0, 0));
}

/// Returns the failure of hop `k` of a route of `length`, as it reaches the sender.
fn failed_at(k: u8, length: u8, failure: &Failure) -> Vec<u8> {
    let mut payment = Travelling::new(length, &invoice_recipient());
    let mut secrets: Vec<_> = (1..k).map(|n| payment.pass(n)).collect();
    let last = peel(&key(k), &payment.htlc()).unwrap().shared_secret;
    let mut reason = build_failure(&last, failure);
    while let Some(secret) = secrets.pop() {
        reason = wrap_failure(&secret, &reason);
    }
    reason
}

#[test]
fn the_sender_knows_which_hop_failed() {
    for length in 1..=8 {
        for k in 1..=length {
            let reason = failed_at(k, length, &Failure::unknown_next_peer());
            let decoded = decode_failure(&SEED.session_key, &node_ids(length), &reason).unwrap();
            assert_eq!(decoded.hop_index, usize::from(k) - 1);
            assert_eq!(decoded.failure, Failure::unknown_next_peer());
        }
    }
}

#[test]
fn a_failure_changed_on_the_way_cannot_be_read() {
    let reason = failed_at(3, 4, &Failure::fee_insufficient(7, &[1; 136]));
    for place in [0, 32, 100, reason.len() - 1] {
        let mut changed = reason.clone();
        changed[place] ^= 1;
        assert_eq!(decode_failure(&SEED.session_key, &node_ids(4), &changed), None);
    }
    assert_eq!(decode_failure(&SEED.session_key, &node_ids(4), &reason[..35]), None);
}

/// The sender tries rounds past the last hop, to hide the route's length, with a secret that is
/// public.
#[test]
fn a_failure_that_no_hop_of_the_route_signed_is_not_believed() {
    let payment = Travelling::new(1, &invoice_recipient());
    let secret = peel(&key(1), &payment.htlc()).unwrap().shared_secret;
    let forged = build_failure(&[0; 32], &Failure::mpp_timeout());
    let reason = wrap_failure(&secret, &forged);
    assert_eq!(decode_failure(&SEED.session_key, &node_ids(1), &reason), None);
}

#[test]
fn every_failure_we_emit_has_the_same_length_on_the_wire() {
    let update = [1; 244];
    let failures = [
        Failure::temporary_node_failure(),
        Failure::temporary_channel_failure(&[]),
        Failure::temporary_channel_failure(&update),
        Failure::fee_insufficient(1, &update),
        Failure::fee_insufficient(1, &[1; 300]),
        Failure::incorrect_or_unknown_payment_details(1, 1),
    ];
    for failure in failures {
        assert_eq!(build_failure(&[1; 32], &failure).len(), 32 + 2 + 256 + 2, "{failure}");
    }
}

#[test]
fn hold_times_and_the_spoiling_hop_are_attributed() {
    let length = 5;
    let mut payment = Travelling::new(length, &invoice_recipient());
    let mut secrets: Vec<_> = (1..length).map(|n| payment.pass(n)).collect();
    secrets.push(peel(&key(length), &payment.htlc()).unwrap().shared_secret);
    for spoiler in 0..usize::from(length) {
        let mut way = None;
        for (hop, secret) in secrets.iter().enumerate().rev() {
            let held_ms = 100 * hop as u64 + 50;
            let mut sent = match way {
                None => build_attributed_failure(secret, &Failure::mpp_timeout(), held_ms),
                Some(steward_onion::AttributedFailure { reason, attribution }) => {
                    wrap_attributed_failure(secret, &reason, Some(&attribution), held_ms)
                }
            };
            if hop == spoiler {
                sent.reason[40] ^= 1;
            }
            way = Some(sent);
        }
        let sent = way.unwrap();
        let hops = node_ids(length);
        assert_eq!(decode_failure(&SEED.session_key, &hops, &sent.reason), None);
        let read =
            read_failure_attribution(&SEED.session_key, &hops, &sent.reason, &sent.attribution)
                .unwrap();
        assert_eq!(read.spoiled_at, Some(spoiler));
        let expected: Vec<_> = (0..spoiler as u64).map(|hop| hop * 100).collect();
        assert_eq!(read.held_ms, expected);
    }
}

#[test]
fn onions_that_cannot_be_are_refused_with_a_reason() {
    let hash = PREIMAGE.hash();
    let recipient = invoice_recipient();
    let refusal = |path: &[PathHop]| create(path, &recipient, &hash, &SEED).unwrap_err();
    assert_eq!(refusal(&[]), CreateError::BadLength);
    assert_eq!(refusal(&route(28)), CreateError::BadLength);
    let mut path = route(3);
    path[1].node_id = NodeId([0; 33]);
    assert_eq!(refusal(&path), CreateError::BadNodeId(1));
    path = route(3);
    path[0].fee_msat = u64::MAX;
    assert_eq!(refusal(&path), CreateError::BadAmount);
    path = route(3);
    path[0].cltv_expiry_delta = u32::MAX;
    assert_eq!(refusal(&path), CreateError::BadExpiry);
    let seed = OnionSeed { session_key: [0; 32], ..SEED };
    assert_eq!(create(&route(1), &recipient, &hash, &seed), Err(CreateError::BadSessionKey));
    let reserved = Recipient { custom_tlvs: vec![(10, vec![])], ..invoice_recipient() };
    assert_eq!(create(&route(1), &reserved, &hash, &SEED), Err(CreateError::BadCustomTlv));
    let large = Recipient { metadata: Some(vec![0; 1_300]), ..invoice_recipient() };
    assert!(matches!(create(&route(1), &large, &hash, &SEED), Err(CreateError::Refused(_))));
    let rich = Recipient { total_msat: u64::MAX, ..invoice_recipient() };
    assert_eq!(create(&route(1), &rich, &hash, &SEED), Err(CreateError::BadAmount));
}
