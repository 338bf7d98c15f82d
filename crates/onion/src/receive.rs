//! The last hop: the content of a payment to us, read and checked by LDK's `peel_payment_onion`
//! (payload rules, blinded paths, keysend). Whether we accept the payment is up to the caller.

use bitcoin::secp256k1::{PublicKey, SECP256K1};
use lightning::ln::channelmanager::PendingHTLCRouting;
use lightning::ln::msgs::{FinalOnionHopData, OnionPacket, UpdateAddHTLC};
use lightning::ln::onion_payment::{InboundHTLCErr, peel_payment_onion};
use lightning::ln::onion_utils::LocalHTLCFailureReason as Reason;
use lightning::ln::types::ChannelId;
use steward_wire::{Identity, Preimage};

use crate::failure::Failure;
use crate::limits::{
    HOP_PAYLOADS_BYTES, LDK_FINAL_EXPIRY_BLOCKS, MAX_HEIGHT, MIN_FINAL_EXPIRY_BLOCKS,
};
use crate::peel::{Blinding, IncomingHtlc, Opened, PeelError};
use crate::signer::{NoLog, OnionSigner};

/// A payment, or a part of one, that ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The amount that the sender meant this HTLC to carry, in millisatoshi; it carries at least as
    /// much.
    pub amount_msat: u64,
    /// The amount that the sender will pay with all parts together, in millisatoshi.
    pub total_msat: u64,
    /// The invoice's secret; `None` for a keysend without one.
    pub payment_secret: Option<[u8; 32]>,
    /// The invoice's metadata.
    pub metadata: Option<Vec<u8>>,
    /// The preimage, if the sender chose it; it matches the payment hash.
    pub keysend_preimage: Option<Preimage>,
    /// The further records, of types 65536 and up, ascending; all types are odd.
    pub custom_tlvs: Vec<(u64, Vec<u8>)>,
    /// The secret shared with the sender; failures and attribution data are made with it.
    pub shared_secret: [u8; 32],
    /// Our place in a blinded path: it decides how failures are encoded.
    pub blinding: Blinding,
}

/// Reads the last layer of `htlc`'s onion at chain height `height`.
///
/// Errors say how the HTLC must be failed: among others if it expires within
/// [`crate::limits::MIN_FINAL_EXPIRY_BLOCKS`], carries less or expires sooner than the sender said,
/// has neither payment secret nor keysend preimage, or has an even record that we do not know.
pub fn receive(
    node: &dyn Identity,
    htlc: &IncomingHtlc<'_>,
    height: u32,
) -> Result<Received, PeelError> {
    let opened = Opened::new(node, htlc)?;
    let blinding = place_in_path(&opened, htlc);
    // LDK accepts even records that we do not know, and trampoline payments, which we could not
    // fail properly.
    opened.payload()?;
    let height = height.min(MAX_HEIGHT);
    let signer = OnionSigner(node);
    let ldk_height = height.saturating_sub(LDK_FINAL_EXPIRY_BLOCKS - MIN_FINAL_EXPIRY_BLOCKS);
    let info = peel_payment_onion(&to_ldk(htlc), &signer, NoLog, SECP256K1, ldk_height, false)
        .map_err(|error| refusal(&opened, blinding, htlc, height, &error))?;
    let layer = FinalLayer::of(info.routing)
        .ok_or_else(|| opened.reject(blinding, Failure::invalid_onion_payload(0, 0)))?;
    // The same check again for a last layer behind dummy hops.
    if let Some((even, _)) = layer.custom_tlvs.iter().find(|(tlv_type, _)| tlv_type % 2 == 0) {
        return Err(opened.reject(blinding, Failure::invalid_onion_payload(*even, 0)));
    }
    let payment_data = layer.payment_data;
    Ok(Received {
        amount_msat: info.outgoing_amt_msat,
        total_msat: payment_data.as_ref().map_or(info.outgoing_amt_msat, |data| data.total_msat),
        payment_secret: payment_data.map(|data| data.payment_secret.0),
        metadata: layer.metadata,
        keysend_preimage: layer.keysend_preimage,
        custom_tlvs: layer.custom_tlvs,
        shared_secret: opened.shared_secret,
        blinding,
    })
}

