//! Reads an invoice that somebody gave us.

use bitcoin::Network;
use bitcoin::bech32::primitives::decode::{CheckedHrpstring, CheckedHrpstringError};
use bitcoin::bech32::{Bech32, Checksum, Fe32};
use steward_wire::{NodeId, PaymentHash};

use crate::error::{ParseError, WrongNetwork};
use crate::fields::Fields;
use crate::hint::HintHop;
use crate::limits::MAX_INVOICE_CHARS;
use crate::signature::{self, SIGNATURE_GROUPS};
use crate::{Description, features, groups, prefix};

/// A decoded invoice, with its checksum, signature and required features checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The invoice itself, in lower case and without a scheme.
    pub text: String,
    /// The chain that the payment is on. All testnets have one prefix and are read as `Testnet`.
    pub network: Network,
    /// The node that gets the payment.
    pub payee: NodeId,
    /// The hash of the preimage that is the receipt.
    pub payment_hash: PaymentHash,
    /// The secret that the payee must see with every part.
    pub payment_secret: [u8; 32],
    /// The amount to pay, in millisatoshi; `None` leaves it to the payer.
    pub amount_msat: Option<u64>,
    /// The purpose in the payee's words. They may contain anything: escape them before display.
    pub description: Description,
    /// The time when it was made, in seconds since 1970.
    pub created_at_unix: u64,
    /// The time from creation until it may no longer be paid, in seconds, at most `MAX_EXPIRY_S`.
    pub expiry_s: u64,
    /// The blocks that the last HTLC must have left when it arrives.
    pub min_final_cltv_expiry_delta: u32,
    /// The routes to the payee over unannounced channels.
    pub hints: Vec<Vec<HintHop>>,
    /// True if the payment may come in parts.
    pub basic_mpp: bool,
    /// The feature bits that are set (BOLT 9), in rising order. None of them keeps us from paying.
    pub features: Vec<u16>,
    /// The bytes that the payee must see with every part.
    pub metadata: Option<Vec<u8>>,
    /// The addresses at which the payee also takes the payment.
    pub fallback_addresses: Vec<String>,
}

/// Reads an invoice. Upper case, surrounding white space and a `lightning:` scheme are accepted.
pub fn parse(text: &str) -> Result<Invoice, ParseError> {
    let text = strip_scheme(text.trim());
    if text.len() > MAX_INVOICE_CHARS {
        return Err(ParseError::TooLong);
    }
    decode(text)
}

impl Invoice {
    /// Returns when it may no longer be paid, in seconds since 1970.
    pub fn expires_at_unix(&self) -> u64 {
        self.created_at_unix.saturating_add(self.expiry_s)
    }

    /// Returns true if it is too late to pay at `now_unix`, in seconds since 1970.
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

fn decode(text: &str) -> Result<Invoice, ParseError> {
    let hrpstring = CheckedHrpstring::new::<InvoiceBech32>(text).map_err(|error| match error {
        CheckedHrpstringError::Checksum(_) if starts_like_an_invoice(text) => {
            ParseError::BadChecksum
        }
        _ => ParseError::NotAnInvoice,
    })?;
    let prefix = hrpstring.hrp().to_lowercase();
    let (network, amount_msat) = prefix::read(&prefix)?;
    let groups: Vec<u8> = hrpstring.fe32_iter::<std::iter::Empty<u8>>().map(Fe32::to_u8).collect();
    let data_len = groups.len().checked_sub(SIGNATURE_GROUPS).ok_or(TOO_SHORT)?;
    let (data, signature) = groups.split_at_checked(data_len).ok_or(TOO_SHORT)?;
    let (time, tagged) = data.split_at_checked(TIME_GROUPS).ok_or(TOO_SHORT)?;
    let fields = Fields::read(tagged, network)?;
    if fields.has_blinded_paths && fields.payment_secret.is_none() {
        return Err(ParseError::BlindedPaths);
    }
    let feature_bits = fields.features.unwrap_or_default();
    features::check(feature_bits)?;
    Ok(Invoice {
        text: text.to_ascii_lowercase(),
        network,
        payment_hash: fields.payment_hash.ok_or(ParseError::Missing("payment hash"))?,
        payment_secret: fields.payment_secret.ok_or(ParseError::Missing("payment secret"))?,
        description: fields.description.ok_or(ParseError::Missing("description"))?,
        payee: signature::payee(&prefix, data, signature, fields.payee)?.into(),
        amount_msat,
        created_at_unix: groups::number(time).ok_or(TOO_SHORT)?,
        expiry_s: fields.expiry_s.unwrap_or(DEFAULT_EXPIRY_S),
        min_final_cltv_expiry_delta: fields
            .min_final_cltv_expiry_delta
            .unwrap_or(DEFAULT_MIN_FINAL_CLTV_EXPIRY_DELTA),
        hints: fields.hints,
        basic_mpp: features::basic_mpp(feature_bits),
        features: features::bits(feature_bits),
        metadata: fields.metadata,
        fallback_addresses: fields.fallback_addresses,
    })
}

fn starts_like_an_invoice(text: &str) -> bool {
    text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("ln"))
}

const TOO_SHORT: ParseError = ParseError::Malformed("it is too short");
/// The number of groups that the creation time takes.
const TIME_GROUPS: usize = 7;
/// BOLT 11's default, for an invoice that does not name one.
const DEFAULT_EXPIRY_S: u64 = 3_600;
/// BOLT 11's default, for an invoice that does not name one.
const DEFAULT_MIN_FINAL_CLTV_EXPIRY_DELTA: u32 = 18;

/// Bech32 without the limit on the length for which its checksum was made.
enum InvoiceBech32 {}

impl Checksum for InvoiceBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = MAX_INVOICE_CHARS;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}
