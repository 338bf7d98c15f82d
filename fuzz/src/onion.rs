//! Onions, payloads, blinded data and failures of any origin.

use std::sync::LazyLock;

use steward_onion::limits::{ATTRIBUTION_BYTES, MAX_ROUTE_HOPS};
use steward_onion::{
    Attribution, CreateError, Failure, Hop, IncomingHtlc, NextHop, OnionSeed, PathHop, PeelError,
    Recipient, attribute_fulfill, build_attributed_failure, build_failure, create, decode_failure,
    peel, read_failure_attribution, read_fulfill_attribution, receive, wrap_attributed_failure,
    wrap_failure,
};
use steward_wire::{NodeId, Preimage, ShortChannelId};

use crate::bytes::Bytes;
use steward_testkit::onion::{
    OnionBytes, PAYMENT_HASH, blind, construct, key, node_id, public, with_length,
};

/// Reads amount, expiry and height; then the packet, with its version and key made valid if asked.
pub(crate) fn packet(data: &[u8]) {
    let mut input = Bytes::new(data);
    let terms = Terms::read(&mut input);
    let valid_header = input.flag();
    let mut onion: OnionBytes = input.array();
    if valid_header {
        onion[0] = 0;
        onion[1..34].copy_from_slice(&node_id(3).0);
    }
    all_ways_in(&onion, &terms);
}

/// Reads the same with a payload in an onion that is really for us.
pub(crate) fn payload(data: &[u8]) {
    let mut input = Bytes::new(data);
    let terms = Terms::read(&mut input);
    let (is_last, add_length) = (input.flag(), input.flag());
    let payload = input.take(1_000);
    let payload = if add_length { with_length(payload) } else { payload.to_vec() };
    all_ways_in(&onion_for_us(payload, is_last), &terms);
}

/// Reads the same with recipient data, at the introduction and inside of a blinded path.
pub(crate) fn blinded(data: &[u8]) {
    let mut input = Bytes::new(data);
    let terms = Terms::read(&mut input);
    let is_last = input.flag();
    let clear = input.short().to_vec();
    let hop = blind(&key(50), &public(&key(1)), input.take(700));
    let sealed = steward_testkit::onion::tlv(10, &hop.sealed);
    let path_key = steward_testkit::onion::tlv(12, &hop.path_key.serialize());
    let introduction = [clear.as_slice(), &sealed, &path_key].concat();
    all_ways_in(&onion_for_us(with_length(&introduction), is_last), &terms);
    let inside = [clear.as_slice(), &sealed].concat();
    let mut hops = vec![(hop.blinded_node_id, with_length(&inside))];
    if !is_last {
        hops.push((public(&key(2)), with_length(&[2, 0])));
    }
    all_ways_in(&construct(&key(9), &hops, &PAYMENT_HASH.0), &terms);
}

