//! Reading an invoice somebody gave us.

use bitcoin::Network;
use bitcoin::bech32::primitives::decode::CheckedHrpstringError as Bech32Error;
use bitcoin::hashes::Hash;
use lightning_invoice::{
    Bolt11Invoice, Bolt11InvoiceDescriptionRef, Bolt11ParseError, Bolt11SemanticError, Currency,
    ParseOrSemanticError,
};
use steward_wire::{NodeId, PaymentHash};

use crate::Description;
use crate::hint::{self, HintHop};
use crate::limits::MAX_INVOICE_CHARS;

/// A decoded invoice, its checksum, signature and required features checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The invoice itself, lower case and without a scheme.
    pub text: String,
    /// The chain the payment is on. All testnets have one prefix and read as `Testnet`.
    pub network: Network,
    /// Who gets the payment.
    pub payee: NodeId,
    /// Hash of the preimage that is the receipt.
    pub payment_hash: PaymentHash,
    /// To be shown to the payee with every part.
    pub payment_secret: [u8; 32],
    /// What to pay; `None` leaves it to the payer.
    pub amount_msat: Option<u64>,
    /// What for, in the payee's words: may contain anything, escape it before display.
    pub description: Description,
    /// When it was made, in seconds since 1970.
    pub created_at_unix: u64,
    /// Seconds from creation until it may no longer be paid.
    pub expiry_s: u64,
    /// Blocks the last HTLC must have left when it arrives.
    pub min_final_cltv_expiry_delta: u32,
    /// Ways to the payee over unannounced channels.
    pub hints: Vec<Vec<HintHop>>,
    /// Whether the payment may come in parts.
    pub basic_mpp: bool,
    /// To be sent to the payee with every part.
    pub metadata: Option<Vec<u8>>,
    /// Addresses the payee also takes the payment at.
    pub fallback_addresses: Vec<String>,
}

/// Why a text is not an invoice we can pay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not an invoice at all.
    #[error("this is not a Lightning invoice")]
    NotAnInvoice,
    /// More than [`MAX_INVOICE_CHARS`].
    #[error("the invoice is longer than {MAX_INVOICE_CHARS} characters")]
    TooLong,
    /// The bech32 checksum is wrong, or upper and lower case are mixed.
    #[error("the invoice is mistyped or incomplete: its checksum is wrong")]
    BadChecksum,
    /// A prefix no network we know has.
    #[error("the invoice is for an unknown network")]
    UnknownNetwork,
    /// The amount is no number, or no whole number of millisatoshi.
    #[error("the invoice's amount is not a number of millisatoshi")]
    BadAmount,
    /// Not signed by the payee.
    #[error("the invoice's signature is wrong")]
    BadSignature,
    /// A feature we do not know is required, or the payment secret's is missing.
    #[error("the invoice requires a feature this node does not have")]
    UnknownFeature,
    /// A mandatory field is missing.
    #[error("the invoice has no {0}")]
    Missing(&'static str),
    /// A field that may be there once is there more than once.
    #[error("the invoice has more than one {0}")]
    Duplicate(&'static str),
    /// `min_final_cltv_expiry_delta` is not a number of blocks.
    #[error("the invoice asks for an impossible expiry")]
    BadExpiryDelta,
    /// A field is malformed.
    #[error("the invoice is malformed: {0}")]
    Malformed(String),
}

/// The invoice is for another chain than ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invoice is for {invoice}, this node is on {ours}")]
pub struct WrongNetwork {
    /// The invoice's.
    pub invoice: Network,
    /// Ours.
    pub ours: Network,
}

/// Reads an invoice; upper case, surrounding white space and a `lightning:` scheme are accepted.
pub fn parse(text: &str) -> Result<Invoice, ParseError> {
    let text = strip_scheme(text.trim());
    if text.len() > MAX_INVOICE_CHARS {
        return Err(ParseError::TooLong);
    }
    let invoice: Bolt11Invoice = text.parse().map_err(ParseError::from)?;
    decode(&invoice, text.to_ascii_lowercase())
}

impl Invoice {
    /// When it may no longer be paid, in seconds since 1970.
    pub fn expires_at_unix(&self) -> u64 {
        self.created_at_unix.saturating_add(self.expiry_s)
    }

    /// Whether it is too late to pay at `now_unix`, in seconds since 1970.
    pub fn is_expired(&self, now_unix: u64) -> bool {
        now_unix >= self.expires_at_unix()
    }

    /// Refuses an invoice for another chain.
    pub fn check_network(&self, ours: Network) -> Result<(), WrongNetwork> {
        let same = match ours {
            Network::Testnet4 => self.network == Network::Testnet,
            _ => self.network == ours,
        };
        if same { Ok(()) } else { Err(WrongNetwork { invoice: self.network, ours }) }
    }
}

fn strip_scheme(text: &str) -> &str {
    const SCHEME: &str = "lightning:";
    match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            rest.strip_prefix("//").unwrap_or(rest)
        }
        _ => text,
    }
}

