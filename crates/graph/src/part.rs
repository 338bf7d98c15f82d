//! One path's HTLC: its onion, its amount and its expiry.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use steward_engine::io::{RouteRequest, RoutedPart};
use steward_onion::{OnionSeed, PathHop, Recipient, create};

use crate::error::RouteError;

/// The purpose of a derived value, so that no two purposes share one.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// LDK's random expiry offset, which can be inferred from the payment.
    Router = 0,
    /// A session key, secret until the payment is over.
    SessionKey = 1,
    /// The unused part of an onion, visible to its last hop.
    Filler = 2,
}

/// Makes the HTLC of path number `index`.
pub(crate) fn build_part(
    request: &RouteRequest,
    path: Vec<PathHop>,
    entropy: &[u8; 32],
    index: u32,
) -> Result<RoutedPart, RouteError> {
    let recipient = Recipient {
        payment_secret: request.recipient.payment_secret,
        total_msat: request.recipient.total_msat,
        metadata: request.recipient.metadata.clone(),
        keysend_preimage: request.recipient.keysend_preimage,
        custom_tlvs: Vec::new(),
    };
    let session_key = derive(entropy, Purpose::SessionKey, index);
    let prng_seed = derive(entropy, Purpose::Filler, index);
    let seed = OnionSeed { session_key, prng_seed, height: request.height };
    let made = create(&path, &recipient, &request.payment_hash, &seed)?;
    let delivered_msat = path.last().map_or(0, |hop| hop.fee_msat);
    Ok(RoutedPart {
        path,
        amount_msat: made.amount_msat,
        fee_msat: made.amount_msat.saturating_sub(delivered_msat),
        cltv_expiry: made.cltv_expiry,
        onion: made.onion,
        session_key,
    })
}

/// Computes `SHA256(entropy ‖ purpose ‖ index)`.
pub(crate) fn derive(entropy: &[u8; 32], purpose: Purpose, index: u32) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    engine.input(entropy);
    engine.input(&[purpose as u8]);
    engine.input(&index.to_be_bytes());
    sha256::Hash::from_engine(engine).to_byte_array()
}
