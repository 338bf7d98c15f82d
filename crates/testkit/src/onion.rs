//! A second, independent construction of onions and blinded data, which can also make malformed ones,
//! as no library would.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::{PublicKey, SECP256K1, Scalar, SecretKey};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use steward_onion::{Forward, Hop, IncomingHtlc, Peeled, peel};
use steward_wire::{NodeId, PaymentHash};

/// An onion packet.
pub type OnionBytes = [u8; 1366];

/// Returns the key of node number `n`.
pub fn key(n: u8) -> SecretKey {
    SecretKey::from_slice(&[n; 32]).unwrap()
}

/// Returns the public key of a key.
pub fn public(key: &SecretKey) -> PublicKey {
    PublicKey::from_secret_key(SECP256K1, key)
}

/// Returns the id of node number `n`.
pub fn node_id(n: u8) -> NodeId {
    NodeId::from(public(&key(n)))
}

/// The payment hash of all these onions.
pub const PAYMENT_HASH: PaymentHash = PaymentHash([0x42; 32]);

/// Returns an HTLC that carries the onion.
pub fn htlc(onion: &OnionBytes, amount_msat: u64, cltv_expiry: u32) -> IncomingHtlc<'_> {
    IncomingHtlc { onion, payment_hash: PAYMENT_HASH, amount_msat, cltv_expiry, path_key: None }
}

/// Peels an onion and expects a forward.
pub fn forward(key: &SecretKey, htlc: &IncomingHtlc<'_>) -> ([u8; 32], Forward) {
    match peel(key, htlc).unwrap() {
        Peeled { shared_secret, hop: Hop::Forward(forward) } => (shared_secret, forward),
        peeled => panic!("not a forward: {peeled:?}"),
    }
}

/// Computes HMAC-SHA256.
pub fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    engine.input(data);
    Hmac::<sha256::Hash>::from_engine(engine).to_byte_array()
}

/// Hashes the concatenated parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    sha256::Hash::hash(&parts.concat()).to_byte_array()
}

fn stream(key: [u8; 32], len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    ChaCha20::new(&key.into(), &[0; 12].into()).apply_keystream(&mut out);
    out
}

fn xor(a: &mut [u8], b: &[u8]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
}

/// Computes the secret that both keys share.
pub fn shared_secret(secret: &SecretKey, point: &PublicKey) -> [u8; 32] {
    SharedSecret::new(point, secret).secret_bytes()
}

fn next_key(secret: &SecretKey, shared: &[u8; 32]) -> SecretKey {
    let factor = sha256(&[&public(secret).serialize(), shared]);
    secret.mul_tweak(&Scalar::from_be_bytes(factor).unwrap()).unwrap()
}

/// Writes a BigSize, for the lengths that tests need.
pub fn bigsize(value: u64) -> Vec<u8> {
    match value {
        0..0xfd => vec![value as u8],
        0xfd..0x1_0000 => [&[0xfd][..], &(value as u16).to_be_bytes()].concat(),
        0x1_0000..0x1_0000_0000 => [&[0xfe][..], &(value as u32).to_be_bytes()].concat(),
        _ => [&[0xff][..], &value.to_be_bytes()].concat(),
    }
}

/// Writes one TLV record.
pub fn tlv(tlv_type: u64, value: &[u8]) -> Vec<u8> {
    [bigsize(tlv_type), bigsize(value.len() as u64), value.to_vec()].concat()
}

/// Puts the length in front of a payload.
pub fn with_length(payload: &[u8]) -> Vec<u8> {
    [bigsize(payload.len() as u64), payload.to_vec()].concat()
}