fn decode(invoice: &Bolt11Invoice, text: String) -> Result<Invoice, ParseError> {
    // The library reads a number of whole bitcoin that overflows as no amount at all.
    let names_amount = invoice.clone().into_signed_raw().raw_invoice().hrp.raw_amount.is_some();
    let amount_msat = invoice.amount_milli_satoshis();
    if names_amount && amount_msat.is_none() {
        return Err(ParseError::BadAmount);
    }
    let description = match invoice.description() {
        Bolt11InvoiceDescriptionRef::Direct(text) => Description::Text(text.as_inner().0.clone()),
        Bolt11InvoiceDescriptionRef::Hash(hash) => Description::Hash(hash.0.to_byte_array()),
    };
    let min_final_cltv_expiry_delta = u32::try_from(invoice.min_final_cltv_expiry_delta())
        .map_err(|_| ParseError::BadExpiryDelta)?;
    Ok(Invoice {
        text,
        network: network(&invoice.currency())?,
        payee: NodeId::from(invoice.get_payee_pub_key()),
        payment_hash: PaymentHash(invoice.payment_hash().0),
        payment_secret: invoice.payment_secret().0,
        amount_msat,
        description,
        created_at_unix: invoice.duration_since_epoch().as_secs(),
        expiry_s: invoice.expiry_time().as_secs(),
        min_final_cltv_expiry_delta,
        hints: invoice.route_hints().iter().map(hint::from_ldk).collect(),
        basic_mpp: invoice.features().is_some_and(|features| features.supports_basic_mpp()),
        metadata: invoice.payment_metadata().cloned(),
        fallback_addresses: invoice.fallback_addresses().iter().map(ToString::to_string).collect(),
    })
}

fn network(currency: &Currency) -> Result<Network, ParseError> {
    match currency {
        Currency::Bitcoin => Ok(Network::Bitcoin),
        Currency::BitcoinTestnet => Ok(Network::Testnet),
        Currency::Signet => Ok(Network::Signet),
        Currency::Regtest => Ok(Network::Regtest),
        Currency::Simnet => Err(ParseError::UnknownNetwork),
    }
}

impl From<ParseOrSemanticError> for ParseError {
    fn from(error: ParseOrSemanticError) -> Self {
        match error {
            ParseOrSemanticError::ParseError(error) => Self::from(error),
            ParseOrSemanticError::SemanticError(error) => Self::from(error),
        }
    }
}

impl From<Bolt11ParseError> for ParseError {
    fn from(error: Bolt11ParseError) -> Self {
        match error {
            Bolt11ParseError::Bech32Error(Bech32Error::Checksum(_)) => Self::BadChecksum,
            Bolt11ParseError::Bech32Error(_)
            | Bolt11ParseError::BadPrefix
            | Bolt11ParseError::MalformedHRP => Self::NotAnInvoice,
            Bolt11ParseError::UnknownCurrency => Self::UnknownNetwork,
            Bolt11ParseError::ParseAmountError(_) | Bolt11ParseError::UnknownSiPrefix => {
                Self::BadAmount
            }
            Bolt11ParseError::MalformedSignature(_) => Self::BadSignature,
            other => Self::Malformed(other.to_string()),
        }
    }
}

impl From<Bolt11SemanticError> for ParseError {
    fn from(error: Bolt11SemanticError) -> Self {
        match error {
            Bolt11SemanticError::NoPaymentHash => Self::Missing("payment hash"),
            Bolt11SemanticError::MultiplePaymentHashes => Self::Duplicate("payment hash"),
            Bolt11SemanticError::NoDescription => Self::Missing("description"),
            Bolt11SemanticError::MultipleDescriptions => Self::Duplicate("description"),
            Bolt11SemanticError::NoPaymentSecret => Self::Missing("payment secret"),
            Bolt11SemanticError::MultiplePaymentSecrets => Self::Duplicate("payment secret"),
            Bolt11SemanticError::InvalidFeatures => Self::UnknownFeature,
            Bolt11SemanticError::InvalidSignature => Self::BadSignature,
            Bolt11SemanticError::ImpreciseAmount => Self::BadAmount,
        }
    }
}
