//! Makes and signs an invoice.

use std::time::Duration;

use bitcoin::Network;
use bitcoin::hashes::{Hash, sha256};
use lightning_invoice::{
    Bolt11InvoiceDescription, CreationError, Currency, InvoiceBuilder, Sha256,
};
use lightning_types::payment::PaymentSecret;
use lightning_types::routing::RouteHint;
use steward_wire::{Identity, PaymentHash};

use crate::Description;
use crate::hint::HintHop;
use crate::limits::{
    MAX_AMOUNT_MSAT, MAX_CREATED_AT_UNIX, MAX_DESCRIPTION_BYTES, MAX_EXPIRY_S, MAX_HINT_HOPS,
    MAX_INVOICE_CHARS,
};

/// The content of a new invoice.
#[derive(Clone, Debug)]
pub struct NewInvoice {
    /// The chain that the payment is on.
    pub network: Network,
    /// The hash of the preimage that the payer gets as a receipt.
    pub payment_hash: PaymentHash,
    /// The secret that proves to the payee that the payer has this invoice.
    pub payment_secret: [u8; 32],
    /// The amount to pay, in millisatoshi; `None` leaves it to the payer.
    pub amount_msat: Option<u64>,
    /// The purpose of the payment.
    pub description: Description,
    /// The present time, in seconds since 1970.
    pub created_at_unix: u64,
    /// The time until the invoice may no longer be paid, in seconds.
    pub expiry_s: u64,
    /// The blocks that the last HTLC must have left when it arrives.
    pub min_final_cltv_expiry_delta: u16,
    /// The routes to the payee over channels that the payer cannot know; each ends at the payee.
    pub hints: Vec<Vec<HintHop>>,
    /// True if the payment may come in parts.
    pub basic_mpp: bool,
}

/// The reason why an invoice cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// BOLT 11 has no prefix for the network.
    #[error("invoices cannot be made for {0}")]
    Network(Network),
    /// The description has more than [`MAX_DESCRIPTION_BYTES`].
    #[error("the description is longer than {MAX_DESCRIPTION_BYTES} bytes; use its hash instead")]
    DescriptionTooLong,
    /// The amount is more than [`MAX_AMOUNT_MSAT`].
    #[error("the amount is more than an invoice can ask for")]
    AmountTooLarge,
    /// The amount is zero. It has to be left out to let the payer choose.
    #[error("the amount is zero; leave it out to let the payer choose")]
    AmountZero,
    /// The creation time has more than 35 bits.
    #[error("the creation time is out of range")]
    CreatedAtOutOfRange,
    /// The expiry is more than [`MAX_EXPIRY_S`].
    #[error("the invoice would be valid for more than {MAX_EXPIRY_S} seconds")]
    ExpiryTooLong,
    /// A hint has no hop, or more than [`MAX_HINT_HOPS`].
    #[error("a route hint needs 1 to {MAX_HINT_HOPS} hops")]
    BadHintLength,
    /// A node id in a hint is not a public key.
    #[error("a route hint names a node id that is not a public key")]
    BadHintNode,
    /// The text would have more than [`MAX_INVOICE_CHARS`].
    #[error("the invoice would be longer than {MAX_INVOICE_CHARS} characters; use fewer hints")]
    TooLong,
    /// The library refuses for another reason.
    #[error("the invoice cannot be made: {0}")]
    Refused(CreationError),
}

/// Makes the invoice, signed by `payee`. The signature is deterministic (RFC 6979): the same input gives the same
/// text.
pub fn build(new: &NewInvoice, payee: &dyn Identity) -> Result<String, BuildError> {
    check(new)?;
    let description = match &new.description {
        Description::Text(text) => Bolt11InvoiceDescription::Direct(
            lightning_invoice::Description::new(text.clone())
                .map_err(|_| BuildError::DescriptionTooLong)?,
        ),
        Description::Hash(hash) => {
            Bolt11InvoiceDescription::Hash(Sha256(sha256::Hash::from_byte_array(*hash)))
        }
    };
    let mut builder = InvoiceBuilder::new(currency(new.network)?)
        .invoice_description(description)
        .payment_hash(lightning_types::payment::PaymentHash(new.payment_hash.0))
        .duration_since_epoch(Duration::from_secs(new.created_at_unix))
        .min_final_cltv_expiry_delta(u64::from(new.min_final_cltv_expiry_delta))
        .payment_secret(PaymentSecret(new.payment_secret))
        .expiry_time(Duration::from_secs(new.expiry_s));
    if let Some(amount_msat) = new.amount_msat {
        builder = builder.amount_milli_satoshis(amount_msat);
    }
    for hint in &new.hints {
        let hops: Option<Vec<_>> = hint.iter().map(HintHop::to_ldk).collect();
        builder = builder.private_route(RouteHint(hops.ok_or(BuildError::BadHintNode)?));
    }
    if new.basic_mpp {
        builder = builder.basic_mpp();
    }
    let invoice = builder
        .build_signed(|hash| payee.sign_invoice(*hash.as_ref()))
        .map_err(BuildError::Refused)?;
    let text = invoice.to_string();
    if text.len() > MAX_INVOICE_CHARS {
        return Err(BuildError::TooLong);
    }
    Ok(text)
}

fn check(new: &NewInvoice) -> Result<(), BuildError> {
    match new.amount_msat {
        Some(0) => return Err(BuildError::AmountZero),
        Some(amount_msat) if amount_msat > MAX_AMOUNT_MSAT => {
            return Err(BuildError::AmountTooLarge);
        }
        _ => {}
    }
    if new.created_at_unix > MAX_CREATED_AT_UNIX {
        return Err(BuildError::CreatedAtOutOfRange);
    }
    if new.expiry_s > MAX_EXPIRY_S {
        return Err(BuildError::ExpiryTooLong);
    }
    if new.hints.iter().any(|hint| hint.is_empty() || hint.len() > MAX_HINT_HOPS) {
        return Err(BuildError::BadHintLength);
    }
    Ok(())
}

fn currency(network: Network) -> Result<Currency, BuildError> {
    match network {
        Network::Bitcoin => Ok(Currency::Bitcoin),
        Network::Testnet | Network::Testnet4 => Ok(Currency::BitcoinTestnet),
        Network::Signet => Ok(Currency::Signet),
        Network::Regtest => Ok(Currency::Regtest),
    }
}