/// Writes a number without leading zeros.
pub fn truncated(value: u64) -> Vec<u8> {
    value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// Makes a payload that forwards, in clear.
pub fn clear_payload(scid: u64, amount_msat: u64, cltv_expiry: u32) -> Vec<u8> {
    [
        tlv(2, &truncated(amount_msat)),
        tlv(4, &truncated(cltv_expiry.into())),
        tlv(6, &scid.to_be_bytes()),
    ]
    .concat()
}

/// Builds an onion from payloads that include their length (BOLT 4 "Packet Construction").
pub fn construct(
    session_key: &SecretKey,
    hops: &[(PublicKey, Vec<u8>)],
    associated_data: &[u8],
) -> OnionBytes {
    let mut ephemeral = *session_key;
    let mut secrets = Vec::new();
    for (node, _) in hops {
        let shared = shared_secret(&ephemeral, node);
        ephemeral = next_key(&ephemeral, &shared);
        secrets.push(shared);
    }
    let mut filler = Vec::new();
    for ((_, payload), shared) in hops.iter().zip(&secrets).take(hops.len() - 1) {
        let start = 1300 - filler.len();
        filler.resize(filler.len() + payload.len() + 32, 0);
        let rho = stream(hmac(b"rho", shared), start + filler.len());
        xor(&mut filler, &rho[start..]);
    }
    let mut data = stream(hmac(b"pad", &session_key.secret_bytes()), 1300);
    let mut next_hmac = [0; 32];
    for (index, ((_, payload), shared)) in hops.iter().zip(&secrets).enumerate().rev() {
        let mut layer = [payload.as_slice(), &next_hmac, &data].concat();
        layer.truncate(1300);
        xor(&mut layer, &stream(hmac(b"rho", shared), 1300));
        if index == hops.len() - 1 {
            let at = 1300 - filler.len();
            layer[at..].copy_from_slice(&filler);
        }
        next_hmac = hmac(&hmac(b"mu", shared), &[&layer, associated_data].concat());
        data = layer;
    }
    let packet = [&[0][..], &public(session_key).serialize(), &data, &next_hmac].concat();
    packet.try_into().unwrap()
}

/// Makes an onion for one forwarding hop, node 1, followed by node 2.
pub fn onion_with_payload(payload: &[u8]) -> OnionBytes {
    onion_with_raw_payload(with_length(payload))
}

/// Makes the same onion with a payload that has its length in front, right or wrong.
pub fn onion_with_raw_payload(payload: Vec<u8>) -> OnionBytes {
    let last = with_length(&tlv(2, &[1]));
    let hops = [(public(&key(1)), payload), (public(&key(2)), last)];
    construct(&key(9), &hops, &PAYMENT_HASH.0)
}

/// Seals with ChaCha20-Poly1305 and empty associated data, as BOLT 4 seals recipient data.
pub fn seal(rho: [u8; 32], plain: &[u8]) -> Vec<u8> {
    use chacha20_poly1305::{ChaCha20Poly1305, Key, Nonce};
    let mut sealed = plain.to_vec();
    let tag = ChaCha20Poly1305::new(Key::new(rho), Nonce::new([0; 12])).encrypt(&mut sealed, None);
    sealed.extend_from_slice(&tag);
    sealed
}

/// Seals as LDK does for hops of a path that ends at the node that makes it.
pub fn seal_for_self(rho: [u8; 32], own_key: [u8; 32], plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let stream = stream(rho, 64 + plain.len());
    xor(&mut sealed, &stream[64..]);
    let mut mac = chacha20_poly1305::poly1305::Poly1305::new(stream[..32].try_into().unwrap());
    mac.input(&sealed);
    mac.input(&vec![0; sealed.len().next_multiple_of(16) - sealed.len()]);
    mac.input(&own_key);
    mac.input(&(sealed.len() as u64).to_le_bytes());
    mac.input(&32u64.to_le_bytes());
    sealed.extend_from_slice(&mac.tag());
    sealed
}

/// One hop of a blinded path: what its creator computes from the path's private key.
pub struct BlindedHop {
    /// The path key that the hop receives.
    pub path_key: PublicKey,
    /// The hop's blinded id.
    pub blinded_node_id: PublicKey,
    /// The data for the hop, sealed.
    pub sealed: Vec<u8>,
    /// The secret key of the next path key.
    pub next_path_secret: SecretKey,
}

/// Makes one hop of a blinded path.
pub fn blind(path_secret: &SecretKey, node: &PublicKey, data: &[u8]) -> BlindedHop {
    blind_with(path_secret, node, |rho| seal(rho, data))
}

/// Makes one hop, with data that `seal` seals.
pub fn blind_with(
    path_secret: &SecretKey,
    node: &PublicKey,
    seal: impl Fn([u8; 32]) -> Vec<u8>,
) -> BlindedHop {
    let shared = shared_secret(path_secret, node);
    let tweak = Scalar::from_be_bytes(hmac(b"blinded_node_id", &shared)).unwrap();
    BlindedHop {
        path_key: public(path_secret),
        blinded_node_id: node.mul_tweak(SECP256K1, &tweak).unwrap(),
        sealed: seal(hmac(b"rho", &shared)),
        next_path_secret: next_key(path_secret, &shared),
    }
}
