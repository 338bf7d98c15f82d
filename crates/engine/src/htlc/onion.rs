//! The content of an incoming HTLC's onion, and the refusal of one with a wrong content.

use steward_htlc::IncomingHtlcId;
use steward_onion::{Forward as Layer, Hop, IncomingHtlc, PeelError, Received, peel, receive};
use steward_wire::{Identity, UpdateAddHtlc};

use crate::context::Context;
use crate::face::signer::Signer;
use crate::step::{Answer, Step};

/// The receiver of an incoming HTLC.
pub(crate) enum Opened {
    /// We are the receiver.
    Ours(Received),
    /// The HTLC is to be forwarded.
    Forward {
        /// The layer of the onion that was made for us.
        layer: Layer,
        /// The secret that we share with the payer.
        shared_secret: [u8; 32],
    },
}

/// Opens the onion with our key in the channel or, for invoices that name a payee key of their own,
/// with that. `may_be_ours`: we know the invoice, or its preimage.
pub(crate) fn open(
    cx: &Context,
    local: &dyn Identity,
    add: &UpdateAddHtlc,
    may_be_ours: bool,
) -> Result<Opened, PeelError> {
    let htlc = incoming_htlc(add);
    let as_invoice = || receive(&*cx.signer().invoice(&add.payment_hash), &htlc, cx.height());
    if may_be_ours {
        match as_invoice() {
            Err(PeelError::Malformed { .. }) => {} // Not made for that key.
            outcome => return outcome.map(Opened::Ours),
        }
    }
    let peeled = match peel(local, &htlc) {
        // An invoice we have forgotten: its payer gets the answer of any payee, or it could tell
        // invoices of one age from those of another.
        Err(PeelError::Malformed { .. }) if !may_be_ours => {
            return as_invoice().map(Opened::Ours);
        }
        peeled => peeled?,
    };
    match peeled.hop {
        Hop::Forward(layer) => Ok(Opened::Forward { layer, shared_secret: peeled.shared_secret }),
        Hop::Final => receive(local, &htlc, cx.height()).map(Opened::Ours),
    }
}

/// The layer of the onion made for us as a node on the way, if we are one.
pub(crate) fn forward_layer(
    local: &dyn Identity,
    add: &UpdateAddHtlc,
) -> Option<(Layer, [u8; 32])> {
    let peeled = peel(local, &incoming_htlc(add)).ok()?;
    let Hop::Forward(layer) = peeled.hop else { return None };
    Some((layer, peeled.shared_secret))
}

/// True if an onion was made for us.
pub(crate) fn is_readable(signer: &dyn Signer, local: &dyn Identity, add: &UpdateAddHtlc) -> bool {
    let reads = |payee: &dyn Identity| {
        !matches!(peel(payee, &incoming_htlc(add)), Err(PeelError::Malformed { .. }))
    };
    reads(local) || reads(&*signer.invoice(&add.payment_hash))
}

/// Fails an incoming HTLC, taken at `since_ms`, in the way that `refusal` names.
pub(crate) fn refuse(cx: &mut Context, htlc: IncomingHtlcId, refusal: PeelError, since_ms: u64) {
    cx.push(Step::Settle(htlc, Answer::Refuse { refusal, since_ms }));
}

fn incoming_htlc(add: &UpdateAddHtlc) -> IncomingHtlc<'_> {
    IncomingHtlc {
        onion: &add.onion.0,
        payment_hash: add.payment_hash,
        amount_msat: add.amount_msat,
        cltv_expiry: add.cltv_expiry,
        path_key: add.path_key(),
    }
}