/// Builds failures and passes them back over some hops, then reads any bytes as one.
pub(crate) fn failure(data: &[u8]) {
    let mut input = Bytes::new(data);
    let hops: Vec<NodeId> = (1..=1 + input.u8() % MAX_FAILURE_HOPS).map(node_id).collect();
    let failure = Failure { code: input.u16(), data: input.short().to_vec() };
    assert!(!failure.name().is_empty() && !failure.to_string().is_empty());
    assert!(failure.channel_update().is_none_or(|update| update.len() <= failure.data.len()));
    let held_ms = input.number();
    let secrets: &[[u8; 32]] = &ROUTE_SECRETS;
    let failing = input.below(hops.len());

    let mut plain = build_failure(&secrets[failing], &failure);
    let mut attributed = build_attributed_failure(&secrets[failing], &failure, held_ms);
    assert_eq!(plain, attributed.reason);
    for secret in secrets[..failing].iter().rev() {
        plain = wrap_failure(secret, &plain);
        let downstream = Some(&attributed.attribution);
        attributed = wrap_attributed_failure(secret, &attributed.reason, downstream, held_ms);
    }
    assert_eq!(plain, attributed.reason);
    let decoded = decode_failure(&SESSION_KEY, &hops, &plain).expect("it was signed");
    assert_eq!((decoded.hop_index, &decoded.failure), (failing, &failure));
    let held = read_failure_attribution(
        &SESSION_KEY,
        &hops[..=failing],
        &attributed.reason,
        &attributed.attribution,
    );
    let held = held.unwrap();
    assert_eq!((held.spoiled_at, held.held_ms.len()), (None, failing + 1));

    let spoiled = input.long();
    let block = Attribution(input.array::<ATTRIBUTION_BYTES>());
    assert_eq!(decode_failure(&SESSION_KEY, &hops, spoiled), None);
    let read = read_failure_attribution(&SESSION_KEY, &hops, spoiled, &block).unwrap();
    assert!(read.spoiled_at.is_some());
    read_fulfill_attribution(&SESSION_KEY, &hops, &block).unwrap();
    let wrapped = wrap_attributed_failure(&secrets[0], spoiled, Some(&block), held_ms);
    assert_eq!(wrap_failure(&secrets[0], &wrapped.reason), spoiled);
    let mut fulfill = attribute_fulfill(&secrets[failing], None, held_ms);
    for secret in secrets[..failing].iter().rev() {
        fulfill = attribute_fulfill(secret, Some(&fulfill), held_ms);
    }
    let read = read_fulfill_attribution(&SESSION_KEY, &hops[..=failing], &fulfill).unwrap();
    assert_eq!((read.spoiled_at, read.held_ms.len()), (None, failing + 1));
}

/// Makes an onion for any route; every hop in turn peels whatever can be built.
pub(crate) fn route(data: &[u8]) {
    let mut input = Bytes::new(data);
    let seed =
        OnionSeed { session_key: SESSION_KEY, prng_seed: input.array(), height: input.u32() };
    let keysend = input.flag().then_some(Preimage([7; 32]));
    let payment_hash = keysend.map_or(PAYMENT_HASH, |preimage| preimage.hash());
    let recipient = Recipient {
        payment_secret: input.flag().then_some([5; 32]),
        total_msat: input.number(),
        metadata: input.flag().then(|| input.short().to_vec()),
        keysend_preimage: keysend,
        custom_tlvs: (0..input.below(3))
            .map(|_| (input.number(), input.short().to_vec()))
            .collect(),
    };
    let hops = u8::try_from(input.below(MAX_ROUTE_HOPS + 2)).unwrap();
    let path: Vec<PathHop> = (1..=hops)
        .map(|n| PathHop {
            node_id: node_id(n),
            scid: ShortChannelId(input.number()),
            fee_msat: input.number(),
            cltv_expiry_delta: u32::try_from(input.number()).unwrap_or(u32::MAX),
        })
        .collect();
    let payment = match create(&path, &recipient, &payment_hash, &seed) {
        Ok(payment) => payment,
        Err(error) => {
            assert_ne!(error, CreateError::BadSessionKey);
            return assert!(!error.to_string().is_empty());
        }
    };
    let (mut onion, mut amount_msat, mut cltv_expiry) =
        (payment.onion, payment.amount_msat, payment.cltv_expiry);
    for (index, hop) in path.iter().enumerate() {
        let key = key(u8::try_from(index + 1).unwrap());
        let path_key = None;
        let htlc = IncomingHtlc { onion: &onion, payment_hash, amount_msat, cltv_expiry, path_key };
        let peeled = peel(&key, &htlc).expect("every hop can peel its layer");
        let Hop::Forward(forward) = peeled.hop else {
            assert_eq!(index + 1, path.len());
            assert_eq!(amount_msat, hop.fee_msat);
            if let Ok(received) = receive(&key, &htlc, seed.height) {
                assert_eq!(received.amount_msat, amount_msat);
                assert_eq!(received.keysend_preimage, keysend);
                assert_eq!(received.payment_secret, recipient.payment_secret);
            }
            return;
        };
        let next = NextHop::Channel(path[index + 1].scid);
        assert_eq!(forward.next, next);
        assert_eq!(amount_msat - forward.amt_to_forward_msat, hop.fee_msat);
        (onion, amount_msat, cltv_expiry) =
            (forward.onion, forward.amt_to_forward_msat, forward.outgoing_cltv_expiry);
    }
    panic!("an onion ends at its last hop");
}

