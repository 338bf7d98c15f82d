//! Makes the onion of a payment, by LDK's `create_payment_onion`. The route comes from elsewhere.

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use lightning::ln::msgs::OnionPacket;
use lightning::ln::onion_utils::create_payment_onion;
use lightning::ln::outbound_payment::{RecipientCustomTlvs, RecipientOnionFields};
use lightning::routing::router::{BlindedTail, Path, RouteHop};
use lightning_types::features::{ChannelFeatures, NodeFeatures};
use lightning_types::payment::{PaymentHash as LdkHash, PaymentPreimage, PaymentSecret};
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};

use crate::limits::{MAX_HEIGHT, MAX_MONEY_MSAT, MAX_ROUTE_HOPS, ONION_BYTES};

/// One hop of a payment's route, in LDK's terms: fee and expiry distance belong to the channel
/// AFTER this hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathHop {
    /// The node that this hop reaches.
    pub node_id: NodeId,
    /// The channel by which it is reached.
    pub scid: ShortChannelId,
    /// The fee that the node keeps for forwarding, in millisatoshi; for the last hop the amount
    /// paid or, before a blinded tail, the fee of the whole tail.
    pub fee_msat: u64,
    /// The blocks that the node keeps between incoming and outgoing expiry; for the last hop the
    /// recipient's `min_final_cltv_expiry_delta` or, before a blinded tail, the delta of the whole
    /// tail.
    pub cltv_expiry_delta: u32,
}

/// The content of the payload for the recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The invoice's secret.
    pub payment_secret: Option<[u8; 32]>,
    /// The amount that all parts pay together, in millisatoshi.
    pub total_msat: u64,
    /// The invoice's metadata.
    pub metadata: Option<Vec<u8>>,
    /// The preimage, for a payment without an invoice.
    pub keysend_preimage: Option<Preimage>,
    /// The further records, of types 65536 and up, each once.
    pub custom_tlvs: Vec<(u64, Vec<u8>)>,
}

/// The randomness and the height that an onion is made from.
#[derive(Clone, Copy)]
pub struct OnionSeed {
    /// A valid private key, fresh for every onion. The caller keeps it, because failures are read
    /// with it.
    pub session_key: [u8; 32],
    /// Random bytes, fresh for every onion, which fill the unused part.
    pub prng_seed: [u8; 32],
    /// The best known height.
    pub height: u32,
}

/// An onion and the HTLC that carries it to the first hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentOnion {
    /// The `onion_routing_packet`.
    pub onion: Box<[u8; ONION_BYTES]>,
    /// The `amount_msat`, fees included.
    pub amount_msat: u64,
    /// The `cltv_expiry`, a height.
    pub cltv_expiry: u32,
}

/// The reason why an onion cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The route has no hop, or more than [`MAX_ROUTE_HOPS`].
    #[error("a route needs 1 to {MAX_ROUTE_HOPS} hops")]
    BadLength,
    /// A node id in the route is not a public key.
    #[error("hop {0} of the route has no valid node id")]
    BadNodeId(usize),
    /// The session key is not a private key.
    #[error("the session key is not a valid private key")]
    BadSessionKey,
    /// The payment is of nothing, or its amounts add up to more bitcoin than exist.
    #[error("the amounts of the route are out of range")]
    BadAmount,
    /// The expiries do not add up to a height.
    #[error("the expiries of the route are out of range")]
    BadExpiry,
    /// A custom record has a reserved type or comes twice.
    #[error("custom records need types of 65536 and up, each once")]
    BadCustomTlv,
    /// LDK refuses, mostly because the payloads do not fit into one packet.
    #[error("the onion cannot be built: {0}")]
    Refused(String),
}

/// Makes the onion for a payment along `path`, which ends with the recipient.
pub fn create(
    path: &[PathHop],
    recipient: &Recipient,
    payment_hash: &PaymentHash,
    seed: &OnionSeed,
) -> Result<PaymentOnion, CreateError> {
    build(path, None, recipient, payment_hash, seed)
}

/// Makes the onion for a payment along `path`, which ends with the introduction node of a blinded
/// path, and then along `tail`.
pub fn create_blinded(
    path: &[PathHop],
    tail: BlindedTail,
    recipient: &Recipient,
    payment_hash: &PaymentHash,
    seed: &OnionSeed,
) -> Result<PaymentOnion, CreateError> {
    build(path, Some(tail), recipient, payment_hash, seed)
}