/// Decides how the last hop's failures must be encoded. The introduction node of its own path is an
/// ordinary last hop, unless dummy hops follow: then it must look like one that forwards.
fn place_in_path(opened: &Opened<'_>, htlc: &IncomingHtlc<'_>) -> Blinding {
    match htlc.path_key {
        Some(_) => Blinding::Inside,
        None if opened.layer.is_final() => Blinding::None,
        None => Blinding::Introduction,
    }
}

/// The fields that the two kinds of final layer have in common.
struct FinalLayer {
    payment_data: Option<FinalOnionHopData>,
    metadata: Option<Vec<u8>>,
    keysend_preimage: Option<Preimage>,
    custom_tlvs: Vec<(u64, Vec<u8>)>,
}

impl FinalLayer {
    fn of(routing: PendingHTLCRouting) -> Option<Self> {
        match routing {
            PendingHTLCRouting::Receive { payment_data, payment_metadata, custom_tlvs, .. } => {
                Some(Self {
                    payment_data: Some(payment_data),
                    metadata: payment_metadata,
                    keysend_preimage: None,
                    custom_tlvs,
                })
            }
            PendingHTLCRouting::ReceiveKeysend {
                payment_data,
                payment_preimage,
                payment_metadata,
                custom_tlvs,
                ..
            } => Some(Self {
                payment_data,
                metadata: payment_metadata,
                keysend_preimage: Some(Preimage(payment_preimage.0)),
                custom_tlvs,
            }),
            PendingHTLCRouting::Forward { .. } | PendingHTLCRouting::TrampolineForward { .. } => {
                None
            }
        }
    }
}

/// Translates LDK's reason into BOLT 4's failure.
fn refusal(
    opened: &Opened<'_>,
    blinding: Blinding,
    htlc: &IncomingHtlc<'_>,
    height: u32,
    error: &InboundHTLCErr,
) -> PeelError {
    let failure = match error.reason {
        Reason::InvalidOnionBlinding => opened.invalid_onion_blinding(),
        Reason::FinalIncorrectCLTVExpiry => Failure::final_incorrect_cltv_expiry(htlc.cltv_expiry),
        Reason::FinalIncorrectHTLCAmount => Failure::final_incorrect_htlc_amount(htlc.amount_msat),
        // LDK does not say which field is wrong.
        Reason::InvalidOnionPayload => Failure::invalid_onion_payload(0, 0),
        // BOLT 4 has one answer to an expiry that is too near, a missing secret and a wrong keysend
        // preimage.
        _ => Failure::incorrect_or_unknown_payment_details(htlc.amount_msat, height),
    };
    opened.reject(blinding, failure)
}

fn to_ldk(htlc: &IncomingHtlc<'_>) -> UpdateAddHTLC {
    UpdateAddHTLC {
        channel_id: ChannelId::new_zero(),
        htlc_id: 0,
        amount_msat: htlc.amount_msat,
        payment_hash: lightning_types::payment::PaymentHash(htlc.payment_hash.0),
        cltv_expiry: htlc.cltv_expiry,
        skimmed_fee_msat: None,
        onion_routing_packet: packet_to_ldk(htlc.onion),
        blinding_point: htlc.path_key,
        hold_htlc: None,
        accountable: None,
    }
}

fn packet_to_ldk(onion: &[u8; crate::limits::ONION_BYTES]) -> OnionPacket {
    let [version, rest @ ..] = onion;
    let (key, rest) = rest.split_at(33);
    let (hop_payloads, mac) = rest.split_at(HOP_PAYLOADS_BYTES);
    let mut packet = OnionPacket {
        version: *version,
        public_key: PublicKey::from_slice(key),
        hop_data: [0; HOP_PAYLOADS_BYTES],
        hmac: [0; 32],
    };
    packet.hop_data.copy_from_slice(hop_payloads);
    packet.hmac.copy_from_slice(mac);
    packet
}