const SESSION_KEY: [u8; 32] = [9; 32];

struct Terms {
    amount_msat: u64,
    cltv_expiry: u32,
    height: u32,
}

impl Terms {
    fn read(input: &mut Bytes<'_>) -> Self {
        let amount_msat = input.number();
        let height = input.u32();
        let blocks = u32::try_from(input.number()).unwrap_or(u32::MAX);
        Self { amount_msat, cltv_expiry: height.wrapping_add(blocks), height }
    }
}

fn onion_for_us(payload: Vec<u8>, is_last: bool) -> OnionBytes {
    let mut hops = vec![(public(&key(1)), payload)];
    if !is_last {
        hops.push((public(&key(2)), with_length(&[2, 0])));
    }
    construct(&key(9), &hops, &PAYMENT_HASH.0)
}

fn all_ways_in(onion: &OnionBytes, terms: &Terms) {
    let Terms { amount_msat, cltv_expiry, height } = *terms;
    for path_key in [None, Some(public(&key(50)))] {
        let htlc =
            IncomingHtlc { onion, payment_hash: PAYMENT_HASH, amount_msat, cltv_expiry, path_key };
        match peel(&key(1), &htlc) {
            Ok(peeled) => {
                let is_final = peeled.hop == Hop::Final;
                if let Hop::Forward(forward) = peeled.hop {
                    assert_eq!(forward.onion[0], 0, "the next onion has a version");
                    if let NextHop::Node(node) = forward.next {
                        assert!(node.public_key().is_some());
                    }
                }
                match receive(&key(1), &htlc, height) {
                    Ok(received) => {
                        assert!(is_final, "what is forwarded is not received");
                        assert!(received.amount_msat <= amount_msat);
                        assert_eq!(received.shared_secret, peeled.shared_secret);
                        let types = received.custom_tlvs.iter().map(|(tlv_type, _)| *tlv_type);
                        assert!(types.into_iter().all(|t| t >= 65_536 && t % 2 == 1));
                    }
                    Err(error) => is_refusal(&error),
                }
            }
            Err(error) => {
                is_refusal(&error);
                assert!(receive(&key(1), &htlc, height).is_err(), "a refused onion is refused");
            }
        }
    }
}

/// Checks that a malformed onion is answered with a BADONION code, and any other HTLC without.
fn is_refusal(error: &PeelError) {
    match error {
        PeelError::Malformed { code, .. } => assert_ne!(code & 0x8000, 0),
        PeelError::Failure { failure, .. } => assert!(!failure.to_string().is_empty()),
    }
}

/// The longest route of a failure: longer ones do not reach more code.
const MAX_FAILURE_HOPS: u8 = 8;

/// The secret that each hop derives from an onion made with [`SESSION_KEY`]; a shorter route has
/// the first ones.
static ROUTE_SECRETS: LazyLock<Vec<[u8; 32]>> = LazyLock::new(|| {
    let hop = |n| PathHop {
        node_id: node_id(n),
        scid: ShortChannelId(1),
        fee_msat: 1_000,
        cltv_expiry_delta: 40,
    };
    let path: Vec<PathHop> = (1..=MAX_FAILURE_HOPS).map(hop).collect();
    let recipient =
        Recipient { payment_secret: Some([5; 32]), total_msat: 1_000, ..Recipient::default() };
    let seed = OnionSeed { session_key: SESSION_KEY, prng_seed: [8; 32], height: 800_000 };
    let payment = create(&path, &recipient, &PAYMENT_HASH, &seed).unwrap();
    let (mut onion, mut secrets) = (payment.onion, Vec::new());
    for n in 1..=MAX_FAILURE_HOPS {
        let htlc = steward_testkit::onion::htlc(&onion, payment.amount_msat, payment.cltv_expiry);
        let peeled = peel(&key(n), &htlc).unwrap();
        secrets.push(peeled.shared_secret);
        if let Hop::Forward(forward) = peeled.hop {
            onion = forward.onion;
        }
    }
    secrets
});