fn build(
    path: &[PathHop],
    tail: Option<BlindedTail>,
    recipient: &Recipient,
    payment_hash: &PaymentHash,
    seed: &OnionSeed,
) -> Result<PaymentOnion, CreateError> {
    let session_key =
        SecretKey::from_slice(&seed.session_key).map_err(|_| CreateError::BadSessionKey)?;
    // LDK counts from the block in which the HTLC may first be mined.
    let height = seed.height.checked_add(1).ok_or(CreateError::BadExpiry)?;
    check(path, tail.as_ref(), recipient, height)?;
    let path = Path { hops: to_ldk(path)?, blinded_tail: tail };
    let (packet, amount_msat, cltv_expiry) = create_payment_onion(
        SECP256K1,
        &path,
        &session_key,
        &recipient_to_ldk(recipient)?,
        height,
        &LdkHash(payment_hash.0),
        &recipient.keysend_preimage.map(|preimage| PaymentPreimage(preimage.0)),
        None,
        seed.prng_seed,
    )
    .map_err(|error| CreateError::Refused(format!("{error:?}")))?;
    let onion = packet_from_ldk(&packet)
        .ok_or_else(|| CreateError::Refused("the packet has no ephemeral key".to_owned()))?;
    Ok(PaymentOnion { onion, amount_msat, cltv_expiry })
}

/// Checks what LDK does not: it adds up unchecked and serialises amounts that it trusts.
fn check(
    path: &[PathHop],
    tail: Option<&BlindedTail>,
    recipient: &Recipient,
    height: u32,
) -> Result<(), CreateError> {
    // The tail's first hop is the path's last.
    let tail_hops = tail.map_or(0, |tail| tail.hops.len().saturating_sub(1));
    let hops = path.len().saturating_add(tail_hops);
    if path.is_empty() || hops > MAX_ROUTE_HOPS || tail.is_some_and(|tail| tail.hops.is_empty()) {
        return Err(CreateError::BadLength);
    }
    // LDK takes an amount of zero for one that it has yet to see, and puts a fee in its place.
    let paid_msat = match tail {
        Some(tail) => tail.final_value_msat,
        None => path.last().map_or(0, |hop| hop.fee_msat),
    };
    let tail_msat = tail.map_or(0, |tail| tail.final_value_msat);
    let amount = path.iter().try_fold(tail_msat, |sum, hop| sum.checked_add(hop.fee_msat));
    if paid_msat == 0
        || amount.is_none_or(|amount| amount >= MAX_MONEY_MSAT)
        || recipient.total_msat >= MAX_MONEY_MSAT
    {
        return Err(CreateError::BadAmount);
    }
    let tail_blocks = tail.map_or(0, |tail| tail.excess_final_cltv_expiry_delta);
    let start = height.checked_add(tail_blocks);
    let expiry = path
        .iter()
        .try_fold(start, |sum, hop| Some(sum?.checked_add(hop.cltv_expiry_delta)))
        .flatten();
    if expiry.is_none_or(|expiry| expiry >= MAX_HEIGHT) {
        return Err(CreateError::BadExpiry);
    }
    Ok(())
}

fn to_ldk(path: &[PathHop]) -> Result<Vec<RouteHop>, CreateError> {
    let route_hop = |(index, hop): (usize, &PathHop)| {
        Ok(RouteHop {
            pubkey: hop.node_id.public_key().ok_or(CreateError::BadNodeId(index))?,
            node_features: NodeFeatures::empty(),
            short_channel_id: hop.scid.0,
            channel_features: ChannelFeatures::empty(),
            fee_msat: hop.fee_msat,
            cltv_expiry_delta: hop.cltv_expiry_delta,
            maybe_announced_channel: false,
        })
    };
    path.iter().enumerate().map(route_hop).collect()
}

fn recipient_to_ldk(recipient: &Recipient) -> Result<RecipientOnionFields, CreateError> {
    let custom_tlvs = RecipientCustomTlvs::new(recipient.custom_tlvs.clone())
        .map_err(|()| CreateError::BadCustomTlv)?;
    let mut fields =
        RecipientOnionFields::spontaneous_empty(recipient.total_msat).with_custom_tlvs(custom_tlvs);
    fields.payment_secret = recipient.payment_secret.map(PaymentSecret);
    fields.payment_metadata = recipient.metadata.clone();
    Ok(fields)
}

fn packet_from_ldk(packet: &OnionPacket) -> Option<Box<[u8; ONION_BYTES]>> {
    let ephemeral: PublicKey = packet.public_key.ok()?;
    let mut onion = Box::new([0u8; ONION_BYTES]);
    let bytes = [packet.version]
        .into_iter()
        .chain(ephemeral.serialize())
        .chain(packet.hop_data)
        .chain(packet.hmac);
    onion.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Some(onion)
}
